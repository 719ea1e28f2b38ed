//! Which requests are plain, and what becomes of those that are not?

use std::fs;
use std::time::Duration;

use leadsman_core::Stopper;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;
use crate::server::access_log::{AccessFormat, AccessLog};
use crate::server::answer::tests::site;
use crate::server::patience::tests::LIMITS;
use crate::server::tests::harness::settle;

const REQUEST: &[u8] = b"GET /file HTTP/1.1\r\nHost: a\r\n\r\n";
const OTHER: &[u8] = b"HEAD /file HTTP/1.1";

/// A connection whose peer asks for a file in memory.
struct Scene {
    _directory: TempDir,
    site: Arc<Site>,
    stream: Patient<DuplexStream>,
    turn: Arc<Turn>,
}

impl Scene {
    /// The file has so many bytes.
    async fn with_file_of(length: usize) -> (Self, DuplexStream) {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, vec![b'x'; length]).unwrap();
        settle(&file);
        let site = site(&directory);
        let request = hyper::Request::get("/file").header("host", "a");
        _ = site.answer(&request.body(()).unwrap()).await;
        let (peer, stream) = duplex(4096);
        let turn = Arc::new(Turn::default());
        let scene = Self {
            _directory: directory,
            site: Arc::new(site),
            stream: Patient::new(stream, LIMITS, Arc::clone(&turn)),
            turn,
        };
        (scene, peer)
    }

    async fn answer(&mut self, stop: &Stop) -> io::Result<Rest> {
        answer_plain(&mut self.stream, &self.site, &self.turn, stop).await
    }

    /// What is to be read from the stream.
    async fn left(&mut self) -> Vec<u8> {
        let mut left = vec![0; OTHER.len()];
        self.stream.read_exact(&mut left).await.unwrap();
        left
    }
}

/// Asks plainly, and takes an answer with so many bytes.
async fn ask(peer: &mut DuplexStream, length: usize) -> String {
    peer.write_all(REQUEST).await.unwrap();
    let end = format!("\r\n\r\n{}", "x".repeat(length));
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let more = timeout(LIMITS.stall, peer.read_buf(&mut answer)).await;
        assert!(more.unwrap().unwrap() > 0, "{answer:?}");
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    answer
}

#[tokio::test(start_paused = true)]
async fn plain_requests_are_answered_until_something_else_comes() {
    for length in [0, 10, LITTLE, LITTLE + 1, 100_000] {
        let (mut scene, mut peer) = Scene::with_file_of(length).await;
        let asking = async {
            for _ in 0..3 {
                ask(&mut peer, length).await;
            }
            peer.write_all(OTHER).await.unwrap();
        };
        let never = Stop::never();
        let (rest, ()) = tokio::join!(scene.answer(&never), asking);
        assert_eq!(rest.unwrap(), Rest::Other);
        assert_eq!(scene.left().await, OTHER);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_once_the_end_is_asked_for() {
    let (mut scene, mut peer) = Scene::with_file_of(10).await;
    let (stopper, stop) = Stopper::new();
    let asking = async {
        ask(&mut peer, 10).await;
        stopper.stop();
    };
    let begin = Instant::now();
    let (rest, ()) = tokio::join!(scene.answer(&stop), asking);
    assert_eq!(rest.unwrap(), Rest::Nothing);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_has_asked_before_the_end_is_answered_for_the_last_time() {
    let (mut scene, mut peer) = Scene::with_file_of(10).await;
    let (stopper, stop) = Stopper::new();
    stopper.stop();
    let (answer, rest) = tokio::join!(biased; ask(&mut peer, 10), scene.answer(&stop));
    assert_eq!(rest.unwrap(), Rest::Nothing);
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn peer_is_not_waited_for_for_ever() {
    let (mut scene, mut peer) = Scene::with_file_of(10_000).await;
    let never = Stop::never();
    let begin = Instant::now();
    let (rest, _) = tokio::join!(scene.answer(&never), ask(&mut peer, 10_000));
    assert_eq!(rest.unwrap(), Rest::Nothing);
    assert!(begin.elapsed() >= LIMITS.idle);

    let (mut scene, mut peer) = Scene::with_file_of(10_000).await;
    peer.write_all(REQUEST).await.unwrap();
    let begin = Instant::now();
    let stalled = scene.answer(&never).await.unwrap_err();
    assert_eq!(stalled.kind(), io::ErrorKind::TimedOut);
    assert!(begin.elapsed() >= LIMITS.stall);
}

#[tokio::test(start_paused = true)]
async fn requests_are_not_plain_where_they_are_written_down() {
    let (mut scene, mut peer) = Scene::with_file_of(10).await;
    let log = AccessLog::start(AccessFormat::Common, io::sink()).unwrap();
    let site = Arc::get_mut(&mut scene.site).unwrap();
    site.log = log.map(|(log, _)| log);
    peer.write_all(REQUEST).await.unwrap();
    let rest = scene.answer(&Stop::never()).await.unwrap();
    assert_eq!(rest, Rest::Other);
    assert_eq!(scene.left().await, REQUEST[..OTHER.len()]);
}

#[test]
fn plain_request_asks_for_a_file_and_for_nothing_else() {
    fn check(request: &str, expected: Option<(&str, &[&str], bool)>) {
        let plain = Plain::parse(request.as_bytes());
        let expected = expected.map(|(path, cookies, is_last)| Plain {
            path,
            is_last,
            cookies: cookies.iter().map(|cookie| cookie.as_bytes()).collect(),
        });
        assert_eq!(plain, expected, "{request:?}");
    }
    let path = "/a-_.~!$&'()*+,;=:@/0";
    check(
        &format!("GET {path} HTTP/1.1\r\nhOST: a:80\r\nUser-Agent: b\r\nAccept: */*\r\n\r\n"),
        Some((path, &[], false)),
    );
    check(
        "GET // HTTP/1.1\r\nCookie: a=b\r\nHost: \r\ncookie:c \r\n\r\n",
        Some(("//", &["a=b", "c"], false)),
    );
    check(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n",
        Some(("/", &[], true)),
    );
    for line in [
        "HEAD / HTTP/1.1",
        "POST / HTTP/1.1",
        "get / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET /a?b HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /%61 HTTP/1.1",
        "GET /a\\b HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a HTTP/1.1",
        "GET http://a/ HTTP/1.1",
    ] {
        check(&format!("{line}\r\nHost: a\r\n\r\n"), None);
    }
    for fields in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a b\r\n",
        "Host : a\r\n",
        "Host: a\r\nAccept\r\n",
        "Host: a\r\nConnection: close, te\r\n",
        "Host: a\r\nConnection: upgrade\r\n",
        "Host: a\r\nContent-Length: 0\r\n",
        "Host: a\r\nTransfer-Encoding: chunked\r\n",
        "Host: a\r\nExpect: 100-continue\r\n",
        "Host: a\r\nRange: bytes=0-0\r\n",
        "Host: a\r\nIf-None-Match: *\r\n",
        "Host: a\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        "Host: a\r\nX: y\r\n",
    ] {
        check(&format!("GET / HTTP/1.1\r\n{fields}\r\n"), None);
    }
    let whole = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for length in 0..whole.len() {
        check(&whole[..length], None);
    }
    check(&format!("{whole}G"), None);
    let accept = |times| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "Accept: a\r\n".repeat(times)
        )
    };
    check(&accept(MOST_FIELDS - 1), Some(("/", &[], false)));
    check(&accept(MOST_FIELDS), None);
}
