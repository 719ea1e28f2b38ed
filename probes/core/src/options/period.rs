//! How long: a duration as people write it, always with a unit.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration option, written as `250ms`, `1.5s` or `1h30m`; units are ns, us, ms, s, m and h.
///
/// A bare number is refused, for nobody can know its unit; a day is refused because
/// `blackbox_exporter` refuses it too and a file must mean the same to both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

/// Why a text is not a [`Period`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// There is no number where one must stand.
    #[error("not a duration: write a number and a unit, such as 500ms, 1.5s or 1m30s")]
    NotANumber,
    /// A number stands without its unit.
    #[error("a duration needs a unit: ms, s, m or h")]
    NoUnit,
    /// The unit is none of those known.
    #[error("unknown unit {0:?} in a duration: use ns, us, ms, s, m or h")]
    UnknownUnit(String),
    /// The sum is more than a clock can hold.
    #[error("a duration this long cannot be kept")]
    TooLong,
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if text.is_empty() {
            return Err(PeriodError::NotANumber);
        }
        let mut rest = text;
        let mut seconds = 0.0;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let number: f64 = rest[..digits]
                .parse()
                .map_err(|_| PeriodError::NotANumber)?;
            rest = &rest[digits..];
            let end = rest
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(rest.len());
            seconds += number * unit(&rest[..end])?;
            rest = &rest[end..];
        }
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|_| PeriodError::TooLong)
    }
}

/// Seconds in one `name`.
fn unit(name: &str) -> Result<f64, PeriodError> {
    Ok(match name {
        "" => return Err(PeriodError::NoUnit),
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(PeriodError::UnknownUnit(name.to_owned())),
    })
}

impl fmt::Display for Period {
    /// Writes the shortest form that reads back as the same duration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        for (size, unit) in [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
        ] {
            if nanos >= size && nanos.is_multiple_of(size) {
                return write!(f, "{}{unit}", nanos / size);
            }
        }
        if nanos == 0 {
            f.write_str("0s")
        } else {
            write!(f, "{nanos}ns")
        }
    }
}

impl Deref for Period {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "duration",
            "pattern": r"^(0|([0-9.]+(ns|us|µs|ms|s|m|h))+)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_needs_a_unit_and_adds_its_parts() {
        for (text, expected) in [
            ("250ms", Ok(Duration::from_millis(250))),
            ("1.5s", Ok(Duration::from_millis(1500))),
            ("1m30s", Ok(Duration::from_secs(90))),
            ("0", Ok(Duration::ZERO)),
            ("0s", Ok(Duration::ZERO)),
            ("5", Err(PeriodError::NoUnit)),
            ("", Err(PeriodError::NotANumber)),
            ("soon", Err(PeriodError::NotANumber)),
            ("-1s", Err(PeriodError::NotANumber)),
            ("1d", Err(PeriodError::UnknownUnit("d".into()))),
            ("1e3s", Err(PeriodError::UnknownUnit("e".into()))),
            ("99999999999999999999999h", Err(PeriodError::TooLong)),
        ] {
            assert_eq!(text.parse::<Period>().map(|p| p.0), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for nanos in [
            0,
            1,
            1_000,
            1_500_000,
            1_000_000_000,
            90_000_000_000,
            3_600_000_000_000,
        ] {
            let period = Period(Duration::from_nanos(nanos));
            assert_eq!(period.to_string().parse(), Ok(period));
        }
    }
}
