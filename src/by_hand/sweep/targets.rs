//! Whom does a sweep ask?
//!
//! Targets come from arguments and from files, one a line: names, addresses and ranges. An address
//! costs no allocation of its own, for there may be a million: everything that was written is kept
//! in one text, and how a target was written is a place in it. What is no target is a mistake, told
//! with its line and column; whether a name has an address is found out later, by look-ups.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::ops;
use std::path::Path;

use leadsman_core::{Family, Preference, Target};

use super::range::{MOST, Range, RangeError};

/// Whom to ask, duplicates included.
#[derive(Debug)]
pub(crate) struct Targets {
    preference: Preference,
    /// All that was written.
    text: String,
    /// Those whose address is known.
    pub(super) addresses: Vec<IpAddr>,
    /// For each address where it was written; an empty place if it comes from a range.
    places: Vec<ops::Range<usize>>,
    /// Where the names were written that have to be looked up.
    names: Vec<ops::Range<usize>>,
}

/// Why a word is not a target.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// Nothing of the kind.
    #[error(
        "not the name or address of a host, nor a range of addresses (write a target such as \
         example.com, 192.0.2.1, 192.0.2.0/24 or 192.0.2.1-192.0.2.9)"
    )]
    Unknown,
    /// A range that cannot be used.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// A range of a family that is not wanted.
    #[error("the range is not of {0}, and no other addresses are wanted")]
    Family(Family),
    /// There are too many in all.
    #[error("with this there are more than {MOST} targets, the most that can be swept at once")]
    TooMany,
    /// A line of a file holds more than one word.
    #[error("a line holds one target, and this is a second word (a comment begins with #)")]
    Column,
}

/// Why a file of targets cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The system does not let us.
    #[error("cannot read targets from {0}")]
    Read(String, #[source] io::Error),
    /// It is not text, from this line on.
    #[error("{0}:{1}: not text in UTF-8")]
    Binary(String, usize),
    /// Some lines are wrong.
    #[error("{}", .0.join("\n"))]
    Lines(Vec<String>),
    /// There is nothing in it.
    #[error("{0} holds no target")]
    Empty(String),
}

impl Targets {
    /// None yet. Addresses that `preference` does not accept are treated as names without one.
    pub(crate) fn new(preference: Preference) -> Self {
        Self {
            preference,
            text: String::new(),
            addresses: Vec::new(),
            places: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Adds a target as given on the command line.
    pub(crate) fn add(&mut self, word: &str) -> Result<(), TargetError> {
        let begin = self.text.len();
        self.text.push_str(word);
        self.place(word, begin)
    }

    /// Adds those that a file lists, or standard input if the path is `-`.
    pub(crate) fn read(&mut self, path: &Path) -> Result<(), FileError> {
        let (name, read) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes);
            ("the standard input".to_owned(), read.map(|_| bytes))
        } else {
            (path.display().to_string(), fs::read(path))
        };
        let bytes = read.map_err(|error| FileError::Read(name.clone(), error))?;
        self.add_lines(&name, bytes)
    }

