//! How is a request sent over HTTP/1.1, and the head of its answer read?
//!
//! Plain exchanges are made in [`super::plain`], for hyper's way from a task to its connection and back
//! costs as much as half of what else a run does. What is not plain is left to hyper, an answer from its
//! first byte, so that there is one judge of what HTTP is. The server is asked once.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes};
use http_body_util::Full;
use httparse::Status;
use hyper::Request;
use hyper::client::conn::http1::Builder;
use hyper::http::response::Parts;
use hyper_util::rt::TokioIo;
use leadsman_dial::Driver;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::broken::Broken;
use super::exchange::Content;
use super::plain::{self, Coming};
use super::watch::Watched;

/// Sends a request and waits for the head of its answer.
pub(crate) async fn sent(
    request: Request<Full<Bytes>>,
    mut stream: Watched,
) -> Result<(Parts, Content), Broken> {
    if !plain::is_plain(&request) {
        return Box::pin(by_hyper(request, Left::of(stream))).await;
    }
    stream.write_all(&plain::written(&request)).await?;
    stream.flush().await?;
    let mut unread = Bytes::new();
    loop {
        let more = piece(&mut stream).await?;
        let is_end = more.is_empty();
        unread = if unread.is_empty() {
            more
        } else {
            [unread, more].concat().into()
        };
        match plain::parsed(request.method(), &unread) {
            Some(Status::Complete((head, length, left))) => {
                unread.advance(length);
                let coming = Coming::new(unread, left, stream);
                return Ok((head, Content::Plain(coming)));
            }
            Some(Status::Partial) if !is_end && unread.len() < LONGEST => {}
            _ => break,
        }
    }
    let left = Left {
        unread,
        is_sent: true,
        ..Left::of(stream)
    };
    Box::pin(by_hyper(request, left)).await
}

/// What has come, once something has; nothing at the end. No memory waits for it, for servers may be
/// silent for long.
async fn piece(stream: &mut Watched) -> io::Result<Bytes> {
    poll_fn(|cx| {
        let mut room = [MaybeUninit::uninit(); LONGEST];
        let mut room = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut room))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(room.filled())))
    })
    .await
}

/// Leaves to hyper what is left of an exchange.
async fn by_hyper(
    mut request: Request<Full<Bytes>>,
    left: Left,
) -> Result<(Parts, Content), Broken> {
    left.stream.watch().hear_of(&mut request);
    let mut protocol = Builder::new();
    protocol.title_case_headers(true).max_headers(MOST_FIELDS);
    let (mut sender, connection) = protocol.handshake(TokioIo::new(left)).await?;
    let mut driver = Driver::of(async {
        let mut connection = connection;
        // What went wrong is told with the answer.
        _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
        let mut stream = connection.into_parts().io.into_inner().stream;
        poll_fn(|cx| stream.poll_goodbye(cx)).await;
    });
    let response = driver.beside(sender.send_request(request)).await?;
    let (head, body) = response.into_parts();
    Ok((head, Content::Hyper(body, driver)))
}

/// A stream, and what of it has been read before.
struct Left {
    unread: Bytes,
    stream: Watched,
    /// Whether the request has been sent, so that what is written is taken and not sent again.
    is_sent: bool,
    /// Whether anything was written, before which hyper wants no answer.
    is_asked: bool,
    /// Who reads too early.
    waits: Option<Waker>,
}

impl Left {
    /// A stream that nothing was asked over.
    fn of(stream: Watched) -> Self {
        Self {
            unread: Bytes::new(),
            stream,
            is_sent: false,
            is_asked: false,
            waits: None,
        }
    }

    /// Takes what is written once more.
    fn take(&mut self) {
        self.is_asked = true;
        if let Some(waits) = self.waits.take() {
            waits.wake();
        }
    }
}

impl AsyncRead for Left {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_sent && !self.is_asked {
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
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.is_sent {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        self.take();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.is_sent {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        }
        self.take();
        Poll::Ready(Ok(bytes.iter().map(|piece| piece.len()).sum()))
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

/// Bytes of an answer that are read at a time, and looked at before it is left to hyper.
const LONGEST: usize = 8 * 1024;
/// More fields than servers send. What stands before them keeps to about 100: Envoy, `HAProxy` and
/// Varnish pass on no more.
const MOST_FIELDS: usize = 1000;
