//! What may be chosen about a request and its answer?
//!
//! The keys, their defaults and meaning are `blackbox_exporter`'s. What contradicts itself is
//! refused while it is read, so that no probe can be aimed with it.

mod contradiction;
mod encoding;
mod expression;
mod oauth2;
mod size;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::Version;
use leadsman_core::options::Secret;
use leadsman_core::{Options, OptionsError, Preference, Target};
use leadsman_dial::credentials::{Authorization, BasicAuth, Credentials, FieldValues};
use leadsman_dial::{Bypass, Proxy, ProxyError, TlsCache, TlsOptions, TlsVersion};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub(crate) use encoding::{Compression, accepts};
pub(crate) use expression::Expression;
pub(crate) use leadsman_dial::Pattern;
pub(crate) use oauth2::OAuth2;
pub(crate) use size::Size;

use super::exchange::Speaks;
use super::probe::HttpProbe;
use super::target;

/// Options of the HTTP probe, with what was made of them.
#[derive(Debug, Default)]
pub(crate) struct HttpOptions {
    pub(crate) written: Written,
    pub(crate) tls: TlsCache,
    /// For the server that gives the token.
    pub(crate) token_tls: TlsCache,
}

/// The options as they are written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own, as blackbox_exporter has it"
)]
pub(crate) struct Written {
    /// Method of the request.
    pub(crate) method: String,
    /// Fields of the request's header; `Host` also gives the name for TLS.
    pub(crate) headers: BTreeMap<String, String>,
    /// Fields of the request's header with several values, secret ones or ones from files.
    pub(crate) http_headers: BTreeMap<String, FieldValues>,
    /// Body of the request.
    pub(crate) body: Option<String>,
    /// File with the body of the request, read anew in each run.
    pub(crate) body_file: Option<String>,
    /// Status codes that are good; any of 200 to 299 if none is given.
    pub(crate) valid_status_codes: Vec<u16>,
    /// Versions that are good, such as HTTP/1.1 or HTTP/2.0; any if none is given.
    pub(crate) valid_http_versions: Vec<HttpVersion>,
    /// Address family to use if the name has addresses of both: ip4 or ip6.
    pub(crate) preferred_ip_protocol: String,
    /// Use the other family if the name has no address of the preferred one.
    pub(crate) ip_protocol_fallback: bool,
    /// Address of this host to connect from; the routing table chooses if none is given.
    pub(crate) source_ip_address: Option<IpAddr>,
    /// Leave it to the proxy to look up the target's name.
    pub(crate) skip_resolve_phase_with_proxy: bool,
    /// Go where redirects lead, up to ten times.
    pub(crate) follow_redirects: bool,
    /// The opposite of `follow_redirects` under its old name, which goes before it.
    pub(crate) no_follow_redirects: Option<bool>,
    /// Fail if the last response came over TLS.
    pub(crate) fail_if_ssl: bool,
    /// Fail if the last response did not come over TLS.
    pub(crate) fail_if_not_ssl: bool,
    /// Fail if any of these is found in the body.
    pub(crate) fail_if_body_matches_regexp: Vec<Pattern>,
    /// Fail if any of these is not found in the body.
    pub(crate) fail_if_body_not_matches_regexp: Vec<Pattern>,
    /// Fail if this CEL expression about the JSON `body` is true, or cannot be told.
    pub(crate) fail_if_body_json_matches_cel: Option<Expression>,
    /// Fail if this CEL expression about the JSON `body` is not true.
    pub(crate) fail_if_body_json_not_matches_cel: Option<Expression>,
    /// Fail if any value of such a field of the response's header matches.
    pub(crate) fail_if_header_matches: Vec<HeaderMatch>,
    /// Fail if no value of such a field of the response's header matches.
    pub(crate) fail_if_header_not_matches: Vec<HeaderMatch>,
    /// Coding that the response must have, which is asked for and taken off.
    pub(crate) compression: Option<Compression>,
    /// Most bytes that the body may have, decoded, such as 128B or 10MB; 0 for no limit.
    pub(crate) body_size_limit: Size,
    /// Offer HTTP/2 in the TLS handshake.
    pub(crate) enable_http2: bool,
    /// Ask over HTTP/3 alone, which needs `enable_http2: false` and a program built with the feature `http3`.
    pub(crate) enable_http3: bool,
    /// User name and password to send.
    pub(crate) basic_auth: Option<BasicAuth>,
    /// Other credentials to send.
    pub(crate) authorization: Option<Authorization>,
    /// Bearer token to send; the old name for `authorization.credentials`.
    pub(crate) bearer_token: Option<Secret>,
    /// File with the bearer token; the old name for `authorization.credentials_file`.
    pub(crate) bearer_token_file: Option<String>,
    /// Token to ask another server for and to send.
    pub(crate) oauth2: Option<OAuth2>,
    /// TLS with the target, and with where it redirects to.
    pub(crate) tls_config: TlsOptions,
    /// Proxy to ask through: an http, https or socks5 URL.
    pub(crate) proxy_url: Option<String>,
    /// Hosts to ask without the proxy, as in the environment variable `NO_PROXY`.
    pub(crate) no_proxy: String,
    /// Take the proxy from the environment variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    pub(crate) proxy_from_environment: bool,
    /// Fields to send to the proxy when it opens a tunnel.
    pub(crate) proxy_connect_header: BTreeMap<String, Vec<Secret>>,
}

