//! Where does leadsman listen, and how does it answer?

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use leadsman_core::options::Period;
use leadsman_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The part of the configuration that is about the web server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
pub(crate) struct Web {
    /// Address and port to serve on, or a list of them. `:9115` is that port on every interface.
    pub(crate) listen: Listen,
    /// How much sooner than the scraper's timeout a probe asked for by the scraper ends, so that
    /// its answer still arrives.
    pub(crate) timeout_offset: Period,
    /// How many recent runs the status page keeps; as many failed ones are kept beside them.
    pub(crate) history: usize,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            timeout_offset: Period(Duration::from_millis(500)),
            history: 100,
        }
    }
}

/// One or more addresses to serve on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) Vec<Address>);

impl Default for Listen {
    fn default() -> Self {
        Self(vec![Address(SocketAddr::from(([127, 0, 0, 1], 9115)))])
    }
}

/// An address with its port, as written in the configuration or on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

/// A text that is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address to serve on: write an IP address and a port such as 127.0.0.1:9115 \
     or [::1]:9115, or only a port such as :9115 for every interface"
)]
pub(crate) struct NotAnAddress(String);

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let every_interface = |port: &str| {
            let port = port.parse().ok()?;
            Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
        };
        let address = match text.strip_prefix(':') {
            Some(port) => every_interface(port),
            None => text.parse().ok(),
        };
        address
            .map(Self)
            .ok_or_else(|| NotAnAddress(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore)
    }
}

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Listen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address such as 127.0.0.1:9115, or a list of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Listen, E> {
        let address = text.parse().map_err(de::Error::custom)?;
        Ok(Listen(vec![address]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Listen, A::Error> {
        let mut addresses = Vec::new();
        while let Some(address) = list.next_element()? {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(de::Error::custom("there is no address to serve on"));
        }
        Ok(Listen(addresses))
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [only] => serializer.collect_str(&only.0),
            several => serializer.collect_seq(several.iter().map(|address| address.0.to_string())),
        }
    }
}

impl JsonSchema for Listen {
    fn schema_name() -> Cow<'static, str> {
        "Listen".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "array"],
            "items": { "type": "string" },
            "minItems": 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_no_name() {
        for (text, expected) in [
            ("127.0.0.1:9115", Some("127.0.0.1:9115")),
            ("[::1]:9115", Some("[::1]:9115")),
            (":9115", Some("[::]:9115")),
            ("0.0.0.0:0", Some("0.0.0.0:0")),
            ("localhost:9115", None),
            ("127.0.0.1", None),
            ("::1", None),
            (":", None),
            (":99999", None),
        ] {
            let address = text.parse::<Address>().ok().map(|a| a.0.to_string());
            assert_eq!(address.as_deref(), expected, "{text}");
        }
    }
}
