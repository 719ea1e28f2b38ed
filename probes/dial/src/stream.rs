//! What is known of a connection when it is given up, whatever it was wrapped in?
//!
//! TLS and whoever reads and writes take a stream away from the probe. [`Witness`] stays behind and
//! hears what the kernel knew when it is dropped.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{TcpConnection, TcpInfo, TlsStream};

/// Anything that bytes go through in both directions over one connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The connection.
    fn connection(&self) -> &TcpConnection;

    /// Whether the peer is to be told of the end before the connection is closed, as in TLS (RFC
    /// 8446, section 6.1). To close a plain one tells it, so that it need not be shut down before.
    fn has_last_words(&self) -> bool;
}

impl Stream for TcpConnection {
    fn connection(&self) -> &TcpConnection {
        self
    }

    fn has_last_words(&self) -> bool {
        false
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    fn connection(&self) -> &TcpConnection {
        self.get_ref().0.connection()
    }

    fn has_last_words(&self) -> bool {
        true
    }
}

impl Stream for Box<dyn Stream> {
    fn connection(&self) -> &TcpConnection {
        (**self).connection()
    }

    fn has_last_words(&self) -> bool {
        (**self).has_last_words()
    }
}

/// Hears what the kernel knew of a connection in the end.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Option<TcpInfo>>>);

impl Witness {
    /// Watches a stream until it is dropped.
    pub fn watch(&self, stream: Box<dyn Stream>) -> Witnessed {
        Witnessed {
            stream,
            witness: self.clone(),
        }
    }

    /// What was known when the stream was dropped; `None` before, and where the kernel knew nothing.
    pub fn connection(&self) -> Option<TcpInfo> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that a [`Witness`] watches.
pub struct Witnessed {
    stream: Box<dyn Stream>,
    witness: Witness,
}

impl Drop for Witnessed {
    fn drop(&mut self) {
        // Nothing is known of one that the kernel has forgotten.
        let known = TcpInfo::of(self.stream.connection()).ok();
        *self
            .witness
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl fmt::Debug for Witnessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witnessed({:?})", self.stream.connection())
    }
}

impl AsyncRead for Witnessed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Witnessed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
