//! Which phase is a request in?
//!
//! The stream itself tells when bytes were taken and came, for hyper tells only when it has made
//! sense of them. The stream is watched above TLS: below it, what belongs to TLS alone would count
//! too. That writing is over is known only when something else begins, so it is told afterwards.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::Request;
use hyper::ext::on_informational;
use leadsman_dial::{Laps, Stream, TcpInfo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A phase of one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Until the addresses of the host are known.
    Resolve,
    /// Until a connection, or a tunnel through the proxy, is there.
    Connect,
    /// Until TLS is agreed on.
    Tls,
    /// Until the kernel has taken the last byte of the request.
    Write,
    /// Until the first byte of the final response.
    Wait,
    /// Until the last byte of the response.
    Transfer,
    /// What this program does by itself: it reads files before, and judges the answer after.
    Own,
}

impl leadsman_dial::Phase for Phase {
    fn label(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Write => "request_write",
            Self::Wait => "wait",
            Self::Transfer => "transfer",
            Self::Own => "own",
        }
    }
}

/// The phases of the hop that is under way, shared with the stream that it goes over.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    laps: Laps<Phase>,
    /// When the request's bytes were last taken.
    written: Option<Instant>,
    /// Whether the first byte that comes is that of the response: not in HTTP/2, where settings
    /// come first.
    reads_count: bool,
    /// Whether only the first write is the request's: in HTTP/2 acknowledgements follow.
    one_write: bool,
    /// What the kernel knew of the connection when it was given up.
    connection: Option<TcpInfo>,
}

impl Watch {
    /// Begins a hop.
    pub(crate) fn begin(phase: Phase) -> Self {
        Self(Arc::new(Mutex::new(State {
            laps: Laps::begin(phase),
            written: None,
            reads_count: false,
            one_write: false,
            connection: None,
        })))
    }

    /// Goes on to another phase, now.
    pub(crate) fn enter(&self, phase: Phase) {
        self.state().enter(phase);
    }

    /// Goes on to writing a request, of which the stream then tells.
    pub(crate) fn write(&self, http2: bool, empty: bool) {
        let mut state = self.state();
        state.enter(Phase::Write);
        state.reads_count = !http2;
        state.one_write = http2 && empty;
    }

    /// Has hyper tell of responses to a request that are not final.
    pub(crate) fn hear_of<B>(&self, request: &mut Request<B>) {
        let watch = self.clone();
        on_informational(request, move |_| watch.informed());
    }

    /// What came was not the final response (RFC 9110, section 15.2), so the wait goes on.
    fn informed(&self) {
        self.state().enter(Phase::Wait);
    }

    /// The head of the final response is there, and its first byte at the latest.
    pub(crate) fn answered(&self) {
        let mut state = self.state();
        state.reads_count = false;
        if state.laps.running() != Some(Phase::Transfer) {
            state.enter(Phase::Transfer);
        }
    }

    /// Ends the hop, now, and tells how long each phase took.
    pub(crate) fn stop(&self) -> Laps<Phase> {
        let mut state = self.state();
        state.end_of_write();
        state.laps.stop();
        state.laps.clone()
    }

    /// The phase that is under way, for people.
    pub(crate) fn phase(&self) -> Option<Phase> {
        let state = self.state();
        match state.laps.running() {
            Some(Phase::Write) if state.written.is_some() => Some(Phase::Wait),
            running => running,
        }
    }

    /// What the kernel knew of the hop's connection in the end, once it is given up.
    pub(crate) fn connection(&self) -> Option<TcpInfo> {
        self.state().connection
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.end_of_write();
        self.laps.enter(phase);
    }

    /// Writing is over once something else begins; what followed the last byte was waiting.
    fn end_of_write(&mut self) {
        if self.laps.running() == Some(Phase::Write)
            && let Some(written) = self.written
        {
            self.laps.enter_at(Phase::Wait, written);
        }
    }

    fn wrote(&mut self) {
        if self.laps.running() == Some(Phase::Write) && !(self.one_write && self.written.is_some())
        {
            self.written = Some(Instant::now());
        }
    }

    fn read(&mut self) {
        let waits = matches!(self.laps.running(), Some(Phase::Write | Phase::Wait));
        if self.reads_count && waits {
            self.enter(Phase::Transfer);
        }
    }
}

/// A stream that tells a [`Watch`] what happens to it.
pub(crate) struct Watched {
    stream: Box<dyn Stream>,
    watch: Watch,
}

impl Watched {
    pub(crate) fn new(stream: Box<dyn Stream>, watch: Watch) -> Self {
        Self { stream, watch }
    }

    /// Whom it tells.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Says what there is to say before the connection is closed. A peer that is gone already does
    /// without.
    pub(crate) fn poll_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stream.has_last_words() {
            return Pin::new(&mut self.stream).poll_shutdown(cx).map(drop);
        }
        Poll::Ready(())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Nothing is known of one that the kernel has forgotten.
        self.watch.state().connection = TcpInfo::of(self.stream.connection()).ok();
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.watch.state().read();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.watch.state().wrote();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bytes));
        self.watch.state().wrote();
        Poll::Ready(written)
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

/// Adds up hops: how long a phase took in all of them; `None` if no hop came to it.
pub(crate) fn sum(hops: &[Laps<Phase>], phase: Phase) -> Option<Duration> {
    hops.iter()
        .filter_map(|hop| hop.of(phase))
        .reduce(|a, b| a + b)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_follows_the_last_written_byte_is_waiting() {
        let ms = Duration::from_millis;
        let watch = Watch::begin(Phase::Connect);
        advance(ms(1)).await;
        watch.write(false, true);
        advance(ms(2)).await;
        watch.state().wrote();
        advance(ms(3)).await;
        assert_eq!(watch.phase(), Some(Phase::Wait));
        // An interim response is not the answer.
        watch.state().read();
        watch.informed();
        advance(ms(4)).await;
        watch.state().read();
        advance(ms(5)).await;
        watch.answered();
        let laps = watch.stop();
        let expected = [
            (Phase::Connect, ms(1)),
            (Phase::Write, ms(2)),
            (Phase::Wait, ms(7)),
            (Phase::Transfer, ms(5)),
        ];
        assert_eq!(laps.all().collect::<Vec<_>>(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn in_http2_neither_settings_nor_their_acknowledgement_count() {
        let ms = Duration::from_millis;
        let watch = Watch::begin(Phase::Tls);
        watch.write(true, true);
        advance(ms(1)).await;
        watch.state().wrote();
        advance(ms(2)).await;
        watch.state().read();
        watch.state().wrote();
        advance(ms(4)).await;
        watch.answered();
        let laps = watch.stop();
        assert_eq!(laps.of(Phase::Write), Some(ms(1)));
        assert_eq!(laps.of(Phase::Wait), Some(ms(6)));
    }
}
