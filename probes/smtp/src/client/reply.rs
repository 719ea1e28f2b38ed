//! What does a server say?
//!
//! Replies are taken out of the bytes that came, however they were cut (RFC 5321, section 4.2). A
//! line may end with a bare line feed, which is told; whatever else is not a reply is refused, and
//! so is one without end. What a reply means is not decided here.

use std::fmt::Write as _;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The three digits, 200 to 599.
    pub(crate) code: u16,
    /// The text of each line; what cannot be shown is escaped.
    pub(crate) lines: Vec<String>,
    /// Whether a line ended without a carriage return.
    pub(crate) is_bare: bool,
}

/// Why what a server says is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("it is no reply: \"{0}\"")]
    NotAReply(String),
    #[error("a reply begins with the code {0} and goes on with {1}")]
    Codes(u16, u16),
    #[error("a line is longer than {LONGEST_LINE} octets")]
    LongLine,
    #[error("a reply has more than {MOST_LINES} lines")]
    ManyLines,
    #[error("a reply is longer than {LONGEST} octets")]
    Long,
}

/// Takes replies out of bytes.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    /// How much of the buffer was read already.
    read: usize,
    /// How much behind that has no line feed.
    searched: usize,
    partial: Option<Reply>,
    /// Octets of the reply that is being read.
    length: usize,
}

/// An enhanced status code (RFC 3463, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) class: u8,
    pub(crate) subject: u16,
    pub(crate) detail: u16,
}

impl Reader {
    /// Takes in what came.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing is left of what came.
    pub(crate) fn is_empty(&self) -> bool {
        self.read == self.buffer.len() && self.partial.is_none()
    }

    /// The next reply, if it is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Reply>, Flaw> {
        loop {
            let unread = &self.buffer[self.read..];
            let Some(end) = unread[self.searched..].iter().position(|b| *b == b'\n') else {
                self.searched = unread.len();
                return if self.searched >= LONGEST_LINE {
                    Err(Flaw::LongLine)
                } else {
                    Ok(None)
                };
            };
            let end = self.searched + end;
            if end >= LONGEST_LINE {
                return Err(Flaw::LongLine);
            }
            let line = &unread[..end];
            let line_end = line.strip_suffix(b"\r");
            let (code, goes_on, text) = parted(line_end.unwrap_or(line))?;
            let (text, is_bare) = (escaped(text), line_end.is_none());
            self.read += end + 1;
            self.searched = 0;
            self.length += end + 1;
            let reply = self.partial.get_or_insert_with(|| Reply {
                code,
                lines: Vec::new(),
                is_bare: false,
            });
            if reply.code != code {
                return Err(Flaw::Codes(reply.code, code));
            }
            reply.lines.push(text);
            reply.is_bare |= is_bare;
            if !goes_on {
                self.length = 0;
                return Ok(self.partial.take());
            }
            if reply.lines.len() >= MOST_LINES {
                return Err(Flaw::ManyLines);
            }
            if self.length > LONGEST {
                return Err(Flaw::Long);
            }
        }
    }
}

impl Reply {
    /// The first digit of its code.
    pub(crate) fn class(&self) -> u16 {
        self.code / 100
    }

    /// Its enhanced status code, if it begins with one of the class that its code is of.
    pub(crate) fn status(&self) -> Option<Status> {
        let word = self.lines.first()?.split(' ').next()?;
        let mut parts = word.split('.');
        let mut number = |longest: usize| {
            let part = parts.next().filter(|part| part.len() <= longest)?;
            let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u16>().ok().filter(|_| is_number)
        };
        let (class, subject, detail) = (number(1)?, number(3)?, number(3)?);
        (parts.next().is_none() && class == self.class() && class != 3).then_some(Status {
            class: class as u8,
            subject,
            detail,
        })
    }

    /// Whether it says that a server puts off whom it does not know yet.
    pub(crate) fn is_greylisting(&self) -> bool {
        let says = |line: &String| {
            let line = line.to_ascii_lowercase();
            ["greylist", "graylist", "grey-list", "gray-list"]
                .iter()
                .any(|word| line.contains(word))
        };
        let not_yet = Status {
            class: 4,
            subject: 7,
            detail: 1,
        };
        self.class() == 4 && (self.status() == Some(not_yet) || self.lines.iter().any(says))
    }

    /// The reply in one line, for people.
    pub(crate) fn told(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" / "))
            .trim_end()
            .to_owned()
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// A line's code, whether others follow, and its text.
fn parted(line: &[u8]) -> Result<(u16, bool, &[u8]), Flaw> {
    let refused = || Flaw::NotAReply(escaped(&line[..line.len().min(SHOWN)]));
    let (code, rest) = line.split_at_checked(3).ok_or_else(refused)?;
    if !code.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&code[0]) {
        return Err(refused());
    }
    let code = code
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Ok((code, false, rest)),
        Some((b' ', text)) => Ok((code, false, text)),
        Some((b'-', text)) => Ok((code, true, text)),
        Some(_) => Err(refused()),
    }
}

