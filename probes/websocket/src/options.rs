//! What may be chosen about a WebSocket and what is said there?
//!
//! The keys, their defaults and meaning are those of `blackbox_exporter`'s `websocket` prober,
//! `source_ip_address` is ours. What contradicts itself is refused while it is read.

mod fields;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use leadsman_core::options::Secret;
use leadsman_core::{Options, OptionsError, Preference, Target};
use leadsman_dial::credentials::{Authorization, BasicAuth, Credentials};
use leadsman_dial::{Step, TlsCache, TlsOptions};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::probe::WebsocketProbe;
use super::target::Place;
use fields::Field;

/// Options of the WebSocket probe, with what was made of them.
#[derive(Debug, Default)]
pub(crate) struct WebsocketOptions {
    pub(crate) written: Written,
    pub(crate) tls: TlsCache,
}

/// The options as they are written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    /// How the server is asked.
    pub(crate) http_config: HttpConfig,
    /// Fields of the request, each a text or with `values`, `secrets` and `files`; `Host` replaces the URL's.
    pub(crate) headers: BTreeMap<String, Field>,
    /// What is said once the WebSocket is open: each step waits for one message and sends one.
    pub(crate) query_response: Vec<Step>,
    /// Address family to use if the name has addresses of both: ip4 or ip6.
    pub(crate) preferred_ip_protocol: String,
    /// Use the other family if the name has no address of the preferred one.
    pub(crate) ip_protocol_fallback: bool,
    /// Address of this host to connect from; the routing table chooses if none is given.
    pub(crate) source_ip_address: Option<IpAddr>,
}

/// How the server is asked.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpConfig {
    /// User name and password to send.
    pub(crate) basic_auth: Option<BasicAuth>,
    /// Other credentials to send.
    pub(crate) authorization: Option<Authorization>,
    /// Bearer token to send; the old name for `authorization.credentials`.
    pub(crate) bearer_token: Option<Secret>,
    /// File with the bearer token; the old name for `authorization.credentials_file`.
    pub(crate) bearer_token_file: Option<String>,
    /// TLS with the server.
    pub(crate) tls_config: TlsOptions,
    /// Has no effect, for redirects are never followed.
    pub(crate) follow_redirects: bool,
    /// Has no effect, for a WebSocket is asked for in HTTP/1.1.
    pub(crate) enable_http2: bool,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            http_config: HttpConfig::default(),
            headers: BTreeMap::new(),
            query_response: Vec::new(),
            preferred_ip_protocol: "ip6".to_owned(),
            ip_protocol_fallback: true,
            source_ip_address: None,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            tls_config: TlsOptions::default(),
            follow_redirects: true,
            enable_http2: true,
        }
    }
}

impl Options for WebsocketOptions {
    type Probe = WebsocketProbe;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<WebsocketProbe, OptionsError> {
        let place = Place::read(&target.address)?;
        if !self.written.http_config.tls_config.can_be_spoken() {
            let message = "this program speaks TLS 1.2 and 1.3 only";
            return Err(OptionsError::field("http_config", message)
                .help("set tls_config.max_version to TLS12 or TLS13, or leave it out"));
        }
        let hostname = target.hostname.as_deref().map(str::to_owned);
        Ok(WebsocketProbe::new(Arc::clone(self), place, hostname))
    }
}

impl Written {
    /// Which address family is wanted.
    pub(crate) fn preference(&self) -> Preference {
        Preference::new(&self.preferred_ip_protocol, self.ip_protocol_fallback)
    }

