//! Who is let in, for how long, and how does it end?
//!
//! Neither running out of descriptors nor peers that send or read nothing stop the door: there is
//! a cap on connections, and each has to get on. What is answered is not decided here.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use leadsman_core::Stop;
use leadsman_dial::{Accepted, ServerTls, alpn};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::caller::Caller;
use super::patience::Patient;
use super::reply::Body;
use super::{Surface, fast_path};

/// Lets peers in, at most so many at a time, until the end is asked for; then waits a while for
/// what they are being answered.
pub(super) async fn attend(listener: TcpListener, surface: Arc<Surface>, most: usize) {
    let stop = surface.host.stop.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.requested() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(_) if connections.len() >= most => surface.host.services.own.connection_refused(),
            Ok((stream, peer)) => {
                let caller = Caller::from(peer.ip());
                connections.spawn(converse(stream, caller, Arc::clone(&surface), stop.clone()));
            }
            // The peer has gone while it waited in the queue.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                warn!(
                    %error,
                    connections = connections.len(),
                    "cannot accept a connection, trying again in {BREATH:?}"
                );
                // Out of descriptors, most often: they come back as connections end.
                _ = timeout(BREATH, stop.requested()).await;
            }
        }
    }
    // Whoever connects from now on is told so at once.
    drop(listener);
    if timeout(FAREWELL, end(&mut connections)).await.is_ok() {
        return;
    }
    surface.hurry.stop();
    if timeout(LAST_WORDS, end(&mut connections)).await.is_err() {
        warn!(
            connections = connections.len(),
            "closed connections whose peers had not taken all of their answers"
        );
    }
}

async fn end(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

/// Answers one connection's requests.
async fn converse(stream: TcpStream, caller: Caller, surface: Arc<Surface>, stop: Stop) {
    // Without it, the last piece of an answer may wait for an acknowledgement. It works as well.
    _ = stream.set_nodelay(true);
    let mut stream = Patient::new(stream);
    let tls = surface.access.rules().tls.clone();
    // In boxes, for they are far larger than what most connections need.
    let ended: Result<(), Box<dyn Error + Send + Sync>> = match tls {
        None => match fast_path::answer_runs(&mut stream, &caller, &surface, &stop).await {
            Ok(None) => Ok(()),
            Ok(Some(read)) => {
                stream.put_back(read);
                let ended = Box::pin(speak_http1(stream, caller, surface, stop)).await;
                ended.map_err(Into::into)
            }
            Err(error) => Err(error.into()),
        },
        Some(tls) => {
            let ended = Box::pin(converse_over_tls(stream, tls, caller, surface, stop)).await;
            ended.map_err(Into::into)
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended early");
    }
}

/// Agrees on TLS, and then answers.
async fn converse_over_tls(
    stream: Patient<TcpStream>,
    tls: ServerTls,
    caller: Caller,
    surface: Arc<Surface>,
    stop: Stop,
) -> hyper::Result<()> {
    let agreed = tokio::select! {
        agreed = timeout(HANDSHAKE, tls.accept(stream)) => agreed,
        () = stop.requested() => return Ok(()),
    };
    match agreed {
        Ok(Ok(Accepted {
            stream,
            alpn: chosen,
        })) => match chosen.as_deref() {
            Some(alpn::H2) => return speak_http2(stream, caller, surface, stop).await,
            _ => return speak_http1(stream, caller, surface, stop).await,
        },
        Ok(Err(error)) => debug!(%error, peer = %caller.address, "TLS was not agreed on"),
        Err(_) => debug!(peer = %caller.address, "TLS was not agreed on within {HANDSHAKE:?}"),
    }
    Ok(())
}

/// Speaks HTTP/1.1 until the connection ends, or is told to.
async fn speak_http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    caller: Caller,
    surface: Arc<Surface>,
    stop: Stop,
) -> hyper::Result<()> {
    let leave = Arc::clone(&caller.leave);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service(caller, surface));
    let hang_up = http1::Connection::graceful_shutdown;
    until_left(connection, hang_up, &leave, &stop).await
}

/// The same for HTTP/2.
async fn speak_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    caller: Caller,
    surface: Arc<Surface>,
    stop: Stop,
) -> hyper::Result<()> {
    let leave = Arc::clone(&caller.leave);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(BUFFER as u32)
        .keep_alive_interval(IDLE)
        .serve_connection(TokioIo::new(stream), service(caller, surface));
    let hang_up = http2::Connection::graceful_shutdown;
    until_left(connection, hang_up, &leave, &stop).await
}

/// Serves a connection to its end: to `leave` cuts it off, and to `stop` has it hang up after the
/// answers under way.
async fn until_left<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    hang_up: fn(Pin<&mut C>),
    leave: &Notify,
    stop: &Stop,
) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = leave.notified() => {
            debug!("a scrape was cut in favour of a newer one");
            Ok(())
        }
        () = stop.requested() => {
            hang_up(connection.as_mut());
            connection.await
        }
    }
}

/// Answers each request that `caller` sends.
fn service(
    caller: Caller,
    surface: Arc<Surface>,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
{
    service_fn(move |request: Request<Incoming>| {
        let (surface, caller) = (Arc::clone(&surface), caller.clone());
        async move {
            let (head, _) = request.into_parts();
            Ok::<_, Infallible>(surface.receive(&caller, head).await)
        }
    })
}

/// How long a peer may take to agree on TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Requests that may be under way on one connection of HTTP/2.
const MOST_STREAMS: u32 = 64;
/// How long a peer may take for a request, the wait for its first byte included. Longer than the
/// usual minute between two scrapes, so that they can share a connection.
pub(super) const IDLE: Duration = Duration::from_secs(90);
/// Bytes of a connection's buffers, and so of the largest head of a request.
const BUFFER: usize = 64 * 1024;
/// How long to wait before the next attempt to accept after a failed one.
const BREATH: Duration = Duration::from_secs(1);
/// How long the runs under way have when the program ends: a scraper's usual patience.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the answers of those that were ended then may take.
const LAST_WORDS: Duration = Duration::from_secs(1);
