//! Where does a message end, and whose is it?
//!
//! Takes the octets of a message as they come, in pieces of any size. Its end is CR, LF, dot, CR, LF
//! and nothing else (RFC 5321, section 4.1.1.4): who ends it in another place than its sender
//! delivers a second message that was smuggled into the first. Only the beginning of its header is
//! kept, to look for a token.

use crate::message::Token;

/// A message that is being received.
#[derive(Debug)]
pub(super) struct Content {
    header: Vec<u8>,
    is_header_over: bool,
    /// Octets so far, without the dots that were stuffed and the one that ends it.
    size: u64,
    /// Whether there was a CR or LF alone.
    has_bare: bool,
    at: At,
}

/// What the last octets were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The end of a line, or nothing yet.
    Line,
    /// Something else.
    Text,
    /// A CR.
    Cr,
    /// A dot that begins a line.
    Dot,
    /// A dot that begins a line, and a CR.
    DotCr,
    /// The end.
    End,
}

impl Content {
    /// Nothing was received yet.
    pub(super) fn new() -> Self {
        Self {
            header: Vec::new(),
            is_header_over: false,
            size: 0,
            has_bare: false,
            at: At::Line,
        }
    }

    /// Takes content that ends with a dot, up to its end; returns how much of it was taken.
    pub(super) fn take_dotted(&mut self, input: &[u8]) -> usize {
        for (taken, byte) in input.iter().enumerate() {
            self.step(*byte);
            if self.is_over() {
                return taken + 1;
            }
        }
        input.len()
    }

    /// Whether its end was there.
    pub(super) fn is_over(&self) -> bool {
        self.at == At::End
    }

    /// Takes content whose length was said beforehand.
    pub(super) fn take_counted(&mut self, input: &[u8]) {
        for byte in input {
            self.at = match (self.at, *byte) {
                (At::Cr, b'\n') => At::Line,
                (before, byte) => {
                    self.has_bare |= before == At::Cr || byte == b'\n';
                    if byte == b'\r' { At::Cr } else { At::Text }
                }
            };
            self.keep(*byte);
        }
    }

    /// Octets so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether a line ended otherwise than with CR and LF.
    pub(super) fn has_bare(&self) -> bool {
        self.has_bare || (self.at == At::Cr)
    }

    /// The token of a message of this process.
    pub(super) fn token(&self) -> Option<Token> {
        Token::within(&self.header)
    }

    fn step(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::Line, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotCr,
            (At::DotCr, b'\n') => At::End,
            (At::Cr, b'\n') => {
                self.keep(b'\r');
                self.keep(b'\n');
                At::Line
            }
            (before, byte) => {
                // What was held back in case that it would end a line was no end.
                if matches!(before, At::Cr | At::DotCr) {
                    self.has_bare = true;
                    self.keep(b'\r');
                }
                if byte == b'\r' {
                    At::Cr
                } else {
                    self.has_bare |= byte == b'\n';
                    self.keep(byte);
                    At::Text
                }
            }
        };
    }

    fn keep(&mut self, byte: u8) {
        self.size += 1;
        if self.is_header_over {
            return;
        }
        self.header.push(byte);
        self.is_header_over = self.header.len() >= LONGEST_HEADER
            || self.header.ends_with(b"\r\n\r\n")
            || self.header == b"\r\n";
    }
}

/// Octets of a header in which a token is looked for.
const LONGEST_HEADER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes it at once and octet by octet; returns how much was taken if it has ended, and what.
    fn taken(input: &[u8]) -> (Option<usize>, String, bool) {
        let mut whole = Content::new();
        let took = whole.take_dotted(input);
        let mut pieces = Content::new();
        let mut one_by_one = 0;
        while one_by_one < input.len() && !pieces.is_over() {
            one_by_one += pieces.take_dotted(&input[one_by_one..=one_by_one]);
        }
        assert_eq!((took, &whole.header), (one_by_one, &pieces.header));
        assert_eq!(whole.has_bare(), pieces.has_bare());
        let text = String::from_utf8(whole.header.clone()).unwrap();
        (whole.is_over().then_some(took), text, whole.has_bare())
    }

    #[test]
    fn message_ends_at_one_sequence_alone() {
        fn check(input: &str, ended: Option<usize>, text: &str, bare: bool) {
            assert_eq!(
                taken(input.as_bytes()),
                (ended, text.to_owned(), bare),
                "{input:?}"
            );
        }
        check(".\r\n", Some(3), "", false);
        check(".\r\nMAIL", Some(3), "", false);
        check("a\r\n.\r\n", Some(6), "a\r\n", false);
        check("a\r\n..\r\n.\r\n", Some(10), "a\r\n.\r\n", false);
        check("a\r\n.b\r\n.\r\n", Some(10), "a\r\nb\r\n", false);
        check("..\r\n.\r\n", Some(7), ".\r\n", false);
        // What others take for an end (CVE-2023-51764, -51765 and -51766).
        check("a\n.\nb\r\n.\r\n", Some(10), "a\n.\nb\r\n", true);
        check("a\n.\r\nb\r\n.\r\n", Some(11), "a\n.\r\nb\r\n", true);
        check("a\r\n.\nb\r\n.\r\n", Some(11), "a\r\n\nb\r\n", true);
        check("a\r.\rb\r\n.\r\n", Some(10), "a\r.\rb\r\n", true);
        check("a\r\n.\rb\r\n.\r\n", Some(11), "a\r\n\rb\r\n", true);
        check("a\r\n.\r\r\n.\r\n", Some(10), "a\r\n\r\r\n", true);
        check("a\r\r\n.\r\n", Some(7), "a\r\r\n", true);
        // No end yet.
        check("", None, "", false);
        check("a\r\n.", None, "a\r\n", false);
        check("a\r\n.\r", None, "a\r\n", false);
        check(".a\r\n", None, "a\r\n", false);
    }

    #[test]
    fn only_the_header_is_kept_and_everything_counted() {
        let token = Token::fresh().unwrap();
        let header = format!("From: a@b\r\nX-Probe-Id: {token}\r\n\r\n");
        let text = "a\r\n".repeat(100_000);
        let mut dotted = Content::new();
        dotted.take_dotted(format!("{header}{text}.\r\n").as_bytes());
        let mut counted = Content::new();
        counted.take_counted(header.as_bytes());
        counted.take_counted(text.as_bytes());
        for content in [dotted, counted] {
            assert_eq!(content.token(), Some(token));
            assert_eq!(content.size(), (header.len() + text.len()) as u64);
            assert_eq!(content.header.len(), header.len());
            assert!(!content.has_bare());
        }
        let mut endless = Content::new();
        endless.take_dotted(&vec![b'a'; LONGEST_HEADER * 2]);
        assert_eq!(
            (endless.header.len(), endless.token()),
            (LONGEST_HEADER, None)
        );
    }

    #[test]
    fn counted_content_has_no_end_in_it_but_may_have_wrong_lines() {
        fn check(input: &str, bare: bool) {
            let mut content = Content::new();
            for byte in input.as_bytes() {
                content.take_counted(&[*byte]);
            }
            assert_eq!(
                (content.has_bare(), content.size()),
                (bare, input.len() as u64)
            );
        }
        check("a\r\n.\r\nb\r\n", false);
        check("a", false);
        check("a\n", true);
        check("a\rb", true);
        check("a\r", true);
    }
}
