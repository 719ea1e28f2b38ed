//! Does the whole server do what HTTP says, to those who mean well and to those who do not?
//!
//! - `bad_inputs`: a table of what servers have got wrong, with what this one says to it.
//! - `changing`: files that change while they are served.
//! - `counted`: what the server says it has done.
//! - `crowd`: peers that take too long or are too many.
//! - `faulty`: what the server does wrong because it is asked to.
//! - `harness`: a server to be asked, for all of them.
//! - `encrypted`: the same with TLS.
//! - `multiplexed`: the same with HTTP/2, and what is made of its frames.
//! - `plain`: the same from whoever answers it.

mod bad_inputs;
mod changing;
mod counted;
mod crowd;
mod encrypted;
mod faulty;
pub(super) mod harness;
mod multiplexed;
mod plain;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use leadsman_core::Responder as _;
use socket2::SockRef;

use harness::{Answer, PATIENCE, Server, answers, only, settle};

use super::options::ServerOptions;
use super::responder::FileServer;

#[test]
fn file_is_sent_with_all_that_is_known_of_it() {
    let server = Server::start();
    fs::write(server.root().join("sub/page.css"), "p{}").unwrap();
    let answer = server.get("/");
    assert_eq!(
        (answer.status.as_str(), answer.text()),
        ("200", "0123456789")
    );
    for (name, expected) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", "10"),
        ("last-modified", "Sun, 09 Sep 2001 01:46:40 GMT"),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.field(name), Some(expected), "{name}");
    }
    assert!(answer.field("etag").unwrap().starts_with('"'));
    assert!(answer.field("date").is_some());
    let cookie = answer.field("set-cookie").unwrap();
    assert!(cookie.starts_with("visit=") && cookie.ends_with("; SameSite=Lax"));
    let style = server.get("/sub/page.css");
    assert_eq!(style.field("content-type"), Some("text/css; charset=utf-8"));
    // Just written, so that the next state could have the same time.
    assert!(style.field("etag").unwrap().starts_with("W/\""));
}

#[test]
fn head_says_what_get_would_and_options_what_may_be_done() {
    let server = Server::start();
    for path in ["/index.html", "/none", "/sub"] {
        let get = server.get(path);
        let sent = format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = only(server.ask(sent.as_bytes()));
        let fields = |answer: &Answer| -> Vec<String> {
            let lines = answer
                .head
                .split("\r\n")
                .filter(|line| !line.starts_with("set-cookie") && !line.starts_with("date"));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(fields(&head), fields(&get), "{path}");
    }
    for target in ["/index.html", "*"] {
        let sent = format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = only(server.ask(sent.as_bytes()));
        assert_eq!(answer.status, "204");
        assert_eq!(answer.field("allow"), Some("GET, HEAD, OPTIONS"));
    }
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let server = Server::start();
    fs::write(server.root().join("big"), vec![b'x'; 3 << 20]).unwrap();
    let paths = ["/big", "/index.html", "/none", "/index.html"];
    let sent = paths.map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let sent = sent.concat();
    let answers = server.ask(sent.as_bytes());
    let lengths: Vec<_> = answers.iter().map(|answer| answer.body.len()).collect();
    assert_eq!(lengths, [3 << 20, 10, 14, 10]);
}

#[test]
fn several_ranges_are_sent_between_boundaries() {
    let server = Server::start();
    let answer = server.get_with("Range: bytes=0-1,-1\r\n");
    assert_eq!(answer.status, "206");
    let media = answer.field("content-type").unwrap();
    let boundary = media
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let part = |range: &str, content: &str| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\
             Content-Range: bytes {range}/10\r\n\r\n{content}"
        )
    };
    let end = format!("\r\n--{boundary}--\r\n");
    assert_eq!(answer.text(), part("0-1", "01") + &part("9-9", "9") + &end);
}

#[test]
fn file_is_sent_as_it_lies_beside_itself_compressed_to_whom_that_suits() {
    let server = Server::start();
    let root = server.root();
    for (name, content) in [("index.html.gz", "gzipped"), ("index.html.br", "brotli")] {
        fs::write(root.join(name), content).unwrap();
        settle(&root.join(name));
    }
    let check = |fields: &str, status: &str, coding: Option<&str>, content: &str| {
        let answer = server.get_with(fields);
        let got = (answer.status.as_str(), answer.field("content-encoding"));
        assert_eq!(got, (status, coding), "{fields:?}");
        assert_eq!(answer.text(), content, "{fields:?}");
        assert_eq!(answer.field("vary"), Some("accept-encoding"), "{fields:?}");
        if status != "304" {
            let media = answer.field("content-type");
            assert_eq!(media, Some("text/html; charset=utf-8"), "{fields:?}");
        }
        answer.field("etag").unwrap().to_owned()
    };
    let plain = check("", "200", None, "0123456789");
    let gzip = check("Accept-Encoding: gzip\r\n", "200", Some("gzip"), "gzipped");
    let brotli = check("Accept-Encoding: gzip, br\r\n", "200", Some("br"), "brotli");
    assert!(plain != gzip && gzip != brotli && plain != brotli);
    let known = format!("Accept-Encoding: gzip\r\nIf-None-Match: {gzip}\r\n");
    check(&known, "304", None, "");
    let known = format!("If-None-Match: {gzip}\r\n");
    check(&known, "200", None, "0123456789");
    let part = "Accept-Encoding: br\r\nRange: bytes=1-2\r\n";
    check(part, "206", Some("br"), "ro");
    let parts = "Accept-Encoding: br\r\nRange: bytes=0-0,2-2\r\n";
    check(parts, "200", Some("br"), "brotli");
    assert_eq!(server.get("/index.html.gz").field("vary"), None);
}

