//! What is a plain exchange over HTTP/1.1?
//!
//! A request that asks for something and has no content, and an answer that says how long its own is.
//! Of anything else it is only said that it is not plain.

use std::fmt;
use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use httparse::{Header, ParserConfig, Status};
use hyper::body::Body as _;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::http::response::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use tokio::io::AsyncReadExt as _;

use super::watch::Watched;

/// Whether a request is plain (RFC 9110, section 9.3).
pub(crate) fn is_plain(request: &Request<Full<Bytes>>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
        && request.body().is_end_stream()
        && !request.headers().contains_key(TRANSFER_ENCODING)
}

/// The head of a request (RFC 9112, section 3), the names of its fields in the case that most give them.
pub(crate) fn written(request: &Request<Full<Bytes>>) -> Vec<u8> {
    let mut head = Vec::with_capacity(LIKELY_HEAD);
    head.extend_from_slice(request.method().as_str().as_bytes());
    // Memory takes whatever is written to it.
    _ = write!(head, " {} HTTP/1.1\r\n", request.uri());
    for (name, value) in request.headers() {
        let begin = head.len();
        head.extend_from_slice(name.as_str().as_bytes());
        for word in head[begin..].split_mut(|byte| *byte == b'-') {
            if let Some(first) = word.first_mut() {
                first.make_ascii_uppercase();
            }
        }
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Reads the head of an answer, how many bytes it is, and how many of content follow it; `None` if the
/// answer that begins here is not plain.
pub(crate) fn parsed(method: &Method, bytes: &Bytes) -> Option<Status<(Parts, usize, u64)>> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let read =
        ParserConfig::default().parse_response_with_uninit_headers(&mut answer, bytes, &mut fields);
    let Status::Complete(length) = read.ok()? else {
        return Some(Status::Partial);
    };
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = StatusCode::from_u16(answer.code?).ok()?;
    if answer.version == Some(0) {
        head.version = Version::HTTP_10;
    }
    head.headers = HeaderMap::with_capacity(answer.headers.len());
    for Header { name, value } in &*answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        head.headers.append(
            name,
            HeaderValue::from_maybe_shared(bytes.slice_ref(value)).ok()?,
        );
    }
    let content = content_length(method, &head)?;
    Some(Status::Complete((head, length, content)))
}

/// How much content a final answer has; `None` if that is not told, or is told in another way (RFC
/// 9112, section 6.3).
fn content_length(method: &Method, head: &Parts) -> Option<u64> {
    if head.status.is_informational() || head.headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    let without = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    if *method == Method::HEAD || without.contains(&head.status) {
        return Some(0);
    }
    let mut told = head.headers.get_all(CONTENT_LENGTH).iter();
    let (Some(length), None) = (told.next(), told.next()) else {
        return None;
    };
    let is_number = length.as_bytes().iter().all(u8::is_ascii_digit);
    let is_plain = is_number && length.len() <= MOST_DIGITS;
    length.to_str().ok()?.parse().ok().filter(|_| is_plain)
}

/// Content that is coming, and as long as was told.
pub(crate) struct Coming {
    /// What came with the head.
    unread: Bytes,
    /// How many bytes are left to be read, these included.
    left: u64,
    stream: Watched,
}

impl Coming {
    pub(crate) fn new(unread: Bytes, left: u64, stream: Watched) -> Self {
        Self {
            unread,
            left,
            stream,
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.unread.is_empty() {
            let most = self.left.min(PIECE);
            let mut piece = BytesMut::with_capacity(most as usize);
            if self.stream.read_buf(&mut piece).await? == 0 {
                let why = format!("{} bytes of it were still to come", self.left);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            self.unread = piece.freeze();
        }
        let length = self.left.min(self.unread.len() as u64);
        self.left -= length;
        Ok(Some(self.unread.split_to(length as usize)))
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if self.left == 0 {
            // Who does not take it at once does without.
            let mut cx = Context::from_waker(Waker::noop());
            _ = self.stream.poll_goodbye(&mut cx);
        }
    }
}

impl fmt::Debug for Coming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coming({} bytes left)", self.left)
    }
}

