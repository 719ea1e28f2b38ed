//! Does the sink do what it should, to those who mean well and to those who do not?

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use leadsman_core::{Meter as _, ResponderOptions as _};
use rcgen::generate_simple_self_signed;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::counts::{Counts, Kind, Refused};
use super::options::SinkOptions;
use super::trial::{Client, Trial};
use crate::delivery::Account;
use crate::mailbox::Mailbox;
use crate::message::{Letter, Token, build, stuffed};

fn message(token: &Token) -> Vec<u8> {
    let letter = Letter {
        from: &Mailbox::parse("a@example.org").unwrap(),
        name: None,
        to: &Mailbox::parse("probe@example.test").unwrap(),
        subject: None,
        host: "client.test",
        body: ".\nHello\n.\n",
        eight_bit: false,
    };
    build(&letter, token, std::time::UNIX_EPOCH).unwrap()
}

#[test]
fn message_of_a_probe_is_recognised_however_it_comes() {
    let sink = Trial::with(json!({}));
    let account = Account::new(Duration::from_mins(1));
    let expect = || {
        let token = Token::fresh().unwrap();
        let mut expected = account.expect(token, Instant::now());
        expected.sent(Instant::now());
        token
    };
    let mut client = sink.client();
    for (whole, taken) in [(true, 1), (false, 2)] {
        let message = stuffed(&message(&expect()));
        client.envelope();
        client.say(&[("DATA", 354)]);
        if whole {
            client.send(&message);
        } else {
            for octet in &message {
                client.send([*octet]);
            }
        }
        assert_eq!(client.code(), 250);
        assert_eq!(sink.taken(Kind::InTime), taken);
    }
    let token = expect();
    let message = message(&token);
    client.envelope();
    let (first, last) = message.split_at(100);
    client.send([b"BDAT 100\r\n", first].concat());
    assert_eq!(client.code(), 250);
    client.send([format!("BDAT {} LAST\r\n", last.len()).as_bytes(), last].concat());
    assert_eq!(client.code(), 250);
    assert_eq!(sink.taken(Kind::InTime), 3);
    // It is counted once, and what has no token is of somebody else.
    client.envelope();
    client.say(&[("DATA", 354)]);
    client.send(stuffed(&message));
    assert_eq!((client.code(), sink.taken(Kind::Unknown)), (250, 1));
    client.envelope();
    client.say(&[
        ("DATA", 354),
        ("X-Probe-Id: 0\r\n\r\nText\r\n.", 250),
        ("QUIT", 221),
    ]);
    assert_eq!((sink.taken(Kind::Foreign), sink.messages()), (1, 5));
    assert_eq!(client.line(), "");
}

#[test]
fn message_that_nobody_waits_for_any_more_is_late_or_unknown() {
    let sink = Trial::with(json!({}));
    let account = Account::new(Duration::from_millis(1));
    let long_ago = Instant::now() - Duration::from_secs(1);
    let token = Token::fresh().unwrap();
    account.expect(token, long_ago).sent(long_ago);
    let mut client = sink.client();
    for (late, unknown) in [(1, 0), (1, 1)] {
        client.envelope();
        client.say(&[("DATA", 354)]);
        client.send(stuffed(&message(&token)));
        assert_eq!(client.code(), 250);
        let kinds = [Kind::Late, Kind::Unknown].map(|kind| sink.taken(kind));
        assert_eq!(kinds, [late, unknown]);
    }
    let tally = account.tally(Instant::now());
    assert_eq!((tally.last, tally.late), (Some(false), 1));
}

#[test]
fn commands_that_come_at_once_are_answered_at_once() {
    let sink = Trial::with(json!({}));
    let mut client = sink.client();
    client.say(&[("EHLO a", 250)]);
    client.send(
        "MAIL FROM:<a@b>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<probe@example.test>\r\n\
         BDAT 2\r\na\rBDAT 0 LAST\r\nQUIT\r\n",
    );
    let lines: Vec<String> = (0..7).map(|_| client.line()).collect();
    let codes: Vec<&str> = lines
        .iter()
        .map(|line| line.get(..3).unwrap_or(""))
        .collect();
    // The message ends in the middle of the end of a line.
    assert_eq!(
        codes,
        ["250", "550", "250", "250", "554", "221", ""],
        "{lines:?}"
    );
    let refused = [Refused::Recipient, Refused::Bare].map(|why| sink.refused(why));
    assert_eq!((refused, sink.messages()), ([1, 1], 0));
}

