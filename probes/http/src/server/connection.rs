//! How is a connection served?
//!
//! Hyper speaks HTTP/1 with the peer; here is how strictly, and how it is told to end.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use leadsman_core::Stop;
use socket2::{SockRef, Socket};
use tokio::net::TcpStream;

use super::answer::Site;
use super::counts::Rejected;
use super::exchange::Exchange;
use super::fault::Severed;
use super::patience::{GivenUp, Limits, Patient, Turn};

/// Answers the requests of a peer until one of both has had enough, or `stop` is requested and the
/// request that is being answered then is answered.
pub(super) async fn serve(stream: TcpStream, site: Arc<Site>, limits: Limits, stop: Stop) {
    let handle = site.oddities.faults.then(|| Handle::of(&stream)).flatten();
    let peer = site.log.as_ref().and_then(|_| stream.peer_addr().ok());
    let peer = peer.map(|peer| peer.ip());
    let counts = Arc::clone(&site.counts);
    let turn = Arc::new(Turn::default());
    let stream = Patient::new(stream, limits, Arc::clone(&turn));
    let service = service_fn(|request: Request<Incoming>| {
        turn.answer(!request.body().is_end_stream());
        let site = Arc::clone(&site);
        let exchange = Exchange::begin(&site, &request, peer);
        let handle = handle.clone();
        async move {
            let response = site.answer(&request).await;
            if response.extensions().get::<Severed>().is_some()
                && let Some(handle) = handle
            {
                handle.sever();
                return Err(Severed);
            }
            Ok(exchange.track(response))
        }
    });
    let mut connection = pin!(protocol().serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = stop.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Why a connection ended is the peer's affair: it was reset, or spoke no HTTP.
    if let Err(why) = ended
        && let Some(why) = rejected(&why)
    {
        counts.reject(why);
    }
}

/// A second handle of a connection, where somebody may ask that it be reset.
#[derive(Clone)]
struct Handle(Arc<Socket>);

impl Handle {
    fn of(stream: &TcpStream) -> Option<Self> {
        let socket = SockRef::from(stream).try_clone().ok()?;
        Some(Self(Arc::new(socket)))
    }

    /// Lets the connection end with a reset once it is closed (socket(7), `SO_LINGER`).
    fn sever(&self) {
        // If that fails, it ends without an answer all the same.
        _ = self.0.set_linger(Some(Duration::ZERO));
    }
}

/// Why the peer was not served to the end, if that was our decision.
fn rejected(why: &hyper::Error) -> Option<Rejected> {
    if why.is_parse() {
        return Some(Rejected::Malformed);
    }
    let source = why.source()?.downcast_ref::<io::Error>()?;
    match source.get_ref()?.downcast_ref()? {
        GivenUp::Idle => None,
        GivenUp::Head => Some(Rejected::Head),
        GivenUp::Stall => Some(Rejected::Stall),
    }
}

/// HTTP/1 as it is spoken here.
fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // How long a peer is waited for is the affair of its stream.
        .header_read_timeout(None)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(BUFFER)
        // Some say the end of what they send before they have what they asked for.
        .half_close(true);
    protocol
}

/// Bytes of a request's head.
const LARGEST_HEAD: usize = 16 << 10;
/// Bytes that are read ahead of the requests that are answered.
const BUFFER: usize = 64 << 10;