/// Bytes that most heads of requests keep to.
const LIKELY_HEAD: usize = 256;
/// Fields of an answer: few have a third as many.
const MOST_FIELDS: usize = 64;
/// Digits of a length: enough for all that there is to send, and too few to overflow.
const MOST_DIGITS: usize = 18;
/// How many bytes are read at a time.
const PIECE: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_plain_that_tells_how_long_it_is_in_digits() {
        fn check(method: &Method, fields: &str, expected: &str) {
            let head = format!("HTTP/1.1 {fields}\r\n\r\n");
            let told = match parsed(method, &Bytes::from(head.clone() + "abc")) {
                None => "not plain".to_owned(),
                Some(Status::Partial) => "part".to_owned(),
                Some(Status::Complete((_, length, content))) => {
                    assert_eq!(length, head.len(), "{fields}");
                    content.to_string()
                }
            };
            assert_eq!(told, expected, "{method} {fields}");
        }
        check(&Method::GET, "200 OK\r\nContent-Length: 3", "3");
        check(&Method::GET, "404 x\r\ncontent-length:  03 ", "3");
        check(&Method::GET, "200 OK\r\nContent-Length: 0", "0");
        check(&Method::HEAD, "200 OK\r\nContent-Length: 3", "0");
        check(&Method::HEAD, "200 OK", "0");
        check(&Method::GET, "204 No Content", "0");
        check(&Method::GET, "304 Not Modified\r\nContent-Length: 3", "0");
        check(&Method::GET, "200 OK", "not plain");
        check(&Method::GET, "200 OK\r\nContent-Length: +3", "not plain");
        check(&Method::GET, "200 OK\r\nContent-Length: 3, 3", "not plain");
        check(&Method::GET, "200 OK\r\nContent-Length:", "not plain");
        let most = "200 OK\r\nContent-Length: 999999999999999999";
        check(&Method::GET, most, "999999999999999999");
        let more = "200 OK\r\nContent-Length: 1000000000000000000";
        check(&Method::GET, more, "not plain");
        let twice = "200 OK\r\nContent-Length: 3\r\nContent-Length: 3";
        check(&Method::GET, twice, "not plain");
        let coded = "200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked";
        check(&Method::GET, coded, "not plain");
        check(&Method::HEAD, "200 OK\r\nTransfer-Encoding: x", "not plain");
        check(&Method::GET, "103 Early Hints", "not plain");
        check(&Method::HEAD, "101 Switching Protocols", "not plain");
        check(&Method::GET, "200 OK\r\nno colon", "not plain");
        let many = "A: b\r\n".repeat(MOST_FIELDS);
        check(
            &Method::GET,
            &format!("200 OK\r\n{many}Content-Length: 3"),
            "not plain",
        );
    }

    #[test]
    fn head_of_an_answer_may_come_in_bits() {
        let whole = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n";
        for length in 0..whole.len() {
            let bit = Bytes::from_static(&whole[..length]);
            let read = parsed(&Method::GET, &bit);
            assert!(matches!(read, Some(Status::Partial)), "{length}");
        }
        let read = parsed(&Method::GET, &Bytes::from_static(whole));
        let Some(Status::Complete((head, _, 3))) = read else {
            panic!("{read:?}");
        };
        assert_eq!(head.version, Version::HTTP_10);
    }

    #[test]
    fn request_is_written_as_most_write_it() {
        let request = Request::get("/a?b=c")
            .header("user-agent", "leadsman")
            .header("x--y", "\u{e9}")
            .header("x--y", "")
            .body(Full::default())
            .unwrap();
        let expected =
            "GET /a?b=c HTTP/1.1\r\nUser-Agent: leadsman\r\nX--Y: \u{e9}\r\nX--Y: \r\n\r\n";
        assert_eq!(String::from_utf8(written(&request)).unwrap(), expected);
    }
}
