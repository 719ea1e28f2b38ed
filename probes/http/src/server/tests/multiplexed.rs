//! What do peers get that speak HTTP/2, well or with no good in mind?
//!
//! Hyper's client asks as one should. Who means no good writes its frames by hand (RFC 9113,
//! section 4.1).

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use leadsman_core::options::Period;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::encrypted::Encrypted;
use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `GET /index.html` of the host `a` over `http`, by the static table of RFC 7541.
const GET: &[u8] = b"\x82\x86\x85\x41\x01a";

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u32 = 11;

type Sender = SendRequest<Empty<Bytes>>;

async fn begin(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Sender {
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn plain(server: &Server) -> Sender {
    begin(
        tokio::net::TcpStream::connect(server.address)
            .await
            .unwrap(),
    )
    .await
}

async fn fetch(sender: &mut Sender, request: Request<Empty<Bytes>>) -> Response<Bytes> {
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, body)
}

fn get(target: &str) -> Request<Empty<Bytes>> {
    Request::get(target).body(Empty::new()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_share_a_connection_with_and_without_tls() {
    let encrypted = Encrypted::start(|_| {});
    let config = encrypted.client(&["h2", "http/1.1"]);
    let stream = tokio::net::TcpStream::connect(encrypted.server.address);
    let stream = TlsConnector::from(Arc::new(config))
        .connect("name.test".try_into().unwrap(), stream.await.unwrap())
        .await
        .unwrap();
    let unencrypted = Server::start();
    for (mut sender, server, cookie) in [
        (begin(stream).await, &encrypted.server, "__Host-visit="),
        (plain(&unencrypted).await, &unencrypted, "visit="),
    ] {
        fs::write(server.root().join("big"), vec![b'x'; 3 << 20]).unwrap();
        for (path, status, length) in [
            ("/index.html", 200, 10),
            ("/big", 200, 3 << 20),
            ("/none", 404, 14),
            ("/../x", 400, 16),
        ] {
            let answer = fetch(&mut sender, get(&format!("http://a{path}"))).await;
            assert_eq!(
                (answer.status().as_u16(), answer.body().len()),
                (status, length),
                "{path}"
            );
        }
        let answer = fetch(&mut sender, get("http://a/")).await;
        let set = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(set.starts_with(cookie), "{set}");
        let head = Request::head("http://a/big").body(Empty::new()).unwrap();
        let answer = fetch(&mut sender, head).await;
        assert_eq!(answer.headers()["content-length"], "3145728");
        assert!(answer.body().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_is_said_once_and_soundly() {
    let server = Server::start();
    let mut sender = plain(&server).await;
    for (target, host, expected) in [
        ("http://a/", None, 200),
        ("http://a:80/", Some("A:80"), 200),
        ("http://a/", Some("b"), 400),
        ("http://user@a/", None, 400),
    ] {
        let mut request = get(target);
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        let answer = fetch(&mut sender, request).await;
        assert_eq!(answer.status().as_u16(), expected, "{target} {host:?}");
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags], &stream, payload].concat()
}

/// Begins, and allows each answer only so many bytes.
fn introduction(window: u32) -> Vec<u8> {
    let setting = [&[0, 4][..], &window.to_be_bytes()].concat();
    [PREFACE, &frame(SETTINGS, 0, 0, &setting)].concat()
}

/// The odd numbers that a client gives its requests.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| 2 * n + 1)
}

/// Sends all of this, and then as much of that as the server takes until it ends the connection.
/// Returns why the server went, if it said so.
fn provoke(server: &Server, sent: &[u8], then: &[u8]) -> Option<u32> {
    let mut stream = server.connect();
    let mut reader = stream.try_clone().unwrap();
    let reading = thread::spawn(move || {
        let mut frames = Vec::new();
        let mut header = [0; 9];
        while reader.read_exact(&mut header).is_ok() {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
            let mut payload = vec![0; length as usize];
            if reader.read_exact(&mut payload).is_err() {
                break;
            }
            frames.push((header[3], payload));
        }
        frames
    });
    _ = stream.write_all(sent);
    while !then.is_empty() && !reading.is_finished() && stream.write_all(then).is_ok() {
        thread::yield_now();
    }
    let frames = reading.join().unwrap();
    let goaway = frames.iter().rfind(|(kind, _)| *kind == GOAWAY);
    goaway.map(|(_, payload)| u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

#[test]
fn who_takes_requests_back_as_fast_as_it_makes_them_is_told_to_calm_down() {
    // Row 129.
    let server = Server::start();
    let taken_back = streams(1000).flat_map(|stream| {
        let get = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
        [get, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    let sent: Vec<u8> = introduction(65_535).into_iter().chain(taken_back).collect();
    assert_eq!(provoke(&server, &sent, &[]), Some(ENHANCE_YOUR_CALM));
    assert_eq!(server.get("/").status, "200");
}

#[test]
fn head_that_never_ends_ends_the_connection() {
    // Row 130.
    let server = Server::start();
    let mut sent = introduction(65_535);
    sent.extend(frame(HEADERS, END_STREAM, 1, GET));
    // A field of its own: literal, not indexed, `b: c`.
    let field = b"\x00\x01b\x01c".repeat(100);
    assert!(provoke(&server, &sent, &frame(CONTINUATION, 0, 1, &field)).is_some());
    // Not even if nothing is in it.
    assert!(provoke(&server, &sent, &frame(CONTINUATION, 0, 1, &[])).is_some());
}

#[test]
fn who_makes_the_server_take_requests_back_is_told_to_calm_down() {
    // Row 131. A window that grows beyond all bounds is a mistake (RFC 9113, section 6.9.1).
    let server = Server::start();
    let mistaken = streams(1000).flat_map(|stream| {
        let get = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
        let grown = i32::MAX.to_be_bytes();
        [get, frame(WINDOW_UPDATE, 0, stream, &grown)].concat()
    });
    let sent: Vec<u8> = introduction(1).into_iter().chain(mistaken).collect();
    assert_eq!(provoke(&server, &sent, &[]), Some(ENHANCE_YOUR_CALM));
}

#[test]
fn peer_without_room_is_given_up_whatever_else_it_sends() {
    // Row 132.
    let soon = Period(Duration::from_millis(100));
    let server = Server::with(|options| options.stall_timeout = soon);
    let get = frame(HEADERS, END_STREAM | END_HEADERS, 1, GET);
    let sent = [introduction(0), get].concat();
    assert_eq!(provoke(&server, &sent, &frame(PING, 0, 0, &[0; 8])), None);
}

#[test]
fn peer_that_asks_nothing_is_given_up() {
    let soon = Period(Duration::from_millis(100));
    let server = Server::with(|options| options.idle_timeout = soon);
    let never_whole = [introduction(65_535), frame(HEADERS, END_STREAM, 1, GET)].concat();
    for sent in [introduction(65_535), never_whole] {
        assert_eq!(provoke(&server, &sent, &[]), None);
    }
}

#[test]
fn preface_that_comes_in_bits_is_one_and_half_of_one_is_none() {
    let server = Server::with(|options| options.header_timeout = crowd::SOON);
    let mut stream = server.connect();
    for byte in &introduction(65_535) {
        stream.write_all(&[*byte]).unwrap();
    }
    let mut header = [0; 9];
    stream.read_exact(&mut header).unwrap();
    assert_eq!(header[3], SETTINGS);
    let half = server.ask(&PREFACE[..10]);
    assert!(half.is_empty(), "{half:?}");
}
