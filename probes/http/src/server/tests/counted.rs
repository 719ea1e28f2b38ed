//! Does the server count what it does?

use std::fs;
use std::io::{Read as _, Write as _};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use leadsman_core::Count;
use leadsman_core::options::Period;
use socket2::{Domain, Socket, Type};
use tokio::time::Instant;

use super::{PATIENCE, Server, settle};

/// What a series stands at; 0 if it is not there.
fn count(server: &Server, name: &str, labels: &[&str]) -> f64 {
    let samples = server.meter.read();
    let sample = samples
        .iter()
        .find(|sample| sample.metric.name.ends_with(name) && sample.labels == labels);
    match sample.map(|sample| &sample.count) {
        None => 0.0,
        Some(Count::Number(value)) => *value,
        Some(Count::Observed { buckets, .. }) => buckets.iter().sum::<u64>() as f64,
    }
}

/// Waits until a series stands at `expected`: what a peer has received is counted a moment later.
fn await_count(server: &Server, name: &str, labels: &[&str], expected: f64) {
    let end = Instant::now() + PATIENCE;
    while (count(server, name, labels) - expected).abs() > 0.5 {
        assert!(
            Instant::now() < end,
            "{name}{labels:?} is {} and not {expected}",
            count(server, name, labels)
        );
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_answer_is_counted_by_status_and_method() {
    let server = Server::of_one_thread();
    // The second one is plain.
    server.get("/index.html");
    server.get("/index.html");
    server.get("/none");
    server.ask(b"HEAD /index.html HTTP/1.1\r\nHost: a\r\n\r\n");
    server.ask(b"DELETE /index.html HTTP/1.1\r\nHost: a\r\n\r\n");
    let requests = "_requests_total";
    await_count(&server, requests, &["200", "GET"], 2.0);
    await_count(&server, requests, &["404", "GET"], 1.0);
    await_count(&server, requests, &["200", "HEAD"], 1.0);
    await_count(&server, requests, &["405", "other"], 1.0);
    await_count(&server, "_duration_seconds", &[], 5.0);
    await_count(&server, "_connections_total", &[], 5.0);
    await_count(&server, "_connections", &[], 0.0);
    await_count(&server, "_requests_in_flight", &[], 0.0);
    let texts = "404 Not Found\n405 Method Not Allowed\n";
    await_count(&server, "_sent_bytes_total", &[], 20.0 + texts.len() as f64);
}

#[test]
fn request_is_in_flight_until_its_answer_has_been_taken() {
    let server = Server::start();
    let file = fs::File::create(server.root().join("big")).unwrap();
    file.set_len(64 << 20).unwrap();
    let mut peer = server.connect();
    peer.write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    await_count(&server, "_requests_in_flight", &[], 1.0);
    await_count(&server, "_connections", &[], 1.0);
    drop(peer);
    await_count(&server, "_requests_in_flight", &[], 0.0);
    await_count(&server, "_connections", &[], 0.0);
}

#[test]
fn peer_that_is_not_served_is_counted_by_reason() {
    let server = Server::with(|options| {
        options.header_timeout = Period(Duration::from_millis(50));
    });
    server.ask(b"no http\r\n\r\n");
    await_count(&server, "_rejects_total", &["malformed"], 1.0);
    let mut slow = server.connect();
    slow.write_all(b"GET / HT").unwrap();
    await_count(&server, "_rejects_total", &["head"], 1.0);
    let server = Server::with(|options| {
        options.threads = Some(NonZeroUsize::MIN);
        options.stall_timeout = Period(Duration::from_millis(50));
    });
    // Kept in memory once it has been asked for.
    fs::write(server.root().join("much"), vec![b'x'; 1 << 20]).unwrap();
    settle(&server.root().join("much"));
    server.get("/much");
    let greedy = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    greedy.set_recv_buffer_size(4096).unwrap();
    greedy.connect(&server.address.into()).unwrap();
    greedy
        .send(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    await_count(&server, "_rejects_total", &["stall"], 1.0);
    let server = Server::with(|options| options.max_connections = NonZeroUsize::MIN);
    let _first = server.connect();
    await_count(&server, "_connections_total", &[], 1.0);
    let mut second = server.connect();
    _ = second.read(&mut [0; 1]);
    await_count(&server, "_rejects_total", &["full"], 1.0);
}
