//! What may be chosen about TLS with those who connect?
//!
//! The keys, defaults and meaning are those of `tls_server_config` in the web configuration that
//! Prometheus's exporters share. What Go speaks and this program does not, such as TLS 1.1 or suites
//! with CBC, may stand in lists that leave something else; a name that nobody knows is refused.

use std::path::PathBuf;

use leadsman_core::options::Secret;
use rustls::version::TLS12;
use rustls::{NamedGroup, SupportedProtocolVersion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::TlsVersion;

/// Options of TLS for a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerTlsOptions {
    /// Certificate to show, in PEM, with those of its issuers behind it.
    pub cert: Option<String>,
    /// File with the certificate to show, in PEM.
    pub cert_file: Option<PathBuf>,
    /// Private key of the certificate, in PEM.
    pub key: Option<Secret>,
    /// File with the private key of the certificate, in PEM.
    pub key_file: Option<PathBuf>,
    /// Whether a client has to show a certificate, and who must have signed it.
    pub client_auth_type: ClientAuth,
    /// Certificates of the authorities whose clients are trusted, in PEM.
    pub client_ca: Option<String>,
    /// File with the certificates of the authorities whose clients are trusted, in PEM.
    pub client_ca_file: Option<PathBuf>,
    /// Names, addresses or URIs of which a client's certificate has to be for one; any will do if there are none.
    pub client_allowed_sans: Vec<String>,
    /// Lowest version to accept; TLS 1.2 is the lowest that this program speaks.
    pub min_version: Option<TlsVersion>,
    /// Highest version to accept.
    pub max_version: Option<TlsVersion>,
    /// Cipher suites of TLS 1.2 to accept, by their IANA names; all that are good if there are none.
    pub cipher_suites: Vec<CipherSuite>,
    /// Whether the order of the server's list decides, not the client's.
    pub prefer_server_cipher_suites: bool,
    /// Groups to exchange keys with, the best first.
    pub curve_preferences: Vec<Curve>,
}

impl Default for ServerTlsOptions {
    fn default() -> Self {
        Self {
            cert: None,
            cert_file: None,
            key: None,
            key_file: None,
            client_auth_type: ClientAuth::None,
            client_ca: None,
            client_ca_file: None,
            client_allowed_sans: Vec::new(),
            min_version: None,
            max_version: None,
            cipher_suites: Vec::new(),
            prefer_server_cipher_suites: true,
            curve_preferences: Vec::new(),
        }
    }
}

impl ServerTlsOptions {
    /// Whether a version may be spoken.
    pub(super) fn lets(&self, version: &SupportedProtocolVersion) -> bool {
        let version = if *version == TLS12 {
            TlsVersion::Tls12
        } else {
            TlsVersion::Tls13
        };
        self.min_version.is_none_or(|min| version >= min)
            && self.max_version.is_none_or(|max| version <= max)
    }

    /// Whether any of the suites that were chosen is one of TLS 1.2 that this program speaks.
    pub(super) fn has_suite_of_tls12(&self) -> bool {
        self.cipher_suites.iter().any(CipherSuite::is_spoken)
    }
}

/// Whether a client has to show a certificate; the names are Go's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    #[serde(rename = "NoClientCert", alias = "")]
    None,
    /// One is asked for, and whatever comes will do.
    #[serde(rename = "RequestClientCert")]
    Request,
    /// There has to be one, whoever signed it.
    #[serde(rename = "RequireAnyClientCert", alias = "RequireClientCert")]
    RequireAny,
    /// If there is one, a trusted authority has to have signed it.
    #[serde(rename = "VerifyClientCertIfGiven")]
    VerifyIfGiven,
    /// There has to be one that a trusted authority has signed.
    #[serde(rename = "RequireAndVerifyClientCert")]
    RequireAndVerify,
}

/// A cipher suite that Go knows, by its IANA name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct CipherSuite(String);

impl CipherSuite {
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    fn is_spoken(&self) -> bool {
        SPOKEN.contains(&&*self.0)
    }
}

impl TryFrom<String> for CipherSuite {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        // Go's first names of these two were shorter.
        let long = match name.as_str() {
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305" | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305" => {
                format!("{name}_SHA256")
            }
            _ => name.clone(),
        };
        let mut known = SPOKEN.iter().chain(&UNSPOKEN);
        let known = known.find(|known| **known == long);
        known.map(|name| Self((*name).to_owned())).ok_or_else(|| {
            format!(
                "there is no cipher suite `{name}` to choose; there are {}",
                SPOKEN.join(", ")
            )
        })
    }
}

impl From<CipherSuite> for String {
    fn from(suite: CipherSuite) -> Self {
        suite.0
    }
}

/// A group to exchange keys with, by Go's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Curve {
    /// NIST's P-256.
    #[serde(rename = "CurveP256")]
    P256,
    /// NIST's P-384.
    #[serde(rename = "CurveP384")]
    P384,
    /// NIST's P-521, which this program does not know.
    #[serde(rename = "CurveP521")]
    P521,
    /// Curve25519 (RFC 7748).
    X25519,
    /// Curve25519 with ML-KEM-768, which this program does not know.
    X25519MLKEM768,
}

impl Curve {
    pub(super) fn group(self) -> NamedGroup {
        match self {
            Self::P256 => NamedGroup::secp256r1,
            Self::P384 => NamedGroup::secp384r1,
            Self::P521 => NamedGroup::secp521r1,
            Self::X25519 => NamedGroup::X25519,
            Self::X25519MLKEM768 => NamedGroup::X25519MLKEM768,
        }
    }
}

/// The suites of TLS 1.2 that this program speaks.
const SPOKEN: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Those that Go has beside them: without forward secrecy, with CBC, or of TLS 1.3, where none may
/// be chosen.
const UNSPOKEN: [&str; 11] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
];
