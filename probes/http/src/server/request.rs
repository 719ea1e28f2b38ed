//! Is this a request that may be answered?
//!
//! Hyper has parsed it, but what it lets pass is more than RFC 9112 allows a server to accept: here
//! is the rest of the rules. What the request asks for is not looked at beyond its method.

use hyper::header::{EXPECT, HOST, TRANSFER_ENCODING};
use hyper::{Method, Request, StatusCode, Uri, Version};

use super::refusal::Refusal;

/// What may be done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Sends a file.
    Get,
    /// Sends the fields that GET would.
    Head,
    /// Says what may be done.
    Options,
}

/// Reads what is to be done, or says why it is not.
pub(super) fn verb<B>(request: &Request<B>) -> Result<Verb, Refusal> {
    if has_doubtful_end(request) || !has_sound_host(request) {
        return Err(Refusal::malformed());
    }
    if target_length(request.uri()) > LONGEST_TARGET {
        return Err(Refusal::closing(StatusCode::URI_TOO_LONG));
    }
    let expected = request.headers().get(EXPECT);
    if expected.is_some_and(|expected| !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Refusal::closing(StatusCode::EXPECTATION_FAILED));
    }
    Ok(match *request.method() {
        Method::GET => Verb::Get,
        Method::HEAD => Verb::Head,
        Method::OPTIONS => Verb::Options,
        Method::CONNECT => return Err(Refusal::closing(StatusCode::METHOD_NOT_ALLOWED)),
        Method::POST | Method::PUT | Method::DELETE | Method::PATCH | Method::TRACE => {
            return Err(StatusCode::METHOD_NOT_ALLOWED.into());
        }
        _ => return Err(StatusCode::NOT_IMPLEMENTED.into()),
    })
}

/// Whether it may be doubted where the request ends, which is how requests are smuggled.
///
/// Content means nothing to any method here, and a server may refuse it for this very reason
/// (RFC 9110, section 9.3.1). So every transfer coding is refused: hyper hides whether there was a
/// Content-Length beside it (RFC 9112, section 6.1).
fn has_doubtful_end<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(TRANSFER_ENCODING)
}

/// Whether there is exactly one Host, as a host is written; before HTTP/1.1 there may be none
/// (RFC 9112, section 3.2), and in HTTP/2 the target has it (RFC 9113, section 8.3.1).
fn has_sound_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    let authority = request
        .uri()
        .authority()
        .map(|host| host.as_str().as_bytes());
    match (hosts.next(), hosts.next(), authority) {
        (None, _, Some(host)) if request.version() == Version::HTTP_2 => is_host(host),
        (Some(host), None, Some(same)) if request.version() == Version::HTTP_2 => {
            is_host(same) && same.eq_ignore_ascii_case(host.as_bytes())
        }
        (Some(host), None, _) => is_host(host.as_bytes()),
        (None, ..) => request.version() < Version::HTTP_11,
        (Some(_), Some(_), _) => false,
    }
}

/// Whether it is `host [ ":" port ]` (RFC 3986, section 3.2.2), or empty.
pub(super) fn is_host(value: &[u8]) -> bool {
    let colon = value.iter().rposition(|byte| *byte == b':');
    let is_bracketed = value.starts_with(b"[");
    let (host, port) = match colon {
        Some(at) if !is_bracketed || value[..at].ends_with(b"]") => value.split_at(at),
        _ => (value, &[] as &[u8]),
    };
    let port = port.get(1..).unwrap_or_default();
    let is_sound = match host {
        [b'[', inner @ .., b']'] => inner
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b":.".contains(byte)),
        name => name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || NAME.contains(byte)),
    };
    is_sound && host.len() <= LONGEST_HOST && port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

fn target_length(uri: &Uri) -> usize {
    let path = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    path + uri
        .authority()
        .map_or(0, |authority| authority.as_str().len())
}

/// What a registered name may have beside letters and digits.
const NAME: &[u8] = b"-._~%!$&'()*+,;=";
/// Letters of a name (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 255;
/// Bytes of a target; RFC 9112, section 3 demands 8000.
const LONGEST_TARGET: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_a_name_or_address_with_perhaps_a_port() {
        fn check(host: &str, expected: bool) {
            assert_eq!(is_host(host.as_bytes()), expected, "{host}");
        }
        for host in [
            "",
            "a",
            "a.example",
            "a:80",
            "a:",
            "192.0.2.1:8080",
            "[2001:db8::1]",
            "[::1]:80",
            "%41",
        ] {
            check(host, true);
        }
        for host in [
            "a b", "a/../b", "a@b", "a:b", "a:80:80", "[::1", "::1", "[::1]x", "a:100000", "a\\b",
            "<a>", "[a/b]", "a?",
        ] {
            check(host, false);
        }
        check(&"a".repeat(255), true);
        check(&"a".repeat(300), false);
    }
}
