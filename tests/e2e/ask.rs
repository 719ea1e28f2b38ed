//! A small HTTP client: one request, one answer, the connection closed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of the first field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self
            .head
            .split("\r\n")
            .filter_map(|line| line.split_once(": "));
        fields
            .find(|(of, _)| of.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The value of the only sample whose name and labels are `series`.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        self.body.lines().find_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            (name == series).then(|| value.parse().expect("a sample's value is a number"))
        })
    }
}

/// Asks for `path` with `GET`.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, "")
}

/// Asks with any method and more header lines, each with its line end.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut connection = TcpStream::connect(address).expect("the program listens");
    connection
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("not zero");
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
    )
    .expect("the program reads its requests");
    let mut answer = Vec::new();
    connection
        .read_to_end(&mut answer)
        .expect("the program answers");
    let answer = String::from_utf8(answer).expect("answers are text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head
        .split(' ')
        .nth(1)
        .expect("a status line")
        .parse()
        .expect("a number");
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if chunked {
        joined(body)
    } else {
        body.to_owned()
    };
    Answer {
        status,
        head: head.to_owned(),
        body,
    }
}

/// Takes the chunks out of a body (RFC 9112, section 7.1).
fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n").expect("a chunk has a size");
        let size = usize::from_str_radix(size, 16).expect("a size is hexadecimal");
        if size == 0 {
            return body;
        }
        body.push_str(&rest[..size]);
        chunks = &rest[size + 2..];
    }
}