#[test]
fn nothing_is_smuggled_in_behind_an_end_that_is_none() {
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\r\n.\r\r\n",
        "\n\n.\r\r\n",
    ] {
        let sink = Trial::with(json!({}));
        let mut client = sink.client();
        client.envelope();
        client.say(&[("DATA", 354)]);
        client.send(format!(
            "Subject: a\r\n\r\nText{end}MAIL FROM:<b@b>\r\nRCPT TO:<probe@example.test>\r\n\
             DATA\r\nSubject: b\r\n\r\nText\r\n.\r\n"
        ));
        // One message, which is refused, and nothing behind it.
        assert_eq!(client.code(), 554, "{end:?}");
        client.say(&[("NOOP", 250), ("QUIT", 221)]);
        assert_eq!((sink.messages(), sink.refused(Refused::Bare)), (0, 1));
    }
}

#[test]
fn whoever_speaks_out_of_turn_or_in_no_language_is_cut_off() {
    fn check(input: impl AsRef<[u8]>, code: u16, why: Refused) {
        let sink = Trial::with(json!({}));
        let mut client = sink.client();
        client.send(input);
        assert_eq!((client.code(), client.line().as_str()), (code, ""));
        assert_eq!((sink.refused(why), sink.messages()), (1, 0));
    }
    check("EHLO a\r\nMAIL FROM:<a@b>\r\n", 554, Refused::Turn);
    check("NOOP\nQUIT\r\n", 500, Refused::Bare);
    check("a".repeat(3000), 500, Refused::Commands);
    check("a".repeat(2050) + "\r\n", 500, Refused::Commands);
    check("BDAT 99999999999\r\n", 503, Refused::Commands);
    let sink = Trial::with(json!({}));
    let mut client = sink.client();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \xff\r\n\r\n");
    assert_eq!(
        [client.code(), client.code(), client.code(), client.code()],
        [500; 4]
    );
    client.send("X\r\n".repeat(7));
    for _ in 0..6 {
        assert_eq!(client.code(), 500);
    }
    assert_eq!((client.code(), client.code()), (421, 0));
    assert_eq!(sink.refused(Refused::Commands), 1);
}

#[test]
fn message_beyond_the_limit_is_read_up_to_a_point() {
    let sink = Trial::with(json!({ "max_size": 1000 }));
    let mut client = sink.client();
    client.envelope();
    client.say(&[("DATA", 354)]);
    client.send(format!("{}.\r\n", "a\r\n".repeat(400)));
    assert_eq!(client.code(), 552);
    client.envelope();
    // Two at once, of which the second is one octet too many.
    client.send(format!(
        "BDAT 999\r\n{}BDAT 2 LAST\r\naaNOOP\r\n",
        "a".repeat(999)
    ));
    assert_eq!(
        [client.code(), client.code(), client.code()],
        [250, 552, 250]
    );
    client.envelope();
    client.say(&[("DATA", 354)]);
    // Without an end: whoever sends it may be told, or find the connection reset.
    _ = std::io::Write::write_all(&mut client.0, "a\r\n".repeat(100_000).as_bytes());
    assert!([552, 0].contains(&client.code()));
    assert_eq!((sink.refused(Refused::Size), sink.messages()), (3, 0));
}

