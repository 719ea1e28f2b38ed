//! Does a dialogue go on as it should, whatever comes and in whatever pieces?

use leadsman_dial::{Peer, Step};
use serde_json::{Value, json};

use super::*;
use crate::words;

fn steps(written: &Value) -> Vec<Step> {
    serde_json::from_value(written.clone()).unwrap()
}

/// Goes through all steps while a peer says these pieces and then closes. Returns what was sent, and
/// the flaw.
fn play(dialogue: &mut Dialogue<'_>, pieces: &[&[u8]]) -> (Vec<u8>, Result<(), Flaw>) {
    let mut pieces = pieces.iter();
    let mut sent = Vec::new();
    loop {
        match dialogue.next() {
            Ok(Do::Read) => match pieces.next() {
                Some(piece) => dialogue.room().extend_from_slice(piece),
                None => dialogue.over(),
            },
            Ok(Do::ReadAside(most)) => {
                let piece = pieces.next().copied().unwrap_or_default();
                if let Err(flaw) = dialogue.aside(&piece[..piece.len().min(most)]) {
                    return (sent, Err(flaw));
                }
            }
            Ok(Do::Write(bytes)) => sent.extend(bytes),
            Ok(Do::Upgrade) => sent.extend(b"<TLS>"),
            Ok(Do::Heard { .. } | Do::Matched) => {}
            Ok(Do::Finish) => return (sent, Ok(())),
            Err(flaw) => return (sent, Err(flaw)),
        }
    }
}

#[track_caller]
fn check(written: &Value, said: &str, expected: &str, flaw: &Result<(), Flaw>) {
    let steps = steps(written);
    let said = said.as_bytes();
    let bytes: Vec<_> = said.chunks(1).collect();
    for pieces in [&[said][..], &bytes] {
        let mut dialogue = Dialogue::new(&steps, false);
        let (sent, ended) = play(&mut dialogue, pieces);
        assert_eq!(String::from_utf8_lossy(&sent), expected, "{written}");
        assert_eq!(&ended, flaw, "{written}");
    }
}

#[test]
fn a_step_waits_and_then_sends() {
    let ok = Ok(());
    check(&json!([]), "x", "", &ok);
    check(&json!([{ "send": "PING" }]), "", "PING\n", &ok);
    check(&json!([{ "send": "PING\r" }]), "", "PING\r\n", &ok);
    check(&json!([{ "send_bytes": "PING" }]), "", "PING", &ok);
    check(&json!([{ "send": "" }, {}]), "", "", &ok);
    let banner = json!([{ "expect": "^SSH-2.0-(\\S+)", "send": "GOT ${1}" }]);
    check(&banner, "SSH-2.0-x y\r\n", "GOT x\n", &ok);
    check(&banner, "a\nb\nSSH-2.0-x", "GOT x\n", &ok);
    let bytes = json!([{ "expect_bytes": "abc", "send": "$1" }, { "expect": "^d$" }]);
    check(&bytes, "abcd\n", "$1\n", &ok);
    let mixed = json!([{ "expect": "^a$" }, { "expect_bytes": "b\nc" }, { "expect": "^$" }]);
    check(&mixed, "a\nb\nc\n", "", &ok);
    let unknown = json!([{ "expect": "a(x)?", "send": "$1" }]);
    check(&unknown, "a\n", "", &ok);
}

#[test]
fn what_does_not_come_is_a_flaw() {
    let line = json!([{ "expect": "^220 ", "send": "x" }]);
    check(&line, "", "", &Err(Flaw::Unmatched));
    check(&line, "550 no\n", "", &Err(Flaw::Unmatched));
    let order = json!([{ "expect": "^two" }, { "expect": "^one" }]);
    check(&order, "one\ntwo\n", "", &Err(Flaw::Unmatched));
    let bytes = json!([{ "expect_bytes": "abc" }]);
    check(&bytes, "", "", &Err(Flaw::Short));
    check(&bytes, "ab", "", &Err(Flaw::Short));
    let long = "x".repeat(crate::received::LONGEST + 1);
    check(&line, &long, "", &Err(Flaw::TooLong));
}

#[test]
fn other_bytes_are_noticed_with_the_first_that_differs() {
    let steps = steps(&json!([{ "expect_bytes": "abc" }]));
    let mut dialogue = Dialogue::new(&steps, false);
    let (_, ended) = play(&mut dialogue, &[b"a", b"x"]);
    assert_eq!(ended, Err(Flaw::Differs(b"ax".to_vec())));
}

#[test]
fn a_line_is_held_against_the_pattern_once_however_slowly_it_comes() {
    let steps = steps(&json!([{ "expect": "^220 " }, { "expect_bytes": "x\nyz" }]));
    let mut dialogue = Dialogue::new(&steps, false);
    let line = [vec![b'x'; 60_000], b"\n".to_vec()].concat();
    let said = [&*line, &*line, b"220 ok\nx\nyz"].concat();
    let mut bytes = said.iter();
    let (mut reads, mut held) = (0, 0);
    loop {
        match dialogue.next() {
            Ok(Do::Read) => {
                reads += 1;
                dialogue.room().extend(bytes.next());
            }
            Ok(Do::Heard { .. }) => held += dialogue.line().len() + 1,
            Ok(Do::Matched) => {}
            ended => {
                assert_eq!(ended, Ok(Do::Finish));
                break;
            }
        }
    }
    assert_eq!(reads, said.len());
    assert_eq!(held, said.len() - "x\nyz".len());
}

