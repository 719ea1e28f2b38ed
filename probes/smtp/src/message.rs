//! What is sent, octet for octet?
//!
//! One recipient's letter, as RFC 5322 wants it: a few header fields, and a text that nobody on the
//! way has to change. Whatever is put into it from outside is refused if it could be read as
//! anything else than what it stands for. Whether and to whom something is sent is not decided
//! here, nor how it is handed over; only how it has to be stuffed where a dot ends it.

mod body;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod token;
mod words;

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::mailbox::{Mailbox, is_host};

pub(crate) use file::read_text;
pub(crate) use token::Token;

/// What is put into a message from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter<'a> {
    /// Address of the author, for `From`; not the one of the envelope, which may be empty.
    pub(crate) from: &'a Mailbox,
    /// What the author is called, if anything.
    pub(crate) name: Option<&'a str>,
    /// Address of the recipient, for `To`.
    pub(crate) to: &'a Mailbox,
    /// What it is about; `[probe]` and the token if nobody says so.
    pub(crate) subject: Option<&'a str>,
    /// Domain, or address in brackets, after the `@` of `Message-ID`: what the client calls itself.
    pub(crate) host: &'a str,
    /// The text, with line ends of any kind.
    pub(crate) body: &'a str,
    /// Whether the server takes 8BITMIME (RFC 6152): a text beyond ASCII is then sent as it is.
    /// The message has to be announced as `BODY=8BITMIME` if it is not all ASCII.
    pub(crate) eight_bit: bool,
}

/// Why a message cannot be made, or not be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MessageError {
    /// Something would be read as something else, or as nothing.
    #[error("cannot put {value:?} into a message as its {what}: {why}")]
    Unfit {
        /// Which part of the message.
        what: &'static str,
        /// What was to be put there.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The text is longer than anyone needs for a probe.
    #[error("the message's text has more than {LONGEST_TEXT} octets")]
    TooLong,
    /// The server has said that it takes no message of this size.
    #[error("the message has {size} octets, and the server takes no more than {limit}")]
    BeyondLimit {
        /// Octets of the message.
        size: u64,
        /// What the server has said (RFC 1870).
        limit: u64,
    },
    /// The file with the text cannot be read.
    #[error("cannot read the message's text from {}: {source}", .path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is something else in the file.
    #[error("there is no UTF-8 text in {}", .path.display())]
    NotText {
        /// The file.
        path: std::path::PathBuf,
    },
}

/// Makes a message: header, empty line, text. Lines end with CRLF and have at most 998 octets before
/// it (RFC 5322, section 2.1.1); no dot is stuffed and none ends it, so that its length is the one
/// that `SIZE` announces (RFC 1870, section 4) and that `BDAT` sends.
pub(crate) fn build(
    letter: &Letter<'_>,
    token: &Token,
    now: SystemTime,
) -> Result<Vec<u8>, MessageError> {
    if letter.body.len() > LONGEST_TEXT {
        return Err(MessageError::TooLong);
    }
    if !is_host(letter.host) {
        return Err(MessageError::Unfit {
            what: "host",
            value: letter.host.to_owned(),
            why: "it is neither a domain nor an address in brackets",
        });
    }
    // Header fields may go beyond ASCII (RFC 6532) where an address does: whoever takes such a one has
    // said SMTPUTF8.
    let international = letter.from.is_international() || letter.to.is_international();
    let from = match letter.name {
        None => letter.from.to_string(),
        Some(name) => {
            let name = words::phrase("sender's name", name, "From: ".len(), international)?;
            // On a line of its own, for both may be long.
            format!("{name}\r\n <{}>", letter.from)
        }
    };
    let subject = match letter.subject {
        None => format!("[probe] {token}"),
        Some(subject) => words::unstructured("subject", subject, "Subject: ".len(), international)?,
    };
    let text = body::normalised(letter.body);
    let (coding, text) = body::coded(text, letter.eight_bit);
    let mut message = Vec::with_capacity(text.len() + 1024);
    for (name, value) in [
        ("Date", date(now).as_str()),
        ("From", &from),
        ("To", &letter.to.to_string()),
        ("Message-ID", &format!("<{token}@{}>", letter.host)),
        ("Subject", &subject),
        // Nobody shall answer it by machine (RFC 3834, section 5).
        ("Auto-Submitted", "auto-generated"),
        (token::FIELD, &token.to_string()),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", coding),
    ] {
        message.extend_from_slice(name.as_bytes());
        message.extend_from_slice(b": ");
        message.extend_from_slice(value.as_bytes());
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(&text);
    Ok(message)
}

/// Refuses a message that is larger than the server takes, if it has said how much that is; 0 is no
/// limit (RFC 1870, section 4).
pub(crate) fn fits(message: &[u8], limit: Option<u64>) -> Result<(), MessageError> {
    let size = message.len() as u64;
    match limit {
        Some(limit) if limit != 0 && size > limit => Err(MessageError::BeyondLimit { size, limit }),
        _ => Ok(()),
    }
}

/// What goes out after `354`: the message with another dot before every line that begins with one,
/// and the dot that ends it (RFC 5321, section 4.5.2).
pub(crate) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + message.len() / 64 + 5);
    let mut begins_line = true;
    for (at, byte) in message.iter().enumerate() {
        if begins_line && *byte == b'.' {
            stuffed.push(b'.');
        }
        stuffed.push(*byte);
        begins_line = *byte == b'\n' && at > 0 && message[at - 1] == b'\r';
    }
    if !begins_line {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

/// `Sat, 28 Nov 2026 05:36:11 -0000`: the time, without saying where (RFC 5322, section 3.3).
fn date(now: SystemTime) -> String {
    // A clock beyond the year 9999 is as wrong as one at the epoch.
    let now = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let printed = DateTimePrinter::new().timestamp_to_string(&now);
    printed.unwrap_or_else(|_| "Thu, 1 Jan 1970 00:00:00 -0000".to_owned())
}

/// Octets of a text, before it is coded.
pub(crate) const LONGEST_TEXT: usize = 256 << 10;

#[cfg(test)]
mod tests;
