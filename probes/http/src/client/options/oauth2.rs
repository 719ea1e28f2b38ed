//! How is a token asked for that a request carries?
//!
//! The shape is that of Prometheus's `http_config`. Files of secrets are named here and read by the
//! run that needs them.

use std::collections::BTreeMap;

use leadsman_core::options::Secret;
use leadsman_dial::TlsOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A token that is asked for beforehand, with the client's own credentials (RFC 6749, section 4.4).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OAuth2 {
    /// Identifier of the client.
    pub(crate) client_id: String,
    /// Secret of the client.
    pub(crate) client_secret: Option<Secret>,
    /// File with the secret of the client.
    pub(crate) client_secret_file: Option<String>,
    /// Scopes to ask for.
    pub(crate) scopes: Vec<String>,
    /// URL that gives the token.
    pub(crate) token_url: String,
    /// More parameters of the request for a token.
    pub(crate) endpoint_params: BTreeMap<String, String>,
    /// TLS with the server that gives the token.
    pub(crate) tls_config: TlsOptions,
    /// Proxy to ask for the token through: an http, https or socks5 URL.
    pub(crate) proxy_url: Option<String>,
    /// Hosts to ask without the proxy, as in the environment variable `NO_PROXY`.
    pub(crate) no_proxy: String,
    /// Take the proxy from the environment variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
    pub(crate) proxy_from_environment: bool,
    /// Fields to send to the proxy when it opens a tunnel.
    pub(crate) proxy_connect_header: BTreeMap<String, Vec<Secret>>,
}

impl OAuth2 {
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        if self.client_id.is_empty() {
            return Some("`oauth2` needs a `client_id`");
        }
        if self.token_url.is_empty() {
            return Some("`oauth2` needs a `token_url`");
        }
        if self.client_secret.is_some() && self.client_secret_file.is_some() {
            return Some("of `client_secret` and `client_secret_file` at most one may be given");
        }
        self.tls_config.contradiction()
    }
}
