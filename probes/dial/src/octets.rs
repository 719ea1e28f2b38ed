//! How are bytes written that need not be text?
//!
//! As text where they are some, which is then sent or expected as UTF-8; else as `!!binary` in YAML, or
//! under a key that says how they are encoded: `{ hex: 00 00 00 08 }` or `{ base64: AAAACA== }`.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Some bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Octets(Vec<u8>);

impl Octets {
    /// The bytes themselves.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Octets {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Octets {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &STANDARD.encode(&self.0))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Octets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or bytes under `hex` or `base64`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Octets, E> {
        Ok(Octets::from(text))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Octets, E> {
        Ok(Octets::from(bytes))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Octets, E> {
        Ok(Octets::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Octets, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(de::Error::custom("write the bytes under `hex` or `base64`"));
        };
        let text: String = map.next_value()?;
        let bytes = match key.as_str() {
            "hex" => hexadecimal(&text).ok_or("not hexadecimal, such as `00 1f ff`"),
            "base64" => STANDARD.decode(text.trim()).map_err(|_| "not base64"),
            _ => Err("bytes are written under `hex` or `base64`"),
        };
        if map.next_key::<String>()?.is_some() {
            return Err(de::Error::custom("give only one of `hex` and `base64`"));
        }
        bytes.map(Octets).map_err(de::Error::custom)
    }
}

/// Reads digits in pairs, with blanks wherever somebody wants them.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().filter(|c| !c.is_ascii_whitespace());
    let digits: Option<Vec<_>> = digits.map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let pairs = digits.chunks_exact(2);
    Some(pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

impl JsonSchema for Octets {
    fn schema_name() -> Cow<'static, str> {
        "Octets".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "hex": { "type": "string", "description": "The bytes in hexadecimal." },
                        "base64": { "type": "string", "description": "The bytes in base64." },
                    },
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use leadsman_core::options::{Kind, Node, read};
    use serde_json::json;

    use super::*;

    fn encoded(key: &str, text: &str) -> Node {
        Node::new(Kind::Map(vec![(Node::word(key), Node::word(text))]))
    }

    #[test]
    fn bytes_are_read_as_they_are_written_and_shown_so_that_they_read_back() {
        let bytes = Kind::Bytes(vec![0xff, 0x00]);
        for (node, expected, shown) in [
            (Node::word("220"), &b"220"[..], json!("220")),
            (Node::word("1.10"), b"1.10", json!("1.10")),
            (Node::new(Kind::Null), b"", json!("")),
            (Node::new(bytes), b"\xff\0", json!({ "base64": "/wA=" })),
            (
                encoded("hex", "00 1F\n7f"),
                b"\0\x1f\x7f",
                json!("\0\u{1f}\u{7f}"),
            ),
            (
                encoded("base64", "/wA="),
                b"\xff\0",
                json!({ "base64": "/wA=" }),
            ),
        ] {
            let octets: Option<Octets> = read(&node).unwrap();
            let octets = octets.unwrap_or_default();
            assert_eq!(octets.as_bytes(), expected);
            assert_eq!(serde_json::to_value(&octets).unwrap(), shown);
        }
    }

    #[test]
    fn what_is_no_bytes_is_refused() {
        for (node, expected) in [
            (encoded("hex", "0"), "not hexadecimal"),
            (encoded("hex", "0g"), "not hexadecimal"),
            (encoded("base64", "/w"), "not base64"),
            (encoded("text", "a"), "`hex` or `base64`"),
            (Node::empty(), "`hex` or `base64`"),
            (Node::new(Kind::List(Vec::new())), "text"),
        ] {
            let said = read::<Octets>(&node).unwrap_err()[0].to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}
