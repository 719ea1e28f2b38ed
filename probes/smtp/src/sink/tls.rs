//! Which certificate does the sink show?
//!
//! The one that lies in the files that were named, looked at for each session that wants TLS, so that
//! a renewed one is shown at once. What cannot be used is told in the log, and the one of before is
//! kept. No client is asked for a certificate.

use leadsman_dial::{Renewable, ServerTls, ServerTlsError};
use tracing::warn;

use super::options::CertificateOptions;

/// How TLS is spoken with those who want it.
#[derive(Debug)]
pub(super) struct Tls {
    files: Renewable,
    is_implicit: bool,
}

impl Tls {
    /// Reads the certificate and its key.
    pub(super) fn open(options: CertificateOptions) -> Result<Self, ServerTlsError> {
        Ok(Self {
            files: Renewable::open(options.cert_file, options.key_file, &[])?,
            is_implicit: options.implicit,
        })
    }

    /// Whether it comes before everything else.
    pub(super) fn is_implicit(&self) -> bool {
        self.is_implicit
    }

    /// How it is spoken with the next client.
    pub(super) fn latest(&self) -> ServerTls {
        if let Err(why) = self.files.look() {
            warn!(%why, "keeps showing the certificate of before");
        }
        self.files.tls()
    }
}
