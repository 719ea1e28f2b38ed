//! What is done with what a client may have sent, for fuzzing. What hyper parses is its affair.

use std::time::{Duration, UNIX_EPOCH};

use hyper::header::{
    ACCEPT_ENCODING, COOKIE, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};

use super::coding::{Coding, choose};
use super::conditional::{Outcome, Validators};
use super::cookie::{Cookie, Visits};
use super::path::Path;
use super::range::{Wanted, wanted};

/// The path of a request's target.
///
/// # Panics
/// If it leads to where nothing may be asked for.
pub fn path(bytes: &[u8]) {
    let Ok(raw) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(path) = Path::parse(raw) else {
        return;
    };
    let relative = path.relative();
    assert!(!relative.as_bytes().starts_with(b"/"), "{relative:?}");
    let mut segments = relative.as_bytes().split(|byte| *byte == b'/');
    let is_sound =
        |name: &[u8]| !name.is_empty() && (!name.starts_with(b".") || name == b".well-known");
    assert!(
        relative.as_bytes() == b"." || segments.all(is_sound),
        "{relative:?}"
    );
    let location = path.with_slash(None);
    let location = location.to_str().expect("it is encoded");
    assert!(
        location.starts_with('/') && (location == "//" || !location.starts_with("//")),
        "{location}"
    );
    if !path.is_directory() {
        let again = Path::parse(location).expect("it is a path");
        assert_eq!(again.relative(), relative);
    }
}

/// The conditions of a request, each on a line of its own in the order below.
///
/// # Panics
/// If one has an effect that was not sent, or is taken for strong where nothing is.
pub fn conditional(bytes: &[u8]) {
    let names = [
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        IF_UNMODIFIED_SINCE,
        IF_RANGE,
    ];
    let headers = fields(bytes, &names);
    let has = |one, other| headers.contains_key(one) || headers.contains_key(other);
    for weak in [false, true] {
        let modified = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let validators = Validators {
            tag: "a".to_owned(),
            weak,
            modified: Some(modified),
            seen: modified + Duration::from_hours(1),
        };
        match validators.evaluate(&headers) {
            Outcome::Proceed => {}
            Outcome::NotModified => assert!(has(IF_NONE_MATCH, IF_MODIFIED_SINCE)),
            Outcome::Failed => assert!(has(IF_MATCH, IF_UNMODIFIED_SINCE)),
        }
        let is_tag = |field: &HeaderValue| {
            let field = field.as_bytes();
            field.starts_with(b"\"") || field.starts_with(b"W/\"")
        };
        let by_tag = headers.get(IF_RANGE).is_some_and(is_tag);
        assert!(!(weak && by_tag && validators.allow_range(&headers)));
    }
}

/// The length of a file on the first line, then the range of a request.
///
/// # Panics
/// If bytes are sent that the file does not have, some twice, or in too many parts.
pub fn range(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let length = lines
        .next()
        .and_then(|line| std::str::from_utf8(line).ok()?.parse().ok());
    let length = length.unwrap_or(10);
    let Wanted::Parts(mut parts) = wanted(lines.next().unwrap_or_default(), length) else {
        return;
    };
    assert!((1..=8).contains(&parts.len()), "{parts:?}");
    assert!(
        parts
            .iter()
            .all(|part| part.start < part.end && part.end <= length),
        "{parts:?}"
    );
    parts.sort_unstable_by_key(|part| part.start);
    assert!(
        parts.windows(2).all(|pair| pair[0].end < pair[1].start),
        "{parts:?}"
    );
}

/// What a client likes and brings: the codings on the first line, then its cookies.
///
/// # Panics
/// If a coding is chosen that is not there, or a cookie is set that is none of ours.
pub fn visitor(bytes: &[u8]) {
    let headers = fields(bytes, &[ACCEPT_ENCODING, COOKIE]);
    let chosen = choose(&headers, [Coding::Gzip]);
    assert!(chosen.is_none_or(|coding| coding == Coding::Gzip));
    let set = Visits::new(Cookie::PLAIN).renew(&headers);
    let set = set.expect("the system has randomness");
    let set = set.to_str().expect("it is ASCII");
    let visit = set
        .strip_prefix("visit=")
        .and_then(|set| set.split_once(';'));
    let (visit, _) = visit.expect("it is ours");
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    assert!(visit.len() == 22 && visit.bytes().all(is_letter), "{visit}");
}

/// Fields with the values of the lines, but for those that can be none.
fn fields(bytes: &[u8], names: &[HeaderName]) -> HeaderMap {
    let lines = bytes.split(|byte| *byte == b'\n').zip(names);
    let sent = lines.filter(|(line, _)| !line.is_empty());
    sent.filter_map(|(line, name)| Some((name.clone(), HeaderValue::from_bytes(line).ok()?)))
        .collect()
}