/// Text of which nothing is lost and nothing can steer a terminal or break a line of a log.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || INVISIBLE.contains(&c) {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("a String takes whatever is written to it");
        }
    }
    text
}

/// Marks that turn the direction of a text or end a line, and are no control characters to Unicode.
const INVISIBLE: [char; 11] = [
    '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Four times what a reply's line may have (RFC 5321, section 4.5.3.1.5), the line end included.
const LONGEST_LINE: usize = 2048;
const MOST_LINES: usize = 128;
const LONGEST: usize = 64 * 1024;
/// How much is shown of what is no reply.
const SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of bytes that come all at once, then one by one.
    fn read(bytes: &[u8]) -> Result<Vec<(u16, String)>, Flaw> {
        let mut whole = Reader::default();
        whole.feed(bytes);
        let told = |reader: &mut Reader| {
            let mut replies = Vec::new();
            while let Some(reply) = reader.next()? {
                replies.push((reply.code, reply.lines.join("|")));
            }
            Ok(replies)
        };
        let at_once = told(&mut whole);
        let mut cut = Reader::default();
        let mut one_by_one = Ok(Vec::new());
        for byte in bytes {
            cut.feed(&[*byte]);
            match (told(&mut cut), &mut one_by_one) {
                (Ok(more), Ok(replies)) => replies.extend(more),
                (Err(flaw), _) => {
                    one_by_one = Err(flaw);
                    break;
                }
                _ => unreachable!(),
            }
        }
        assert_eq!(at_once, one_by_one);
        at_once
    }

    #[test]
    fn a_reply_is_read_however_it_is_cut() {
        let check = |bytes: &[u8], expected: &[(u16, &str)]| {
            let replies = read(bytes).unwrap();
            let replies: Vec<_> = replies.iter().map(|(c, t)| (*c, t.as_str())).collect();
            assert_eq!(replies, expected);
        };
        check(b"220 hello\r\n", &[(220, "hello")]);
        check(b"250\r\n", &[(250, "")]);
        check(b"250 \r\n", &[(250, "")]);
        check(b"250-a\r\n250-\r\n250 b\r\n", &[(250, "a||b")]);
        check(b"250-a\r\n250\r\n", &[(250, "a|")]);
        check(b"220 a\n250 b\r\n", &[(220, "a"), (250, "b")]);
        check(
            b"250 \xff\0\x1b[31m\r\n",
            &[(250, "\\xff\\u{0}\\u{1b}[31m")],
        );
        check(b"250 a\xe2\x80\xaeb\r\n", &[(250, "a\\u{202e}b")]);
        check(b"250 whole\r\n250 hal", &[(250, "whole")]);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let check = |bytes: &[u8], expected: fn(&Flaw) -> bool| {
            let flaw = read(bytes).unwrap_err();
            assert!(expected(&flaw), "{flaw}");
        };
        let no_reply = |flaw: &Flaw| matches!(flaw, Flaw::NotAReply(_));
        for bytes in [
            &b"\r\n"[..],
            b"25\r\n",
            b"250x\r\n",
            b"99 a\r\n",
            b"100 a\r\n",
            b"600 a\r\n",
            b"+50 a\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"\x15\x03\x01\0\x02\x02\n",
        ] {
            check(bytes, no_reply);
        }
        check(b"250-a\r\n251 b\r\n", |flaw| *flaw == Flaw::Codes(250, 251));
        check(&[b'2'; 5000], |flaw| *flaw == Flaw::LongLine);
        let line = [b"250-".as_slice(), &[b'a'; 2043], b"\n"].concat();
        check(&line.repeat(40), |flaw| *flaw == Flaw::Long);
        check(&b"220-a\r\n".repeat(200), |flaw| *flaw == Flaw::ManyLines);
    }

    #[test]
    fn an_enhanced_status_has_the_class_of_its_reply() {
        let check = |line: &str, code, expected: Option<&str>| {
            let reply = Reply {
                code,
                lines: vec![line.to_owned()],
                is_bare: false,
            };
            let status = reply.status().map(|status| status.to_string());
            assert_eq!(status.as_deref(), expected, "{code} {line}");
        };
        check("2.1.0 Ok", 250, Some("2.1.0"));
        check("4.7.1", 451, Some("4.7.1"));
        check("5.1.1 no such user", 550, Some("5.1.1"));
        check("5.1.1 no such user", 450, None);
        check("5.1 a", 550, None);
        check("5.1.1.1 a", 550, None);
        check("5.1.1000 a", 550, None);
        check("5.+1.1 a", 550, None);
        check("127.0.0.1 a", 250, None);
        check("", 250, None);
    }

    #[test]
    fn greylisting_is_known_by_its_words_or_its_status() {
        for (text, expected) in [
            (&b"450 4.7.1 come again\r\n"[..], true),
            (b"451 you are Greylisted\r\n", true),
            (b"421 4.7.0 busy\r\n", false),
            (b"550 5.7.1 greylisted\r\n", false),
        ] {
            let mut reader = Reader::default();
            reader.feed(text);
            let reply = reader.next().unwrap().unwrap();
            assert_eq!(reply.is_greylisting(), expected, "{}", reply.told());
        }
    }
}
