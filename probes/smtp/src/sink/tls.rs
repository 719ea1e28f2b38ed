//! Which certificate does the sink show?
//!
//! The one that lies in the files that were named, read anew for each session that wants TLS, so that
//! a renewed one is shown at once. What cannot be used is told in the log, and the one of before is
//! kept. No client is asked for a certificate.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tracing::warn;

use super::options::CertificateOptions;

/// How TLS is spoken with those who want it.
#[derive(Debug)]
pub(super) struct Tls {
    files: CertificateOptions,
    last: Mutex<Arc<ServerConfig>>,
}

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// A file is not there, or may not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is something else in a file.
    #[error("cannot find a {what} in {}: {source}", .path.display())]
    Parse {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// Both are there, but do not fit together or are of an unknown kind.
    #[error("cannot use the certificate in {} with its key: {source}", .path.display())]
    Unfit {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads the certificate and its key.
    pub(super) fn open(files: CertificateOptions) -> Result<Self, TlsError> {
        let last = Mutex::new(Arc::new(read(&files)?));
        Ok(Self { files, last })
    }

    /// Whether it comes before everything else.
    pub(super) fn is_implicit(&self) -> bool {
        self.files.implicit
    }

    /// What agrees on TLS with a peer.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&self.files) {
            Ok(config) => *last = Arc::new(config),
            Err(why) => warn!(%why, "keeps showing the certificate of before"),
        }
        TlsAcceptor::from(Arc::clone(&last))
    }
}

fn read(files: &CertificateOptions) -> Result<ServerConfig, TlsError> {
    let chain = content(&files.cert_file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.map_err(|source| unfound("certificate", &files.cert_file, source))?;
    if chain.is_empty() {
        let none = pem::Error::NoItemsFound;
        return Err(unfound("certificate", &files.cert_file, none));
    }
    let key = PrivateKeyDer::from_pem_slice(&content(&files.key_file)?);
    let key = key.map_err(|source| unfound("private key", &files.key_file, source))?;
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows what every client knows")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|source| TlsError::Unfit {
            path: files.cert_file.clone(),
            source,
        })
}

fn content(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn unfound(what: &'static str, path: &Path, source: pem::Error) -> TlsError {
    TlsError::Parse {
        what,
        path: path.to_owned(),
        source,
    }
}
