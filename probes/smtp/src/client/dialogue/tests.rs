//! Does the dialogue say and hear what it should, whatever comes?

use super::*;

fn script(until: Until) -> Script {
    Script {
        is_lmtp: false,
        hello: "client.test".to_owned(),
        tls: Wanted::Off,
        credentials: None,
        insecure_auth: false,
        from: None,
        to: Mailbox::parse("probe@example.test").ok(),
        until,
        pipelining: false,
        chunking: false,
        notify: "NEVER",
    }
}

/// Leads a dialogue with a server that says these things, each when it is asked for; returns what
/// was said to it and how it ended.
fn lead(script: Script, server: &[&[u8]]) -> (Vec<String>, Option<Outcome>) {
    let mut dialogue = Dialogue::new(script);
    let mut server = server.iter();
    let mut said = Vec::new();
    for _ in 0..1000 {
        match dialogue.next() {
            Step::Say(line) => {
                if line.phase == Phase::Body {
                    dialogue.sent();
                }
                said.push(String::from_utf8_lossy(&line.bytes).trim_end().to_owned());
            }
            Step::Hear => match server.next() {
                Some(bytes) => dialogue.feed(bytes),
                None => dialogue.lost(Loss::Broken(Cause::Closed), "closed".to_owned()),
            },
            Step::Heard(..) => {}
            Step::Compose => dialogue.content(b"A: b\r\n\r\n.dot\r\n".to_vec()),
            Step::Handshake => dialogue.secured(true),
            Step::Close => {
                let failure = dialogue.failure().map(|failure| failure.outcome);
                return (said, failure.unwrap_or(Some(Outcome::Ok)));
            }
        }
    }
    panic!("a dialogue without end");
}

#[test]
fn what_a_server_offers_is_used() {
    let offers = b"250-mx\r\n250-SIZE 1000\r\n250-DSN\r\n250 8BITMIME\r\n";
    let ok = &b"250 ok\r\n"[..];
    let server = [
        &b"220 a\r\n"[..],
        offers,
        ok,
        ok,
        b"354 go\r\n",
        ok,
        b"221 bye\r\n",
    ];
    let (said, ended) = lead(script(Until::Sent), &server);
    assert_eq!(
        said,
        [
            "EHLO client.test",
            "MAIL FROM:<> SIZE=14",
            "RCPT TO:<probe@example.test> NOTIFY=NEVER",
            "DATA",
            "A: b\r\n\r\n..dot\r\n.",
            "QUIT"
        ]
    );
    assert_eq!(ended, Some(Outcome::Ok));
}

#[test]
fn it_goes_no_further_than_it_is_to() {
    let ok = &b"250 mx\r\n"[..];
    let server = [&b"220 a\r\n"[..], ok, ok, ok, b"354 go\r\n", b"221 bye\r\n"];
    for (until, last) in [
        (Until::Banner, "QUIT"),
        (Until::Ehlo, "QUIT"),
        (Until::Auth, "QUIT"),
        (Until::Mail, "QUIT"),
        (Until::Rcpt, "QUIT"),
        (Until::Data, "DATA"),
    ] {
        let (said, ended) = lead(script(until), &server);
        assert_eq!(said.last().map(String::as_str), Some(last), "{until:?}");
        assert_eq!(ended, Some(Outcome::Ok), "{until:?}");
        assert!(!said.iter().any(|line| line.contains("dot")), "{until:?}");
    }
}

#[test]
fn no_bytes_make_it_go_on_without_end_or_send_without_leave() {
    let words: [&[u8]; 9] = [
        b"220 a\r\n",
        b"250 b\r\n",
        b"250-c\r\n",
        b"354 d\r\n",
        b"421 e\r\n",
        b"550 f\r\n",
        b"334 \r\n",
        b"\r\n",
        b"2",
    ];
    let mut random = fastrand::Rng::with_seed(5321);
    for _ in 0..20_000 {
        let server: Vec<_> = (0..12)
            .map(|_| words[random.usize(..words.len())])
            .collect();
        let mut script = script(if random.bool() {
            Until::Sent
        } else {
            Until::Rcpt
        });
        script.pipelining = random.bool();
        let may_send = script.until == Until::Sent;
        let (said, _) = lead(script, &server);
        let sent = said.iter().filter(|line| line.contains("dot")).count();
        assert!(sent <= usize::from(may_send), "{server:?}: {said:?}");
    }
}
