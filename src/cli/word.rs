//! Which options are one word on the command line, and which words?
//!
//! Read from a property of a JSON Schema as `schemars` writes it. Anything that takes more than a
//! word, such as a list, has no flag of its own.

use std::convert::Infallible;

use clap::Arg;
use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use leadsman_core::schemars::Schema;
use serde_json::Value;

/// What an option that is one word can be.
#[derive(Debug, PartialEq)]
pub(super) enum Word {
    Truth,
    /// One of these, each with its meaning where that is told.
    Choice(Vec<(String, Option<String>)>),
    /// Anything, called so in the help.
    Named(&'static str),
}

impl Word {
    /// Reads a property as `schemars` writes it; `None` if it takes more than a word.
    pub(super) fn of(root: &Schema, property: &Value) -> Option<Self> {
        if let Some(name) = property["$ref"].as_str() {
            let name = name.strip_prefix("#/$defs/")?;
            return Self::of(root, root.get("$defs")?.get(name)?);
        }
        if let Some(variants) = property["anyOf"].as_array() {
            let mut variants = variants.iter().filter(|v| v["type"] != "null");
            let only = variants.next()?;
            return variants.next().is_none().then(|| Self::of(root, only))?;
        }
        if let Some(variants) = property["oneOf"].as_array() {
            let choice = variants.iter().map(|variant| {
                let meaning = variant["description"].as_str().map(brief);
                Some((variant["const"].as_str()?.to_owned(), meaning))
            });
            return choice.collect::<Option<_>>().map(Self::Choice);
        }
        if let Some(values) = property["enum"].as_array() {
            let choice = values.iter().filter_map(Value::as_str);
            return Some(Self::Choice(
                choice.map(|value| (value.to_owned(), None)).collect(),
            ));
        }
        let kind = match &property["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null")?,
            kind => kind,
        };
        Some(match (kind.as_str()?, property["format"].as_str()) {
            ("boolean", _) => Self::Truth,
            ("integer" | "number", _) => Self::Named("NUMBER"),
            ("string", Some("duration")) => Self::Named(DURATION),
            ("string", Some("ip" | "ipv4" | "ipv6")) => Self::Named("ADDRESS"),
            ("string", _) => Self::Named("TEXT"),
            _ => return None,
        })
    }

    pub(super) fn taken_by(self, flag: Arg) -> Arg {
        match self {
            Self::Truth => flag
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_parser(["true", "false"])
                .hide_possible_values(true)
                .value_name("true|false"),
            Self::Choice(values) => {
                let values = values.into_iter().map(|(value, meaning)| {
                    let value = PossibleValue::new(value);
                    match meaning {
                        Some(meaning) => value.help(meaning),
                        None => value,
                    }
                });
                flag.value_name("CHOICE")
                    .value_parser(PossibleValuesParser::new(values))
            }
            Self::Named(name) if name == DURATION && is_habit(&flag) => flag
                .value_name(name)
                .value_parser(|text: &str| Ok::<_, Infallible>(in_seconds(text)))
                .allow_hyphen_values(true),
            // A value may begin with a minus: a text is the plugin's to judge.
            Self::Named(name) => flag
                .value_name(name)
                .value_parser(ValueParser::string())
                .allow_hyphen_values(true),
        }
    }
}

/// Whether people are used to type a number of seconds behind this flag: ping(8), traceroute(8) and
/// mtr(8) take nothing else.
fn is_habit(flag: &Arg) -> bool {
    flag.get_short()
        .is_some_and(|letter| "iwW".contains(letter))
}

/// A duration as it is written elsewhere: a bare number becomes one of seconds.
pub(super) fn in_seconds(text: &str) -> String {
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
    let unit = if is_number { "s" } else { "" };
    format!("{text}{unit}")
}

const DURATION: &str = "DURATION";

/// The first paragraph of a description, as help is written: on one line, without the full stop.
pub(super) fn brief(description: &str) -> String {
    let first = description.split("\n\n").next().unwrap_or_default();
    first.replace('\n', " ").trim_end_matches('.').to_owned()
}
