//! Whom may those probe who ask over the web?
//!
//! A list of rules, each of which permits something; what no rule permits is not asked. A rule that
//! names a host permits what the name leads to as long as that is an address of the public internet,
//! or one of the networks that the rule lists: else whoever owns a name could point it at this host
//! or at its neighbours. A rule without a host permits its networks, by whatever name.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use leadsman_core::Fence;
use leadsman_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The rules of `web.probe.allow`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(crate = "leadsman_core::schemars")]
pub(crate) struct Allow(Vec<Rule>);

impl Fence for Allow {
    fn admits(&self, host: Option<&str>, address: IpAddr, port: Option<u16>) -> bool {
        let mut rules = self.0.iter();
        rules.any(|rule| rule.admits(host, address) && port.is_none_or(|port| rule.opens(port)))
    }

    fn admits_name(&self, host: &str, port: u16) -> bool {
        let mut rules = self.0.iter();
        rules.any(|rule| {
            let named = rule.host.as_ref().is_some_and(|pattern| pattern.fits(host));
            named && rule.opens(port)
        })
    }

    fn admits_path(&self, path: &str) -> bool {
        self.0.iter().any(|rule| rule.unix.as_deref() == Some(path))
    }

    fn place(&self) -> &'static str {
        "web.probe.allow"
    }
}

/// What one rule permits: all that is written in it has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    host: Option<Pattern>,
    networks: Vec<Network>,
    ports: Vec<Ports>,
    unix: Option<String>,
}

/// A rule as it is written where a word is not enough.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    host: Option<Pattern>,
    networks: Vec<Network>,
    ports: Vec<Ports>,
    unix: Option<String>,
}

impl Rule {
    fn admits(&self, host: Option<&str>, address: IpAddr) -> bool {
        if self.unix.is_some() {
            return false;
        }
        let named = match &self.host {
            Some(pattern) => host.is_some_and(|host| pattern.fits(host)),
            None => true,
        };
        let inside = if self.networks.is_empty() {
            is_public(address)
        } else {
            self.networks.iter().any(|network| network.holds(address))
        };
        named && inside
    }

    fn opens(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|ports| ports.0.contains(&port))
    }
}

impl TryFrom<Written> for Rule {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written {
            host,
            networks,
            ports,
            unix,
        } = written;
        let nothing = networks.is_empty() && ports.is_empty();
        match (&host, &unix) {
            (None, None) if nothing => Err("a rule needs `host`, `networks`, `ports` or `unix`"),
            (Some(_), Some(_)) => Err("a rule with `unix` has nothing else in it"),
            (None, Some(_)) if !nothing => Err("a rule with `unix` has nothing else in it"),
            _ => Ok(Self {
                host,
                networks,
                ports,
                unix,
            }),
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    /// Reads a host, an address or a network, each with a port or a range of ports behind it or not.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut rule = Self {
            host: None,
            networks: Vec::new(),
            ports: Vec::new(),
            unix: None,
        };
        let (whom, ports) = if text.parse::<Network>().is_ok() {
            (text, None)
        } else {
            match text.rsplit_once(':') {
                Some((whom, ports)) => (whom, Some(ports)),
                None => (text, None),
            }
        };
        let whom = whom
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(whom);
        if let Ok(network) = whom.parse() {
            rule.networks.push(network);
        } else {
            rule.host = Some(whom.parse()?);
        }
        if let Some(ports) = ports {
            rule.ports.push(ports.parse()?);
        }
        Ok(rule)
    }
}

/// A host's name, or all below one: `*.example.com`; `*` is every name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(String);

impl Pattern {
    fn fits(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self.0.strip_prefix('*') {
            Some(end) => host.len() > end.len() && host.ends_with(end),
            None => host == self.0,
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim_end_matches('.').to_ascii_lowercase();
        let end = name.strip_prefix('*');
        let plain = match end {
            Some("") => return Ok(Self(name)),
            Some(end) => end.strip_prefix('.').unwrap_or_default(),
            None => &name,
        };
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) || byte > 127;
        if plain.is_empty() || plain.starts_with('.') || !plain.bytes().all(known) {
            return Err(format!(
                "`{text}` is no host to permit: write a name such as example.com or \
                 *.example.com, an address, or a network such as 192.0.2.0/24"
            ));
        }
        Ok(Self(name))
    }
}

