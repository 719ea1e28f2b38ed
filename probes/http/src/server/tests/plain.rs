//! Is it all the same to a peer who answers it?

use std::io::{Read, Write};

use super::encrypted::Encrypted;
use super::*;
use crate::server::accept::GRACE;

/// A connection, however it is secured.
trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

/// What comes for a request.
fn answer(stream: &mut dyn Connection, sent: &str) -> Vec<u8> {
    stream.write_all(sent.as_bytes()).unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        received.extend(byte);
    }
    let head = String::from_utf8(received.clone()).unwrap();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    let at = received.len();
    received.resize(at + length, 0);
    stream.read_exact(&mut received[at..]).unwrap();
    received
}

/// All of an answer but the time; in which order the fields are sent means nothing.
fn lines(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8(answer.to_vec()).unwrap();
    let timeless = |line: &str| match line.split_once(": ") {
        Some((name @ "date", _)) => name.to_owned(),
        _ => line.to_owned(),
    };
    let mut lines: Vec<_> = text.split("\r\n").map(timeless).collect();
    lines.sort();
    lines
}

/// A request that is answered without hyper where the file is kept.
fn plain(path: &str) -> String {
    format!(
        "GET /{path} HTTP/1.1\r\nHost: a\r\nCookie: visit={VISIT}; __Host-visit={VISIT}\r\n\r\n"
    )
}

/// The same, with something about it that is left to hyper.
fn uncommon(path: &str) -> String {
    plain(path).replace("Host:", "Priority: u=1\r\nHost:")
}

const VISIT: &str = "abcdefghijklmnopqrstuv";
const FILES: [(&str, usize); 5] = [
    ("none.txt", 0),
    ("little.html", 10),
    ("some", 4096),
    ("more", 4097),
    ("much.png", 400_000),
];

fn fill(server: &Server) {
    for (name, length) in FILES {
        let file = server.root().join(name);
        fs::write(&file, vec![b'x'; length]).unwrap();
        settle(&file);
    }
}

/// Asks for each file from memory, plainly and then not so, also for the last time on a connection.
fn assert_same(mut connect: impl FnMut() -> Box<dyn Connection>) {
    for (name, length) in FILES {
        // From now on it is kept.
        answer(&mut connect(), &uncommon(name));
        for end in ["\r\n", "Connection: close\r\n\r\n"] {
            let [one, other] = [plain(name), uncommon(name)].map(|sent| {
                let sent = sent[..sent.len() - 2].to_owned() + end;
                lines(&answer(&mut connect(), &sent))
            });
            assert_eq!(one, other, "{name} {end:?}");
            assert!(one.contains(&"x".repeat(length)), "{name}");
        }
    }
}

#[test]
fn answer_is_the_same_whoever_gives_it() {
    let server = Server::of_one_thread();
    fill(&server);
    assert_same(|| Box::new(server.connect()));
}

#[test]
fn answer_is_the_same_with_tls() {
    let encrypted = Encrypted::start(|options| options.threads = Some(NonZeroUsize::MIN));
    fill(&encrypted.server);
    assert_same(|| Box::new(encrypted.connect(&["http/1.1"])));
}

#[test]
fn time_of_an_answer_goes_on() {
    let server = Server::of_one_thread();
    server.get("/index.html");
    let mut stream = server.connect();
    let mut date = || {
        let received = answer(&mut stream, &plain("index.html"));
        only(answers(&received, false))
            .field("date")
            .unwrap()
            .to_owned()
    };
    let first = date();
    let end = tokio::time::Instant::now() + PATIENCE;
    while date() == first {
        assert!(tokio::time::Instant::now() < end);
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn connection_goes_on_whatever_comes_next() {
    let server = Server::of_one_thread();
    server.get("/index.html");
    let whole = plain("index.html");
    let (begin, rest) = whole.split_at(20);
    let part = whole.replace("Host:", "Range: bytes=1-2\r\nHost:");
    for (sent, expected) in [
        (vec![&*whole], vec!["0123456789"]),
        (vec![&*part], vec!["12"]),
        (vec![begin, rest], vec!["0123456789"]),
        (
            vec![&*(whole.clone() + &part + &whole)],
            vec!["0123456789", "12", "0123456789"],
        ),
        (vec![&*(whole.clone() + begin), rest], vec!["0123456789"; 2]),
    ] {
        let mut stream = server.connect();
        answer(&mut stream, &whole);
        for piece in &sent {
            stream.write_all(piece.as_bytes()).unwrap();
            // A piece for itself, as likely as not.
            thread::sleep(Duration::from_millis(5));
        }
        stream.write_all(whole.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        let answers = answers(&received, false);
        let bodies: Vec<_> = answers.iter().map(Answer::text).collect();
        assert_eq!(bodies, [&*expected, &["0123456789"]].concat(), "{sent:?}");
    }
}

#[test]
fn connection_ends_with_the_answer_that_is_to_be_the_last() {
    fn check(mut stream: impl Read + Write) {
        let last = plain("index.html").replace("Host:", "Connection: close\r\nHost:");
        stream.write_all(last.as_bytes()).unwrap();
        let mut received = Vec::new();
        // With TLS, it is an error if the end is not said.
        stream.read_to_end(&mut received).unwrap();
        let answer = only(answers(&received, false));
        assert_eq!(answer.text(), "0123456789");
        assert_eq!(answer.field("connection"), Some("close"));
    }
    let server = Server::of_one_thread();
    server.get("/index.html");
    check(server.connect());
    let encrypted = Encrypted::start(|options| options.threads = Some(NonZeroUsize::MIN));
    for _ in 0..2 {
        check(encrypted.connect(&["http/1.1"]));
    }
}

#[test]
fn peers_that_are_silent_do_not_delay_the_end() {
    let mut server = Server::of_one_thread();
    server.get("/index.html");
    let mut streams = [plain, uncommon].map(|request| {
        let mut stream = server.connect();
        answer(&mut stream, &request("index.html"));
        stream
    });
    let begin = tokio::time::Instant::now();
    server.end();
    assert!(begin.elapsed() < GRACE, "{:?}", begin.elapsed());
    for stream in &mut streams {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}
