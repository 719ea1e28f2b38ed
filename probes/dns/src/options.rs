//! What may be chosen about a question and its answer?
//!
//! The keys of `blackbox_exporter` have its defaults and meaning; those that it does not have are off
//! by default, so that a module of its asks what it always asked. What it finds out only when it
//! probes is found out here when the probe is aimed: such a module loads, and each of its runs fails.

mod name;
mod rules;
mod words;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use leadsman_core::{Family, Options, OptionsError, Preference, Target};
use leadsman_dial::{TlsCache, TlsOptions};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(crate) use name::QueryName;
pub(crate) use rules::{Rule, Rules};
pub(crate) use words::{QueryClass, QueryType, RcodeName, Transport};

use crate::codes::Rcode;
use crate::probe::DnsProbe;
use crate::question::{Manner, Question};

/// Options of the DNS probe, with what was made of them.
#[derive(Debug, Default)]
pub(crate) struct DnsOptions {
    pub(crate) written: Written,
    pub(crate) tls: TlsCache,
}

/// The options as they are written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own, as blackbox_exporter has it"
)]
pub(crate) struct Written {
    /// Name to ask for; needed if any option is written, else it is the root.
    #[serde(default = "nothing")]
    pub(crate) query_name: Option<QueryName>,
    /// Type of the records to ask for, such as A, MX or TYPE65280.
    pub(crate) query_type: QueryType,
    /// Class of the records to ask for: IN, CH, HS, NONE or ANY.
    pub(crate) query_class: QueryClass,
    /// Ask the server to ask others if it does not know (bit RD).
    pub(crate) recursion_desired: bool,
    /// Ask over udp or tcp; tcp if none is given and TLS is spoken, else udp.
    pub(crate) transport_protocol: Option<Transport>,
    /// Speak TLS (RFC 7858); the port is then 853 unless the target has one.
    pub(crate) dns_over_tls: bool,
    /// TLS with the server.
    pub(crate) tls_config: TlsOptions,
    /// Address of this host to ask from; the routing table chooses if none is given.
    pub(crate) source_ip_address: Option<IpAddr>,
    /// Address family to use if the server's name has addresses of both: ip4 or ip6.
    pub(crate) preferred_ip_protocol: String,
    /// Use the other family if the server's name has no address of the preferred one.
    pub(crate) ip_protocol_fallback: bool,
    /// Codes of answers that are good, such as NXDOMAIN; NOERROR if none is given.
    pub(crate) valid_rcodes: Vec<RcodeName>,
    /// What the records of the answer section must be like.
    pub(crate) validate_answer_rrs: Rules,
    /// What the records of the authority section must be like.
    pub(crate) validate_authority_rrs: Rules,
    /// What the records of the additional section must be like.
    pub(crate) validate_additional_rrs: Rules,
    /// Ask again over TCP if the answer over UDP is truncated (RFC 7766), and judge that answer.
    pub(crate) retry_over_tcp: bool,
    /// Speak EDNS (RFC 6891), so that longer answers fit in a datagram.
    pub(crate) edns: bool,
    /// Most bytes to take in a datagram, told with EDNS; from 512.
    pub(crate) edns_buffer_size: BufferSize,
    /// Ask for the records of DNSSEC too (bit DO of EDNS, which is then spoken).
    pub(crate) dnssec_ok: bool,
    /// How many times to ask again over UDP if no answer comes within a fair share of the time.
    pub(crate) retries: u8,
}

/// Most bytes to take in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(crate) struct BufferSize(#[schemars(range(min = 512))] pub(crate) u16);

impl Default for Written {
    fn default() -> Self {
        Self {
            query_name: Some(QueryName::root()),
            query_type: QueryType::default(),
            query_class: QueryClass::default(),
            recursion_desired: true,
            transport_protocol: None,
            dns_over_tls: false,
            tls_config: TlsOptions::default(),
            source_ip_address: None,
            preferred_ip_protocol: "ip6".to_owned(),
            ip_protocol_fallback: true,
            valid_rcodes: Vec::new(),
            validate_answer_rrs: Rules::default(),
            validate_authority_rrs: Rules::default(),
            validate_additional_rrs: Rules::default(),
            retry_over_tcp: false,
            edns: false,
            // What passes through every network unfragmented (DNS flag day 2020).
            edns_buffer_size: BufferSize(1232),
            dnssec_ok: false,
            retries: 0,
        }
    }
}

