//! How is a regular expression read that was written for Go, and what did it find?
//!
//! Both engines descend from RE2 and find the same in linear time. Where the syntax differs the
//! pattern is rewritten: a brace that repeats nothing stands for itself in Go, as in the JSON that
//! bodies are full of, a set knows no operators, and digits, words and blanks are those of ASCII. A byte
//! that is no UTF-8 is a character like any other to Go, so there it is looked for in a copy.

use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr;

use regex::bytes::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A regular expression in Go's syntax, not anchored.
#[derive(Clone, Debug)]
pub struct Pattern {
    written: String,
    regex: Regex,
}

impl Pattern {
    /// Whether it matches anywhere in `text`, which need not be UTF-8.
    pub fn is_in(&self, text: &[u8]) -> bool {
        match Copied::of(text) {
            None => self.regex.is_match(text),
            Some(copied) => self.regex.is_match(copied.text.as_bytes()),
        }
    }

    /// Its first match in `text`, with what its groups captured.
    pub fn find<'t>(&'t self, text: &'t [u8]) -> Option<Found<'t>> {
        let copied = Copied::of(text);
        let searched = copied
            .as_ref()
            .map_or(text, |copied| copied.text.as_bytes());
        let captures = self.regex.captures(searched)?;
        let at = |at: usize| copied.as_ref().map_or(at, |copied| copied.original(at));
        let groups = captures.iter().map(|group| {
            let group = group?.range();
            Some(at(group.start)..at(group.end))
        });
        Some(Found {
            pattern: self,
            text,
            groups: groups.collect(),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// What the groups of a pattern captured.
#[derive(Debug)]
pub struct Found<'t> {
    pattern: &'t Pattern,
    text: &'t [u8],
    groups: Vec<Option<Range<usize>>>,
}

impl<'t> Found<'t> {
    /// What a group captured, the whole match being group 0; `None` if it took no part.
    pub fn numbered(&self, group: usize) -> Option<&'t [u8]> {
        let range = self.groups.get(group)?.clone()?;
        Some(&self.text[range])
    }

    /// What a group captured that has a name.
    pub fn named(&self, group: &str) -> Option<&'t [u8]> {
        let mut names = self.pattern.regex.capture_names();
        let group = names.position(|name| name == Some(group))?;
        self.numbered(group)
    }
}

/// Bytes that are no UTF-8, with a character in place of each that is none.
struct Copied {
    text: String,
    /// Where those characters stand in the text, in ascending order.
    replaced: Vec<usize>,
}

impl Copied {
    fn of(bytes: &[u8]) -> Option<Self> {
        if std::str::from_utf8(bytes).is_ok() {
            return None;
        }
        let (mut text, mut replaced) = (String::with_capacity(bytes.len()), Vec::new());
        for chunk in bytes.utf8_chunks() {
            text += chunk.valid();
            for _ in chunk.invalid() {
                replaced.push(text.len());
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Some(Self { text, replaced })
    }

    /// Where in the bytes the character stands that is here in the text.
    fn original(&self, at: usize) -> usize {
        let before = self.replaced.partition_point(|replaced| *replaced < at);
        at - before * (char::REPLACEMENT_CHARACTER.len_utf8() - 1)
    }
}

impl FromStr for Pattern {
    type Err = regex::Error;

    fn from_str(text: &str) -> Result<Self, regex::Error> {
        Ok(Self {
            written: text.to_owned(),
            regex: Regex::new(&rewritten(text))?,
        })
    }
}

/// The pattern in the syntax of the crate `regex`.
fn rewritten(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_set = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let (quoted, behind) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            text += &regex::escape(quoted);
            rest = behind;
            continue;
        }
        match c {
            '\\' => {
                let escaped = after.chars().next();
                if let Some(ascii) = escaped.and_then(|escaped| of_ascii(escaped, in_set)) {
                    text += ascii;
                } else {
                    text.push(c);
                    text.extend(escaped);
                }
                rest = after
                    .get(after.chars().next().map_or(0, char::len_utf8)..)
                    .unwrap_or("");
                continue;
            }
            '[' if !in_set => {
                in_set = true;
                text.push(c);
                // A bracket right behind the opening one, negated or not, stands for itself.
                let negated = after.strip_prefix('^');
                text += if negated.is_some() { "^" } else { "" };
                rest = negated.unwrap_or(after);
                if let Some(behind) = rest.strip_prefix(']') {
                    text += r"\]";
                    rest = behind;
                }
                continue;
            }
            '[' if after.starts_with(':') && after.contains(":]") => {
                let end = after.find(":]").map_or(0, |at| at + 2);
                text.push(c);
                text += &after[..end];
                rest = &after[end..];
                continue;
            }
            '[' | '&' | '~' if in_set => text.push('\\'),
            ']' => in_set = false,
            '{' if !in_set && !repeats(after) => text.push('\\'),
            _ => {}
        }
        text.push(c);
        rest = after;
    }
    text
}

/// What a letter behind a backslash means to Go, where that is less than to the crate.
fn of_ascii(letter: char, in_set: bool) -> Option<&'static str> {
    Some(match (letter, in_set) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', false) => r"[\t\n\f\r\x20]",
        ('s', true) => r"\t\n\f\r\x20",
        ('S', _) => r"[^\t\n\f\r\x20]",
        ('b', false) => r"(?-u:\b)",
        ('B', false) => r"(?-u:\B)",
        _ => return None,
    })
}