#[test]
fn what_came_in_the_clear_is_not_heard_over_tls() {
    let steps = steps(&json!([
        { "expect": "^go", "starttls": true }, { "expect": "^later" },
    ]));
    let mut dialogue = Dialogue::new(&steps, false);
    let (sent, ended) = play(&mut dialogue, &[b"go\nlater\n", b"now\n"]);
    assert_eq!((&*sent, ended), (&b"<TLS>"[..], Err(Flaw::Unmatched)));
    let mut dialogue = Dialogue::new(&steps, false);
    assert_eq!(play(&mut dialogue, &[b"go\n", b"later\n"]).1, Ok(()));
}

#[test]
fn the_labels_of_all_steps_are_kept() {
    let steps = steps(&json!([
        { "expect": "^(a)", "labels": [{ "name": "x", "value": "$1" }, { "name": "y", "value": "-" }] },
        { "expect": "^(b)", "labels": [{ "name": "z", "value": "$1" }, { "name": "x", "value": "${1}!" }] },
    ]));
    let mut dialogue = Dialogue::new(&steps, false);
    assert_eq!(play(&mut dialogue, &[b"a\nb\n"]).1, Ok(()));
    let labels: Vec<_> = dialogue.labels().iter().map(|(n, v)| (*n, &**v)).collect();
    assert_eq!(labels, [("y", "-"), ("z", "b"), ("x", "b!")]);
}

#[test]
fn where_it_is_wanted_bytes_are_read_as_by_blackbox_exporter() {
    let steps = steps(&json!([{ "expect": "^a$" }, { "expect_bytes": "bc", "send": "x" }]));
    for (pieces, expected) in [
        (&[&b"a\n"[..], b"bc"][..], Ok(())),
        // In one segment with the line, they are lost in its buffer; in two, the read is short.
        (&[b"a\nbc"], Err(Flaw::Short)),
        (&[b"a\n", b"b", b"c"], Err(Flaw::Short)),
        (&[b"a\n", b"bx"], Err(Flaw::Differs(b"bx".to_vec()))),
    ] {
        let mut dialogue = Dialogue::new(&steps, true);
        let (sent, ended) = play(&mut dialogue, pieces);
        assert_eq!(ended, expected, "{pieces:?}");
        assert_eq!(sent == b"x\n", expected.is_ok());
    }
}

#[test]
fn it_is_told_which_step_waited_for_what_and_what_came_instead() {
    let peer = Peer::Path("mail");
    for (written, pieces, doing, came) in [
        (
            json!([{ "expect": "^220 " }]),
            &[][..],
            "step 1 of 1 waited for a line from mail that matches \"^220 \"",
            "nothing came",
        ),
        (
            json!([{ "expect": "^220 " }]),
            &[&b"550 \x1b[2J\xff\r\n"[..]],
            "step 1 of 1 waited for",
            "only \"550 \\u{1b}[2J\\\\xff\" came",
        ),
        (
            json!([{ "send": "EHLO x" }, { "expect": "^250" }]),
            &[],
            "step 2 of 2 waited for",
            "nothing came; what was sent before, \"EHLO x\", has no \\r before its \\n",
        ),
        (
            json!([{ "send": "EHLO x\r" }, { "expect": "^250" }]),
            &[],
            "step 2 of 2",
            "nothing came",
        ),
        (
            json!([{ "expect": "^250 " }]),
            &[b"250-a\n250-b\n250"],
            "step 1 of 1",
            "2 other lines came, the last one \"250-b\", and 3 bytes without an end of line came, \"250\"",
        ),
        (
            json!([{ "expect": "login: $" }]),
            &[b"login: "],
            "step 1 of 1",
            "7 bytes without an end of line came, \"login: \"; a prompt that no line end follows",
        ),
        (
            json!([{ "expect_bytes": "\u{1}\0" }]),
            &[b"\x01"],
            "step 1 of 1 waited for 2 bytes \"\\u{1}\\0\" from mail",
            "1 byte came, \"\\u{1}\"",
        ),
    ] {
        let steps = steps(&written);
        let mut dialogue = Dialogue::new(&steps, false);
        let mut pieces = pieces.iter();
        // Until it would wait for what never comes.
        loop {
            match dialogue.next() {
                Ok(Do::Read) => match pieces.next() {
                    Some(piece) => dialogue.room().extend_from_slice(piece),
                    None => break,
                },
                Ok(_) => {}
                Err(flaw) => panic!("{flaw:?}"),
            }
        }
        let said = words::doing(&dialogue, peer);
        assert!(said.starts_with(doing), "{said}");
        let said = words::came(&dialogue);
        assert!(said.starts_with(came), "{said}");
        assert_eq!(
            said.contains("\\r before"),
            came.contains("\\r before"),
            "{said}"
        );
    }
}

#[test]
fn what_is_told_is_short_however_much_came() {
    let steps = steps(&json!([{ "expect": "^220 " }]));
    let mut dialogue = Dialogue::new(&steps, false);
    let line = [vec![b'x'; 60_000], b"\n".to_vec()].concat();
    let (_, ended) = play(&mut dialogue, &[&line, &line]);
    assert_eq!(ended, Err(Flaw::Unmatched));
    let said = words::came(&dialogue);
    assert!(said.len() < 200 && said.contains("x\"…"), "{said}");
}