    fn contradiction(&self) -> Option<String> {
        let (config, credentials) = (&self.http_config, self.http_config.credentials());
        if credentials.ways() > 1 {
            return Some(
                "of `basic_auth`, `authorization`, `bearer_token` and `bearer_token_file` at most \
                 one may be given"
                    .to_owned(),
            );
        }
        let part = credentials.contradiction();
        if let Some(part) = part.or_else(|| config.tls_config.contradiction()) {
            return Some(part.to_owned());
        }
        for (name, Field(values)) in &self.headers {
            let is_ours = OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
            if is_ours || HeaderName::try_from(name).is_err() {
                return Some(format!("the field `{name}` cannot be set in `headers`"));
            }
            if values
                .values
                .iter()
                .any(|value| HeaderValue::from_str(value).is_err())
            {
                return Some(format!("the field `{name}` of `headers` cannot be sent"));
            }
        }
        let mut steps = self.query_response.iter();
        steps
            .any(Step::starts_tls)
            .then(|| "`starttls` has no meaning in a WebSocket: ask for a wss:// URL".to_owned())
    }
}

impl HttpConfig {
    /// Who is asking.
    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            bearer_token: self.bearer_token.as_ref(),
            bearer_token_file: self.bearer_token_file.as_deref(),
        }
    }
}

impl<'de> Deserialize<'de> for WebsocketOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        if let Some(why) = written.contradiction() {
            return Err(de::Error::custom(why));
        }
        Ok(Self {
            written,
            tls: TlsCache::default(),
        })
    }
}

impl Serialize for WebsocketOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl JsonSchema for WebsocketOptions {
    fn schema_name() -> Cow<'static, str> {
        "WebsocketOptions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

/// Fields that the handshake and the connection set (RFC 6455, section 4.1).
const OURS: [&str; 9] = [
    "Connection",
    "Content-Length",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Extensions",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "TE",
    "Transfer-Encoding",
    "Upgrade",
];

#[cfg(test)]
mod tests {
    use leadsman_core::testing::Bench;
    use serde_json::{Value, json};

    use super::*;

    fn refused(key: &str, value: &Value) -> Option<String> {
        let bench = Bench::linked("websocket").option(key, value);
        let aimed = bench.aim(&Target::new("ws://a.test/"));
        aimed.err().map(|mistakes| mistakes[0].to_string())
    }

    #[test]
    fn what_can_be_followed_is_accepted() {
        for (key, value) in [
            ("headers", json!({ "X": "my_header" })),
            (
                "headers",
                json!({ "X": { "values": ["a"], "secrets": ["b"], "files": ["c"] } }),
            ),
            (
                "http_config",
                json!({ "basic_auth": { "username": "u", "password": "p" } }),
            ),
            (
                "http_config",
                json!({ "follow_redirects": false, "enable_http2": false }),
            ),
            (
                "query_response",
                json!([{ "expect": "incoming_(.+)", "send": "outgoing_${1}" }]),
            ),
        ] {
            assert_eq!(refused(key, &value), None, "{value}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for (key, value, expected) in [
            ("headers", json!({ "Upgrade": "h2c" }), "cannot be set"),
            ("headers", json!({ "a b": "x" }), "cannot be set"),
            ("headers", json!({ "X": "a\nb" }), "cannot be sent"),
            ("headers", json!({ "X": { "value": "a" } }), "`value`"),
            (
                "http_config",
                json!({ "proxy_url": "http://p" }),
                "`proxy_url`",
            ),
            (
                "http_config",
                json!({ "bearer_token": "x", "bearer_token_file": "y" }),
                "at most one",
            ),
            (
                "http_config",
                json!({ "basic_auth": { "password": "x", "password_file": "y" } }),
                "at most one",
            ),
            (
                "http_config",
                json!({ "tls_config": { "cert": "x" } }),
                "needs its key",
            ),
            (
                "http_config",
                json!({ "tls_config": { "max_version": "TLS11" } }),
                "TLS 1.2",
            ),
            (
                "query_response",
                json!([{ "expect": ":[" }]),
                "not a regular expression",
            ),
            (
                "query_response",
                json!([{ "starttls": true }]),
                "`starttls`",
            ),
        ] {
            let said = refused(key, &value).unwrap_or_default();
            assert!(said.contains(expected), "{value}: {said:?}");
        }
    }
}
