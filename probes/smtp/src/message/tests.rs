//! What becomes of what people write, and of what others would like to smuggle in?

use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::*;

static FROM: LazyLock<Mailbox> = LazyLock::new(|| Mailbox::parse("probe@example.org").unwrap());
static TO: LazyLock<Mailbox> = LazyLock::new(|| Mailbox::parse("sink@example.test").unwrap());

fn letter() -> Letter<'static> {
    Letter {
        from: &FROM,
        name: None,
        to: &TO,
        subject: None,
        host: "client.example.org",
        body: "Hello.\n",
        eight_bit: false,
    }
}

/// Builds it at a known time; in the result, the token is called TOKEN.
fn built(letter: &Letter<'_>) -> Result<String, MessageError> {
    let token = Token::fresh().unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(1_795_844_171);
    let message = build(letter, &token, now)?;
    assert_eq!(Token::within(&message), Some(token));
    for line in message.split(|byte| *byte == b'\n') {
        assert!(line.len() <= 998 + 1);
    }
    let message = String::from_utf8(message).unwrap();
    let bare = message.replace("\r\n", "");
    assert!(!bare.contains(['\r', '\n', '\0']), "{message:?}");
    Ok(message.replace(&token.to_string(), "TOKEN"))
}

/// Its fields, unfolded, and its text.
fn parts(letter: &Letter<'_>) -> (Vec<String>, String) {
    let message = built(letter).unwrap_or_else(|why| panic!("{why}"));
    let (header, text) = message.split_once("\r\n\r\n").unwrap();
    let fields = header.replace("\r\n ", " ");
    (
        fields.split("\r\n").map(str::to_owned).collect(),
        text.to_owned(),
    )
}

#[test]
fn message_has_what_standards_and_readers_want() {
    assert_eq!(
        built(&letter()).unwrap(),
        "Date: Sat, 28 Nov 2026 05:36:11 -0000\r\n\
         From: probe@example.org\r\n\
         To: sink@example.test\r\n\
         Message-ID: <TOKEN@client.example.org>\r\n\
         Subject: [probe] TOKEN\r\n\
         Auto-Submitted: auto-generated\r\n\
         X-Probe-Id: TOKEN\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 7bit\r\n\
         \r\n\
         Hello.\r\n"
    );
}

/// Checks that a letter is refused because of that part of it, for that reason.
fn check_refused(letter: &Letter<'_>, what: &str, expected: &str) {
    let refused = built(letter).unwrap_err();
    let MessageError::Unfit {
        what: part, why, ..
    } = &refused
    else {
        panic!("{refused}");
    };
    assert_eq!((*part, *why), (what, expected));
    // Whatever it was, the message about it is one line.
    assert!(!refused.to_string().contains(char::is_control));
}

