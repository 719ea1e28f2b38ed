//! May this request be answered?
//!
//! As often as the web configuration lets anybody ask, and to whom it names with the right password
//! (RFC 7617). Certificates of clients were looked at before, when TLS was agreed on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::limits::{Limits, whole};
use super::reply::{Body, text};
use crate::access::{Access, Queue, Rules};

/// Lets a request in, or answers it.
pub(super) async fn admit(
    access: &Access,
    rules: &Rules,
    limits: &Limits,
    fields: &HeaderMap,
) -> Result<(), Response<Body>> {
    if let Some((interval, at_once)) = rules.rate {
        let asked = limits.ask_all(interval, at_once, Instant::now());
        asked.map_err(|wait| {
            let words = "More is asked here than is permitted\n";
            later(StatusCode::TOO_MANY_REQUESTS, words, whole(wait))
        })?;
    }
    if rules.users.is_empty() {
        return Ok(());
    }
    let Some((user, password)) = credentials(fields) else {
        return Err(unauthorized());
    };
    let right = access.passwords.are_right(&rules.users, &user, &password);
    match right.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(unauthorized()),
        Err(Queue) => {
            let words = "Too many passwords are being looked at\n";
            Err(later(StatusCode::SERVICE_UNAVAILABLE, words, 1))
        }
    }
}

fn later(status: StatusCode, words: &'static str, seconds: u64) -> Response<Body> {
    let mut reply = text(status, words);
    reply.headers_mut().insert(RETRY_AFTER, seconds.into());
    reply
}

fn unauthorized() -> Response<Body> {
    let mut reply = text(StatusCode::UNAUTHORIZED, "Unauthorized\n");
    let basic = HeaderValue::from_static("Basic realm=\"leadsman\", charset=\"UTF-8\"");
    reply.headers_mut().insert(WWW_AUTHENTICATE, basic);
    reply
}

/// Who the request says it comes from, and the password.
pub(crate) fn credentials(fields: &HeaderMap) -> Option<(String, String)> {
    let field = fields.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = field.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_basic_ones() {
        for (field, expected) in [
            ("Basic YTpi", Some(("a", "b"))),
            ("basic YTpiOmM=", Some(("a", "b:c"))),
            ("Basic Og==", Some(("", ""))),
            ("Basic YQ==", None),
            ("Basic !", None),
            ("Basic /zo=", None),
            ("Bearer YTpi", None),
            ("YTpi", None),
        ] {
            let fields = [(AUTHORIZATION, HeaderValue::from_static(field))];
            let found = credentials(&fields.into_iter().collect());
            let expected = expected.map(|(user, word)| (user.to_owned(), word.to_owned()));
            assert_eq!(found, expected, "{field}");
        }
    }
}
