//! What may be chosen about TLS?
//!
//! The keys, defaults and meaning are those of Prometheus's `tls_config`. Files are named here and
//! read when a run needs them, see [`super::cache`].

use leadsman_core::options::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// Accept whatever certificate the server shows, whoever signed it, for whatever name and time.
    pub insecure_skip_verify: bool,
    /// Certificates of the authorities to trust, in PEM, in place of the system's.
    pub ca: Option<String>,
    /// File with the certificates of the authorities to trust, in PEM, in place of the system's.
    pub ca_file: Option<String>,
    /// Certificate to show to the server, in PEM, with those of its issuers behind it.
    pub cert: Option<String>,
    /// File with the certificate to show to the server, in PEM.
    pub cert_file: Option<String>,
    /// Private key of the certificate, in PEM.
    pub key: Option<Secret>,
    /// File with the private key of the certificate, in PEM.
    pub key_file: Option<String>,
    /// Name that the server's certificate must have, and that is sent to it; the target's host if none is given.
    pub server_name: Option<String>,
    /// Lowest version to accept; TLS 1.2 is the lowest that this program speaks.
    pub min_version: Option<TlsVersion>,
    /// Highest version to offer.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS as the configuration calls it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum TlsVersion {
    /// TLS 1.0 (RFC 2246), which this program does not speak.
    #[serde(rename = "TLS10")]
    Tls10,
    /// TLS 1.1 (RFC 4346), which this program does not speak.
    #[serde(rename = "TLS11")]
    Tls11,
    /// TLS 1.2 (RFC 5246).
    #[serde(rename = "TLS12")]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "TLS13")]
    Tls13,
}

impl TlsOptions {
    /// What contradicts itself in these options, in words; `None` if nothing does.
    pub fn contradiction(&self) -> Option<&'static str> {
        let cert = (self.cert.is_some(), self.cert_file.is_some());
        let key = (self.key.is_some(), self.key_file.is_some());
        let has = |(inline, file): (bool, bool)| inline || file;
        if self.ca.is_some() && self.ca_file.is_some() {
            Some("of `ca` and `ca_file` at most one may be given")
        } else if cert == (true, true) {
            Some("of `cert` and `cert_file` at most one may be given")
        } else if key == (true, true) {
            Some("of `key` and `key_file` at most one may be given")
        } else if has(cert) && !has(key) {
            Some("a certificate needs its key: give `key` or `key_file` too")
        } else if has(key) && !has(cert) {
            Some("a key needs its certificate: give `cert` or `cert_file` too")
        } else if self.min_version > self.max_version && self.max_version.is_some() {
            Some("`min_version` must not be above `max_version`")
        } else {
            None
        }
    }

    /// Whether there is a version left that this program speaks.
    pub fn can_be_spoken(&self) -> bool {
        self.max_version
            .is_none_or(|version| version >= TlsVersion::Tls12)
    }
}
