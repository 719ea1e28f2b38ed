//! How is a request sent over HTTP/1.1, and the head of its answer read?
//!
//! Hyper does both. It has room at hand for 100 fields of a head, and where more are permitted it makes
//! room for all of them each time, which is a tenth of what a run costs this program. So more are
//! permitted only to an answer that has more: hyper gives up on it, leaves what it has not made sense
//! of, and reads that once more with more room. The server is asked once.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};

use http_body_util::Full;
use hyper::body::{Buf as _, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, Connection, Parts};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use leadsman_dial::Driver;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::Watched;

/// Sends a request and waits for the head of its answer.
pub(crate) async fn sent(
    request: Request<Full<Bytes>>,
    stream: Watched,
) -> (hyper::Result<Response<Incoming>>, Driver) {
    let method = request.method().clone();
    let left = Arc::new(Mutex::new(None));
    let (mut sender, connection) = match protocol().handshake(TokioIo::new(stream)).await {
        Ok(connection) => connection,
        Err(why) => return (Err(why), idle()),
    };
    let mut driver = Driver::of(Carried {
        connection: Some(connection),
        stream: None,
        left: Arc::downgrade(&left),
    });
    let response = driver.beside(sender.send_request(request)).await;
    if response
        .as_ref()
        .is_err_and(hyper::Error::is_parse_too_large)
    {
        let left = left.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(left) = left {
            return Box::pin(left.read(method)).await;
        }
    }
    (response, driver)
}

fn protocol() -> Builder {
    let mut protocol = Builder::new();
    protocol.title_case_headers(true);
    protocol
}

/// Drives nothing.
fn idle() -> Driver {
    Driver::of(async {})
}

/// A connection on its way to its end. What of the answer was not made sense of is kept for as long as
/// somebody may want it.
struct Carried {
    /// Until it has ended.
    connection: Option<Connection<TokioIo<Watched>, Full<Bytes>>>,
    /// Once it has ended, until goodbye is said.
    stream: Option<Watched>,
    left: Weak<Mutex<Option<Left>>>,
}

impl Future for Carried {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(connection) = &mut self.connection {
            // How it went is told with the answer.
            let ended = ready!(connection.poll_without_shutdown(cx));
            let parts = self.connection.take().map(Connection::into_parts);
            let Some(Parts { io, read_buf, .. }) = parts else {
                return Poll::Ready(());
            };
            let stream = io.into_inner();
            if ended.is_ok()
                && !read_buf.is_empty()
                && let Some(left) = self.left.upgrade()
            {
                *left.lock().unwrap_or_else(PoisonError::into_inner) = Some(Left {
                    unread: read_buf,
                    stream,
                    asked: false,
                    waits: None,
                });
                return Poll::Ready(());
            }
            self.stream = Some(stream);
        }
        match &mut self.stream {
            Some(stream) => stream.poll_goodbye(cx),
            None => Poll::Ready(()),
        }
    }
}

/// An answer that hyper has given up, from the beginning of its head, and the stream that the rest of
/// it comes over. What is written to it is taken and not sent: the request has been.
struct Left {
    unread: Bytes,
    stream: Watched,
    /// Whether the request was written, before which hyper wants no answer.
    asked: bool,
    /// Who reads too early.
    waits: Option<Waker>,
}

impl Left {
    /// Reads the head, now with room for more fields. Of the request nothing but the method says
    /// how its answer is to be read (RFC 9112, section 6.3).
    async fn read(self, method: Method) -> (hyper::Result<Response<Incoming>>, Driver) {
        let mut protocol = protocol();
        let protocol = protocol.max_headers(MOST_FIELDS);
        let (mut sender, connection) = match protocol.handshake(TokioIo::new(self)).await {
            Ok(connection) => connection,
            Err(why) => return (Err(why), idle()),
        };
        let mut driver = Driver::of(async { drop(connection.await) });
        let mut request = Request::new(Full::<Bytes>::default());
        *request.method_mut() = method;
        let response = driver.beside(sender.send_request(request)).await;
        (response, driver)
    }
}

impl AsyncRead for Left {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.asked {
            self.waits = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread[..length]);
        self.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Left {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.asked = true;
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// More fields than servers send. What stands before them keeps to about 100: Envoy, `HAProxy` and
/// Varnish pass on no more.
const MOST_FIELDS: usize = 1000;
