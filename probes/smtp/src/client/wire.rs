//! What carries a dialogue?
//!
//! A connection of TCP, in TLS or not. The only change it can make is from the one to the other.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use futures_util::FutureExt as _;
use leadsman_dial::{TcpConnection, TcpInfo, TlsStream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// A connection.
#[derive(Debug)]
pub(crate) enum Wire {
    /// As it is.
    Plain(TcpConnection),
    /// In TLS.
    Secure(Box<TlsStream<TcpConnection>>),
    /// Given up, or on its way into TLS.
    Gone,
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The kernel has taken all.
    All,
    /// So many octets came before it had; 0 is the end.
    Heard(usize),
}

/// Either kind of stream.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Wire {
    /// Reads what is there, or waits until something is; 0 is the end.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer).await,
            Self::Secure(stream) => stream.read(buffer).await,
            Self::Gone => Ok(0),
        }
    }

    /// Reads what is there already; `None` if nothing is.
    pub(crate) fn read_now(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match self {
            Self::Plain(stream) => stream.read(buffer).now_or_never(),
            Self::Secure(stream) => stream.read(buffer).now_or_never(),
            Self::Gone => Some(Ok(0)),
        }
    }

    /// Writes until the kernel has taken all.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secure(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Writes until the kernel has taken all, or until something comes that is read into `buffer`.
    pub(crate) async fn write_unless_heard(
        &mut self,
        bytes: &[u8],
        buffer: &mut [u8],
    ) -> io::Result<Written> {
        let stream: &mut dyn Stream = match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream,
            Self::Gone => return Err(io::ErrorKind::NotConnected.into()),
        };
        let mut rest = bytes;
        poll_fn(|cx| {
            loop {
                let wrote = if rest.is_empty() {
                    Pin::new(&mut *stream).poll_flush(cx).map_ok(|()| 0)
                } else {
                    Pin::new(&mut *stream).poll_write(cx, rest)
                };
                match wrote {
                    Poll::Ready(Ok(0)) if rest.is_empty() => {
                        return Poll::Ready(Ok(Written::All));
                    }
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    Poll::Ready(Ok(length)) => rest = &rest[length..],
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
            let mut heard = ReadBuf::new(buffer);
            let read = Pin::new(&mut *stream).poll_read(cx, &mut heard);
            read.map_ok(|()| Written::Heard(heard.filled().len()))
        })
        .await
    }

    /// What the kernel knows of the connection.
    pub(crate) fn info(&self) -> Option<TcpInfo> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Secure(stream) => stream.get_ref().0,
            Self::Gone => return None,
        };
        TcpInfo::of(stream).ok()
    }
}