#[test]
fn no_field_is_smuggled_into_the_header() {
    const CONTROL: &str = "there is a control character in it";
    const HOST: &str = "it is neither a domain nor an address in brackets";
    let parts: [(for<'a> fn(&mut Letter<'a>, &'a str), &str, &str); 3] = [
        (
            |letter, text| letter.subject = Some(text),
            "subject",
            CONTROL,
        ),
        (
            |letter, text| letter.name = Some(text),
            "sender's name",
            CONTROL,
        ),
        (|letter, text| letter.host = text, "host", HOST),
    ];
    for end in ["\r\n", "\n", "\r", "\0", "\u{85}", "\t"] {
        for text in ["a@b{}Bcc: b@example.com", "{}Bcc:b@example.com", "a@b{}"] {
            let text = text.replace("{}", end);
            for (put, what, why) in parts {
                let mut letter = letter();
                put(&mut letter, &text);
                check_refused(&letter, what, why);
            }
        }
    }
}

#[test]
fn what_is_no_subject_is_refused() {
    let long = "a".repeat(513);
    for (subject, expected) in [("", "it is empty"), (&*long, "it has more than 512 octets")] {
        let letter = Letter {
            subject: Some(subject),
            ..letter()
        };
        check_refused(&letter, "subject", expected);
    }
}

#[test]
fn addresses_of_every_kind_stand_as_they_are_sent() {
    for (address, expected) in [
        ("a.b+c=d@example.org", "a.b+c=d@example.org"),
        ("\"a b\"@example.org", "\"a b\"@example.org"),
        ("\"a\\\"@\\\\\"@example.org", "\"a\\\"@\\\\\"@example.org"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
        ("jürgen@example.org", "jürgen@example.org"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ] {
        let to = Mailbox::parse(address).unwrap();
        let (fields, _) = parts(&Letter {
            to: &to,
            ..letter()
        });
        assert_eq!(fields[2], format!("To: {expected}"));
    }
}

#[test]
fn free_text_is_encoded_where_it_could_be_misread() {
    fn check(subject: &str, international: bool, expected: &str) {
        let beyond = Mailbox::parse("jürgen@example.org").unwrap();
        let (fields, _) = parts(&Letter {
            subject: Some(subject),
            to: if international { &beyond } else { &TO },
            ..letter()
        });
        assert_eq!(fields[4], format!("Subject: {expected}"));
    }
    check("All is well", false, "All is well");
    check("Grüße", false, "=?utf-8?B?R3LDvMOfZQ==?=");
    check("Grüße", true, "Grüße");
    check(
        "=?utf-8?B?Zg==?=",
        false,
        "=?utf-8?B?PT91dGYtOD9CP1pnPT0/PQ==?=",
    );
    check(" a", false, "=?utf-8?B?IGE=?=");
    // A character of three octets is never split.
    check(
        &"€".repeat(20),
        false,
        &format!(
            "=?utf-8?B?{}?= =?utf-8?B?{}?=",
            "4oKs".repeat(13),
            "4oKs".repeat(7)
        ),
    );
    let name = |name| {
        let (fields, _) = parts(&Letter {
            name: Some(name),
            ..letter()
        });
        fields[1].clone()
    };
    assert_eq!(
        name("The \"probe\""),
        "From: \"The \\\"probe\\\"\" <probe@example.org>"
    );
    assert_eq!(
        name("Sonde ü"),
        "From: =?utf-8?B?U29uZGUgw7w=?= <probe@example.org>"
    );
}

#[test]
fn text_arrives_as_it_was_written_and_ends_once() {
    fn check(body: &str, coding: &str, expected: &str, sent: &str) {
        let letter = Letter { body, ..letter() };
        let (fields, text) = parts(&letter);
        assert_eq!(
            fields.last().unwrap(),
            &format!("Content-Transfer-Encoding: {coding}")
        );
        assert_eq!(text, expected, "{body:?}");
        let message = build(&letter, &Token::fresh().unwrap(), UNIX_EPOCH).unwrap();
        let stuffed = String::from_utf8(stuffed(&message)).unwrap();
        let (_, stuffed) = stuffed.split_once("\r\n\r\n").unwrap();
        assert_eq!(stuffed, sent, "{body:?}");
        // The server sees an end at the end and nowhere else.
        let whole = format!("\r\n{stuffed}");
        assert_eq!(whole.find("\r\n.\r\n"), Some(whole.len() - 5), "{body:?}");
    }
    let plain = |body, expected, sent| check(body, "7bit", expected, sent);
    // What could be read as the end of the message (CVE-2023-51764, -51765 and -51766).
    plain(".", ".\r\n", "..\r\n.\r\n");
    plain("\n.\n", "\r\n.\r\n", "\r\n..\r\n.\r\n");
    plain("\r.\r", "\r\n.\r\n", "\r\n..\r\n.\r\n");
    plain("\n.\r\n", "\r\n.\r\n", "\r\n..\r\n.\r\n");
    plain(
        "a\r\n.\r\nMAIL FROM:<a@b>\r\n",
        "a\r\n.\r\nMAIL FROM:<a@b>\r\n",
        "a\r\n..\r\nMAIL FROM:<a@b>\r\n.\r\n",
    );
    plain("a\r.\nb", "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n");
    plain("\r\r\n\n", "\r\n\r\n\r\n", "\r\n\r\n\r\n.\r\n");
    // The line end at the end, there or not.
    plain("a", "a\r\n", "a\r\n.\r\n");
    plain("a\r\n", "a\r\n", "a\r\n.\r\n");
    plain("", "", ".\r\n");
    plain(
        "...\n..\n.",
        "...\r\n..\r\n.\r\n",
        "....\r\n...\r\n..\r\n.\r\n",
    );
    // Lines as long as they may be, and longer.
    let longest = "a".repeat(998);
    plain(
        &longest,
        &format!("{longest}\r\n"),
        &format!("{longest}\r\n.\r\n"),
    );
    let long = format!("{}=\r\n{}=\r\n", "a".repeat(75), "a".repeat(75));
    let body = "a".repeat(10_000);
    let (fields, text) = parts(&Letter {
        body: &body,
        ..letter()
    });
    assert_eq!(
        fields.last().unwrap(),
        "Content-Transfer-Encoding: quoted-printable"
    );
    assert!(text.starts_with(&long) && text.split("\r\n").all(|line| line.len() <= 76));
    assert_eq!(text.replace("=\r\n", ""), format!("{body}\r\n"));
    // What is not text in ASCII.
    check(
        "a\0b=\t",
        "quoted-printable",
        "a=00b=3D=09\r\n",
        "a=00b=3D=09\r\n.\r\n",
    );
    check(
        "ü \n",
        "quoted-printable",
        "=C3=BC=20\r\n",
        "=C3=BC=20\r\n.\r\n",
    );
    check(
        "ü\n\n.\n",
        "quoted-printable",
        "=C3=BC\r\n\r\n.\r\n",
        "=C3=BC\r\n\r\n..\r\n.\r\n",
    );
    let letter = Letter {
        body: "ü",
        eight_bit: true,
        ..letter()
    };
    let (fields, text) = parts(&letter);
    assert_eq!(fields.last().unwrap(), "Content-Transfer-Encoding: 8bit");
    assert_eq!(text, "ü\r\n");
}

#[test]
fn line_of_quoted_printable_has_room_for_all_it_has_to_have() {
    for width in 70..80 {
        for end in ["a", "ü", " ", "="] {
            let body = format!("ü{}{end}", "a".repeat(width));
            let (_, text) = parts(&Letter {
                body: &body,
                ..letter()
            });
            assert!(text.split("\r\n").all(|line| line.len() <= 76), "{text}");
            let joined = text.replace("=\r\n", "");
            let read = joined
                .replace("=C3=BC", "ü")
                .replace("=20", " ")
                .replace("=3D", "=");
            assert_eq!(read, format!("{body}\r\n"));
        }
    }
}

#[test]
fn stuffing_needs_no_line_end_to_be_there() {
    fn check(message: &str, expected: &str) {
        assert_eq!(stuffed(message.as_bytes()), expected.as_bytes());
    }
    check("", ".\r\n");
    check("a", "a\r\n.\r\n");
    check(".", "..\r\n.\r\n");
    check("a\r\n", "a\r\n.\r\n");
    check("a\n", "a\n\r\n.\r\n");
    check("\n", "\n\r\n.\r\n");
}

#[test]
fn size_that_the_server_takes_is_taken_to_the_last_octet() {
    let message = built(&letter()).unwrap().into_bytes();
    let size = message.len() as u64;
    for limit in [None, Some(0), Some(size), Some(u64::MAX)] {
        fits(&message, limit).unwrap();
    }
    let refused = fits(&message, Some(size - 1)).unwrap_err().to_string();
    let expected = format!(
        "the message has {size} octets, and the server takes no more than {}",
        size - 1
    );
    assert_eq!(refused, expected);
    let body = "a\n".repeat(LONGEST_TEXT / 2);
    parts(&Letter {
        body: &body,
        ..letter()
    });
    let body = format!("{body}a");
    let refused = built(&Letter {
        body: &body,
        ..letter()
    })
    .unwrap_err();
    assert!(matches!(refused, MessageError::TooLong));
}

#[tokio::test]
async fn text_is_read_from_files_that_are_some() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("text");
    let told = async |path: &std::path::Path| read_text(path).await.unwrap_err().to_string();
    assert!(
        told(&path)
            .await
            .starts_with("cannot read the message's text from ")
    );
    fs::write(&path, "Grüße").unwrap();
    assert_eq!(read_text(&path).await.unwrap(), "Grüße");
    fs::write(&path, b"\xff").unwrap();
    assert!(told(&path).await.starts_with("there is no UTF-8 text in "));
    fs::write(&path, vec![b'a'; LONGEST_TEXT]).unwrap();
    assert_eq!(read_text(&path).await.unwrap().len(), LONGEST_TEXT);
    fs::write(&path, vec![b'a'; LONGEST_TEXT + 1]).unwrap();
    assert!(matches!(read_text(&path).await, Err(MessageError::TooLong)));
    assert!(
        told(directory.path())
            .await
            .ends_with("it is no regular file")
    );
    // Without an end, and without anybody who writes into it.
    assert!(
        told("/dev/zero".as_ref())
            .await
            .ends_with("it is no regular file")
    );
    let fifo = directory.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    assert!(told(&fifo).await.ends_with("it is no regular file"));
}
