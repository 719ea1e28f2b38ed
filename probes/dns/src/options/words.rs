//! Which words may stand for a type, a class, a transport or a code?
//!
//! A type or class that nobody knows is refused while it is read. A transport or a code is kept as
//! it is written until the probe is aimed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codes::{Class, Kind, Rcode};

/// The type that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryType(pub(crate) Kind);

/// The class that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryClass(pub(crate) Class);

/// What to ask over.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    /// Datagrams, one for a message (RFC 1035, section 4.2.1).
    Udp,
    /// A stream, each message behind its length (RFC 1035, section 4.2.2).
    Tcp,
    /// Whatever else was written.
    Other(String),
}

/// The name of a code, as it was written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(crate) struct RcodeName(String);

impl Default for QueryType {
    fn default() -> Self {
        Self(Kind::ANY)
    }
}

impl Default for QueryClass {
    fn default() -> Self {
        Self(Class::IN)
    }
}

impl RcodeName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn code(&self) -> Option<Rcode> {
        Rcode::named(&self.0)
    }
}

impl<'de> Deserialize<'de> for QueryType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let kind = Kind::named(&text).ok_or_else(|| {
            let message = format!("there is no type `{text}` of records, such as A or MX");
            de::Error::custom(message)
        });
        kind.map(Self)
    }
}

impl<'de> Deserialize<'de> for QueryClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let class = Class::named(&text).ok_or_else(|| {
            let message = format!("there is no class `{text}`: it can be IN, CH, HS, NONE or ANY");
            de::Error::custom(message)
        });
        class.map(Self)
    }
}

impl<'de> Deserialize<'de> for Transport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "udp" | "" => Self::Udp,
            "tcp" => Self::Tcp,
            _ => Self::Other(text),
        })
    }
}

impl Serialize for QueryType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for QueryClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Transport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Other(other) => other,
        })
    }
}

impl JsonSchema for QueryType {
    fn schema_name() -> Cow<'static, str> {
        "QueryType".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl JsonSchema for QueryClass {
    fn schema_name() -> Cow<'static, str> {
        "QueryClass".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl JsonSchema for Transport {
    fn schema_name() -> Cow<'static, str> {
        "Transport".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": ["udp", "tcp"] })
    }
}