#[test]
fn whoever_is_slow_is_cut_off() {
    fn check(limits: [&str; 3], input: &str) {
        let [line, idle, session] = limits;
        let options = json!({
            "line_timeout": line, "idle_timeout": idle, "session_timeout": session,
        });
        let sink = Trial::with(options);
        let mut client = sink.client();
        client.send("HELO a\r\n");
        let mut code = client.code();
        // On a busy machine it may be over already.
        if code == 250 {
            client.send(input);
            while [250, 354].contains(&code) {
                code = client.code();
            }
        }
        assert_eq!((code, client.line().as_str()), (421, ""), "{input}");
        assert_eq!(sink.refused(Refused::Timeout), 1);
    }
    const DATA: &str = "MAIL FROM:<a@b>\r\nRCPT TO:<probe@example.test>\r\nDATA\r\n";
    check(["20s", "50ms", "20s"], "");
    check(["50ms", "20s", "20s"], "NOO");
    check(["20s", "20s", "50ms"], "");
    check(["20s", "20s", "50ms"], "NOO");
    for limits in [["20s", "50ms", "20s"], ["20s", "20s", "50ms"]] {
        check(limits, "NOOP\r\n");
        check(limits, "NOOP\r\nBDAT 10\r\n");
        check(limits, DATA);
    }
    // An octet now and then is not enough for a line.
    let sink = Trial::with(json!({ "line_timeout": "100ms" }));
    let mut client = sink.client();
    let dripped = thread::spawn({
        let mut stream = client.0.try_clone().unwrap();
        move || {
            while std::io::Write::write_all(&mut stream, b"a").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        }
    });
    assert_eq!(client.code(), 421);
    drop(sink);
    client
        .0
        .shutdown(std::net::Shutdown::Both)
        .unwrap_or_default();
    dripped.join().unwrap();
}

#[test]
fn one_too_many_is_told_so_and_there_is_room_again_later() {
    let sink = Trial::with(json!({ "max_connections": 1 }));
    let mut first = sink.client();
    let mut second = Client(sink.connect());
    assert_eq!((second.code(), second.line().as_str()), (421, ""));
    assert_eq!(sink.refused(Refused::Full), 1);
    first.say(&[("QUIT", 221)]);
    assert_eq!(first.line(), "");
    // Its seat is free soon after.
    let end = Instant::now() + Duration::from_secs(10);
    while Client(sink.connect()).code() != 220 {
        assert!(Instant::now() < end);
    }
}

#[test]
fn end_waits_for_a_message_and_not_for_silence() {
    let sink = Trial::with(json!({}));
    let (mut silent, mut busy) = (sink.client(), sink.client());
    busy.envelope();
    busy.say(&[("DATA", 354)]);
    sink.stop();
    assert_eq!((silent.code(), silent.line().as_str()), (421, ""));
    busy.say(&[("Text\r\n.", 250)]);
    assert_eq!((busy.code(), busy.line().as_str()), (421, ""));
    assert_eq!(sink.messages(), 1);
}

