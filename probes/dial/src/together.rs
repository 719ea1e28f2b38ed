//! How does the first thing said over a connection come to be one packet with the second?
//!
//! A client of HTTP/2 writes its preface before it knows what it will ask, and a packet of its own
//! costs both ends as much as the request. [`Together`] keeps that first write until the next one,
//! or until somebody flushes or closes; only to read is not enough. What is written is not its
//! affair.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose first write goes out with the second.
#[derive(Debug)]
pub struct Together<S> {
    stream: S,
    kept: Kept,
}

/// Where the first write is.
#[derive(Debug)]
enum Kept {
    /// Not made.
    Nothing,
    /// Made, and these bytes of it have not gone out.
    Bytes(Vec<u8>),
    /// Gone out.
    Gone,
}

impl<S> Together<S> {
    /// Wraps a stream that nothing was said over by whoever will write.
    pub fn new(stream: S) -> Self {
        let kept = Kept::Nothing;
        Self { stream, kept }
    }
}

impl<S: AsyncWrite + Unpin> Together<S> {
    /// Writes what was kept, and with it as much of `bytes` as goes along; returns how much that is.
    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, kept } = self;
        while let Kept::Bytes(first) = kept {
            let mut all = Vec::with_capacity(1 + bytes.len());
            all.push(IoSlice::new(first));
            all.extend_from_slice(bytes);
            let written = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &all))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            match written.checked_sub(first.len()) {
                None => drop(first.drain(..written)),
                Some(more) => {
                    *kept = Kept::Gone;
                    if more > 0 {
                        return Poll::Ready(Ok(more));
                    }
                }
            }
        }
        if bytes.iter().all(|bytes| bytes.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        Pin::new(stream).poll_write_vectored(cx, bytes)
    }

    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.kept {
            Kept::Bytes(_) => self.poll_with(cx, &[]).map_ok(drop),
            Kept::Nothing | Kept::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Together<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Together<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Kept::Nothing = self.kept {
            let first: Vec<u8> = bytes.iter().flat_map(|part| part.iter().copied()).collect();
            let length = first.len();
            self.kept = Kept::Bytes(first);
            return Poll::Ready(Ok(length));
        }
        self.poll_with(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_kept(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_kept(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Takes at most so many bytes of a write, and notes how many came at once.
    struct Narrow {
        most: usize,
        taken: Vec<u8>,
        writes: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.most);
            self.taken.extend_from_slice(&bytes[..taken]);
            self.writes += 1;
            Poll::Ready(Ok(taken))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let bytes: Vec<u8> = bytes.iter().flat_map(|part| part.iter().copied()).collect();
            self.poll_write(cx, &bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn nothing_is_lost_however_little_is_taken_at_once() {
        for (most, writes) in [(1, 9), (2, 5), (3, 3), (4, 3), (6, 2), (7, 2), (99, 2)] {
            let mut together = Together::new(Narrow {
                most,
                taken: Vec::new(),
                writes: 0,
            });
            for part in ["abc", "def", "ghi"] {
                together.write_all(part.as_bytes()).await.unwrap();
            }
            assert_eq!(together.stream.taken, b"abcdefghi", "{most}");
            assert_eq!(together.stream.writes, writes, "{most}");
        }
    }

    #[tokio::test]
    async fn what_is_flushed_is_sent() {
        let (mut peer, stream) = duplex(64);
        let mut together = Together::new(stream);
        let asking = async {
            together.write_all(b"?").await.unwrap();
            together.flush().await.unwrap();
            together.read_u8().await.unwrap()
        };
        let answering = async {
            let question = peer.read_u8().await.unwrap();
            peer.write_u8(question).await.unwrap();
            peer
        };
        let (answer, _peer) = tokio::join!(asking, answering);
        assert_eq!(answer, b'?');
    }

    #[tokio::test]
    async fn what_was_said_before_the_end_is_sent() {
        let (mut peer, stream) = duplex(64);
        let mut together = Together::new(stream);
        together.write_all(b"bye").await.unwrap();
        together.shutdown().await.unwrap();
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"bye");
    }
}