impl Options for DnsOptions {
    type Probe = DnsProbe;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<DnsProbe, OptionsError> {
        let written = &self.written;
        let is_udp = written.is_udp()?;
        written.rcodes()?;
        for (field, rules) in [
            ("validate_answer_rrs", &written.validate_answer_rrs),
            ("validate_authority_rrs", &written.validate_authority_rrs),
            ("validate_additional_rrs", &written.validate_additional_rrs),
        ] {
            if let Some(why) = rules.mistake() {
                return Err(OptionsError::field(field, why.to_owned()));
            }
        }
        if !written.tls_config.can_be_spoken() {
            let message = "this program speaks TLS 1.2 and 1.3 only";
            return Err(OptionsError::field("tls_config", message)
                .help("set max_version to TLS12 or TLS13, or leave it out"));
        }
        let port = if written.dns_over_tls { 853 } else { 53 };
        let (host, port) = target.host_port(Some(port))?;
        let root = QueryName::root();
        let question = Question::new(
            written.query_name.as_ref().unwrap_or(&root).name(),
            written.query_type.0,
            written.query_class.0,
            written.manner(),
        );
        let name = written.tls_config.server_name.as_deref();
        let name = name.or(target.hostname.as_deref()).unwrap_or(host);
        Ok(DnsProbe {
            host: host.to_owned(),
            port,
            server_name: name.to_owned(),
            is_udp,
            question,
            options: Arc::clone(self),
        })
    }
}

impl Written {
    /// Whether to ask over UDP.
    fn is_udp(&self) -> Result<bool, OptionsError> {
        match &self.transport_protocol {
            None => Ok(!self.dns_over_tls),
            Some(Transport::Tcp) => Ok(false),
            Some(Transport::Udp) if self.dns_over_tls => {
                let message = "DNS over TLS needs TCP, and not UDP";
                Err(OptionsError::field("transport_protocol", message))
            }
            Some(Transport::Udp) => Ok(true),
            Some(Transport::Other(other)) => {
                let message = format!("DNS is asked over udp or tcp, not over `{other}`");
                Err(OptionsError::field("transport_protocol", message))
            }
        }
    }

    /// The codes that are good.
    pub(crate) fn rcodes(&self) -> Result<Vec<Rcode>, OptionsError> {
        if self.valid_rcodes.is_empty() {
            return Ok(vec![Rcode::NO_ERROR]);
        }
        let codes = self.valid_rcodes.iter().map(|name| {
            name.code().ok_or_else(|| {
                let message = format!("there is no code `{}` of an answer", name.as_str());
                OptionsError::field("valid_rcodes", message)
                    .help("write a name such as NOERROR, NXDOMAIN, SERVFAIL or REFUSED")
            })
        });
        codes.collect()
    }

    /// Which address family is wanted: that of the source, if there is one.
    pub(crate) fn preference(&self) -> Preference {
        match self.source_ip_address {
            Some(source) if self.ip_protocol_fallback => Preference {
                family: Family::of(source),
                fallback: true,
            },
            _ => Preference::new(&self.preferred_ip_protocol, self.ip_protocol_fallback),
        }
    }

    fn manner(&self) -> Manner {
        let edns = self.edns || self.dnssec_ok;
        Manner {
            recursion_desired: self.recursion_desired,
            buffer: edns.then_some(self.edns_buffer_size.0),
            dnssec: self.dnssec_ok,
        }
    }
}

/// A name that is not written is missed, unless nothing at all is written.
fn nothing() -> Option<QueryName> {
    None
}

impl<'de> Deserialize<'de> for BufferSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let size = u16::deserialize(deserializer)?;
        if size < 512 {
            return Err(de::Error::custom(
                "expected at least 512 bytes, which every datagram may have",
            ));
        }
        Ok(Self(size))
    }
}

impl<'de> Deserialize<'de> for DnsOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(written) = Option::<Written>::deserialize(deserializer)? else {
            return Ok(Self::default());
        };
        if written.query_name.is_none() {
            return Err(de::Error::missing_field("query_name"));
        }
        if let Some(why) = written.tls_config.contradiction() {
            return Err(de::Error::custom(why));
        }
        Ok(Self {
            written,
            tls: TlsCache::default(),
        })
    }
}

impl Serialize for DnsOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl JsonSchema for DnsOptions {
    fn schema_name() -> Cow<'static, str> {
        "DnsOptions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
