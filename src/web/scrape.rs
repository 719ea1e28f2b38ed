//! How do all series reach a scraper?
//!
//! Chunk by chunk, each made when the reader has taken the one before, so that a slow reader holds
//! little memory and delays nobody. Where there are too many readers, the one that has taken the
//! longest leaves. Which format and which encoding is the scraper's choice; what the formats look
//! like is the exposition's affair.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, VARY,
};
use hyper::{Response, StatusCode};
use leadsman_core::Run;
use leadsman_metrics::{Format, Gzip, gzip_accepted, render_run};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::Surface;
use super::reply::{Body, typed};

/// Those who read all series at the same time, in the order of their coming; each is told when its
/// connection has to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Readers(Arc<Mutex<VecDeque<Arc<Notify>>>>);

/// Answers with all series. If there are too many readers, whoever has read for the longest is
/// asked to `leave`, as this one will be when its time has come.
pub(super) async fn all(
    surface: &Surface,
    leave: &Arc<Notify>,
    headers: &HeaderMap,
) -> Response<Body> {
    let readers = surface.readers.clone();
    if let Some(longest) = readers.enter(leave) {
        surface.host.services.own.scrape_cut();
        longest.notify_one();
    }
    let place = Place {
        readers,
        leave: Arc::clone(leave),
    };
    let format = Format::accepted(&joined(headers, &ACCEPT));
    let host = Arc::clone(&surface.host);
    // With very many targets it takes long enough to delay the probes of this thread.
    let scrape = spawn_blocking(move || host.store.scrape(format)).await;
    let held = Held {
        chunks: scrape.expect("taking the numbers does not panic"),
        _place: place,
    };
    let gzip = is_gzip_accepted(headers);
    let chunks: Box<dyn Iterator<Item = Vec<u8>> + Send> = if gzip {
        Box::new(Gzip::new(held))
    } else {
        Box::new(held)
    };
    let rests = false;
    exposed(gzip, format, Body::Chunks { chunks, rests })
}

/// Answers with what one run measured, compressed if so wanted.
pub(super) fn one(run: &Run, gzip: bool) -> Response<Body> {
    let answer = render_run(run);
    let bytes = if gzip {
        let text = answer.as_bytes().to_vec();
        Gzip::new(std::iter::once(text)).flatten().collect()
    } else {
        Bytes::from_owner(answer)
    };
    // Whole, for the end of chunks would be a write of its own.
    exposed(gzip, Format::Text, Body::Whole(bytes))
}

/// Whether a request with these headers accepts an answer that is compressed.
pub(super) fn is_gzip_accepted(headers: &HeaderMap) -> bool {
    gzip_accepted(&joined(headers, &ACCEPT_ENCODING))
}

/// An answer whose body is in this format, and compressed or not.
fn exposed(gzip: bool, format: Format, body: Body) -> Response<Body> {
    let mut reply = typed(StatusCode::OK, format.content_type(), body);
    let headers = reply.headers_mut();
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    reply
}

/// The value of a header that may be split over several lines (RFC 9110, section 5.3).
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Cow<'a, str> {
    let lines = headers.get_all(name).iter();
    let mut lines = lines.filter_map(|line| line.to_str().ok());
    let mut joined = Cow::from(lines.next().unwrap_or_default());
    for line in lines {
        joined.to_mut().extend([", ", line]);
    }
    joined
}

/// The chunks of one reader, who keeps its place until they are dropped.
struct Held<I> {
    chunks: I,
    _place: Place,
}

/// A place among the readers, free again when it is dropped.
struct Place {
    readers: Readers,
    leave: Arc<Notify>,
}

impl Readers {
    /// Lets one in, and returns whom that is one too many for.
    fn enter(&self, leave: &Arc<Notify>) -> Option<Arc<Notify>> {
        let mut readers = self.lock();
        readers.push_back(Arc::clone(leave));
        (readers.len() > MOST_READERS)
            .then(|| readers.pop_front())
            .flatten()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut readers = self.readers.lock();
        readers.retain(|reader| !Arc::ptr_eq(reader, &self.leave));
    }
}

impl<I: Iterator> Iterator for Held<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.chunks.next()
    }
}

/// Readers of all series at the same time: each holds a snapshot, and Prometheus servers are few.
const MOST_READERS: usize = 16;