    /// Adds those on the lines of a file called `name`.
    fn add_lines(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), FileError> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.split(|byte| *byte == b'\n').count();
            FileError::Binary(name.to_owned(), line)
        })?;
        let before = self.len();
        // At once, for to grow again and again touches more memory than it keeps.
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let room = lines.min(MOST - before);
        self.addresses.reserve(room);
        self.places.reserve(room);
        let mut mistakes = Vec::new();
        // Where the line begins in all that was written.
        let mut begin = self.text.len();
        for (number, line) in text.split('\n').enumerate() {
            if let Err((column, error)) = self.add_line(line, begin) {
                mistakes.push(format!("{name}:{}:{column}: {error}", number + 1));
                if mistakes.len() == MISTAKES || error == TargetError::TooMany {
                    break;
                }
            }
            begin += line.len() + 1;
        }
        if !mistakes.is_empty() {
            return Err(FileError::Lines(mistakes));
        }
        if self.len() == before {
            return Err(FileError::Empty(name.to_owned()));
        }
        if self.text.is_empty() {
            self.text = text;
        } else {
            self.text.push_str(&text);
        }
        Ok(())
    }

    /// Adds the target of a line, if it has one. A mistake comes with its column, counted from 1.
    fn add_line(&mut self, line: &str, begin: usize) -> Result<(), (usize, TargetError)> {
        // Most lines are an address and nothing else.
        if let Ok(address) = line.parse() {
            let placed = self.place_address(address, begin..begin + line.len());
            return placed.map_err(|error| (1, error));
        }
        let written = line.split('#').next().unwrap_or_default();
        let written = written.trim_start_matches(BYTE_ORDER_MARK).trim();
        let (word, more) = match written.split_once(char::is_whitespace) {
            Some((word, more)) => (word, more.trim_start()),
            None => (written, ""),
        };
        // Both are parts of the line.
        let at = |part: &str| part.as_ptr().addr() - line.as_ptr().addr();
        let column = |part: &str| line[..at(part)].chars().count() + 1;
        if !more.is_empty() {
            return Err((column(more), TargetError::Column));
        }
        if word.is_empty() {
            return Ok(());
        }
        let placed = self.place(word, begin + at(word));
        placed.map_err(|error| (column(word), error))
    }

    /// Adds a target that was written at `begin`.
    fn place(&mut self, word: &str, begin: usize) -> Result<(), TargetError> {
        let place = begin..begin + word.len();
        if let Ok(address) = word.parse() {
            return self.place_address(address, place);
        }
        let room = MOST - self.len();
        if room == 0 {
            return Err(TargetError::TooMany);
        }
        if let Some(range) = Range::read(word) {
            let range = range?;
            if range.len() > room {
                return Err(TargetError::TooMany);
            }
            let wanted = |address| self.preference.accepts(address);
            if !range.addresses().next().is_some_and(wanted) {
                return Err(TargetError::Family(self.preference.family));
            }
            self.addresses.extend(range.addresses());
            self.places.resize(self.addresses.len(), 0..0);
            return Ok(());
        }
        Target::new(word).host().map_err(|_| TargetError::Unknown)?;
        self.names.push(place);
        Ok(())
    }

    fn place_address(
        &mut self,
        address: IpAddr,
        place: ops::Range<usize>,
    ) -> Result<(), TargetError> {
        if self.len() == MOST {
            return Err(TargetError::TooMany);
        }
        if self.preference.accepts(address) {
            self.addresses.push(address);
            self.places.push(place);
        } else {
            self.names.push(place);
        }
        Ok(())
    }

    /// How many there are, names included.
    pub(crate) fn len(&self) -> usize {
        self.addresses.len() + self.names.len()
    }

    /// Takes out the names that have to be looked up, in the order given.
    pub(super) fn take_names(&mut self) -> Vec<Name> {
        std::mem::take(&mut self.names)
            .into_iter()
            .map(Name)
            .collect()
    }

    /// How a name was written.
    pub(super) fn name(&self, name: &Name) -> &str {
        &self.text[name.0.clone()]
    }

    /// Adds a name whose address has been found.
    pub(super) fn found(&mut self, name: Name, address: IpAddr) {
        self.addresses.push(address);
        self.places.push(name.0);
    }

    /// How the target of an address was written; `None` if it comes from a range.
    pub(super) fn written(&self, index: usize) -> Option<&str> {
        Some(&self.text[self.places[index].clone()]).filter(|word| !word.is_empty())
    }

    /// Adds what the target of an address is called: as it was written, or the address.
    pub(super) fn call(&self, index: usize, page: &mut String) {
        match self.written(index) {
            Some(written) => page.push_str(written),
            None => write!(page, "{}", self.addresses[index]).expect(INFALLIBLE),
        }
    }

    pub(super) fn preference(&self) -> Preference {
        self.preference
    }
}

/// Where a name was written that has to be looked up.
#[derive(Debug)]
pub(super) struct Name(ops::Range<usize>);

const INFALLIBLE: &str = "writing to a String cannot fail";

/// Mistakes of one file that are told before the rest is given up.
const MISTAKES: usize = 20;

