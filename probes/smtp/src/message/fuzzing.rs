//! What is put into a message by those who would like to send another one, for fuzzing.

use std::time::UNIX_EPOCH;

use super::{Letter, Token, build, stuffed};
use crate::mailbox::Mailbox;

/// A letter: flags in the first octet, then a line each for sender, name, recipient, subject and
/// host; the rest is its text.
///
/// # Panics
/// If a message has other fields than it should, a line that is too long or ends in another way, or
/// an end before its end.
pub(crate) fn letter(octets: &[u8]) {
    let Some((flags, octets)) = octets.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(octets) else {
        return;
    };
    let mut parts = text.splitn(6, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (from, name, to) = (part(), part(), part());
    let (Ok(from), Ok(to)) = (Mailbox::parse(from), Mailbox::parse(to)) else {
        return;
    };
    let letter = Letter {
        from: &from,
        name: Some(name).filter(|_| flags & 1 != 0),
        to: &to,
        subject: Some(part()).filter(|_| flags & 2 != 0),
        host: part(),
        body: part(),
        eight_bit: flags & 4 != 0,
    };
    let token = Token::fresh().expect("the system has randomness");
    let Ok(message) = build(&letter, &token, UNIX_EPOCH) else {
        return;
    };
    assert_eq!(Token::within(&message), Some(token));
    if !(letter.eight_bit || from.is_international() || to.is_international()) {
        assert!(message.is_ascii());
    }
    let message_text = std::str::from_utf8(&message).expect("it was made of text");
    let (header, body) = message_text
        .split_once("\r\n\r\n")
        .expect("there is a header");
    let fields = header.split("\r\n").filter(|line| !line.starts_with(' '));
    let names = fields.map(|line| line.split(": ").next().unwrap_or_default());
    assert_eq!(names.collect::<Vec<_>>(), FIELDS);
    for line in message_text.split("\r\n") {
        assert!(line.len() <= 998 && !line.contains(['\r', '\n', '\0']));
    }
    assert!(body.is_empty() || body.ends_with("\r\n"));
    let sent = [b"\r\n".as_slice(), &stuffed(&message)].concat();
    let end = sent.windows(5).position(|five| five == b"\r\n.\r\n");
    assert_eq!(end, Some(sent.len() - 5));
}

const FIELDS: [&str; 10] = [
    "Date",
    "From",
    "To",
    "Message-ID",
    "Subject",
    "Auto-Submitted",
    "X-Probe-Id",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];