/// Whether what stands behind a brace makes it a repetition: `{2}`, `{2,}` or `{2,5}`.
fn repeats(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else {
        return false;
    };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|why: regex::Error| {
            let why = why.to_string();
            let last = why.lines().last().unwrap_or_default();
            let last = last.strip_prefix("error: ").unwrap_or(last);
            de::Error::custom(format!("not a regular expression: {last}"))
        })
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "regex" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_it_means_to_go() {
        for (pattern, text, expected) in [
            ("version here", "the version here", true),
            ("^a$", "ab", false),
            (r#"{"status":"UP"}"#, r#"{"status":"UP"}"#, true),
            (r#""a": {$"#, r#"{"a": {"#, true),
            ("a{2}", "aa", true),
            ("a{2,}b", "ab", false),
            ("a{,2}", "a{,2}", true),
            ("a{x}", "a{x}", true),
            (r"\{a\}", "{a}", true),
            (r"\Qa.b[\E+", "a.b[[", true),
            (r"\Qa.b\E", "axb", false),
            ("[a[]", "[", true),
            ("[]a]", "]", true),
            ("[^]a]", "b", true),
            ("[a&&b]", "&", true),
            ("[[:digit:]{]", "{", true),
            ("(?i)ok", "OK", true),
            (r"\d+", "7", true),
            (r"\d", "\u{665}", false),
            (r"^\w+$", "\u{e9}", false),
            ("^[\\w\u{e9}]+$", "a\u{e9}", true),
            (r"^[\D]$", "\u{665}", true),
            (r"^[^\D]$", "\u{665}", false),
            (r"^\S\s\S$", "a b", true),
            (r"\s", "\u{a0}\u{b}", false),
            (r"\bb", "\u{e9}b", true),
            (r"\\d", r"\d", true),
            ("(?s)a.b", "a\nb", true),
            ("a.b", "a\nb", false),
        ] {
            let read: Pattern = pattern.parse().unwrap();
            assert_eq!(
                read.is_in(text.as_bytes()),
                expected,
                "{pattern:?} {text:?}"
            );
        }
    }

    #[test]
    fn a_byte_that_is_no_text_is_a_character() {
        let pattern: Pattern = "^(.)(?P<rest>b.*)$".parse().unwrap();
        for (text, first, rest) in [
            (&b"\xffb"[..], &b"\xff"[..], &b"b"[..]),
            (b"\xffb\xe2\x82\xc3\xa9", b"\xff", b"b\xe2\x82\xc3\xa9"),
            (b"\xc3\xa9b\xff", b"\xc3\xa9", b"b\xff"),
            (b"ab", b"a", b"b"),
        ] {
            assert!(pattern.is_in(text));
            let found = pattern.find(text).unwrap();
            assert_eq!(found.numbered(0), Some(text));
            assert_eq!(found.numbered(1), Some(first));
            assert_eq!(found.named("rest"), Some(rest));
            assert_eq!(found.numbered(2), found.named("rest"));
            assert_eq!((found.numbered(3), found.named("1")), (None, None));
        }
        assert!(pattern.find(b"\xe2\x82b").is_none());
    }

    #[test]
    fn no_pattern_is_too_odd_to_be_rewritten() {
        let pieces = [
            "\\", "Q", "E", "[", "]", "^", ":", "{", "}", "2", ",", "&", "\u{fc}",
        ];
        let mut patterns = vec![String::new()];
        for _ in 0..4 {
            let longer = |pattern: &String| pieces.map(|piece| format!("{pattern}{piece}"));
            patterns = patterns.iter().flat_map(longer).collect();
            for pattern in &patterns {
                rewritten(pattern);
            }
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [":[", "(", "*", r"\", "[b-a]", "(?z)"] {
            assert!(pattern.parse::<Pattern>().is_err(), "{pattern:?}");
        }
    }
}
