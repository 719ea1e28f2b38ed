//! How is a connection served?
//!
//! Rustls speaks TLS with the peer, if at all, and hyper HTTP/1; here is how strictly, and how it is
//! told to end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use leadsman_core::Stop;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::Site;
use super::patience::{Limits, Patient, Turn};

/// What is behind the door by which the peers come.
#[derive(Clone)]
pub(super) struct Door {
    /// What is there to see.
    pub(super) site: Arc<Site>,
    /// How TLS is spoken at the door, if at all.
    pub(super) tls: Option<TlsAcceptor>,
    /// How long a peer is waited for.
    pub(super) limits: Limits,
    /// When the door is closed.
    pub(super) stop: Stop,
}

impl Door {
    /// Answers the requests of a peer until one of both has had enough, or the door is closed and
    /// the request that is being answered then is answered.
    pub(super) async fn serve(self, stream: TcpStream) {
        let Some(tls) = &self.tls else {
            return self.speak(stream).await;
        };
        // Why a handshake fails is the peer's affair.
        let handshake = timeout(self.limits.head, tls.accept(stream));
        let stream = tokio::select! {
            stream = handshake => stream,
            () = self.stop.requested() => return,
        };
        if let Ok(Ok(stream)) = stream {
            self.speak(stream).await;
        }
    }

    async fn speak<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let turn = Arc::new(Turn::default());
        let stream = Patient::new(stream, self.limits, Arc::clone(&turn));
        let service = service_fn(|request: Request<Incoming>| {
            turn.answer(!request.body().is_end_stream());
            let site = Arc::clone(&self.site);
            async move { Ok::<_, Infallible>(site.answer(&request).await) }
        });
        let mut connection = pin!(protocol().serve_connection(TokioIo::new(stream), service));
        // Why a connection ended is the peer's affair: it was reset, or spoke no HTTP.
        tokio::select! {
            biased;
            _ = &mut connection => return,
            () = self.stop.requested() => {}
        }
        connection.as_mut().graceful_shutdown();
        _ = connection.await;
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
