//! How does the server misbehave for those who test what watches it?
//!
//! Paths below `/_probe/` that answer with any status, late, slowly, too short or not at all. They
//! are there only where the options say so, and read no file. How files are disturbed is told in
//! `disturb`.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, LOCATION,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::generated::Generated;
use super::payload::Payload;

/// What a path below [`PREFIX`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// That all is well.
    Health,
    /// This status; interim ones (RFC 9110, section 15.2) are no answers.
    Status(StatusCode),
    /// An answer after so long.
    Delay(Duration),
    /// So many bytes, spread over so long.
    Drip(u64, Duration),
    /// So many bytes.
    Bytes(u64),
    /// So many redirects in a row.
    Redirect(u64),
    /// Who visits, and how often.
    Cookie,
    /// A connection that is reset.
    Reset,
    /// So many bytes of an answer that has one more.
    CloseAfter(u64),
    /// What was asked.
    Echo,
}

/// Marks an answer in whose place the connection is reset.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection was asked to be reset")]
pub(super) struct Severed;

impl Fault {
    /// Reads the path and query of a request; nothing if there is no such fault.
    pub(super) fn parse(path: &str, query: Option<&str>) -> Option<Self> {
        let (name, argument) = match path.strip_prefix(PREFIX)?.split_once('/') {
            Some((name, argument)) => (name, Some(argument)),
            None => (path.strip_prefix(PREFIX)?, None),
        };
        let number = |most| argument.and_then(|text| at_most(text, most));
        Some(match (name, argument) {
            ("health", None) => Self::Health,
            ("cookie", None) => Self::Cookie,
            ("reset", None) => Self::Reset,
            ("echo", None) => Self::Echo,
            ("drip", None) => {
                let (mut bytes, mut ms) = (10, 1000);
                for pair in query
                    .unwrap_or_default()
                    .split('&')
                    .filter(|p| !p.is_empty())
                {
                    match pair.split_once('=')? {
                        ("bytes", text) => bytes = at_most(text, MOST_DRIPPED)?,
                        ("ms", text) => ms = at_most(text, LONGEST)?,
                        _ => return None,
                    }
                }
                Self::Drip(bytes, Duration::from_millis(ms))
            }
            ("status", _) => {
                let code = u16::try_from(number(599)?)
                    .ok()
                    .filter(|code| *code >= 200)?;
                Self::Status(StatusCode::from_u16(code).ok()?)
            }
            ("delay", _) => Self::Delay(Duration::from_millis(number(LONGEST)?)),
            ("bytes", _) => Self::Bytes(number(MOST_BYTES)?),
            ("redirect", _) => Self::Redirect(number(MOST_REDIRECTS)?),
            ("close-after", _) => Self::CloseAfter(number(MOST_BYTES)?),
            _ => return None,
        })
    }

    /// Answers `request`; `cookie` is the one for its visitor.
    pub(super) async fn answer<B>(
        self,
        request: &Request<B>,
        cookie: HeaderValue,
    ) -> Response<Payload> {
        match self {
            Self::Health | Self::Redirect(0) => text(StatusCode::OK),
            Self::Status(status) => text(status),
            Self::Delay(time) => {
                sleep(time).await;
                text(StatusCode::OK)
            }
            Self::Drip(bytes, time) => generated(Generated::dripping(bytes, time)),
            Self::Bytes(bytes) => generated(Generated::whole(bytes)),
            Self::CloseAfter(bytes) => generated(Generated::broken(bytes)),
            Self::Redirect(left) => {
                let mut response = text(StatusCode::FOUND);
                let next = HeaderValue::try_from(format!("{PREFIX}redirect/{}", left - 1));
                let next = next.expect("numbers are ASCII");
                response.headers_mut().insert(LOCATION, next);
                response
            }
            Self::Cookie => visit(request.headers(), cookie),
            Self::Reset => {
                let mut response = Response::new(Payload::EMPTY);
                response.extensions_mut().insert(Severed);
                response
            }
            Self::Echo => json(&echo(request)),
        }
    }
}

fn at_most(text: &str, most: u64) -> Option<u64> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| text.parse().ok())?.filter(|n| *n <= most)
}

