//! What must records be like?
//!
//! Regular expressions about their text, see [`crate::text`]. One that cannot be read is kept as it
//! is written until the probe is aimed, as `blackbox_exporter` finds it out only when it probes.

use std::borrow::Cow;

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rules for the records of one section.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_field_names,
    reason = "these are blackbox_exporter's words"
)]
pub(crate) struct Rules {
    /// Fail if any record matches any of these.
    pub(crate) fail_if_matches_regexp: Vec<Rule>,
    /// Fail if every record matches one of these, and there is a record.
    pub(crate) fail_if_all_match_regexp: Vec<Rule>,
    /// Fail if any record does not match any one of these, or there is no record.
    pub(crate) fail_if_not_matches_regexp: Vec<Rule>,
    /// Fail if no record matches any of these.
    pub(crate) fail_if_none_matches_regexp: Vec<Rule>,
}

/// A regular expression, not anchored.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    written: String,
    /// Or why there is none.
    regex: Result<Regex, String>,
}

impl Rules {
    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// What is wrong with the first that cannot be read.
    pub(crate) fn mistake(&self) -> Option<&str> {
        self.all()
            .find_map(|rule| rule.regex.as_ref().err())
            .map(String::as_str)
    }

    fn all(&self) -> impl Iterator<Item = &Rule> {
        let lists = [
            &self.fail_if_matches_regexp,
            &self.fail_if_all_match_regexp,
            &self.fail_if_not_matches_regexp,
            &self.fail_if_none_matches_regexp,
        ];
        lists.into_iter().flatten()
    }
}

impl Rule {
    /// Whether it is found in a text; one that cannot be read is found nowhere.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.regex.as_ref().is_ok_and(|regex| regex.is_match(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.written
    }
}

impl From<String> for Rule {
    fn from(written: String) -> Self {
        let regex = Regex::new(&written).map_err(|why| {
            let why = why.to_string();
            let last = why.lines().last().unwrap_or_default();
            let last = last.strip_prefix("error: ").unwrap_or(last);
            format!("{written:?} is not a regular expression: {last}")
        });
        Self { written, regex }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Rule {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "regex" })
    }
}
