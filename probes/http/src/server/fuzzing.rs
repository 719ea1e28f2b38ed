//! What is done with what a client may have sent, for fuzzing. What hyper parses is its affair, as long
//! as nobody else does.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};

use http_body_util::Empty;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, COOKIE, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::Builder;

use super::coding::{Coding, choose};
use super::conditional::{Outcome, Validators};
use super::connection::protocol;
use super::cookie::{Cookie, Visits};
use super::path::Path;
use super::plain::Plain;
use super::range::{Wanted, wanted};
use super::request::{Verb, verb};

/// The whole of a request.
///
/// # Panics
/// If it is called plain and hyper reads something else in it.
pub fn request(bytes: &[u8]) {
    let Some(plain) = Plain::parse(bytes) else {
        return;
    };
    let requests = AtomicUsize::new(0);
    let service = service_fn(|request: Request<Incoming>| {
        requests.fetch_add(1, Relaxed);
        assert_same(&plain, &request);
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let (mut far, near) = duplex(bytes.len() + ROOM);
    let connection = protocol().serve_connection(TokioIo::new(near), service);
    let runtime = Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without an event loop needs nothing");
    runtime.block_on(async {
        far.write_all(bytes).await.expect("there is room");
        far.shutdown().await.expect("nothing is in the way");
        connection.await.expect("hyper reads what is plain");
        let mut answer = String::new();
        let read = far.read_to_string(&mut answer).await;
        read.expect("a head is text");
        let is_last = answer.contains("connection: close\r\n");
        assert_eq!(is_last, plain.is_last, "{answer}");
    });
    assert_eq!(requests.into_inner(), 1);
}

fn assert_same(plain: &Plain<'_>, request: &Request<Incoming>) {
    assert_eq!(verb(request).ok(), Some(Verb::Get));
    assert_eq!(request.version(), Version::HTTP_11);
    assert_eq!(request.uri(), plain.path);
    assert!(request.body().is_end_stream());
    let headers = request.headers();
    let cookies = headers.get_all(COOKIE).into_iter();
    assert!(cookies.eq(&plain.cookies));
    let matters = [
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        IF_UNMODIFIED_SINCE,
        RANGE,
    ];
    assert!(!matters.iter().any(|name| headers.contains_key(name)));
}

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

/// Bytes for the answer.
const ROOM: usize = 1024;
