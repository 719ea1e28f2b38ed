//! What has come, and how much of it is looked at?
//!
//! The head of the last answer as it is recorded, and its body with the coding taken off. What it is
//! worth is decided in [`super::judge`].

use std::time::UNIX_EPOCH;

use hyper::Version;
use hyper::header::{CONTENT_LENGTH, LAST_MODIFIED};
use leadsman_core::{Cause, Context, Fault};
use leadsman_dial::metrics::record_answered;

use super::events::Response;
use super::exchange::{Answer, Body};
use super::journey::location;
use super::options::{Compression, Size, Written};
use super::watch::{Phase, Watch};
use super::{judge, metrics};

/// Records what the head of the last answer says.
pub(crate) fn record_head(cx: &Context<'_>, answer: &Answer) {
    let head = &answer.head;
    cx.set(&metrics::STATUS, f64::from(head.status.as_u16()));
    cx.set(&metrics::CONTENT_LENGTH, content_length(answer));
    cx.set(&metrics::SSL, f64::from(u8::from(answer.tls.is_some())));
    let (version, _) = version(head.version);
    cx.set(&metrics::VERSION, version);
    let modified = head
        .headers
        .get(LAST_MODIFIED)
        .and_then(|field| field.to_str().ok());
    let modified = modified.and_then(|field| httpdate::parse_http_date(field).ok());
    if let Some(Ok(since)) = modified.map(|modified| modified.duration_since(UNIX_EPOCH)) {
        cx.set(&metrics::LAST_MODIFIED, since.as_secs_f64());
    }
    if let Some((Some(shown), agreed)) = &answer.tls {
        record_answered(cx, shown, agreed);
    }
}

/// The length that the header tells, or -1; what can have no body has none (RFC 9110, section 8.6).
fn content_length(answer: &Answer) -> f64 {
    let field = answer.head.headers.get(CONTENT_LENGTH);
    let length: Option<u64> = field.and_then(|field| field.to_str().ok()?.trim().parse().ok());
    match length {
        Some(length) => length as f64,
        None if matches!(answer.head.status.as_u16(), 204 | 304) => 0.0,
        None => -1.0,
    }
}

/// A version as a number and in words.
fn version(version: Version) -> (f64, &'static str) {
    match version {
        Version::HTTP_10 => (1.0, "HTTP/1.0"),
        Version::HTTP_2 => (2.0, "HTTP/2"),
        Version::HTTP_3 => (3.0, "HTTP/3"),
        _ => (1.1, "HTTP/1.1"),
    }
}

/// The event of an answer.
pub(crate) fn said(answer: &Answer) -> Response {
    let agreed = answer.tls.as_ref().map(|(_, agreed)| agreed);
    Response {
        status: answer.head.status.as_u16(),
        version: version(answer.head.version).1.into(),
        peer: answer.peer,
        tls: agreed.map(|agreed| format!("{}, {}", agreed.version, agreed.cipher)),
        location: location(answer),
    }
}

/// How long the body of an answer is, and what is in it as far as that is looked at.
pub(crate) async fn content(
    rules: &Written,
    answer: &mut Answer,
    watch: &Watch,
) -> (u64, Result<Vec<u8>, Fault>) {
    let coding = rules
        .compression
        .filter(|coding| *coding != Compression::Identity);
    let keeps = coding.is_some() || judge::reads_body(rules);
    let held = if keeps { MOST_HELD } else { u64::MAX };
    let most = match rules.body_size_limit.0 {
        0 => held,
        limit => limit.min(held),
    };
    let mut body = Body::default();
    let raw = if coding.is_some() { held } else { most };
    let read = answer.read(keeps, raw, &mut body).await;
    watch.enter(Phase::Own);
    let Some(coding) = coding else {
        let short_enough = body.length <= most;
        let kept = short_enough
            .then_some(body.bytes)
            .ok_or_else(|| too_long(most));
        return (body.length.min(most), read.and(kept));
    };
    let decoded = read.and_then(|()| {
        coding.decode(&body.bytes, most).map_err(|why| {
            let detail = format!("the body is not in the coding {}: {why}", coding.name());
            Fault::target(Cause::Mismatch, detail)
        })
    });
    match decoded {
        Ok(decoded) if decoded.len() as u64 > most => (most, Err(too_long(most))),
        Ok(decoded) => (decoded.len() as u64, Ok(decoded)),
        Err(fault) => (0, Err(fault)),
    }
}

fn too_long(most: u64) -> Fault {
    let detail = format!(
        "the body is longer than {}, which is the most allowed",
        Size(most)
    );
    Fault::target(Cause::Mismatch, detail)
}

/// How much of a body is held in memory where something looks at it.
const MOST_HELD: u64 = 64 * 1024 * 1024;
