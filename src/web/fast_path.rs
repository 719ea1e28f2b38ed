//! How does asking for a run cost little more than the run?
//!
//! A Prometheus that probes by way of this program asks for one path on its connections, and has as
//! many of them as runs at a time: hundreds, when many targets are silent at once. Hyper holds 16
//! KiB for a connection for as long as it lives, used or not; here it is one. Only a request that is
//! as plain as theirs is answered. Whatever else comes is left to hyper, with the rest of its
//! connection, so that there is one judge of what HTTP is.

use std::future::pending;
use std::io::{self, Write as _};
use std::time::SystemTime;

use httparse::{EMPTY_HEADER, Header, Status};
use httpdate::HttpDate;
use hyper::body::{Buf, Bytes};
use hyper::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, TRANSFER_ENCODING, UPGRADE};
use hyper::http::{request, response};
use hyper::{HeaderMap, Method, Request, Uri};
use leadsman_core::Stop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Surface;
use super::caller::Caller;
use super::door::IDLE;
use super::patience::Patient;

/// Answers the plain requests for runs that a connection begins with.
///
/// Returns what of the next request was read, if that is for hyper to answer, and nothing once the
/// connection has come to its end.
pub(super) async fn answer_runs(
    stream: &mut Patient<TcpStream>,
    caller: &Caller,
    surface: &Surface,
    stop: &Stop,
) -> io::Result<Option<Vec<u8>>> {
    let mut inbox = Inbox::default();
    loop {
        let end = Instant::now() + IDLE;
        let head = loop {
            match parsed(inbox.read()) {
                Some(Status::Complete((head, length))) if asks_for_a_run(surface, &head) => {
                    inbox.forget(length);
                    break head;
                }
                Some(Status::Partial) if inbox.has_room() => {}
                _ => return Ok(Some(inbox.read().to_vec())),
            }
            let more = tokio::select! {
                more = timeout_at(end, inbox.fill(stream)) => more,
                () = stop.requested() => return Ok(None),
            };
            match more {
                Ok(Ok(true)) => {}
                Ok(Err(error)) => return Err(error),
                Ok(Ok(false)) | Err(_) => return Ok(None),
            }
        };
        let reply = tokio::select! {
            reply = surface.receive(caller, head) => reply,
            gone = inbox.until_gone(stream) => return gone.map(|()| None),
        };
        let is_last = stop.is_requested();
        let (head, body) = reply.into_parts();
        let body = body.into_bytes();
        let head = Bytes::from(written(&head, body.len(), is_last));
        stream.write_all_buf(&mut head.chain(body)).await?;
        if is_last {
            stream.shutdown().await?;
            return Ok(None);
        }
    }
}

/// What was read of requests that are not answered.
#[derive(Debug)]
struct Inbox {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
        }
    }
}

