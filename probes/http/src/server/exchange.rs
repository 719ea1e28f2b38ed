//! When is a request answered, and what came of it?
//!
//! An exchange begins with the head of a request and ends when the last of its answer was handed
//! over to the connection, or nobody wants it any more.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::Instant;

use super::access_log::{Asked, Got, Visit};
use super::answer::Site;
use super::payload::Payload;

/// A request that is being answered.
pub(super) struct Exchange {
    site: Arc<Site>,
    method: Method,
    began: Instant,
    status: Option<StatusCode>,
    bytes: u64,
    /// What is logged, if anything is.
    asked: Option<Box<Asked>>,
    visit: Option<Visit>,
}

/// The content of an answer, and the exchange that ends with it.
pub(super) struct Tracked {
    payload: Payload,
    exchange: Exchange,
}

impl Exchange {
    /// A request has come; `peer` is who sent it, as far as that is of interest.
    pub(super) fn begin<B>(site: &Arc<Site>, request: &Request<B>, peer: Option<IpAddr>) -> Self {
        let mut exchange = Self::new(site, request.method().clone(), Instant::now());
        let logs = site.log.is_some();
        exchange.asked = logs.then(|| Box::new(Asked::of(request, peer)));
        exchange
    }

    /// A plain request that has come at `began` is answered with so many bytes, all of a file in
    /// memory. Like any answer from there, it is handed over as soon as it is made.
    pub(super) fn plain(site: &Arc<Site>, began: Instant, content: usize) {
        let mut exchange = Self::new(site, Method::GET, began);
        exchange.status = Some(StatusCode::OK);
        exchange.hand_over(content);
    }

    fn new(site: &Arc<Site>, method: Method, began: Instant) -> Self {
        site.counts.begin();
        Self {
            site: Arc::clone(site),
            method,
            began,
            status: None,
            bytes: 0,
            asked: None,
            visit: None,
        }
    }

    /// So many bytes of the answer's content go to the connection.
    fn hand_over(&mut self, length: usize) {
        self.bytes += length as u64;
        self.site.counts.sent.fetch_add(length as u64, Relaxed);
    }

    /// Goes on for as long as the answer is on its way.
    pub(super) fn track(mut self, response: Response<Payload>) -> Response<Tracked> {
        self.status = Some(response.status());
        if self.asked.is_some() {
            self.visit = Visit::of(response.headers());
        }
        response.map(|payload| Tracked {
            payload,
            exchange: self,
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let counts = &self.site.counts;
        counts.end(&self.method, self.status, took);
        if let (Some(log), Some(asked), Some(status)) = (&self.site.log, &self.asked, self.status) {
            let got = Got {
                status,
                bytes: self.bytes,
                took,
                visit: self.visit,
            };
            if !log.note(asked, got) {
                counts.unlogged.fetch_add(1, Relaxed);
            }
        }
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
            self.exchange.hand_over(chunk.len());
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
