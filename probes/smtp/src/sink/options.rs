//! What does a person say of a sink?

use std::error::Error;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use leadsman_core::options::Period;
use leadsman_core::{Responder, ResponderOptions, async_trait};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::responder::MailSink;

/// For whom mail is taken, where, and how much of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SinkOptions {
    /// Address and port to listen on.
    pub(super) listen: SocketAddr,
    /// Addresses for which mail is taken; for any other it is refused. There is no default, so that
    /// no mail is taken by mistake.
    pub(super) recipients: Vec<String>,
    /// What the sink calls itself.
    pub(super) hostname: String,
    /// What is spoken: `smtp`, or `lmtp` as behind another mail server.
    pub(super) protocol: Protocol,
    /// The certificate to speak TLS with, and its key; without it, TLS is not offered. Both files are
    /// read again for each session that wants it.
    pub(super) tls: Option<CertificateOptions>,
    /// Octets of a message; a larger one is refused.
    pub(super) max_size: NonZeroU64,
    /// Connections at once; one more is turned away.
    pub(super) max_connections: NonZeroUsize,
    /// How long a client may take for a line, from its first octet.
    pub(super) line_timeout: Period,
    /// How long a client may be silent.
    pub(super) idle_timeout: Period,
    /// How long a session may take as a whole.
    pub(super) session_timeout: Period,
    /// Whether every message is told in the log, and every session that was cut off.
    pub(super) access_log: bool,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// Where the certificate and its key lie, and when they are used.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateOptions {
    /// PEM file with the sink's certificate, then those that vouch for it.
    pub(super) cert_file: PathBuf,
    /// PEM file with the certificate's private key.
    pub(super) key_file: PathBuf,
    /// Whether TLS comes before everything else, as on port 465 (RFC 8314); or else it is offered as
    /// STARTTLS.
    #[serde(default)]
    pub(super) implicit: bool,
}

impl Default for SinkOptions {
    fn default() -> Self {
        let seconds = |seconds| Period(Duration::from_secs(seconds));
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 2525)),
            recipients: Vec::new(),
            hostname: "localhost".to_owned(),
            protocol: Protocol::default(),
            tls: None,
            max_size: const { NonZeroU64::new(1 << 20).expect("it is not zero") },
            max_connections: const { NonZeroUsize::new(64).expect("it is not zero") },
            line_timeout: seconds(10),
            idle_timeout: seconds(60),
            session_timeout: seconds(600),
            access_log: false,
        }
    }
}

#[async_trait]
impl ResponderOptions for SinkOptions {
    async fn open(&self) -> Result<Box<dyn Responder>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(MailSink::open(self)?))
    }
}