/// A version of HTTP as the configuration calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum HttpVersion {
    /// HTTP/1.0 (RFC 1945).
    #[serde(rename = "HTTP/1.0")]
    Http10,
    /// HTTP/1.1 (RFC 9112).
    #[serde(rename = "HTTP/1.1")]
    Http11,
    /// HTTP/2 (RFC 9113).
    #[serde(rename = "HTTP/2.0", alias = "HTTP/2")]
    Http2,
    /// HTTP/3 (RFC 9114).
    #[serde(rename = "HTTP/3.0", alias = "HTTP/3")]
    Http3,
}

/// A field of the response's header and what its values should be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderMatch {
    /// Name of the field.
    pub(crate) header: String,
    /// What to look for in its values.
    pub(crate) regexp: Pattern,
    /// Whether the field may be missing.
    #[serde(default)]
    pub(crate) allow_missing: bool,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            headers: BTreeMap::new(),
            http_headers: BTreeMap::new(),
            body: None,
            body_file: None,
            valid_status_codes: Vec::new(),
            valid_http_versions: Vec::new(),
            preferred_ip_protocol: "ip6".to_owned(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            skip_resolve_phase_with_proxy: false,
            follow_redirects: true,
            no_follow_redirects: None,
            fail_if_ssl: false,
            fail_if_not_ssl: false,
            fail_if_body_matches_regexp: Vec::new(),
            fail_if_body_not_matches_regexp: Vec::new(),
            fail_if_body_json_matches_cel: None,
            fail_if_body_json_not_matches_cel: None,
            fail_if_header_matches: Vec::new(),
            fail_if_header_not_matches: Vec::new(),
            compression: None,
            body_size_limit: Size(0),
            enable_http2: true,
            enable_http3: false,
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            oauth2: None,
            tls_config: TlsOptions::default(),
            proxy_url: None,
            no_proxy: String::new(),
            proxy_from_environment: false,
            proxy_connect_header: BTreeMap::new(),
        }
    }
}

impl Options for HttpOptions {
    type Probe = HttpProbe;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<HttpProbe, OptionsError> {
        let url = target::url(&target.address)?;
        let written = &self.written;
        if written.enable_http3 {
            let message = written.no_http3(&url);
            if let Some(message) = message {
                return Err(OptionsError::field("enable_http3", message));
            }
        }
        if !written.tls_config.can_be_spoken() {
            let message = "this program speaks TLS 1.2 and 1.3 only";
            return Err(OptionsError::field("tls_config", message)
                .help("set max_version to TLS12 or TLS13, or leave it out"));
        }
        let host = written.host();
        if let (Some(host), Some(wanted)) = (host, target.hostname.as_deref())
            && host != wanted
        {
            let message = format!("the field Host is {host}, but {wanted} is asked for");
            return Err(OptionsError::field("headers", message));
        }
        let host = host.or(target.hostname.as_deref()).map(str::to_owned);
        Ok(HttpProbe::new(Arc::clone(self), url, host))
    }
}

