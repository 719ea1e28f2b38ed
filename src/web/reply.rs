//! What does an answer consist of?
//!
//! The headers that every answer carries, the few kinds of answers there are, and the body, which
//! is either whole or made chunk by chunk while the reader takes it.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

/// The body of an answer.
pub(super) enum Body {
    /// All of it.
    Whole(Bytes),
    /// Made chunk by chunk.
    Chunks {
        /// Makes the next chunk, and releases with itself whatever it holds.
        chunks: Box<dyn Iterator<Item = Vec<u8>> + Send>,
        /// Whether the next poll lets others go first.
        rests: bool,
    },
}

/// An answer in plain words.
pub(super) fn text(status: StatusCode, words: impl Into<Bytes>) -> Response<Body> {
    typed(
        status,
        "text/plain; charset=utf-8",
        Body::Whole(words.into()),
    )
}

/// An answer of this type.
pub(super) fn typed(status: StatusCode, media: &'static str, body: Body) -> Response<Body> {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    // What a target said stands in many answers; no browser shall take it for a script.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// An answer that leads to another place.
pub(super) fn moved(to: &HeaderValue) -> Response<Body> {
    let mut reply = text(StatusCode::FOUND, "What there is is elsewhere.\n");
    reply.headers_mut().insert(LOCATION, to.clone());
    reply
}

/// The answer to a method that a path does not know.
pub(super) fn not_allowed(allowed: &'static str) -> Response<Body> {
    let words = format!("This path answers {allowed} only.\n");
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, words);
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

impl Body {
    /// All of it at once.
    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Chunks { chunks, .. } => chunks.flatten().collect(),
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match &mut *self {
            Self::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            // A reader on loopback takes chunks as fast as they are made. One chunk at a time is
            // made before probes and other readers have their turn.
            Self::Chunks { rests, .. } if *rests => {
                *rests = false;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::Chunks { chunks, rests } => {
                *rests = true;
                chunks.next().map(Bytes::from)
            }
        };
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Chunks { .. } => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => f.debug_tuple("Whole").field(bytes).finish(),
            Self::Chunks { .. } => f.write_str("Chunks"),
        }
    }
}
