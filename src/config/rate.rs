//! How often: a count and the time in which it may be reached.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use leadsman_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

/// So many in each second, minute or hour, written `10/s`, `60/m` or `100/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How many may come at once, and in each such time.
    pub(crate) count: NonZeroU32,
    unit: char,
}

impl Rate {
    /// The time from one to the next, if they come evenly.
    pub(crate) fn interval(self) -> Duration {
        let unit = match self.unit {
            's' => Duration::from_secs(1),
            'm' => Duration::from_mins(1),
            _ => Duration::from_hours(1),
        };
        unit / self.count.get()
    }
}

/// A text that is no [`Rate`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rate: write a whole number for each s, m or h, such as 10/s or 60/m")]
pub(crate) struct NotARate(String);

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        let parts = text.split_once('/');
        let read = parts.and_then(|(count, unit)| {
            let unit = unit.chars().next().filter(|_| unit.len() == 1)?;
            let count = count.parse().ok()?;
            "smh".contains(unit).then_some(Self { count, unit })
        });
        read.ok_or_else(|| NotARate(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.unit)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[1-9][0-9]*/[smh]$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_for_each_unit() {
        for (text, expected) in [
            ("10/s", Some(100)),
            ("60/m", Some(1000)),
            ("3600/h", Some(1000)),
            ("1/m", Some(60_000)),
            ("0/s", None),
            ("10", None),
            ("10/d", None),
            ("10/ms", None),
            ("1.5/s", None),
            ("/s", None),
            ("10/", None),
        ] {
            let rate = text.parse::<Rate>();
            let millis = rate.as_ref().ok().map(|rate| rate.interval().as_millis());
            assert_eq!(millis, expected, "{text}");
            assert!(rate.is_err() || rate.unwrap().to_string() == text);
        }
    }
}
