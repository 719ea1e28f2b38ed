//! Which certificate does the server show?
//!
//! The one that lies in the files that were named, as they are now: they are looked at again and
//! again, so that a certificate that was renewed is shown without a restart. What cannot be used is
//! told, and the one of before is kept. No client is asked for a certificate.

use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leadsman_dial::{Renewable, ServerTlsError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use super::http2;

/// Where the certificate and its key lie.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsOptions {
    /// PEM file with the server's certificate, then those that vouch for it.
    pub(super) cert_file: PathBuf,
    /// PEM file with the certificate's private key.
    pub(super) key_file: PathBuf,
}

impl TlsOptions {
    /// Reads the certificate and its key.
    pub(super) fn open(self) -> Result<Renewable, ServerTlsError> {
        Renewable::open(self.cert_file, self.key_file, &[http2::ALPN, b"http/1.1"])
    }
}

/// Looks at the files for as long as it is polled.
pub(super) async fn follow(tls: Option<Arc<Renewable>>) -> Infallible {
    let Some(tls) = tls else {
        return pending().await;
    };
    let file = tls.cert_file().display();
    loop {
        sleep(INTERVAL).await;
        let looked = {
            let tls = Arc::clone(&tls);
            spawn_blocking(move || tls.look()).await
        };
        match looked.expect("looking at two files does not panic") {
            Ok(false) => {}
            Ok(true) => info!(%file, "shows a new certificate"),
            Err(why) => warn!(%why, "keeps showing the certificate of before"),
        }
    }
}

/// How long a renewed certificate may lie there unseen.
const INTERVAL: Duration = Duration::from_secs(10);
