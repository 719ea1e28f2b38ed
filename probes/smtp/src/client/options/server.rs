//! Which server: a host as people write it, with or without a port.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use leadsman_core::Target;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A host, and a port unless it is the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerName {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl ServerName {
    pub(crate) fn new(host: &str, port: Option<u16>) -> Self {
        Self {
            host: host.to_owned(),
            port,
        }
    }
}

impl FromStr for ServerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let target = Target::new(text);
        if let Ok((host, port)) = target.host_port(None) {
            return Ok(Self::new(host, Some(port)));
        }
        // Any default serves to see whether it is right without a port.
        match target.host_port(Some(25)) {
            Ok((host, _)) => Ok(Self::new(host, None)),
            Err(why) => Err(format!("{why}: write HOST, HOST:PORT or [IPV6]:PORT")),
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.host.contains(':')) {
            (None, _) => f.write_str(&self.host),
            (Some(port), true) => write!(f, "[{}]:{port}", self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
        }
    }
}

impl Serialize for ServerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ServerName {
    fn schema_name() -> Cow<'static, str> {
        "ServerName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_have_a_port_and_reads_back_as_the_same() {
        for (text, expected) in [
            ("mx.test", Some("mx.test")),
            ("mx.test:2525", Some("mx.test:2525")),
            ("192.0.2.1:25", Some("192.0.2.1:25")),
            ("[::1]:25", Some("[::1]:25")),
            ("::1", Some("::1")),
            ("", None),
            ("a b", None),
            ("mx.test:0", None),
            ("a@mx.test", None),
        ] {
            let read = text.parse::<ServerName>().ok();
            assert_eq!(
                read.map(|server| server.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
