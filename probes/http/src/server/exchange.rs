//! When is a request answered, and what came of it?
//!
//! An exchange begins with the head of a request and ends when the last of its answer was handed
//! over to the connection, or nobody wants it any more.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Method, Response, StatusCode};
use tokio::time::Instant;

use super::counts::Counts;
use super::payload::Payload;

/// A request that is being answered.
pub(super) struct Exchange {
    counts: Arc<Counts>,
    method: Method,
    began: Instant,
    status: Option<StatusCode>,
}

/// The content of an answer, and the exchange that ends with it.
pub(super) struct Tracked {
    payload: Payload,
    exchange: Exchange,
}

impl Exchange {
    pub(super) fn begin(counts: Arc<Counts>, method: Method) -> Self {
        counts.begin();
        Self {
            counts,
            method,
            began: Instant::now(),
            status: None,
        }
    }

    /// Goes on for as long as the answer is on its way.
    pub(super) fn track(mut self, response: Response<Payload>) -> Response<Tracked> {
        self.status = Some(response.status());
        response.map(|payload| Tracked {
            payload,
            exchange: self,
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.counts.end(&self.method, self.status, took);
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.payload).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(chunk) = frame.data_ref()
        {
            let sent = &self.exchange.counts.sent;
            sent.fetch_add(chunk.len() as u64, Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
