//! What may be written in one step of a dialogue with a peer?
//!
//! The keys are those of `blackbox_exporter`'s `query_response`, and `send_bytes`. In a step the first
//! thing is to wait, then to send, then to agree on TLS. How what the peer says is cut into pieces,
//! lines or messages, is the probe's affair.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::octets::Octets;
use crate::pattern::{Found, Pattern};
use crate::template::Template;

/// One step of a dialogue. One that exists does not contradict itself.
#[derive(Clone, Debug, Default)]
pub struct Step {
    written: Written,
}

/// As it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Written {
    /// Regular expression to wait for.
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<Pattern>,
    /// Bytes that have to come next.
    #[serde(skip_serializing_if = "Octets::is_empty")]
    expect_bytes: Octets,
    /// Labels of `probe_expect_info` that are made of what `expect` captured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Label>,
    /// Text to send; refers to what `expect` captured as `$1` or `${name}`.
    #[serde(skip_serializing_if = "Template::is_empty")]
    send: Template,
    /// Bytes to send exactly as they are.
    #[serde(skip_serializing_if = "Octets::is_empty")]
    send_bytes: Octets,
    /// Agree on TLS over the connection as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    starttls: bool,
}

/// A label that tells of what was captured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Its name.
    pub name: LabelName,
    /// Its value; refers to what `expect` captured as `$1` or `${name}`.
    #[serde(default)]
    pub value: Template,
}

/// The name of a label as Prometheus accepts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct LabelName(String);

impl Step {
    /// What has to be matched by the next line, or by one after it.
    pub fn expect(&self) -> Option<&Pattern> {
        self.written.expect.as_ref()
    }

    /// What has to come next, byte for byte.
    pub fn expect_bytes(&self) -> Option<&[u8]> {
        let bytes = self.written.expect_bytes.as_bytes();
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Names and values of the labels that tell of a match.
    pub fn labels<'s>(&'s self, found: &Found<'_>) -> impl Iterator<Item = (&'s str, String)> {
        let labels = self.written.labels.iter();
        labels.map(|label| {
            let value = label.value.expand(found);
            let value = String::from_utf8_lossy(&value).into_owned();
            (label.name.as_str(), value)
        })
    }

    /// The text to send behind this match, or where nothing was to match; without the end of line
    /// that follows it. `None` where there is nothing to send.
    pub fn send(&self, found: Option<&Found<'_>>) -> Option<Vec<u8>> {
        let text = match found {
            Some(found) => self.written.send.expand(found),
            None => self.written.send.written().as_bytes().to_vec(),
        };
        (!text.is_empty()).then_some(text)
    }

    /// What to send exactly as it is.
    pub fn send_bytes(&self) -> Option<&[u8]> {
        let bytes = self.written.send_bytes.as_bytes();
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Whether to agree on TLS in the end.
    pub fn starts_tls(&self) -> bool {
        self.written.starttls
    }
}

impl Written {
    /// What is wrong with it as a whole.
    fn contradiction(&self) -> Option<String> {
        if self.expect.is_some() && !self.expect_bytes.is_empty() {
            return Some("give only one of `expect` and `expect_bytes` in a step".to_owned());
        }
        if !self.send.is_empty() && !self.send_bytes.is_empty() {
            return Some("give only one of `send` and `send_bytes` in a step".to_owned());
        }
        let mut names = self.labels.iter().map(|label| label.name.as_str());
        while let Some(name) = names.next() {
            if names.clone().any(|other| other == name) {
                return Some(format!("the label `{name}` is given twice in a step"));
            }
        }
        None
    }
}

impl LabelName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for LabelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if begins && name.chars().all(fits) && !name.starts_with("__") {
            return Ok(Self(name));
        }
        Err(de::Error::custom(
            "not the name of a label: use letters, digits and `_`, and begin with a letter",
        ))
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        match written.contradiction() {
            Some(why) => Err(de::Error::custom(why)),
            None => Ok(Self { written }),
        }
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use leadsman_core::options::{Kind, Node, read};

    use super::*;

    fn map(entries: &[(&str, Node)]) -> Node {
        let entries = entries
            .iter()
            .map(|(key, value)| (Node::word(*key), value.clone()));
        Node::new(Kind::Map(entries.collect()))
    }

    fn label(name: &str) -> Node {
        map(&[("name", Node::word(name)), ("value", Node::word("$1"))])
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let word = Node::word;
        let list = |nodes: &[Node]| Node::new(Kind::List(nodes.to_vec()));
        for (step, expected) in [
            (
                map(&[("expect", word("a")), ("expect_bytes", word("b"))]),
                "`expect_bytes`",
            ),
            (
                map(&[("send", word("a")), ("send_bytes", word("b"))]),
                "`send_bytes`",
            ),
            (map(&[("expect", word(":["))]), "not a regular expression"),
            (
                map(&[("labels", list(&[label("a"), label("a")]))]),
                "`a` is given twice",
            ),
            (
                map(&[("labels", list(&[label("a-b")]))]),
                "not the name of a label",
            ),
            (
                map(&[("labels", list(&[label("__a")]))]),
                "not the name of a label",
            ),
            (
                map(&[("labels", list(&[label("1")]))]),
                "not the name of a label",
            ),
            (map(&[("respond", word("a"))]), "`respond`"),
        ] {
            let said = read::<Step>(&step).unwrap_err()[0].to_string();
            assert!(said.contains(expected), "{said}");
        }
        let step: Step = read(&map(&[("labels", list(&[label("a"), label("b_1")]))])).unwrap();
        let pattern: Pattern = "(.)".parse().unwrap();
        let found = pattern.find(b"x").unwrap();
        let labels: Vec<_> = step.labels(&found).collect();
        assert_eq!(labels, [("a", "x".to_owned()), ("b_1", "x".to_owned())]);
        let shown = serde_json::to_value(&step).unwrap();
        assert_eq!(shown.as_object().unwrap().len(), 1, "{shown}");
    }

    #[test]
    fn only_behind_a_match_does_a_dollar_mean_more_than_itself() {
        let step: Step = read(&map(&[("send", Node::word("a$1"))])).unwrap();
        assert_eq!(step.send(None).unwrap(), b"a$1");
        let pattern: Pattern = "(b)".parse().unwrap();
        assert_eq!(step.send(pattern.find(b"b").as_ref()).unwrap(), b"ab");
        let step: Step = read(&map(&[("send", Node::word("$1"))])).unwrap();
        let pattern: Pattern = "(x)?b".parse().unwrap();
        assert_eq!(step.send(pattern.find(b"b").as_ref()), None);
    }
}
