//! What has come from a peer, and where does a line of it end?
//!
//! Lines are those of Go's `bufio.ScanLines`: they end in a line feed, one carriage return before it is
//! not part of them, and what comes last before the end of the stream is a line even without one. A
//! line that is longer than [`LONGEST`] is refused, so that no peer can fill the memory. Each byte is
//! looked at once while more is waited for, so that no peer can keep us busy by saying one at a time.

use std::ops::Range;

/// Bytes that have come and were not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    /// Where what was not taken begins.
    start: usize,
    /// Up to where it was looked at, for a line feed or for the bytes that are wanted.
    looked: usize,
    over: bool,
}

/// A line is longer than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Other bytes have come than are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Differs;

impl Received {
    /// Where to put what comes next; there is room for some.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.start);
        self.looked -= self.start;
        self.start = 0;
        self.bytes.reserve(LEAST_ROOM);
        &mut self.bytes
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) {
        self.over = true;
    }

    /// Whether nothing more will come.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Takes a line, if there is a whole one; its text is [`Self::text`].
    pub(crate) fn line(&mut self) -> Result<Option<Range<usize>>, TooLong> {
        let feed = self.bytes[self.looked..].iter().position(|b| *b == b'\n');
        let (end, next) = match feed {
            Some(at) => (self.looked + at, self.looked + at + 1),
            None if self.over && self.start < self.bytes.len() => {
                (self.bytes.len(), self.bytes.len())
            }
            None => {
                self.looked = self.bytes.len();
                return self.rest_fits().then_some(None).ok_or(TooLong);
            }
        };
        if end - self.start > LONGEST {
            return Err(TooLong);
        }
        let line = self.start..end;
        (self.start, self.looked) = (next, next);
        let carriage = self.bytes[line.clone()].ends_with(b"\r");
        Ok(Some(line.start..line.end - usize::from(carriage)))
    }

    /// The text of a line that was just taken.
    pub(crate) fn text(&self, line: Range<usize>) -> &[u8] {
        &self.bytes[line]
    }

    /// All that was not taken.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Takes these bytes, if all of them have come; whether they have.
    pub(crate) fn bytes(&mut self, wanted: &[u8]) -> Result<bool, Differs> {
        let end = self.bytes.len().min(self.start + wanted.len());
        let looked = self.looked.min(end);
        if self.bytes[looked..end] != wanted[looked - self.start..end - self.start] {
            return Err(Differs);
        }
        self.looked = end;
        let whole = end - self.start == wanted.len();
        if whole {
            self.start = end;
        }
        Ok(whole)
    }

    fn rest_fits(&self) -> bool {
        self.rest().len() <= LONGEST
    }
}

/// Most bytes of a line, without its line feed: Go's buffer of 64 KiB must hold both.
pub(crate) const LONGEST: usize = 64 * 1024 - 1;

/// As much as Go's buffer has in the beginning.
const LEAST_ROOM: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of what comes in these pieces, and then how it ends: whole, or with a line that is
    /// too long.
    fn lines(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
        let mut received = Received::default();
        let mut lines = Vec::new();
        let mut take = |received: &mut Received| {
            while let Some(line) = received.line()? {
                lines.push(received.text(line).to_vec());
            }
            Ok(())
        };
        let whole = pieces.iter().try_for_each(|piece| {
            received.room().extend_from_slice(piece);
            take(&mut received)
        });
        received.end();
        let whole = whole.and_then(|()| take(&mut received));
        (lines, whole == Ok::<(), TooLong>(()))
    }

    #[test]
    fn lines_are_those_of_go() {
        for (pieces, expected) in [
            (&[&b""[..]][..], &[][..]),
            (&[b"a\n"], &["a"]),
            (&[b"a\r\n"], &["a"]),
            (&[b"a\r\r\n"], &["a\r"]),
            (&[b"a\rb\n"], &["a\rb"]),
            (&[b"a"], &["a"]),
            (&[b"a\r"], &["a"]),
            (&[b"\n\n"], &["", ""]),
            (&[b"\r"], &[""]),
            (&[b"a", b"b", b"\r", b"\nc", b"\n", b"d"], &["ab", "c", "d"]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|line| line.as_bytes().to_vec())
                .collect();
            assert_eq!(lines(pieces), (expected, true), "{pieces:?}");
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_in_go_and_no_longer() {
        let fits = vec![b'x'; LONGEST];
        let long = vec![b'x'; LONGEST + 1];
        assert_eq!(lines(&[&fits, b"\n"]), (vec![fits.clone()], true));
        assert_eq!(lines(&[&fits]), (vec![fits.clone()], true));
        assert_eq!(lines(&[&long, b"\n"]), (vec![], false));
        assert_eq!(lines(&[&long]), (vec![], false));
        let feed = [long, b"\n".to_vec()].concat();
        assert_eq!(lines(&[b"a\n", &feed]), (vec![b"a".to_vec()], false));
    }

    #[test]
    fn bytes_that_are_taken_are_no_part_of_a_line() {
        let mut received = Received::default();
        received.room().extend_from_slice(b"ab\ncd\n");
        assert_eq!(received.bytes(b"ab\nc"), Ok(true));
        assert_eq!(received.rest(), b"d\n");
        let line = received.line().unwrap().unwrap();
        assert_eq!(received.text(line), b"d");
        assert_eq!(received.line(), Ok(None));
        received.room().extend_from_slice(b"e");
        assert_eq!(received.rest(), b"e");
        assert_eq!(received.bytes(b"ef"), Ok(false));
        received.room().extend_from_slice(b"g");
        assert_eq!(received.bytes(b"ef"), Err(Differs));
    }

    /// Says these bytes one by one, and spoils each once it was looked at: whoever looked at one again
    /// would see something else.
    fn drip(received: &mut Received, said: &[u8], mut look: impl FnMut(&mut Received) -> bool) {
        for (at, byte) in said.iter().enumerate() {
            received.room().push(*byte);
            assert_eq!(look(received), at + 1 == said.len(), "{at}");
            if at + 1 < said.len() {
                *received.room().last_mut().unwrap() = if *byte == b'\n' { b'x' } else { b'\n' };
            }
        }
    }

    #[test]
    fn no_byte_is_looked_at_again_when_the_next_comes() {
        let mut received = Received::default();
        let line = [vec![b'a'; LONGEST], b"\n".to_vec()].concat();
        let wanted = line.repeat(4);
        for _ in 0..2 {
            drip(&mut received, &line, |received| {
                received.line().unwrap().is_some()
            });
            drip(&mut received, &wanted, |received| {
                received.bytes(&wanted).unwrap()
            });
        }
        assert_eq!(received.rest(), b"");
    }
}