/// A certificate for `localhost`, with its key, in this directory.
fn certificate(directory: &Path) -> serde_json::Value {
    let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (directory.join("cert"), directory.join("key"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    json!({ "cert_file": cert, "key_file": key })
}

/// Speaks TLS with whoever shows the certificate that now lies in this directory.
fn encrypted(
    stream: std::net::TcpStream,
    directory: &Path,
) -> Client<StreamOwned<ClientConnection, std::net::TcpStream>> {
    let shown = CertificateDer::from_pem_file(directory.join("cert")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(shown).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Client(StreamOwned::new(connection, stream))
}

#[test]
fn tls_is_begun_by_command_with_the_certificate_of_now() {
    let directory = TempDir::new().unwrap();
    let sink = Trial::with(json!({ "tls": certificate(directory.path()) }));
    for _ in 0..2 {
        let mut client = sink.client();
        client.say(&[("EHLO a", 250), ("STARTTLS", 220)]);
        let mut client = encrypted(client.0, directory.path());
        client.say(&[("MAIL FROM:<a@b>", 503)]);
        client.envelope();
        client.say(&[
            ("DATA", 354),
            ("Text\r\n.", 250),
            ("STARTTLS", 503),
            ("QUIT", 221),
        ]);
        assert_eq!(client.line(), "");
        certificate(directory.path());
    }
    assert_eq!(sink.messages(), 2);
    // What cannot be used does no harm.
    let mut client = sink.client();
    let before = CertificateDer::from_pem_file(directory.path().join("cert")).unwrap();
    client.say(&[("STARTTLS", 220)]);
    let mut client = encrypted(client.0, directory.path());
    client.say(&[("NOOP", 250)]);
    let shown = client.0.conn.peer_certificates().unwrap();
    assert_eq!(shown[0], before);
    let kept = fs::read(directory.path().join("cert")).unwrap();
    fs::write(directory.path().join("key"), "nonsense").unwrap();
    fs::write(directory.path().join("cert"), &kept).unwrap();
    let mut client = sink.client();
    client.say(&[("STARTTLS", 220)]);
    encrypted(client.0, directory.path()).say(&[("NOOP", 250)]);
}

#[test]
fn nothing_is_injected_before_tls() {
    let directory = TempDir::new().unwrap();
    let sink = Trial::with(json!({ "tls": certificate(directory.path()) }));
    let mut client = sink.client();
    client.say(&[("EHLO a", 250)]);
    client.send("STARTTLS\r\nNOOP\r\n");
    assert_eq!((client.code(), client.line().as_str()), (554, ""));
    assert_eq!(sink.refused(Refused::Turn), 1);
    // Whoever says something else than TLS then hears nothing.
    let mut client = sink.client();
    client.say(&[("STARTTLS", 220)]);
    client.send("NOOP\r\nNOOP\r\n");
    let answer = client.line();
    assert!(!answer.contains("250"), "{answer}");
    let end = Instant::now() + Duration::from_secs(10);
    while sink.refused(Refused::Tls) != 1 {
        assert!(Instant::now() < end);
        thread::yield_now();
    }
}

#[test]
fn tls_may_come_before_everything_else() {
    let directory = TempDir::new().unwrap();
    let mut tls = certificate(directory.path());
    tls["implicit"] = json!(true);
    let sink = Trial::with(json!({ "tls": tls }));
    let mut client = encrypted(sink.connect(), directory.path());
    assert_eq!(client.code(), 220);
    client.envelope();
    client.say(&[("STARTTLS", 502), ("DATA", 354), ("Text\r\n.", 250)]);
    assert_eq!(sink.messages(), 1);
}

#[test]
fn lmtp_is_answered_for_each_recipient() {
    let sink = Trial::with(json!({ "protocol": "lmtp", "recipients": ["a@b", "c@d"] }));
    let mut client = sink.client();
    client.say(&[
        ("EHLO a", 500),
        ("LHLO a", 250),
        ("MAIL FROM:<>", 250),
        ("RCPT TO:<a@b>", 250),
        ("RCPT TO:<e@f>", 550),
        ("RCPT TO:<c@d>", 250),
        ("DATA", 354),
        ("Text\r\n.", 250),
    ]);
    assert_eq!(client.code(), 250);
    client.say(&[("QUIT", 221)]);
}

#[tokio::test]
async fn what_cannot_be_opened_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (taken, address)).unwrap();
    for (options, expected) in [
        (
            json!({}),
            "there is nobody to take mail for: set `recipients`",
        ),
        (
            json!({ "recipients": ["a"] }),
            "\"a\" in `recipients` is no address",
        ),
        (
            json!({ "recipients": ["a@"] }),
            "\"a@\" in `recipients` is no address",
        ),
        (
            json!({ "recipients": ["a@b"], "hostname": "a\r\n250 b" }),
            "\"a\\r\\n250 b\" in `hostname` is no name",
        ),
        (
            json!({ "recipients": ["a@b"], "tls": { "cert_file": "none", "key_file": "none" } }),
            "cannot read none, the file of `cert_file`: ",
        ),
        (
            json!({ "recipients": ["a@b"], "listen": taken.1 }),
            "cannot listen on 127.0.0.1:",
        ),
    ] {
        let options: SinkOptions = serde_json::from_value(options).unwrap();
        let Err(why) = options.open().await else {
            panic!("it is opened, which should be: {expected}");
        };
        assert!(why.to_string().starts_with(expected), "{why}");
    }
}

#[test]
fn everything_that_is_counted_is_declared() {
    let counts = Counts::default();
    counts.come();
    counts.take(Kind::Late, 10);
    counts.refuse(Refused::Timeout);
    let samples = counts.read();
    for metric in super::counts::METRICS {
        let mut of = samples
            .iter()
            .filter(|sample| std::ptr::eq(sample.metric, metric));
        assert!(of.all(|sample| sample.labels.len() == metric.labels.len()));
        assert!(
            samples
                .iter()
                .any(|sample| std::ptr::eq(sample.metric, metric))
        );
    }
    assert_eq!(
        (Kind::Late.name(), Refused::Timeout.name()),
        ("late", "timeout")
    );
}