/// A block of addresses (RFC 4632).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    fn holds(self, address: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits()), u128::from(theirs.to_bits()), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits(), 128),
            _ => return false,
        };
        let host = u32::from(width - self.length);
        let differ = ours ^ theirs;
        differ.checked_shr(host).unwrap_or_default() == 0
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = || format!("`{text}` is no network: write one such as 192.0.2.0/24");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse().map_err(|_| none())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| none())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length: u8 = length.unwrap_or(width);
        let network = Self { address, length };
        if length > width {
            return Err(none());
        }
        let first = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(u32::from(128 - length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        if first != address {
            return Err(format!(
                "`{text}` has bits beyond its length: its network is {first}/{length}"
            ));
        }
        Ok(network)
    }
}

/// A port or a range of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ports(RangeInclusive<u16>);

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err(format!(
                "`{text}` is no port: write a number such as 443, or a range such as 8000-8999"
            )),
        }
    }
}

/// Whether an address is one of the public internet, by IANA's registries of special-purpose
/// addresses (RFC 6890). Those that carry an IPv4 address within are not, for where they lead a
/// translator decides.
fn is_public(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(_) => SPECIAL_V4,
        IpAddr::V6(v6) => {
            if v6.segments()[0] & 0xe000 != 0x2000 {
                return false;
            }
            SPECIAL_V6
        }
    };
    !special.iter().any(|network| network.holds(address))
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Network {
    let address = IpAddr::V4(Ipv4Addr::new(a, b, c, 0));
    Network { address, length }
}

const fn v6(a: u16, b: u16, length: u8) -> Network {
    let address = IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0));
    Network { address, length }
}

const SPECIAL_V4: &[Network] = &[
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 3),
];

/// Within `2000::/3`, outside of which nothing is public.
const SPECIAL_V6: &[Network] = &[
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.start(), self.0.end()) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = serde_json::Map::new();
        let texts = |parts: Vec<String>| serde_json::Value::from(parts);
        if let Some(host) = &self.host {
            written.insert("host".into(), host.to_string().into());
        }
        if !self.networks.is_empty() {
            let networks = self.networks.iter().map(Network::to_string);
            written.insert("networks".into(), texts(networks.collect()));
        }
        if !self.ports.is_empty() {
            let ports = self.ports.iter().map(Ports::to_string);
            written.insert("ports".into(), texts(ports.collect()));
        }
        if let Some(path) = &self.unix {
            written.insert("unix".into(), path.clone().into());
        }
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrRange)
    }
}

struct NumberOrRange;

impl Visitor<'_> for NumberOrRange {
    type Value = Ports;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port such as 443, or a range such as 8000-8999")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Ports, E> {
        text.parse().map_err(de::Error::custom)
    }

    fn visit_u64<E: de::Error>(self, port: u64) -> Result<Ports, E> {
        self.visit_str(&port.to_string())
    }
}

fn text<'de, T: FromStr<Err = String>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrMap)
    }
}

struct WordOrMap;

impl<'de> Visitor<'de> for WordOrMap {
    type Value = Rule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a host, an address or a network, with `:PORT` or not, or a map of `host`, \
             `networks`, `ports` and `unix`",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Rule, E> {
        text.parse().map_err(de::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
        let written = Written::deserialize(MapAccessDeserializer::new(map))?;
        written.try_into().map_err(de::Error::custom)
    }
}

impl JsonSchema for Rule {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What may be probed: a word such as `*.example.com:443` or \
                            `192.0.2.0/24`, or a map in which all has to hold.",
            "type": ["string", "object"],
            "additionalProperties": false,
            "properties": {
                "host": {
                    "description": "A host's name, or all names below one: `*.example.com`. It \
                                    may lead to public addresses, or to `networks` if there are.",
                    "type": "string",
                },
                "networks": {
                    "description": "Addresses, such as 192.0.2.7 or 192.0.2.0/24.",
                    "type": "array",
                    "items": { "type": "string" },
                },
                "ports": {
                    "description": "Ports, such as 443 or 8000-8999; all if there are none. What \
                                    has no ports, such as a ping, needs a rule without them.",
                    "type": "array",
                    "items": { "type": ["string", "integer"] },
                },
                "unix": {
                    "description": "The path of a socket in the file system.",
                    "type": "string",
                },
            },
        })
    }
}

#[cfg(test)]
mod tests;
