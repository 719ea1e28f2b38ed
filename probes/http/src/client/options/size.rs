//! How many bytes: a size as people write it, always with a unit.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes, written as `128B`, `1KB` or `1.5MiB`; every step is 1024, as in
/// `blackbox_exporter`, which refuses a bare number too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "0" {
            return Ok(Self(0));
        }
        let unit = text.find(|c: char| c.is_ascii_alphabetic());
        let (number, unit) = text.split_at(unit.ok_or("a size needs a unit: B, KB, MB or GB")?);
        let number: f64 = number
            .parse()
            .ok()
            .filter(|number| *number >= 0.0)
            .ok_or("not a size: write a number and a unit, such as 128B or 10MB")?;
        let steps = UNITS.iter().position(|(_, names)| names.contains(&unit));
        let steps = steps.ok_or("unknown unit of a size: use B, KB, MB, GB or TB")?;
        Ok(Self((number * UNITS[steps].0) as u64))
    }
}

impl fmt::Display for Size {
    /// Writes the shortest form that reads back as the same size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(unit, _): &&(f64, _)| self.0 > 0 && self.0.is_multiple_of(*unit as u64);
        let (unit, names) = UNITS.iter().rev().find(fits).unwrap_or(&UNITS[0]);
        write!(f, "{}{}", self.0 / *unit as u64, names[0])
    }
}

const UNITS: [(f64, &[&str]); 5] = [
    (1.0, &["B"]),
    (1024.0, &["KB", "KiB"]),
    (1_048_576.0, &["MB", "MiB"]),
    (1_073_741_824.0, &["GB", "GiB"]),
    (1_099_511_627_776.0, &["TB", "TiB"]),
];

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^(0|[0-9.]+([KMGT]i?)?B)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_needs_a_unit_and_reads_back_as_the_same() {
        for (text, expected) in [
            ("128B", Some((128, "128B"))),
            ("1KB", Some((1024, "1KB"))),
            ("1KiB", Some((1024, "1KB"))),
            ("1.5MB", Some((1_572_864, "1536KB"))),
            ("0", Some((0, "0B"))),
            ("128", None),
            ("-1B", None),
            ("B", None),
            ("1XB", None),
            ("", None),
        ] {
            let read = text.parse::<Size>().ok();
            let shown = expected.map(|(bytes, shown)| (bytes, shown.to_owned()));
            assert_eq!(
                read.map(|size| (size.0, size.to_string())),
                shown,
                "{text:?}"
            );
        }
    }
}