impl Inbox {
    fn read(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn has_room(&self) -> bool {
        self.length < self.bytes.len()
    }

    /// Forgets the first bytes.
    fn forget(&mut self, length: usize) {
        self.bytes.copy_within(length..self.length, 0);
        self.length -= length;
    }

    /// Reads what there is room for, and returns whether the peer sends more.
    async fn fill(&mut self, stream: &mut Patient<TcpStream>) -> io::Result<bool> {
        let read = stream.read(&mut self.bytes[self.length..]).await?;
        self.length += read;
        Ok(read > 0)
    }

    /// Waits for the end of what the peer sends; behind a request that fills the inbox it is not seen.
    async fn until_gone(&mut self, stream: &mut Patient<TcpStream>) -> io::Result<()> {
        while self.has_room() {
            if !self.fill(stream).await? {
                return Ok(());
            }
        }
        pending().await
    }
}

/// Reads the head of a request that has no content and wants nothing of its connection, and how
/// many bytes it is; `None` if what begins here is anything else.
fn parsed(bytes: &[u8]) -> Option<Status<(request::Parts, usize)>> {
    let mut fields = [EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    Some(match request.parse(bytes).ok()? {
        Status::Complete(length) => Status::Complete((plain(&request)?, length)),
        Status::Partial => Status::Partial,
    })
}

/// The head of a request, if nothing about it is uncommon.
fn plain(request: &httparse::Request<'_, '_>) -> Option<request::Parts> {
    let (Some("GET"), Some(1), Some(target)) = (request.method, request.version, request.path)
    else {
        return None;
    };
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for Header { name, value } in &*request.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if UNCOMMON.contains(&name) {
            return None;
        }
        headers.append(name, (*value).try_into().ok()?);
    }
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::GET;
    head.uri = Uri::try_from(target).ok()?;
    head.headers = headers;
    Some(head)
}

fn asks_for_a_run(surface: &Surface, head: &request::Parts) -> bool {
    surface.prefix.strip(head.uri.path()) == Ok("/probe")
}

/// The head of an answer with a body of this length (RFC 9112, section 4).
fn written(head: &response::Parts, length: usize, is_last: bool) -> Vec<u8> {
    let status = head.status;
    let date = HttpDate::from(SystemTime::now());
    let mut written = Vec::with_capacity(LIKELY_HEAD);
    for part in [
        "HTTP/1.1 ",
        status.as_str(),
        " ",
        status.canonical_reason().unwrap_or_default(),
        "\r\ncontent-length: ",
        itoa::Buffer::new().format(length),
    ] {
        written.extend_from_slice(part.as_bytes());
    }
    // Memory takes whatever is written to it.
    _ = write!(written, "\r\ndate: {date}\r\n");
    for (name, value) in &head.headers {
        written.extend_from_slice(name.as_str().as_bytes());
        written.extend_from_slice(b": ");
        written.extend_from_slice(value.as_bytes());
        written.extend_from_slice(b"\r\n");
    }
    if is_last {
        written.extend_from_slice(b"connection: close\r\n");
    }
    written.extend_from_slice(b"\r\n");
    written
}

/// Bytes of a request's head: a Prometheus's are 300, without its target's name.
const LONGEST: usize = 1024;
/// Bytes that the heads of answers keep to.
const LIKELY_HEAD: usize = 256;
/// Fields of a request: a Prometheus sends five.
const MOST_FIELDS: usize = 16;
/// What a client asks of the connection, or says of content.
const UNCOMMON: [HeaderName; 5] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TRANSFER_ENCODING,
    UPGRADE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_request_has_no_content_and_wants_nothing_of_its_connection() {
        fn kind(request: &str) -> &'static str {
            match parsed(request.as_bytes()) {
                Some(Status::Complete((_, length))) if length == request.len() => "plain",
                Some(Status::Complete(_)) => "plain, and more",
                Some(Status::Partial) => "part",
                None => "other",
            }
        }
        let many = "A: b\r\n".repeat(MOST_FIELDS + 1);
        for (request, expected) in [
            ("", "part"),
            ("GET /probe HTT", "part"),
            ("GET /probe HTTP/1.1\r\nHost: a\r\n", "part"),
            ("GET /probe HTTP/1.1\r\nHost: a\r\n\r\n", "plain"),
            (
                "GET /probe HTTP/1.1\r\nHost: a\r\n\r\nGET",
                "plain, and more",
            ),
            ("HEAD /probe HTTP/1.1\r\n\r\n", "other"),
            ("POST /probe HTTP/1.1\r\n\r\n", "other"),
            ("GET /probe HTTP/1.0\r\n\r\n", "other"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "other"),
            ("GET /probe HTTP/1.1\r\nConnection: close\r\n\r\n", "other"),
            (
                "GET /probe HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
                "other",
            ),
            (
                "GET /probe HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "other",
            ),
            (
                "GET /probe HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
                "other",
            ),
            ("GET /probe HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", "other"),
            ("GET /probe HTTP/1.1\r\nHo st: a\r\n\r\n", "other"),
            ("GET /pro\0be HTTP/1.1\r\n\r\n", "other"),
            ("\u{16}\u{3}\u{1}", "other"),
            (&format!("GET /probe HTTP/1.1\r\n{many}\r\n"), "other"),
        ] {
            assert_eq!(kind(request), expected, "{request}");
        }
    }
}