/// An answer that says its own status, where it may have content.
fn text(status: StatusCode) -> Response<Payload> {
    let bare = [
        StatusCode::NO_CONTENT,
        StatusCode::RESET_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    let reason = status.canonical_reason().unwrap_or_default();
    let text = format!("{} {reason}", status.as_str());
    let payload = if bare.contains(&status) {
        Payload::EMPTY
    } else {
        Payload::Memory(Bytes::from(format!("{}\n", text.trim_end())))
    };
    let mut response = typed("text/plain; charset=utf-8", payload);
    *response.status_mut() = status;
    response
}

fn json(value: &Value) -> Response<Payload> {
    typed(
        "application/json",
        Payload::Memory(Bytes::from(format!("{value}\n"))),
    )
}

fn generated(content: Generated) -> Response<Payload> {
    let length = content.promised();
    let payload = Payload::Generated(Box::new(content));
    let mut response = typed("application/octet-stream", payload);
    let length = HeaderValue::from(length);
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

fn typed(media: &'static str, payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Tells visitors who they are, and how often they came: their own cookie keeps count.
fn visit(headers: &HeaderMap, cookie: HeaderValue) -> Response<Payload> {
    let lines = headers.get_all(COOKIE).into_iter();
    let mut pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let before = pairs.find_map(|pair| {
        let count = pair.trim_ascii().strip_prefix(b"visits=")?;
        std::str::from_utf8(count).ok()?.parse::<u32>().ok()
    });
    let count = before.unwrap_or_default().saturating_add(1);
    let visit = cookie.to_str().unwrap_or_default();
    let visit = visit.split([';', '=']).nth(1);
    let mut response = json(&json!({ "visit": visit, "count": count }));
    let counted = format!("visits={count}; Path={PREFIX}; Max-Age=3600; HttpOnly; SameSite=Lax");
    let counted = HeaderValue::try_from(counted).expect("numbers are ASCII");
    response.headers_mut().append(SET_COOKIE, cookie);
    response.headers_mut().append(SET_COOKIE, counted);
    response
}

fn echo<B>(request: &Request<B>) -> Value {
    let headers = request.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        json!([name.as_str(), value])
    });
    json!({
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "version": format!("{:?}", request.version()),
        "headers": headers.collect::<Vec<_>>(),
    })
}

/// What the paths of all faults begin with.
pub(super) const PREFIX: &str = "/_probe/";
/// Milliseconds.
const LONGEST: u64 = 30_000;
const MOST_BYTES: u64 = 1 << 30;
const MOST_DRIPPED: u64 = 1 << 20;
const MOST_REDIRECTS: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_asks_for_a_fault_within_its_bounds_or_for_none() {
        fn check(target: &str, expected: impl Into<Option<Fault>>) {
            let (path, query) = match target.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (target, None),
            };
            assert_eq!(Fault::parse(path, query), expected.into(), "{target}");
        }
        let ms = Duration::from_millis;
        check("/_probe/health", Fault::Health);
        check(
            "/_probe/status/503",
            Fault::Status(StatusCode::SERVICE_UNAVAILABLE),
        );
        check("/_probe/delay/30000", Fault::Delay(ms(30_000)));
        check("/_probe/drip", Fault::Drip(10, ms(1000)));
        check("/_probe/drip?ms=5&bytes=7", Fault::Drip(7, ms(5)));
        check("/_probe/bytes/1073741824", Fault::Bytes(1 << 30));
        check("/_probe/redirect/20", Fault::Redirect(20));
        check("/_probe/close-after/0", Fault::CloseAfter(0));
        for none in [
            "/_probe/",
            "/_probe/health/",
            "/_probe/status",
            "/_probe/status/",
            "/_probe/status/199",
            "/_probe/status/600",
            "/_probe/status/+200",
            "/_probe/delay/30001",
            "/_probe/delay/-1",
            "/_probe/drip?ms",
            "/_probe/drip?bytes=1048577",
            "/_probe/drip?other=1",
            "/_probe/bytes/1073741825",
            "/_probe/bytes/99999999999999999999",
            "/_probe/redirect/21",
            "/_probe/none",
            "/health",
        ] {
            check(none, None);
        }
    }
}
