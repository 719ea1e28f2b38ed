//! Is every command answered as it should be, in every order?

use super::*;

fn policy() -> Policy {
    Policy {
        host: "sink.test".to_owned(),
        recipients: Recipients::new(["probe@Example.test", "ü@example.test"]),
        max_size: 1000,
        offers_tls: true,
        is_lmtp: false,
    }
}

fn opened() -> Dialogue {
    Dialogue::new(Arc::new(policy()))
}

/// The code of what is said to a line, alone.
fn code(dialogue: &mut Dialogue, line: &str) -> u16 {
    match dialogue.obey(line.as_bytes(), false) {
        Next::Say(reply) | Next::Leave(reply) | Next::Counted(_, Some(reply)) => reply.code(),
        Next::Dotted => 354,
        Next::Counted(_, None) => 0,
        Next::Tls => 220,
    }
}

/// Says the lines one by one and compares the codes.
fn check(lines: &[(&str, u16)]) {
    let mut dialogue = opened();
    for (at, (line, expected)) in lines.iter().enumerate() {
        assert_eq!(code(&mut dialogue, line), *expected, "{at}: {line}");
    }
}

#[test]
fn message_is_taken_for_those_who_are_here_and_for_nobody_else() {
    check(&[
        ("EHLO a", 250),
        ("MAIL FROM:<a@b>", 250),
        ("RCPT TO:<other@example.test>", 550),
        ("RCPT TO:<probe@example.org>", 550),
        ("RCPT TO:<probe@example.test.>", 550),
        ("RCPT TO:<probe%example.test@example.org>", 550),
        ("RCPT TO:<probe@example.test@example.org>", 550),
        ("RCPT TO:<Probe@example.test>", 550),
        ("RCPT TO:<postmaster>", 501),
        ("DATA", 503),
        ("BDAT 10 LAST", 503),
    ]);
    check(&[
        ("HELO a", 250),
        ("MAIL FROM:<>", 250),
        ("RCPT TO:<probe@EXAMPLE.test>", 250),
        ("RCPT TO:<@relay.test:probe@example.test>", 250),
        ("DATA", 354),
    ]);
}

#[test]
fn commands_come_in_their_order() {
    check(&[
        ("NOOP", 250),
        ("VRFY a", 252),
        ("HELP", 214),
        ("RSET", 250),
        ("MAIL FROM:<a@b>", 503),
        ("RCPT TO:<probe@example.test>", 503),
        ("DATA", 503),
        ("LHLO a", 500),
        ("EHLO a", 250),
        ("RCPT TO:<probe@example.test>", 503),
        ("MAIL FROM:<a@b>", 250),
        ("MAIL FROM:<a@b>", 503),
        ("RCPT TO:<probe@example.test>", 250),
        ("RSET", 250),
        ("DATA", 503),
        ("MAIL FROM:<a@b>", 250),
        ("RCPT TO:<probe@example.test>", 250),
        // A second hello begins anew.
        ("EHLO a", 250),
        ("DATA", 503),
        ("QUIT", 221),
    ]);
}

#[test]
fn what_is_beyond_the_limits_is_told_before_it_is_sent() {
    check(&[
        ("EHLO a", 250),
        ("MAIL FROM:<a@b> SIZE=1001", 552),
        ("MAIL FROM:<ü@b>", 553),
        ("MAIL FROM:<a@b> SIZE=1000", 250),
        ("RCPT TO:<ü@example.test>", 553),
        ("RSET", 250),
        ("MAIL FROM:<ü@b> SMTPUTF8", 250),
        ("RCPT TO:<ü@example.test>", 250),
        ("BDAT 1000", 0),
        // It would be one octet too many with those before.
        ("BDAT 1001 LAST", 552),
        ("BDAT 1 LAST", 503),
        ("MAIL FROM:<a@b>", 250),
    ]);
    let mut dialogue = opened();
    for line in ["EHLO a", "MAIL FROM:<a@b>"] {
        assert_eq!(code(&mut dialogue, line), 250);
    }
    for _ in 0..MOST_RECIPIENTS.min(90) {
        assert_eq!(code(&mut dialogue, "RCPT TO:<probe@example.test>"), 250);
    }
    // What is refused and has no end is not read.
    let next = dialogue.obey(b"BDAT 18446744073709551615", false);
    assert_eq!(next, Next::Leave(Reply::TOO_LARGE));
}

#[test]
fn session_has_an_end() {
    let mut dialogue = opened();
    for _ in 0..MOST_COMMANDS {
        assert_eq!(dialogue.obey(b"NOOP", true), Next::Say(Reply::OK));
    }
    let next = dialogue.obey(b"NOOP", false);
    assert_eq!(next, Next::Leave(Reply::TOO_MANY_COMMANDS));
    let mut dialogue = opened();
    for _ in 0..MOST_ERRORS {
        assert_eq!(dialogue.obey(b"X", true), Next::Say(Reply::UNKNOWN));
    }
    let next = dialogue.obey(b"X", false);
    assert_eq!(next, Next::Leave(Reply::TOO_MANY_ERRORS));
}

