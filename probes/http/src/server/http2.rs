//! How is a connection of HTTP/2 served?
//!
//! Many requests share it, so that neither a read nor a write that waits tells whether the peer is
//! slow. What tells is what gets on: a request that comes, a bit of an answer that there is room
//! for. A connection on which nothing gets on is given up, whatever else the peer sends. The frames
//! themselves are hyper's affair.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::CONNECTION;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use super::connection::{Door, LARGEST_HEAD, Peer};
use super::exchange::{Exchange, Tracked};
use super::fault::Severed;
use super::patience::Limits;

/// The protocol's name where TLS agrees on one (RFC 9113, section 3.2).
pub(super) const ALPN: &[u8] = b"h2";

/// Whether a peer begins as one that speaks HTTP/2 without having asked for it (RFC 9113, section
/// 3.3). What it has sent is still there to be read.
pub(super) async fn is_spoken(stream: &TcpStream) -> io::Result<bool> {
    let mut begin = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut begin).await?;
        if length == begin.len() || length == 0 || !PREFACE.starts_with(&begin[..length]) {
            return Ok(begin == *PREFACE);
        }
        // So little came that it cannot be told, which is rare, and that there is more nobody says.
        sleep(INTERVAL).await;
    }
}

/// Answers the requests of a peer until one of both has had enough, or the door is closed and the
/// requests that are being answered then are answered.
pub(super) async fn serve<S>(stream: S, door: &Door, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let progress = Arc::new(Progress::new());
    let service = service_fn(|request: Request<Incoming>| {
        progress.step();
        let (site, progress) = (Arc::clone(&door.site), Arc::clone(&progress));
        let exchange = Exchange::begin(&site, &request, peer.address);
        async move {
            let mut response = site.answer(&request).await;
            if response.extensions().get::<Severed>().is_some() {
                // Of many requests it is this one whose stream is reset.
                return Err(Severed);
            }
            // Means nothing here (RFC 9113, section 8.2.2).
            response.headers_mut().remove(CONNECTION);
            let response = response.map(|payload| payload.in_chunks_of(CHUNK));
            let response = exchange.track(response);
            Ok(response.map(|payload| Watched::new(payload, progress)))
        }
    });
    let mut connection = pin!(protocol().serve_connection(TokioIo::new(stream), service));
    let mut given_up = pin!(progress.ceases(door.limits));
    // Why a connection ended is the peer's affair.
    tokio::select! {
        _ = &mut connection => return,
        () = &mut given_up => return,
        () = door.stop.requested() => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = given_up => {}
    }
}

/// HTTP/2 as it is spoken here.
fn protocol() -> http2::Builder<TokioExecutor> {
    let mut protocol = http2::Builder::new(TokioExecutor::new());
    protocol
        .max_concurrent_streams(MOST_REQUESTS)
        .max_header_list_size(LARGEST_HEAD)
        // Requests that are taken back before they are seen, and ones that are ended for a mistake
        // of the peer: who has so many of them means no good (CVE-2023-44487, CVE-2025-8671).
        .max_pending_accept_reset_streams(MOST_TAKEN_BACK)
        .max_local_error_reset_streams(MOST_MISTAKEN)
        // Content is not read, so there is no need of room for it.
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    protocol
}

/// When something got on the last time.
#[derive(Debug)]
struct Progress(Mutex<Pace>);

#[derive(Debug)]
struct Pace {
    last: Instant,
    /// How many answers are on their way.
    answers: usize,
}

impl Progress {
    fn new() -> Self {
        Self(Mutex::new(Pace {
            last: Instant::now(),
            answers: 0,
        }))
    }

    fn step(&self) {
        self.pace().last = Instant::now();
    }

    /// Waits until nothing has got on for too long.
    async fn ceases(&self, limits: Limits) {
        loop {
            let now = Instant::now();
            let deadline = self.pace().deadline(limits);
            if deadline <= now {
                return;
            }
            // It may come nearer while it is waited for.
            let next = now + limits.idle.min(limits.stall);
            sleep_until(deadline.min(next)).await;
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    fn deadline(&self, limits: Limits) -> Instant {
        let patience = match self.answers {
            0 => limits.idle,
            _ => limits.stall,
        };
        self.last + patience
    }
}

/// Content on its way, each bit of which is progress.
struct Watched {
    payload: Tracked,
    progress: Arc<Progress>,
}

impl Watched {
    fn new(payload: Tracked, progress: Arc<Progress>) -> Self {
        progress.pace().answers += 1;
        Self { payload, progress }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.progress.pace().answers -= 1;
        self.progress.step();
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.payload).poll_frame(cx));
        self.progress.step();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}

/// What a client begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long the rest of it is waited for before it is looked for again.
const INTERVAL: Duration = Duration::from_millis(10);
/// Requests of a connection that are answered at once.
const MOST_REQUESTS: u32 = 128;
/// Requests taken back that wait to be seen.
const MOST_TAKEN_BACK: usize = 20;
/// Requests ended for a mistake, over the whole connection.
const MOST_MISTAKEN: usize = 256;
/// Bytes of content that a client may send unasked, the least that there is by default.
const WINDOW: u32 = 65_535;
/// Bytes of an answer that are held for a peer that has no room: it may have asked for many.
const CHUNK: u64 = 32 << 10;
