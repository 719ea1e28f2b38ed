//! How is a plain request answered at the least cost?
//!
//! Who watches a file server asks for the same small file again and again, and half of what hyper does
//! for such a request is of no use to it. A plain one is answered here, from memory: a GET that arrives
//! in one piece, for a file that is kept there, with no field that makes a difference but its cookie.
//! Whatever else comes is left to hyper, with the rest of its connection, so that there is one judge of
//! what HTTP is. The answer is the one that would come of that, field for field.

use std::future::poll_fn;
use std::io;
use std::mem::{self, MaybeUninit};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use httparse::{Header, ParserConfig, Status};
use leadsman_core::Stop;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::Instant;

use super::answer::Site;
use super::exchange::Exchange;
use super::patience::{Outlet, Patient, Turn};
use super::payload::Piece;
use super::request::is_host;
use super::twin::Twin;

/// What is left of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Something else has come, which is to be read from the stream again.
    Other,
    /// Nothing; it has come to its end.
    Nothing,
}

/// Answers the plain requests that a connection begins with.
pub(super) async fn answer_plain<S: Outlet>(
    stream: &mut Patient<S>,
    site: &Arc<Site>,
    turn: &Turn,
    stop: &Stop,
) -> io::Result<Rest> {
    if !site.is_ordinary() {
        return Ok(Rest::Other);
    }
    let mut stopped = pin!(stop.requested());
    loop {
        let next = poll_fn(|cx| match poll_next(cx, stream, site, stop) {
            Poll::Pending => stopped.as_mut().poll(cx).map(|()| Next::End),
            next @ Poll::Ready(_) => next,
        });
        let reply = match next.await {
            Next::Reply(reply) => reply,
            Next::Other => return Ok(Rest::Other),
            Next::End => break,
        };
        turn.answer(false);
        let is_last = reply.is_last;
        let spare = reply.write(stream, turn).await?;
        site.memory().spare = spare;
        if is_last {
            break;
        }
    }
    stream.shutdown().await?;
    Ok(Rest::Nothing)
}

/// What comes next on a connection.
enum Next {
    /// A plain request, and this is its answer.
    Reply(Reply),
    /// Something else.
    Other,
    /// Nothing more, or not in time.
    End,
}

/// Reads what has come, and makes its answer if it is a plain request.
fn poll_next<S: Outlet>(
    cx: &mut Context<'_>,
    stream: &mut Patient<S>,
    site: &Arc<Site>,
    stop: &Stop,
) -> Poll<Next> {
    // Connections are silent most of the time, and then have no memory for what comes.
    let mut room = [MaybeUninit::uninit(); LONGEST];
    let mut room = ReadBuf::uninit(&mut room);
    let came = ready!(Pin::new(&mut *stream).poll_read(cx, &mut room));
    let read = room.filled();
    if came.is_err() || read.is_empty() {
        return Poll::Ready(Next::End);
    }
    let reply = Plain::parse(read).and_then(|mut request| {
        request.is_last |= stop.is_requested();
        Reply::to(&request, site)
    });
    Poll::Ready(reply.map_or_else(
        || {
            stream.put_back(read);
            Next::Other
        },
        Next::Reply,
    ))
}

/// A plain request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain<'a> {
    /// What is asked for, with nothing to be decoded.
    pub(super) path: &'a str,
    /// The values of its `Cookie` fields.
    pub(super) cookies: Vec<&'a [u8]>,
    /// Whether the connection ends with its answer.
    pub(super) is_last: bool,
}

impl<'a> Plain<'a> {
    /// Reads a request; `None` if these bytes are not one plain request, or not only that.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut []);
        let read = ParserConfig::default().parse_request_with_uninit_headers(
            &mut request,
            bytes,
            &mut fields,
        );
        let is_whole = read.ok()? == Status::Complete(bytes.len());
        let (Some("GET"), Some(1), Some(path), true) =
            (request.method, request.version, request.path, is_whole)
        else {
            return None;
        };
        let is_literal = |byte: u8| byte.is_ascii_alphanumeric() || LITERAL.contains(&byte);
        if !path.starts_with('/') || !path.bytes().all(is_literal) {
            return None;
        }
        let mut hosts = 0;
        let mut cookies = Vec::new();
        let mut is_last = false;
        for Header { name, value } in &*request.headers {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if is("host") && is_host(value) {
                hosts += 1;
            } else if is("cookie") {
                cookies.push(*value);
            } else if is("connection") && value.eq_ignore_ascii_case(b"close") {
                is_last = true;
            } else if !INDIFFERENT.iter().any(|name| is(name)) {
                return None;
            }
        }
        (hosts == 1).then_some(Self {
            path,
            cookies,
            is_last,
        })
    }
}

/// The answer to a plain request.
struct Reply {
    /// All that comes before the content, and the content itself if there is little of it.
    head: Vec<u8>,
    /// The content, unless it is there already.
    content: Bytes,
    twin: Option<Arc<Twin>>,
    /// Whether the connection ends with it.
    is_last: bool,
}

impl Reply {
    /// Answers with a file from memory; `None` if the answer may be something else.
    fn to(request: &Plain<'_>, site: &Arc<Site>) -> Option<Self> {
        let began = Instant::now();
        let file = site.remembered(request.path.as_bytes(), began)?;
        let (Piece::Memory(content), []) = (&file.content, file.compressed.as_slice()) else {
            return None;
        };
        let memory = &mut *site.memory();
        let mut head = mem::take(&mut memory.spare);
        head.clear();
        head.extend_from_slice(file.head());
        head.extend_from_slice(b"set-cookie: ");
        let cookies = request.cookies.iter().copied();
        memory.visits.write_renewed(cookies, &mut head).ok()?;
        if request.is_last {
            head.extend_from_slice(b"\r\nconnection: close");
        }
        head.extend_from_slice(b"\r\ndate: ");
        head.extend_from_slice(memory.date.at(began).as_bytes());
        head.extend_from_slice(b"\r\n\r\n");
        let mut apart = Bytes::new();
        if content.len() <= LITTLE {
            head.extend_from_slice(content);
        } else {
            apart = content.clone();
        }
        Exchange::plain(site, began, content.len());
        Some(Self {
            head,
            content: apart,
            twin: file.twin.clone(),
            is_last: request.is_last,
        })
    }

    /// Writes it, and returns the memory of its head.
    async fn write<S: Outlet>(self, stream: &mut Patient<S>, turn: &Turn) -> io::Result<Vec<u8>> {
        if self.content.is_empty() {
            // One piece costs less to send than a list of one.
            stream.write_all(&self.head).await?;
        } else {
            if let Some(twin) = &self.twin {
                turn.spare_copies(twin);
            }
            let mut pieces = self.head.as_slice().chain(self.content);
            stream.write_all_buf(&mut pieces).await?;
        }
        stream.flush().await?;
        Ok(self.head)
    }
}

/// Bytes of a request; those of programs that watch are some hundred.
const LONGEST: usize = 1024;
/// Fields of a request: such programs send five.
const MOST_FIELDS: usize = 16;
/// What may be in a path beside letters and digits and mean nothing but itself (RFC 3986, section 3.3).
const LITERAL: &[u8] = b"/-._~!$&'()*+,;=:@";
/// Fields that make no difference to a file which lies there in one form only.
const INDIFFERENT: [&str; 7] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "pragma",
    "referer",
    "user-agent",
];
/// Bytes of content that cost less to copy than to send from where they are.
const LITTLE: usize = 4 << 10;

#[cfg(test)]
mod tests;