#[test]
fn what_lies_in_a_directory_is_told_only_where_that_is_wanted() {
    assert_eq!(Server::start().get("/sub/").status, "404");
    let server = Server::with(|options| options.listing = true);
    let root = server.root();
    // Row 47.
    fs::write(root.join("sub/<img src=x onerror=1>"), "abc").unwrap();
    settle(&root.join("sub/<img src=x onerror=1>"));
    fs::write(root.join("sub/.hidden"), "secret").unwrap();
    let page = server.get("/sub/");
    assert_eq!(page.status, "200");
    for (name, expected) in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "default-src 'none'"),
        ("vary", "accept"),
    ] {
        assert_eq!(page.field(name), Some(expected));
    }
    assert!(page.field("set-cookie").is_some());
    assert!(
        page.text()
            .contains(">&lt;img src=x onerror=1&gt;</a><td>3<td>")
    );
    assert!(!page.text().contains("<img") && !page.text().contains("hidden"));
    let sent = "GET /sub/ HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n";
    let json = only(server.ask(sent.as_bytes()));
    assert_eq!(json.field("content-type"), Some("application/json"));
    let expected = serde_json::json!([{
        "name": "<img src=x onerror=1>",
        "type": "file",
        "size": 3,
        "mtime": "Sun, 09 Sep 2001 01:46:40 GMT",
    }]);
    let listed: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(listed, expected);
    assert_eq!(server.get("/").text(), "0123456789");
    for (path, status) in [
        ("/sub", "308"),
        ("/none/", "404"),
        ("/index.html/", "404"),
        ("/.git/", "404"),
    ] {
        assert_eq!(server.get(path).status, status, "{path}");
    }
}

#[test]
fn copy_that_is_still_good_is_not_sent_again() {
    let server = Server::start();
    let etag = server.get("/index.html").field("etag").unwrap().to_owned();
    let answer = server.get_with(&format!("If-None-Match: {etag}\r\n"));
    assert_eq!(
        (answer.status.as_str(), answer.field("etag")),
        ("304", Some(etag.as_str()))
    );
    assert!(answer.field("set-cookie").is_none() && answer.field("content-length").is_none());
}

#[test]
fn connection_inherits_what_was_set_for_its_listener() {
    let options = ServerOptions {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        directory: ".".into(),
        threads: Some(NonZeroUsize::MIN),
        ..ServerOptions::default()
    };
    let server = FileServer::open(&options).unwrap();
    let _peer = TcpStream::connect(server.address()).unwrap();
    let listener = &server.listeners[0];
    listener.set_nonblocking(false).unwrap();
    let (connection, _) = listener.accept().unwrap();
    let connection = SockRef::from(&connection);
    assert!(connection.tcp_nodelay().unwrap());
    assert_eq!(connection.tcp_notsent_lowat().unwrap(), 128 << 10);
}

#[test]
fn manual_tells_every_option_and_metric() {
    let options = serde_json::to_value(ServerOptions::default()).unwrap();
    for option in options.as_object().unwrap().keys() {
        let row = format!("\n| `{option}` |");
        assert!(include_str!("../../SERVER.md").contains(&row), "{option}");
    }
    for metric in super::counts::METRICS {
        let row = format!("\n| `{}", metric.name);
        assert!(include_str!("../../SERVER.md").contains(&row), "{row}");
    }
}

#[test]
fn address_in_use_and_missing_directory_are_errors() {
    let server = Server::start();
    let options = ServerOptions {
        listen: server.address,
        directory: server.root(),
        ..ServerOptions::default()
    };
    let message = |options: &ServerOptions| FileServer::open(options).unwrap_err().to_string();
    assert!(message(&options).starts_with(&format!("cannot listen on {}: ", server.address)));
    for (directory, expected) in [
        (PathBuf::new(), "there is nothing to serve: set `directory`"),
        (server.root().join("none"), "cannot open the directory "),
        (
            server.root().join("index.html"),
            "cannot open the directory ",
        ),
    ] {
        let options = ServerOptions {
            directory,
            ..options.clone()
        };
        assert!(message(&options).starts_with(expected));
    }
}
