//! Does the server misbehave as it is asked to, and only where it may?

use std::io::{ErrorKind, Read as _, Write as _};
use std::num::NonZeroUsize;
use std::time::Duration;

use leadsman_core::options::Period;
use serde_json::Value;
use tokio::time::Instant;

use super::Server;
use crate::server::disturb::{Disturbance, Latency};

fn faulty() -> Server {
    Server::with(|options| options.fault = true)
}

/// All that comes of a request for `path`, and how it ended.
fn received(server: &Server, path: &str) -> (String, Result<(), ErrorKind>) {
    let mut stream = server.connect();
    let sent = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(sent.as_bytes()).unwrap();
    let mut received = Vec::new();
    let ended = stream.read_to_end(&mut received);
    let text = String::from_utf8(received).unwrap();
    (text, ended.map(drop).map_err(|why| why.kind()))
}

#[test]
fn fault_is_a_missing_file_where_none_may_be_had() {
    let server = Server::start();
    for path in ["/_probe/health", "/_probe/reset", "/_probe/status/200"] {
        assert_eq!(server.get(path).status, "404", "{path}");
    }
}

#[test]
fn answer_has_the_status_that_was_asked_for() {
    let server = faulty();
    for status in [
        "200", "204", "205", "304", "404", "418", "429", "503", "599",
    ] {
        assert_eq!(
            server.get(&format!("/_probe/status/{status}")).status,
            status
        );
    }
    for path in ["/_probe/status/100", "/_probe/none", "/_probe/"] {
        assert_eq!(server.get(path).status, "404", "{path}");
    }
    assert_eq!(server.get("/_probe/health").text(), "200 OK\n");
}

#[test]
fn redirects_lead_to_the_end_one_by_one() {
    let server = faulty();
    let mut path = "/_probe/redirect/3".to_owned();
    for _ in 0..3 {
        let answer = server.get(&path);
        assert_eq!(answer.status, "302");
        answer.field("location").unwrap().clone_into(&mut path);
    }
    assert_eq!(server.get(&path).status, "200");
}

#[test]
fn content_is_as_long_as_was_asked_for() {
    let server = faulty();
    for (path, length) in [
        ("/_probe/bytes/0", 0),
        ("/_probe/bytes/1000000", 1_000_000),
        ("/_probe/drip?bytes=100&ms=10", 100),
    ] {
        assert_eq!(server.get(path).body.len(), length, "{path}");
    }
}

#[test]
fn delayed_answer_takes_its_time() {
    let server = faulty();
    for path in ["/_probe/delay/60", "/_probe/drip?bytes=3&ms=60"] {
        let began = Instant::now();
        assert_eq!(server.get(path).status, "200");
        assert!(began.elapsed() >= Duration::from_millis(60), "{path}");
    }
}

#[test]
fn answer_may_end_too_early_or_not_come_at_all() {
    let server = faulty();
    let (text, _) = received(&server, "/_probe/close-after/5");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-length: 6"), "{head}");
    assert_eq!(body, "\0\0\0\0\0");
    let (text, ended) = received(&server, "/_probe/reset");
    assert_eq!(
        (text.as_str(), ended),
        ("", Err(ErrorKind::ConnectionReset))
    );
    assert_eq!(server.get("/").status, "200");
}

#[test]
fn request_is_shown_as_it_came() {
    let server = faulty();
    let sent = b"GET /_probe/echo?a=%41 HTTP/1.1\r\nHost: a\r\nX-One: \"1\"\r\nX-One: 2\r\n\r\n";
    let answer = super::only(server.ask(sent));
    let shown: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(shown["method"], "GET");
    assert_eq!(shown["target"], "/_probe/echo?a=%41");
    assert_eq!(shown["headers"][1], serde_json::json!(["x-one", "\"1\""]));
    assert_eq!(shown["headers"][2], serde_json::json!(["x-one", "2"]));
}

#[test]
fn visitor_is_told_how_often_it_came() {
    let server = faulty();
    let mut cookies = String::new();
    let mut visits = Vec::new();
    for count in 1..=3 {
        let sent = format!("GET /_probe/cookie HTTP/1.1\r\nHost: a\r\nCookie: {cookies}\r\n\r\n");
        let answer = super::only(server.ask(sent.as_bytes()));
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told["count"], count);
        visits.push(told["visit"].as_str().unwrap().to_owned());
        let brought = answer
            .head
            .split("\r\n")
            .filter_map(|line| line.strip_prefix("set-cookie: "));
        let pairs: Vec<_> = brought
            .filter_map(|cookie| cookie.split(';').next())
            .collect();
        cookies = pairs.join("; ");
    }
    visits.dedup();
    assert!(visits.len() == 1 && visits[0].len() == 22, "{visits:?}");
}

#[test]
fn disturbed_file_comes_late_and_sometimes_not_at_all() {
    let time = Period(Duration::from_millis(30));
    let server = Server::with(|options| {
        options.threads = Some(NonZeroUsize::MIN);
        options.disturb = vec![
            Disturbance {
                path: "/index.html".to_owned(),
                latency: Some(Latency {
                    p50: time,
                    p99: time,
                }),
                ..Disturbance::default()
            },
            Disturbance {
                path: "/".to_owned(),
                error_ratio: 1.0,
                ..Disturbance::default()
            },
        ];
    });
    // The second time, it is in memory.
    for _ in 0..2 {
        let began = Instant::now();
        assert_eq!(server.get("/index.html").status, "200");
        assert!(began.elapsed() >= Duration::from_millis(30));
    }
    assert_eq!(server.get("/").status, "503");
}