impl Written {
    /// The field `Host`, if it is given.
    fn host(&self) -> Option<&str> {
        let mut fields = self.headers.iter();
        let host = fields.find(|(name, _)| name.eq_ignore_ascii_case("host"));
        host.map(|(_, value)| value.as_str())
    }

    /// Why a URL cannot be asked over HTTP/3, if it cannot.
    fn no_http3(&self, url: &url::Url) -> Option<&'static str> {
        let older = self.tls_config.max_version;
        if url.scheme() != "https" {
            Some("HTTP/3 is spoken over https only")
        } else if self.proxy_url.is_some() || self.proxy_from_environment {
            Some("HTTP/3 is spoken through no proxy")
        } else if older.is_some_and(|version| version < TlsVersion::Tls13) {
            Some("HTTP/3 needs TLS 1.3, which `tls_config` excludes")
        } else if !cfg!(feature = "http3") {
            Some("this program does not speak HTTP/3: it was built without the feature `http3`")
        } else {
            None
        }
    }

    /// Which address family is wanted.
    pub(crate) fn preference(&self) -> Preference {
        Preference::new(&self.preferred_ip_protocol, self.ip_protocol_fallback)
    }

    /// Which versions of HTTP are spoken.
    pub(crate) fn speaks(&self) -> Speaks {
        match (self.enable_http3, self.enable_http2) {
            (true, _) => Speaks::Http3,
            (false, true) => Speaks::Http2,
            (false, false) => Speaks::Http1,
        }
    }

    /// Whether to go where redirects lead.
    pub(crate) fn follows(&self) -> bool {
        self.no_follow_redirects
            .map_or(self.follow_redirects, |not| !not)
    }

    /// Whether there is a CEL expression.
    pub(crate) fn has_expression(&self) -> bool {
        self.fail_if_body_json_matches_cel.is_some()
            || self.fail_if_body_json_not_matches_cel.is_some()
    }

    /// Who is asking, unless a token is asked for first.
    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            bearer_token: self.bearer_token.as_ref(),
            bearer_token_file: self.bearer_token_file.as_deref(),
        }
    }

    /// Where a request to `url` goes through, if not directly there.
    pub(crate) fn proxy(&self, url: &url::Url) -> Result<Option<Proxy>, ProxyError> {
        route(
            self.proxy_url.as_deref(),
            &self.no_proxy,
            self.proxy_from_environment,
            url,
        )
    }
}

/// Where a request goes through. What fails is only the environment's proxy: one that is written
/// was checked when the options were read.
pub(crate) fn route(
    proxy: Option<&str>,
    no_proxy: &str,
    environment: bool,
    target: &url::Url,
) -> Result<Option<Proxy>, ProxyError> {
    match proxy {
        _ if environment => Proxy::of_environment(target),
        Some(proxy) if !Bypass::new(no_proxy).names(target) => proxy.parse().map(Some),
        _ => Ok(None),
    }
}

impl HttpVersion {
    /// As hyper calls it.
    pub(crate) fn is(self, version: Version) -> bool {
        version
            == match self {
                Self::Http10 => Version::HTTP_10,
                Self::Http11 => Version::HTTP_11,
                Self::Http2 => Version::HTTP_2,
                Self::Http3 => Version::HTTP_3,
            }
    }
}

impl<'de> Deserialize<'de> for HttpOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        if let Some(why) = written.contradiction() {
            return Err(de::Error::custom(why));
        }
        Ok(Self {
            written,
            ..Self::default()
        })
    }
}

impl Serialize for HttpOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl JsonSchema for HttpOptions {
    fn schema_name() -> Cow<'static, str> {
        "HttpOptions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
