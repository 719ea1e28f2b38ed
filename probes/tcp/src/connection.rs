//! How is a connection watched to its end?
//!
//! However it ends, what the kernel knew of it then is recorded.

use std::io;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use leadsman_core::Context;
use leadsman_dial::{TcpConnection, TcpInfo, metrics};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Anything that bytes go through in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A TCP connection that is recorded when it is given up.
#[derive(Debug)]
pub(crate) struct Connection<'a, 'c> {
    stream: TcpConnection,
    cx: &'a Context<'c>,
}

impl<'a, 'c> Connection<'a, 'c> {
    pub(crate) fn new(stream: TcpConnection, cx: &'a Context<'c>) -> Self {
        Self { stream, cx }
    }
}

impl Drop for Connection<'_, '_> {
    fn drop(&mut self) {
        if let Ok(info) = TcpInfo::of(&self.stream) {
            metrics::record_connection(self.cx, &info);
        }
    }
}

impl AsyncRead for Connection<'_, '_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection<'_, '_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