#[test]
fn nobody_speaks_out_of_turn() {
    let check = |before: &[&str], line: &str| {
        let mut dialogue = opened();
        for line in before {
            assert_eq!(code(&mut dialogue, line), 250, "{line}");
        }
        let next = dialogue.obey(line.as_bytes(), true);
        assert_eq!(next, Next::Leave(Reply::OUT_OF_STEP), "{line}");
    };
    check(&[], "EHLO a");
    check(&["EHLO a"], "STARTTLS");
    let envelope = ["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<probe@example.test>"];
    check(&envelope, "DATA");
    // And not when there is no recipient either, when it would be read as commands.
    check(&envelope[..2], "DATA");
}

#[test]
fn tls_forgets_what_was_said_before() {
    let mut dialogue = opened();
    for line in ["EHLO a", "MAIL FROM:<a@b>"] {
        assert_eq!(code(&mut dialogue, line), 250);
    }
    let offers = |dialogue: &mut Dialogue| match dialogue.obey(b"EHLO a", false) {
        Next::Say(reply) => reply.to_string().contains("STARTTLS"),
        other => panic!("{other:?}"),
    };
    assert!(offers(&mut dialogue));
    assert_eq!(dialogue.obey(b"STARTTLS", false), Next::Tls);
    dialogue.secured();
    assert_eq!(code(&mut dialogue, "MAIL FROM:<a@b>"), 503);
    assert!(!offers(&mut dialogue));
    assert_eq!(code(&mut dialogue, "STARTTLS"), 503);
    let policy = Policy {
        offers_tls: false,
        ..policy()
    };
    let mut dialogue = Dialogue::new(Arc::new(policy));
    assert_eq!(code(&mut dialogue, "STARTTLS"), 502);
    assert!(!offers(&mut dialogue));
}

#[test]
fn message_is_judged_by_its_content() {
    fn check(content: &str, verdict: Verdict, code: u16) {
        let mut dialogue = opened();
        for line in ["EHLO a", "MAIL FROM:<a@b>", "RCPT TO:<probe@example.test>"] {
            assert_eq!(self::code(&mut dialogue, line), 250);
        }
        let mut dotted = Content::new();
        dotted.take_dotted(format!("{content}\r\n.\r\n").as_bytes());
        let received = dialogue.received(&dotted);
        assert_eq!(received.verdict, verdict);
        assert_eq!(received.sender, "a@b");
        assert_eq!(received.recipients, ["probe@example.test"]);
        assert_eq!(received.size, content.len() as u64 + 2);
        let codes: Vec<u16> = received.replies.iter().map(Reply::code).collect();
        assert_eq!(codes, [code]);
        // Another may follow.
        assert_eq!(self::code(&mut dialogue, "MAIL FROM:<a@b>"), 250);
    }
    let token = Token::fresh().unwrap();
    check(
        &format!("X-Probe-Id: {token}\r\n"),
        Verdict::Taken(Some(token)),
        250,
    );
    check("Subject: a\r\n\r\nText", Verdict::Taken(None), 250);
    check(&"a".repeat(998), Verdict::Taken(None), 250);
    check(&"a".repeat(999), Verdict::TooLarge, 552);
    check("a\nb", Verdict::Bare, 554);
}

#[test]
fn chunks_make_one_message_in_lmtp_too() {
    let policy = Policy {
        is_lmtp: true,
        ..policy()
    };
    let mut dialogue = Dialogue::new(Arc::new(policy));
    assert_eq!(code(&mut dialogue, "EHLO a"), 500);
    for line in [
        "LHLO a",
        "MAIL FROM:<a@b>",
        "RCPT TO:<probe@example.test>",
        "RCPT TO:<probe@example.test>",
    ] {
        assert_eq!(code(&mut dialogue, line), 250, "{line}");
    }
    let chunk = |size, is_last| Chunk { size, is_last };
    assert_eq!(code(&mut dialogue, "BDAT 5"), 0);
    dialogue.take(b"a");
    dialogue.take(b"b\r\n.");
    assert_eq!(dialogue.chunk_ended(chunk(5, false)), None);
    assert_eq!(code(&mut dialogue, "DATA"), 503);
    assert_eq!(code(&mut dialogue, "RCPT TO:<probe@example.test>"), 503);
    assert_eq!(code(&mut dialogue, "BDAT 2 LAST"), 0);
    dialogue.take(b"\r\n");
    let received = dialogue.chunk_ended(chunk(2, true)).unwrap();
    assert_eq!((received.size, received.verdict), (7, Verdict::Taken(None)));
    // One answer for each recipient (RFC 2033, section 4.2).
    assert_eq!(received.replies, [Reply::TAKEN, Reply::TAKEN]);
    assert_eq!(code(&mut dialogue, "BDAT 0 LAST"), 503);
}
