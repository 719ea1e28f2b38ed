//! How is a domain name written that is to be asked for?
//!
//! As in a zone file (RFC 1035, section 5.1): labels with dots between them, a backslash before what
//! stands for itself, or before three decimal digits. A name in another script is sent as it is
//! written, in UTF-8: whoever wants its form for IDNA writes that.

use std::fmt;
use std::str::FromStr;

use hickory_proto::rr::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A domain name, as it was written.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(inline, transparent)]
pub(crate) struct QueryName {
    written: String,
    #[schemars(skip)]
    name: Name,
}

/// Why a text is no domain name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    #[error("expected a domain name, got nothing: the root is written as a dot")]
    Empty,
    #[error("expected a domain name, but between two dots of {0:?} is no label")]
    EmptyLabel(String),
    #[error("expected a domain name, but {0:?} is too long: 63 bytes a label, 255 in all")]
    TooLong(String),
    #[error(
        "expected a domain name, but {0:?} has a backslash before neither a sign nor three digits up to 255"
    )]
    Escape(String),
}

impl QueryName {
    /// The root of all names.
    pub(crate) fn root() -> Self {
        Self {
            written: ".".to_owned(),
            name: Name::root(),
        }
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }
}

impl FromStr for QueryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let own = || text.to_owned();
        match text {
            "" => return Err(NameError::Empty),
            "." => return Ok(Self::root()),
            _ => {}
        }
        let mut labels = vec![Vec::new()];
        let mut rest = text.as_bytes();
        while let [byte, after @ ..] = rest {
            rest = after;
            let label = labels.last_mut().expect("there is always one");
            match (byte, rest) {
                (b'.', []) => break,
                (b'.', _) => labels.push(Vec::new()),
                (b'\\', [a, b, c, after @ ..]) if a.is_ascii_digit() => {
                    let digits = [*a, *b, *c];
                    let code = std::str::from_utf8(&digits).ok();
                    let code = code.filter(|code| code.bytes().all(|c| c.is_ascii_digit()));
                    let code = code.and_then(|code| code.parse().ok());
                    label.push(code.ok_or_else(|| NameError::Escape(own()))?);
                    rest = after;
                }
                (b'\\', [byte, after @ ..]) if !byte.is_ascii_digit() => {
                    label.push(*byte);
                    rest = after;
                }
                (b'\\', _) => return Err(NameError::Escape(own())),
                (byte, _) => label.push(*byte),
            }
        }
        if labels.iter().any(Vec::is_empty) {
            return Err(NameError::EmptyLabel(own()));
        }
        let name = Name::from_labels(labels.iter().map(Vec::as_slice));
        let mut name = name.map_err(|_| NameError::TooLong(own()))?;
        name.set_fqdn(true);
        Ok(Self {
            written: own(),
            name,
        })
    }
}

impl fmt::Display for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Serialize for QueryName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for QueryName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_label_by_label() {
        let label = "a".repeat(63);
        let long = [label.as_str(); 4].join(".");
        for (text, expected) in [
            (".", Some(vec![])),
            ("test", Some(vec![&b"test"[..]])),
            ("a.test.", Some(vec![b"a", b"test"])),
            ("_dmarc.a.test", Some(vec![b"_dmarc", b"a", b"test"])),
            ("*.test", Some(vec![b"*", b"test"])),
            (r"a\.b.test", Some(vec![b"a.b", b"test"])),
            (r"a\\.test", Some(vec![b"a\\", b"test"])),
            (r"\000\255.test", Some(vec![b"\0\xff", b"test"])),
            (
                "b\u{fc}cher.test",
                Some(vec!["b\u{fc}cher".as_bytes(), b"test"]),
            ),
            ("a b.test", Some(vec![b"a b", b"test"])),
            (&label, Some(vec![label.as_bytes()])),
            ("", None),
            ("..", None),
            ("a..b", None),
            (".a", None),
            (r"a\", None),
            (r"a\25", None),
            (r"a\256", None),
            (r"a\1x2", None),
            (&format!("{label}a"), None),
            (&long, None),
        ] {
            let name = text.parse::<QueryName>().ok();
            let labels = name
                .as_ref()
                .map(|name| name.name.iter().collect::<Vec<_>>());
            assert_eq!(labels, expected, "{text:?}");
        }
    }
}
