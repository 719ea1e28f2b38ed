//! What becomes of a text that refers to what a pattern captured?
//!
//! The rules are those of Go's `Regexp.Expand`, for the texts come from configurations that were
//! written for it: `$1`, `${1}`, `$name`, `${name}` and `$$`. A name is as long as it can be, so that
//! `$1x` is the group `1x`; a group that there is not, or that took no part, stands for nothing; and a
//! `$` that begins no reference stands for itself.

use std::borrow::Cow;
use std::str;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::octets::Octets;
use crate::pattern::Found;

/// A text with references to the groups of a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    written: Octets,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Numbered(usize),
    Named(String),
}

impl Template {
    /// Reads a text. Any can be read.
    pub fn new(written: Octets) -> Self {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = written.as_bytes();
        while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
            literal.extend(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(b"$") {
                literal.push(b'$');
                rest = after;
            } else if let Some((name, after)) = name(rest) {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(Part::of(name));
                rest = after;
            } else {
                literal.push(b'$');
            }
        }
        literal.extend(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Self { written, parts }
    }

    /// The text with what was captured in place of the references.
    pub fn expand(&self, found: &Found<'_>) -> Vec<u8> {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(literal) => literal,
            Part::Numbered(group) => found.numbered(*group).unwrap_or_default(),
            Part::Named(group) => found.named(group).unwrap_or_default(),
        });
        parts.collect::<Vec<_>>().concat()
    }

    /// The text as it was written.
    pub fn written(&self) -> &Octets {
        &self.written
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}

impl Part {
    fn of(name: &str) -> Self {
        // Go takes no number with a leading zero, and none that has more than nine digits.
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit())
            && (name == "0" || !name.starts_with('0'))
            && name.len() <= 9;
        match name.parse() {
            Ok(number) if is_number => Self::Numbered(number),
            _ => Self::Named(name.to_owned()),
        }
    }
}

/// The name of a group right behind a `$`, and what follows the reference.
fn name(text: &[u8]) -> Option<(&str, &[u8])> {
    let braced = text.strip_prefix(b"{");
    let text = braced.unwrap_or(text);
    let valid = match str::from_utf8(text) {
        Ok(text) => text,
        Err(why) => str::from_utf8(&text[..why.valid_up_to()]).expect("it is valid up to there"),
    };
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let end = valid.find(|c| !in_name(c)).unwrap_or(valid.len());
    let (name, rest) = (&valid[..end], &text[end..]);
    let rest = match braced {
        Some(_) => rest.strip_prefix(b"}")?,
        None => rest,
    };
    (!name.is_empty()).then_some((name, rest))
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Octets::deserialize(deserializer).map(Self::new)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Octets::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    #[test]
    fn a_text_becomes_what_it_becomes_in_go() {
        let pattern: Pattern = r"^(\w+)-(?P<name>\w+)(-(?P<rest>\w+))?$".parse().unwrap();
        let found = pattern.find(b"ab-cd").unwrap();
        for (written, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$1", "ab"),
            ("${1}", "ab"),
            ("<$0>", "<ab-cd>"),
            ("$1.$2", "ab.cd"),
            ("$name!", "cd!"),
            ("${name}x", "cdx"),
            ("$namex", ""),
            ("$1x", ""),
            ("${1}x", "abx"),
            ("$01", ""),
            ("$9", ""),
            ("$999999999999999999999999", ""),
            ("${rest}$3", ""),
            ("${nobody}", ""),
            ("$$1", "$1"),
            ("$$$1", "$ab"),
            ("$", "$"),
            ("a$", "a$"),
            ("$ 1", "$ 1"),
            ("${", "${"),
            ("${1", "${1"),
            ("${}", "${}"),
            ("${a b}", "${a b}"),
            ("$-1", "$-1"),
            ("$1_", ""),
            ("$\u{e9}", ""),
            ("$1\u{2014}", "ab\u{2014}"),
        ] {
            let template = Template::new(Octets::from(written));
            let expanded = template.expand(&found);
            assert_eq!(
                String::from_utf8(expanded).unwrap(),
                expected,
                "{written:?}"
            );
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        let pattern: Pattern = "(.*)".parse().unwrap();
        let found = pattern
            .find(b"\xff")
            .unwrap_or_else(|| panic!("it matches nothing, too"));
        for (written, expected) in [
            (&b"\xfe$$\xfd"[..], &b"\xfe$\xfd"[..]),
            (b"$\xff", b"$\xff"),
        ] {
            let template = Template::new(Octets::from(written));
            assert_eq!(template.expand(&found), expected);
        }
    }
}
