//! How do all series reach a scraper?
//!
//! Chunk by chunk, each made when the reader has taken the one before, so that a slow reader holds
//! little memory and delays nobody. Which format and which encoding is the scraper's choice; what
//! the formats look like is the exposition's affair.

use std::sync::Arc;

use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, VARY,
};
use hyper::{Response, StatusCode};
use leadsman_core::Run;
use leadsman_metrics::{Format, Gzip, gzip_accepted, render_run};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::Surface;
use super::reply::{Body, text, typed};

/// Places for those who read all series at the same time.
#[derive(Debug)]
pub(super) struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_READERS)))
    }
}

/// Answers with all series.
pub(super) async fn all(surface: &Surface, headers: &HeaderMap) -> Response<Body> {
    let Ok(place) = Arc::clone(&surface.readers.0).try_acquire_owned() else {
        surface.host.services.own.scrape_refused();
        let words = format!("{MOST_READERS} others are reading the metrics; try again later\n");
        return text(StatusCode::SERVICE_UNAVAILABLE, words);
    };
    let format = Format::accepted(&joined(headers, &ACCEPT));
    let host = Arc::clone(&surface.host);
    // With very many targets it takes long enough to delay the probes of this thread.
    let scrape = spawn_blocking(move || host.store.scrape(format)).await;
    let held = Held {
        chunks: scrape.expect("taking the numbers does not panic"),
        _place: place,
    };
    exposed(headers, format, held)
}

/// Answers with what one run measured.
pub(super) fn one(run: &Run, headers: &HeaderMap) -> Response<Body> {
    exposed(
        headers,
        Format::Text,
        std::iter::once(render_run(run).into_bytes()),
    )
}

fn exposed(
    headers: &HeaderMap,
    format: Format,
    chunks: impl Iterator<Item = Vec<u8>> + Send + 'static,
) -> Response<Body> {
    let gzip = gzip_accepted(&joined(headers, &ACCEPT_ENCODING));
    let chunks: Box<dyn Iterator<Item = Vec<u8>> + Send> = if gzip {
        Box::new(Gzip::new(chunks))
    } else {
        Box::new(chunks)
    };
    let body = Body::Chunks {
        chunks,
        rests: false,
    };
    let mut reply = typed(StatusCode::OK, format.content_type(), body);
    let headers = reply.headers_mut();
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    reply
}

/// The value of a header that may be split over several lines (RFC 9110, section 5.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines: Vec<_> = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    lines.join(", ")
}

/// The chunks of one reader, who keeps its place until they are dropped.
struct Held<I> {
    chunks: I,
    _place: OwnedSemaphorePermit,
}

impl<I: Iterator> Iterator for Held<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.chunks.next()
    }
}

/// Readers of all series at the same time: each holds a snapshot, and Prometheus servers are few.
const MOST_READERS: usize = 16;
