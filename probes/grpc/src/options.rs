//! What may be chosen about a health check?
//!
//! The keys, their defaults and meaning are `blackbox_exporter`'s, `source_ip_address` is ours. What
//! cannot be sent is refused while it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use leadsman_core::{Options, OptionsError, Preference, Target};
use leadsman_dial::{TlsCache, TlsOptions};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::probe::GrpcProbe;

/// Options of the gRPC probe, with what was made of them.
#[derive(Debug, Default)]
pub(crate) struct GrpcOptions {
    pub(crate) written: Written,
    /// The metadata as it is sent.
    pub(crate) fields: HeaderMap,
    pub(crate) tls: TlsCache,
    /// Whether the options were left out altogether, not even an empty section being there.
    pub(crate) is_absent: bool,
}

/// The options as they are written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    /// Name of the service to ask about; the whole server if none is given.
    pub(crate) service: String,
    /// Speak TLS.
    pub(crate) tls: bool,
    /// How TLS is spoken.
    pub(crate) tls_config: TlsOptions,
    /// Address family to use if the name has addresses of both: ip4 or ip6.
    pub(crate) preferred_ip_protocol: String,
    /// Use the other family if the name has no address of the preferred one.
    pub(crate) ip_protocol_fallback: bool,
    /// Address of this host to connect from; the routing table chooses if none is given.
    pub(crate) source_ip_address: Option<IpAddr>,
    /// Metadata to send, each name with its values; those of names that end in -bin are sent in base64.
    pub(crate) metadata: BTreeMap<String, Vec<String>>,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            service: String::new(),
            tls: false,
            tls_config: TlsOptions::default(),
            preferred_ip_protocol: "ip6".to_owned(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            metadata: BTreeMap::new(),
        }
    }
}

impl Options for GrpcOptions {
    type Probe = GrpcProbe;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<GrpcProbe, OptionsError> {
        if !self.written.tls_config.can_be_spoken() {
            let message = "this program speaks TLS 1.2 and 1.3 only";
            return Err(OptionsError::field("tls_config", message)
                .help("set max_version to TLS12 or TLS13, or leave it out"));
        }
        // As in blackbox_exporter a URL will do, of which host and port count.
        let address = &*target.address;
        let schemeless = ["http://", "https://"].map(|scheme| address.strip_prefix(scheme));
        let authority = schemeless.into_iter().flatten().next().map(|rest| {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            &rest[..end]
        });
        let bare = Target::new(authority.unwrap_or(address));
        let usual = if self.written.tls { 443 } else { 80 };
        let (host, port) = bare.host_port(Some(usual))?;
        let hostname = target.hostname.as_deref();
        Ok(GrpcProbe::new(Arc::clone(self), (host, port), hostname))
    }
}

impl GrpcOptions {
    /// Which address family is wanted. `blackbox_exporter` has no fallback if there is no section.
    pub(crate) fn preference(&self, is_compatible: bool) -> Preference {
        let written = &self.written;
        let fallback = written.ip_protocol_fallback && !(is_compatible && self.is_absent);
        Preference::new(&written.preferred_ip_protocol, fallback)
    }
}

/// The fields that metadata is sent as (gRPC over HTTP2, "Custom-Metadata"), or what is wrong with it.
fn fields(metadata: &BTreeMap<String, Vec<String>>) -> Result<HeaderMap, String> {
    let mut fields = HeaderMap::new();
    for (name, values) in metadata {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("grpc-") || RESERVED.contains(&&*lower) {
            return Err(format!("`{name}` in `metadata` is the protocol's own"));
        }
        let unsendable = || format!("`{name}` in `metadata` cannot be sent");
        let key = HeaderName::try_from(&lower).map_err(|_| unsendable())?;
        for value in values {
            let text = if lower.ends_with("-bin") {
                Cow::Owned(BASE64_STANDARD_NO_PAD.encode(value))
            } else {
                Cow::Borrowed(&**value)
            };
            let value = HeaderValue::from_str(&text).map_err(|_| unsendable())?;
            fields.append(key.clone(), value);
        }
    }
    Ok(fields)
}

impl<'de> Deserialize<'de> for GrpcOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Option::<Written>::deserialize(deserializer)?;
        let is_absent = read.is_none();
        let written = read.unwrap_or_default();
        if let Some(why) = written.tls_config.contradiction() {
            return Err(de::Error::custom(why));
        }
        Ok(Self {
            fields: fields(&written.metadata).map_err(de::Error::custom)?,
            written,
            tls: TlsCache::default(),
            is_absent,
        })
    }
}

impl Serialize for GrpcOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl JsonSchema for GrpcOptions {
    fn schema_name() -> Cow<'static, str> {
        "GrpcOptions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

/// Fields that are set by the protocol or by the connection.
const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

#[cfg(test)]
mod tests {
    use leadsman_core::Family;
    use leadsman_core::options::{Kind, Node, read};
    use leadsman_core::testing::Bench;
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_is_sent_as_it_is_written_or_in_base64() {
        let metadata = |name: &str, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            fields(&BTreeMap::from([(name.to_owned(), values)]))
        };
        let sent = |name, values| -> Vec<(String, String)> {
            let fields = metadata(name, values).unwrap();
            let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
            fields
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            sent("X-Tenant", &["a", "b c"]),
            [pair("x-tenant", "a"), pair("x-tenant", "b c")]
        );
        assert_eq!(
            sent("trace-bin", &["\u{ff}\n"]),
            [pair("trace-bin", "w78K")]
        );
        for (name, value, expected) in [
            ("te", "x", "the protocol's own"),
            ("Grpc-Timeout", "1S", "the protocol's own"),
            ("a b", "x", "cannot be sent"),
            (":path", "/", "cannot be sent"),
            ("a", "x\ny", "cannot be sent"),
        ] {
            let refused = metadata(name, &[value]).unwrap_err();
            assert!(refused.contains(expected), "{name}: {refused}");
        }
    }

    #[test]
    fn a_module_without_a_section_falls_back_unless_that_is_to_be_as_it_is_there() {
        let none = Node::new(Kind::Null);
        let empty = Node::empty();
        for (options, compatible, expected) in [
            (&none, false, true),
            (&none, true, false),
            (&empty, true, true),
        ] {
            let options: GrpcOptions = read(options).unwrap();
            let preference = options.preference(compatible);
            assert_eq!(preference.family, Family::V6);
            assert_eq!(preference.fallback, expected, "{compatible}");
        }
    }

    #[test]
    fn a_target_is_a_host_with_a_port_or_a_url() {
        for (address, is_good) in [
            ("example.com:50051", true),
            ("example.com", true),
            ("[::1]:50051", true),
            ("http://example.com:50051/x", true),
            ("https://[::1]", true),
            ("", false),
            ("example.com:x", false),
            ("grpc://example.com", false),
            ("http://", false),
        ] {
            let aimed = Bench::linked("grpc").aim(&Target::new(address));
            assert_eq!(aimed.is_ok(), is_good, "{address}");
        }
    }

    #[test]
    fn options_that_cannot_be_followed_are_refused() {
        for (key, value) in [
            ("metadata", json!({ "te": ["x"] })),
            ("metadata", json!({ "a": "x" })),
            ("tls_config", json!({ "cert": "x" })),
            ("tls_config", json!({ "max_version": "TLS11" })),
            ("source_ip_address", json!("here")),
        ] {
            let bench = Bench::linked("grpc").option(key, &value);
            assert!(bench.aim(&Target::new("a.test:1")).is_err(), "{value}");
        }
    }
}
