//! Where does a run go next?
//!
//! What a redirect changes of the next request and what it leaves, as RFC 9110 has it. What is sent
//! to whom on the way is the probe's affair.

use hyper::body::Bytes;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use leadsman_core::{Cause, Fault};
use url::Url;

use super::cookies::Jar;
use super::exchange::{Answer, shown};

/// What a hop asks for, and what stays the same from hop to hop.
pub(crate) struct Journey {
    /// Whether no redirect was followed yet.
    pub(crate) is_begin: bool,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) host: Option<String>,
    pub(crate) body: Bytes,
    /// Whether a redirect has taken the body away, and with it what describes it.
    pub(crate) bodiless: bool,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) jar: Jar,
}

impl Journey {
    /// Turns to where a redirect leads (RFC 9110, section 15.4).
    pub(crate) fn follow(&mut self, status: StatusCode, next: Next) {
        self.is_begin = false;
        let keeps = [
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ];
        if !keeps.contains(&status) {
            if self.method != Method::HEAD {
                self.method = Method::GET;
            }
            self.body = Bytes::new();
            self.bodiless = true;
        }
        // The name that the target goes by holds for what it says of itself.
        if next.is_absolute {
            self.host = None;
        }
        self.url = next.url;
    }
}

/// Where a redirect leads.
pub(crate) struct Next {
    pub(crate) url: Url,
    is_absolute: bool,
}

/// Where an answer leads on; `None` if it does not.
pub(crate) fn leads_to(answer: &Answer, from: &Url) -> Result<Option<Next>, Fault> {
    let Some(location) = location(answer) else {
        return Ok(None);
    };
    let bad = |why: &str| {
        let detail = format!("{} redirects to {location:?}: {why}", shown(from));
        Fault::target(Cause::Protocol, detail)
    };
    let url = from.join(&location).map_err(|why| bad(&why.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("that is no URL of HTTP"));
    }
    Ok(Some(Next {
        url,
        is_absolute: Url::parse(&location).is_ok(),
    }))
}

/// The field `Location` of a redirect.
pub(crate) fn location(answer: &Answer) -> Option<String> {
    let redirects = matches!(answer.head.status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = answer.head.headers.get(LOCATION).filter(|_| redirects);
    location.map(|location| String::from_utf8_lossy(location.as_bytes()).into_owned())
}