/// What some editors put in front of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file; `expected` is each target as written or, from a range, its address, and after
    /// a bar those to be looked up; or it is what is wrong.
    fn check(file: &[u8], expected: &str) {
        let mut targets = Targets::new(Preference::new("ip4", true));
        let said = match targets.add_lines("f", file.to_vec()) {
            Err(error) => error.to_string(),
            Ok(()) => shown(&mut targets),
        };
        assert_eq!(said, expected, "{:?}", String::from_utf8_lossy(file));
    }

    fn shown(targets: &mut Targets) -> String {
        let mut words: Vec<String> = (0..targets.addresses.len())
            .map(|index| match targets.written(index) {
                Some(word) => word.to_owned(),
                None => targets.addresses[index].to_string(),
            })
            .collect();
        words.push("|".to_owned());
        let names = targets.take_names();
        words.extend(names.iter().map(|name| targets.name(name).to_owned()));
        words.join(" ")
    }

    #[test]
    fn a_line_is_a_target_a_range_a_comment_or_blank() {
        check(b"192.0.2.1\n::1\n", "192.0.2.1 ::1 |");
        check(b"192.0.2.1", "192.0.2.1 |");
        check(
            b"# all\n\n  a.test\t# the first\r\n2001:DB8::1#x",
            "2001:DB8::1 | a.test",
        );
        check(b"192.0.2.0/30\n::1-::2\n", "192.0.2.1 192.0.2.2 ::1 ::2 |");
        check(b"b.test\n::1\n::1\na.test\n", "::1 ::1 | b.test a.test");
        check(
            "\u{feff}::1\nb\u{fc}cher.test\n\u{5e83}\u{5cf6}.test".as_bytes(),
            "::1 | b\u{fc}cher.test \u{5e83}\u{5cf6}.test",
        );
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        check(
            b"::1\n\t::2  web1\n::3 ",
            "f:2:7: a line holds one target, and this is a second word (a comment begins with #)",
        );
        check(
            "  \u{5e83}/\n192.0.2.0/33".as_bytes(),
            "f:1:3: not the name or address of a host, nor a range of addresses (write a target \
             such as example.com, 192.0.2.1, 192.0.2.0/24 or 192.0.2.1-192.0.2.9)\n\
             f:2:1: the length of an IPv4 prefix is a number from 0 to 32",
        );
        check(b"::1\n\xff\n", "f:2: not text in UTF-8");
        check(b"# nobody\n\n", "f holds no target");
        check(b"", "f holds no target");
        let all = "10.0.0.0/12\n::1\n::2\n::3\n";
        let many =
            "with this there are more than 1048576 targets, the most that can be swept at once";
        check(all.as_bytes(), &format!("f:4:1: {many}"));
        let mut targets = Targets::new(Preference::new("ip4", true));
        assert_eq!(
            targets
                .add_lines("f", b"a/\n".repeat(30))
                .unwrap_err()
                .to_string()
                .lines()
                .count(),
            MISTAKES
        );
    }

    #[test]
    fn arguments_and_files_go_together() {
        let mut targets = Targets::new(Preference::new("ip4", false));
        targets.add("192.0.2.1").unwrap();
        targets.add("a.test").unwrap();
        targets
            .add_lines("f", b"192.0.2.2 \n b.test".to_vec())
            .unwrap();
        targets.add("::1").unwrap();
        targets.add_lines("f", b"192.0.2.2".to_vec()).unwrap();
        assert_eq!(targets.add("::/120"), Err(TargetError::Family(Family::V4)));
        assert_eq!(targets.len(), 6);
        let names = targets.take_names();
        let words: Vec<_> = names.iter().map(|name| targets.name(name)).collect();
        assert_eq!(words, ["a.test", "b.test", "::1"]);
        for (name, last) in names.into_iter().zip(1..) {
            targets.found(name, [192, 0, 2, 100 + last].into());
        }
        assert_eq!(
            shown(&mut targets),
            "192.0.2.1 192.0.2.2 192.0.2.2 a.test b.test ::1 |"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let mut targets = Targets::new(Preference::new("ip4", true));
        let error = targets.read(Path::new("/nowhere/hosts")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read targets from /nowhere/hosts");
    }
}
