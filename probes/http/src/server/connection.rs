//! How is a connection served?
//!
//! Rustls speaks TLS with the peer, if at all, and hyper HTTP; here is which, how strictly in
//! version 1, and how it is told to end.

use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use leadsman_core::Stop;
use leadsman_dial::{Accepted, Renewable};
use socket2::{SockRef, Socket};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::Site;
use super::counts::Rejected;
use super::exchange::Exchange;
use super::fault::Severed;
use super::http2;
use super::patience::{GivenUp, Limits, Outlet, Patient, Turn};
use super::plain::{Rest, answer_plain};
use super::twin::Twin;

/// What is behind the door by which the peers come.
#[derive(Clone)]
pub(super) struct Door {
    /// What is there to see.
    pub(super) site: Arc<Site>,
    /// How TLS is spoken at the door, if at all.
    pub(super) tls: Option<Arc<Renewable>>,
    /// How long a peer is waited for.
    pub(super) limits: Limits,
    /// When the door is closed.
    pub(super) stop: Stop,
}

impl Door {
    /// Answers the requests of a peer until one of both has had enough, or the door is closed and
    /// the request that is being answered then is answered.
    pub(super) async fn serve(self, stream: TcpStream) {
        let peer = Peer::of(&stream, &self.site);
        if let Some(tls) = &self.tls {
            let tls = tls.tls();
            if let Some(Accepted { stream, alpn }) = self.agree(tls.accept(stream)).await {
                if alpn.as_deref() == Some(http2::ALPN) {
                    // Or those who speak version 1 would take as much memory.
                    Box::pin(http2::serve(stream, &self, peer)).await;
                } else {
                    self.speak(stream, peer).await;
                }
            }
        } else {
            match self.agree(http2::is_spoken(&stream)).await {
                Some(true) => Box::pin(http2::serve(stream, &self, peer)).await,
                Some(false) => self.speak(stream, peer).await,
                None => {}
            }
        }
    }

    /// What is agreed on with a peer in time; why nothing is, is the peer's affair.
    async fn agree<T>(&self, agreement: impl Future<Output = io::Result<T>>) -> Option<T> {
        tokio::select! {
            agreed = timeout(self.limits.head, agreement) => {
                if agreed.is_err() {
                    self.site.counts.reject(Rejected::Head);
                }
                agreed.ok()?.ok()
            }
            () = self.stop.requested() => None,
        }
    }

    /// Speaks HTTP/1 with a peer.
    async fn speak<S>(&self, stream: S, peer: Peer)
    where
        S: Outlet + Send + 'static,
    {
        let turn = Arc::new(Turn::default());
        let mut stream = Patient::new(stream, self.limits, Arc::clone(&turn));
        match answer_plain(&mut stream, &self.site, &turn, &self.stop).await {
            Ok(Rest::Other) => {}
            Ok(Rest::Nothing) => return,
            Err(why) => return self.lose(&why),
        }
        let service = service_fn(|request: Request<Incoming>| {
            turn.answer(!request.body().is_end_stream());
            let site = Arc::clone(&self.site);
            let exchange = Exchange::begin(&site, &request, peer.address);
            let handle = peer.handle.clone();
            let turn = Arc::clone(&turn);
            async move {
                let mut response = site.answer(&request).await;
                if let Some(twin) = response.extensions_mut().remove::<Arc<Twin>>() {
                    turn.spare_copies(&twin);
                }
                if response.extensions().get::<Severed>().is_some() {
                    if let Some(handle) = handle {
                        // What is closed with this is reset (socket(7)). If it cannot be set, the
                        // connection ends without an answer all the same.
                        _ = handle.set_linger(Some(Duration::ZERO));
                    }
                    return Err(Severed);
                }
                Ok(exchange.track(response))
            }
        });
        let mut connection = pin!(protocol().serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            biased;
            ended = &mut connection => ended,
            () = self.stop.requested() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        let Err(why) = ended else { return };
        if why.is_parse() {
            self.site.counts.reject(Rejected::Malformed);
        } else if let Some(why) = why.source().and_then(|why| why.downcast_ref()) {
            self.lose(why);
        }
    }

    /// A connection has ended in this way, which is the peer's affair unless it was our decision.
    fn lose(&self, why: &io::Error) {
        match why.get_ref().and_then(|why| why.downcast_ref()) {
            None | Some(GivenUp::Idle) => {}
            Some(GivenUp::Head) => self.site.counts.reject(Rejected::Head),
            Some(GivenUp::Stall) => self.site.counts.reject(Rejected::Stall),
        }
    }
}

/// What is known of a peer before it has said anything.
#[derive(Clone)]
pub(super) struct Peer {
    /// Its address, if that is logged.
    pub(super) address: Option<IpAddr>,
    /// A second handle of its connection, if somebody may ask that it be reset.
    handle: Option<Arc<Socket>>,
}

impl Peer {
    fn of(stream: &TcpStream, site: &Site) -> Self {
        let address = site.log.as_ref().and_then(|_| stream.peer_addr().ok());
        let handle = || SockRef::from(stream).try_clone().ok().map(Arc::new);
        Self {
            address: address.map(|address| address.ip()),
            handle: site.oddities.faults.then(handle).flatten(),
        }
    }
}

/// HTTP/1 as it is spoken here.
pub(super) fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // How long a peer is waited for is the affair of its stream.
        .header_read_timeout(None)
        .max_header_size(LARGEST_HEAD as usize)
        .max_buf_size(BUFFER)
        // Some say the end of what they send before they have what they asked for.
        .half_close(true);
    protocol
}

/// Bytes of a request's head.
pub(super) const LARGEST_HEAD: u32 = 16 << 10;
/// Bytes that are read ahead of the requests that are answered.
const BUFFER: usize = 64 << 10;
