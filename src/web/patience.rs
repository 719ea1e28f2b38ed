//! When is a peer that does not read given up?
//!
//! A reader that takes nothing holds its connection, its place among the readers and the memory of
//! what it has not taken. The stream below errs once a write has waited for too long, or an answer
//! as a whole has not been taken in time. The peer that does not *send* is the HTTP server's affair.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream whose writes fail if the peer takes nothing for [`STALL`], or does not take what was
/// written since it last sent something within [`WHOLE`].
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    /// When the answer that is being written must have been taken; `None` before its first byte.
    end: Option<Instant>,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// What is read before anything that the peer sends from now on.
    again: Vec<u8>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            end: None,
            waiting: None,
            again: Vec::new(),
        }
    }

    /// Gives back what was read and is to be read again.
    pub(super) fn put_back(&mut self, read: Vec<u8>) {
        self.again = read;
    }

    /// Passes on how a write went, or an error if it has waited for too long.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.waiting = None;
            return write;
        }
        let waiting = self.waiting.get_or_insert_with(|| {
            let stall = Instant::now() + STALL;
            Box::pin(sleep_until(self.end.map_or(stall, |end| end.min(stall))))
        });
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the peer took nothing for {STALL:?}, or not all of an answer in {WHOLE:?}"),
        )))
    }

    /// Begins the time of an answer, unless it has begun.
    fn answer(&mut self) {
        self.end.get_or_insert_with(|| Instant::now() + WHOLE);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.again.is_empty() {
            let length = self.again.len().min(buf.remaining());
            buf.put_slice(&self.again[..length]);
            self.again.drain(..length);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        // The next request, for the server reads no further while it answers one.
        if buf.filled().len() > before {
            self.end = None;
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answer();
        let write = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.answer();
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shutdown = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.judge(cx, shutdown)
    }
}

/// How long a peer may take nothing: a scraper's usual patience. The kernel reports room only when
/// a third of its buffer is free, so one that takes a byte now and then is given up too.
const STALL: Duration = Duration::from_secs(10);
/// How long a peer may take for an answer from its first byte on, however steadily it reads.
const WHOLE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    use super::*;

    /// After how long a peer is given up that takes some bytes at each `interval`.
    async fn given_up(interval: Duration) -> Duration {
        let (mut peer, stream) = duplex(64);
        let mut patient = Patient::new(stream);
        tokio::spawn(async move {
            loop {
                sleep(interval).await;
                _ = peer.read(&mut [0; 8]).await;
            }
        });
        let begin = Instant::now();
        let written = patient.write_all(&[b'x'; 4096]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_has_so_long_for_some_bytes_and_so_long_for_all() {
        // The clock of tokio counts whole milliseconds.
        let slack = Duration::from_millis(2);
        for (interval, expected) in [(Duration::from_hours(1), STALL), (STALL / 3, WHOLE)] {
            let taken = given_up(interval).await;
            assert!((expected..expected + slack).contains(&taken), "{taken:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_has_the_time_of_its_own() {
        let (mut peer, stream) = duplex(64);
        let mut patient = Patient::new(stream);
        for _ in 0..3 {
            peer.write_all(b"?").await.unwrap();
            patient.read_exact(&mut [0]).await.unwrap();
            let answered = tokio::join!(patient.write_all(&[b'x'; 128]), async {
                sleep(STALL / 2).await;
                peer.read_exact(&mut [0; 128]).await
            });
            assert!(answered.0.is_ok() && answered.1.is_ok());
            sleep(WHOLE).await;
        }
    }
}
