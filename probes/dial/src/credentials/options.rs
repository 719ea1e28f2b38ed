//! As whom does a request introduce itself?
//!
//! The shapes are those of Prometheus's `http_config`. Files of secrets are named here and read by
//! the run that needs them.

use leadsman_core::options::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A user name and a password (RFC 7617).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    /// User name to send.
    pub username: Option<String>,
    /// File with the user name.
    pub username_file: Option<String>,
    /// Password to send.
    pub password: Option<Secret>,
    /// File with the password.
    pub password_file: Option<String>,
}

/// Any other content of the field `Authorization` (RFC 9110, section 11.6.2).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    /// Scheme, Bearer if none is given.
    #[serde(rename = "type")]
    pub scheme: Option<String>,
    /// What follows the scheme.
    pub credentials: Option<Secret>,
    /// File with what follows the scheme.
    pub credentials_file: Option<String>,
}

/// Values of one field of the request.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FieldValues {
    /// Values to send, each as a field of its own.
    pub values: Vec<String>,
    /// Values to send that are never shown.
    pub secrets: Vec<Secret>,
    /// Files with values to send.
    pub files: Vec<String>,
}

impl BasicAuth {
    /// What contradicts itself in it, in words.
    pub fn contradiction(&self) -> Option<&'static str> {
        if self.username.is_some() && self.username_file.is_some() {
            return Some("of `username` and `username_file` at most one may be given");
        }
        let both = self.password.is_some() && self.password_file.is_some();
        both.then_some("of `password` and `password_file` at most one may be given")
    }
}

impl Authorization {
    /// What contradicts itself in it, in words.
    pub fn contradiction(&self) -> Option<&'static str> {
        let scheme = self.scheme.as_deref().unwrap_or_default().trim();
        if scheme.eq_ignore_ascii_case("basic") {
            return Some("for the type `basic` there is `basic_auth`");
        }
        let both = self.credentials.is_some() && self.credentials_file.is_some();
        both.then_some("of `credentials` and `credentials_file` at most one may be given")
    }
}
