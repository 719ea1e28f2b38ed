//! Where does leadsman listen, and how does it answer?

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use leadsman_core::options::Period;
use leadsman_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::allow::Allow;
use super::rate::Rate;

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
    /// Whose answers `/probe` gives where its own would be better.
    pub(crate) compatibility: Compatibility,
    /// What those may ask for who ask over the web.
    pub(crate) probe: OnDemand,
}

/// Whose answers `/probe` gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(crate = "leadsman_core::schemars")]
pub(crate) enum Compatibility {
    /// Its own: what was not measured is absent.
    #[default]
    None,
    /// Those of `blackbox_exporter` to the letter, its oddities included.
    Blackbox,
}

/// Limits of `/probe`. There are none unless they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
pub(crate) struct OnDemand {
    /// Whom a run may ask, be it the target or whoever a redirect, a proxy or a mail exchanger leads to; anybody if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow: Option<Allow>,
    /// How many runs may be under way at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) concurrency: Option<NonZeroUsize>,
    /// How often each address may ask, such as `10/s` or `60/m`; as many may come at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) per_client_rate: Option<Rate>,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            timeout_offset: Period(Duration::from_millis(500)),
            history: 100,
            compatibility: Compatibility::None,
            probe: OnDemand::default(),
        }
    }
}

/// One or more addresses to serve on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) Vec<Address>);

impl Default for Listen {
    fn default() -> Self {
        Self(vec![Address::At("127.0.0.1:9115".to_owned())])
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.0.iter().map(Address::to_string).collect();
        f.write_str(&addresses.join(", "))
    }
}

/// A place to serve, as written in the configuration or on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// This port on every interface, of either family: `:PORT`.
    Everywhere(u16),
    /// This port of a host, an IPv6 address in brackets: `HOST:PORT`.
    At(String),
}

/// A text that is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address to serve on: write HOST:PORT, such as 127.0.0.1:9115 or [::1]:9115, \
     or only a port such as :9115 for every interface"
)]
pub(crate) struct NotAnAddress(String);

impl Address {
    /// Where a socket that was opened for this one is: no port is left open, and no name.
    pub(crate) fn opened(&self, socket: SocketAddr) -> Self {
        match self {
            Self::Everywhere(_) => Self::Everywhere(socket.port()),
            Self::At(_) => Self::At(socket.to_string()),
        }
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let parts = text.rsplit_once(':');
        let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some(("", port)) => Ok(Self::Everywhere(port)),
            Some((host, _)) if is_name(host) || text.parse::<SocketAddr>().is_ok() => {
                Ok(Self::At(text.to_owned()))
            }
            _ => Err(NotAnAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, ":{port}"),
            Self::At(host_and_port) => f.write_str(host_and_port),
        }
    }
}

/// Whether this can be the name of a host or an IPv4 address; whether it is one shows when it is
/// opened.
fn is_name(host: &str) -> bool {
    host.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
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
            [only] => serializer.collect_str(only),
            several => serializer.collect_seq(several.iter().map(Address::to_string)),
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
    fn an_address_has_a_port_and_reads_back() {
        for (text, expected) in [
            ("127.0.0.1:9115", true),
            ("[::1]:9115", true),
            (":9115", true),
            ("0.0.0.0:0", true),
            ("localhost:9115", true),
            ("localhost:http", false),
            ("my host:9115", false),
            ("127.0.0.1", false),
            ("::1", false),
            ("::1:9115", false),
            ("[::1:9115", false),
            (":", false),
            (":99999", false),
        ] {
            let address = text.parse::<Address>().ok().map(|a| a.to_string());
            assert_eq!(address.as_deref(), expected.then_some(text), "{text}");
        }
        assert_eq!(":9115".parse(), Ok(Address::Everywhere(9115)));
    }
}
