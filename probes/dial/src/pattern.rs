//! How is a regular expression read that was written for Go, and what did it find?
//!
//! Both engines descend from RE2 and find the same in linear time. Where the syntax differs the
//! pattern is rewritten: a brace that repeats nothing stands for itself in Go, as in the JSON that
//! bodies are full of, and a set knows no operators.

use std::borrow::Cow;
use std::str::FromStr;

use regex::bytes::{Captures, Regex};
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
        self.regex.is_match(text)
    }

    /// Its first match in `text`, with what its groups captured.
    pub fn find<'t>(&self, text: &'t [u8]) -> Option<Found<'t>> {
        self.regex.captures(text).map(Found)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// What the groups of a pattern captured.
#[derive(Debug)]
pub struct Found<'t>(Captures<'t>);

impl<'t> Found<'t> {
    /// What a group captured, the whole match being group 0; `None` if it took no part.
    pub fn numbered(&self, group: usize) -> Option<&'t [u8]> {
        self.0.get(group).map(|found| found.as_bytes())
    }

    /// What a group captured that has a name.
    pub fn named(&self, group: &str) -> Option<&'t [u8]> {
        self.0.name(group).map(|found| found.as_bytes())
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
                text.push(c);
                text.extend(after.chars().next());
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
