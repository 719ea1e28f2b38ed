//! When is a peer given up?
//!
//! A peer that does not send or does not take holds a connection, which others may need. It has so
//! long for the head of a request, so long between two requests, and so long for each bit of an
//! answer. The stream below errs when that time is over, and at the end waits a moment for what
//! the peer still sends, since closing before would take the answer away from it (RFC 9112,
//! section 9.6). How long an answer may take to be made is not decided here.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use super::twin::Twin;

/// How long a peer is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For the whole head of a request, from its first byte; of the first one, from the beginning
    /// of the connection.
    pub(super) head: Duration,
    /// For the next request.
    pub(super) idle: Duration,
    /// For room in the peer's window.
    pub(super) stall: Duration,
}

/// Why a peer is not waited for any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum GivenUp {
    /// No further request came.
    #[error("the peer sends no request")]
    Idle,
    /// The rest of a head did not come.
    #[error("the peer does not end the head of its request")]
    Head,
    /// The answer finds no room.
    #[error("the peer takes nothing")]
    Stall,
}

/// What whoever answers the requests of a connection says to its stream.
#[derive(Debug, Default)]
pub(super) struct Turn {
    answering: AtomicBool,
    unread: AtomicBool,
    /// What of the answer needs not be copied, for as long as it is kept; a connection that is idle
    /// keeps nothing. Only ever locked by the one thread of the connection.
    twin: Mutex<Weak<Twin>>,
}

/// A stream that may be a plain socket.
pub(super) trait Outlet: AsyncRead + AsyncWrite + Unpin {
    /// The socket, if what is written goes to it as it is.
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

impl Outlet for TcpStream {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Outlet for TlsStream<TcpStream> {}

/// A stream to a peer that is not waited for without end.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    limits: Limits,
    turn: Arc<Turn>,
    phase: Phase,
    /// When the write that waits is given up.
    stalled: Option<Instant>,
    /// Rings no later than the time that is waited for; made when something waits at all.
    alarm: Option<Pin<Box<Sleep>>>,
    /// What is read before anything that the peer sends from now on.
    again: Vec<u8>,
}

/// What the peer has to send.
#[derive(Debug)]
enum Phase {
    /// A request, of which there is nothing yet; until then.
    Idle(Instant),
    /// The rest of a head; until then, which is worked out once something is missing.
    Head(Option<Instant>),
    /// Nothing: the end was said, and what comes until then is not looked at.
    Leaving(Instant),
}

impl Turn {
    /// A request is being answered. `unread` is whether it has content, which nobody reads.
    pub(super) fn answer(&self, unread: bool) {
        self.answering.store(true, Relaxed);
        if unread {
            self.unread.store(true, Relaxed);
        }
    }

    /// Content is about to be written that has a twin.
    pub(super) fn spare_copies(&self, twin: &Arc<Twin>) {
        *self.twin.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(twin);
    }

    fn twin(&self) -> Option<Arc<Twin>> {
        let twin = self.twin.lock().unwrap_or_else(PoisonError::into_inner);
        twin.upgrade()
    }
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, limits: Limits, turn: Arc<Turn>) -> Self {
        Self {
            stream,
            limits,
            turn,
            phase: Phase::Head(Some(Instant::now() + limits.head)),
            stalled: None,
            alarm: None,
            again: Vec::new(),
        }
    }

    /// Gives back what was read and is to be read again.
    pub(super) fn put_back(&mut self, read: &[u8]) {
        self.again = read.to_vec();
    }

    /// Waits until `deadline`, or less if something else happens before.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() > deadline {
            alarm.as_mut().reset(deadline);
        }
        // One that was set for something else is left alone, which costs less than to set it for
        // every request.
        while alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() >= deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Writes without a copy, if there is something of which that can be done.
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Option<Poll<io::Result<usize>>>
    where
        S: Outlet,
    {
        let socket = self.stream.socket()?;
        let twin = self.turn.twin()?;
        let piece = twin.find(slices)?;
        let before = &slices[..piece.slice];
        let write = || twin.send(socket, before, piece.range.clone());
        Some(loop {
            match socket.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(why)) => break Poll::Ready(Err(why)),
                Poll::Pending => break Poll::Pending,
            }
            match socket.try_io(Interest::WRITABLE, write) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                sent => break Poll::Ready(sent),
            }
        })
    }

    /// Passes on how a write went, or an error if it has waited for too long.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.stalled = None;
            return write;
        }
        let stall = self.limits.stall;
        let deadline = *self.stalled.get_or_insert_with(|| Instant::now() + stall);
        ready!(self.poll_alarm(cx, deadline));
        Poll::Ready(Err(GivenUp::Stall.into()))
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
            if self.again.is_empty() {
                self.again = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        // Nothing is read while a request is answered.
        if self.turn.answering.swap(false, Relaxed) {
            self.phase = Phase::Idle(Instant::now() + self.limits.idle);
        }
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            if buf.filled().len() > before && matches!(self.phase, Phase::Idle(_)) {
                self.phase = Phase::Head(None);
            }
            return Poll::Ready(read);
        }
        let head = self.limits.head;
        let (deadline, why) = match &mut self.phase {
            Phase::Idle(until) | Phase::Leaving(until) => (*until, GivenUp::Idle),
            Phase::Head(until) => {
                let until = until.get_or_insert_with(|| Instant::now() + head);
                (*until, GivenUp::Head)
            }
        };
        ready!(self.poll_alarm(cx, deadline));
        Poll::Ready(Err(why.into()))
    }
}

impl<S: Outlet> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = self
            .poll_send(cx, bufs)
            .unwrap_or_else(|| Pin::new(&mut self.stream).poll_write_vectored(cx, bufs));
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
        if !matches!(self.phase, Phase::Leaving(_)) {
            let shutdown = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.judge(cx, shutdown))?;
            let answered = self.turn.answering.swap(false, Relaxed);
            if !self.turn.unread.load(Relaxed) && (answered || matches!(self.phase, Phase::Idle(_)))
            {
                return Poll::Ready(Ok(()));
            }
            self.phase = Phase::Leaving(Instant::now() + LINGER);
        }
        let mut unwanted = [0; 4096];
        loop {
            let mut unwanted = ReadBuf::new(&mut unwanted);
            match ready!(self.as_mut().poll_read(cx, &mut unwanted)) {
                Ok(()) if !unwanted.filled().is_empty() => {}
                // It has ended, or is not waited for any more.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl From<GivenUp> for io::Error {
    fn from(why: GivenUp) -> Self {
        Self::new(io::ErrorKind::TimedOut, why)
    }
}

/// How long a peer may go on sending what nobody reads.
const LINGER: Duration = Duration::from_secs(2);

#[cfg(test)]
pub(super) mod tests;
