//! Which certificate does the server show?
//!
//! The one that lies in the files that were named, as they are now: they are looked at again and
//! again, so that a certificate that was renewed is shown without a restart. What cannot be used is
//! told, and the one of before is kept. No client is asked for a certificate.

use std::convert::Infallible;
use std::fs::File;
use std::future::pending;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tracing::{info, warn};

use super::directory::Stamp;
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

/// How TLS is spoken with those who connect.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsOptions,
    /// Both files as they were when they were last looked at; `None` if one could not be opened.
    seen: Option<[Stamp; 2]>,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
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
    #[error("cannot use the certificate in {} with the key in {}: {source}", .files.cert_file.display(), .files.key_file.display())]
    Unfit {
        /// The files.
        files: TlsOptions,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads the certificate and its key.
    pub(super) fn open(files: TlsOptions) -> Result<Self, TlsError> {
        let pair = Pair::open(&files)?;
        let seen = Some(pair.stamps);
        let shown = Arc::new(Shown(ArcSwap::from_pointee(pair.read(&files)?)));
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows what every client knows")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as _);
        config.alpn_protocols = vec![http2::ALPN.to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            files,
            seen,
            shown,
            config: Arc::new(config),
        })
    }

    /// What agrees on TLS with a peer. It shows the latest certificate, whenever it was made.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Shows what is in the files from now on, if they have changed; says whether they have.
    fn look(&mut self) -> Result<bool, TlsError> {
        let pair = Pair::open(&self.files);
        let stamps = pair.as_ref().ok().map(|pair| pair.stamps);
        if stamps == self.seen {
            return Ok(false);
        }
        // Or what is wrong would be told again and again.
        self.seen = stamps;
        let certified = pair?.read(&self.files)?;
        self.shown.0.store(Arc::new(certified));
        Ok(true)
    }
}

/// Looks at the files for as long as it is polled.
pub(super) async fn follow(tls: Option<Tls>) -> Infallible {
    let Some(mut tls) = tls else {
        return pending().await;
    };
    loop {
        sleep(INTERVAL).await;
        let look = move || {
            let looked = tls.look();
            (tls, looked)
        };
        let looked;
        (tls, looked) = spawn_blocking(look)
            .await
            .expect("looking at two files does not panic");
        match looked {
            Ok(false) => {}
            Ok(true) => info!(file = %tls.files.cert_file.display(), "shows a new certificate"),
            Err(why) => warn!(%why, "keeps showing the certificate of before"),
        }
    }
}

/// What is shown now.
#[derive(Debug)]
struct Shown(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Both files, open.
struct Pair {
    files: [File; 2],
    stamps: [Stamp; 2],
}

impl Pair {
    fn open(files: &TlsOptions) -> Result<Self, TlsError> {
        let open = |path: &Path| {
            let opened = File::open(path).and_then(|file| Ok((Stamp::of_file(&file)?, file)));
            opened.map_err(|source| unreadable(path, source))
        };
        let (certificate, key) = (open(&files.cert_file)?, open(&files.key_file)?);
        Ok(Self {
            stamps: [certificate.0, key.0],
            files: [certificate.1, key.1],
        })
    }

    fn read(self, files: &TlsOptions) -> Result<CertifiedKey, TlsError> {
        let [certificate, key] = self.files;
        let certificate = content(certificate, &files.cert_file)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
        let chain = chain.and_then(|chain| {
            let none = chain.is_empty().then_some(pem::Error::NoItemsFound);
            none.map_or(Ok(chain), Err)
        });
        let chain = chain.map_err(|source| TlsError::Parse {
            what: "certificate",
            path: files.cert_file.clone(),
            source,
        })?;
        let key = PrivateKeyDer::from_pem_slice(&content(key, &files.key_file)?);
        let key = key.map_err(|source| TlsError::Parse {
            what: "private key",
            path: files.key_file.clone(),
            source,
        })?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        certified.map_err(|source| TlsError::Unfit {
            files: files.clone(),
            source,
        })
    }
}

fn content(mut file: File, path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut content = Vec::new();
    file.read_to_end(&mut content)
        .map_err(|source| unreadable(path, source))?;
    Ok(content)
}

fn unreadable(path: &Path, source: io::Error) -> TlsError {
    TlsError::Read {
        path: path.to_owned(),
        source,
    }
}

/// How long a renewed certificate may lie there unseen.
const INTERVAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertifiedKey as Generated, generate_simple_self_signed};
    use tempfile::TempDir;

    use super::*;

    fn generate() -> (String, String) {
        let Generated { cert, signing_key } = generate_simple_self_signed(["a".into()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    /// Puts another file at a path at once, as who renews certificates does.
    fn put(path: &Path, content: &str) {
        let beside = path.with_extension("new");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, path).unwrap();
    }

    fn shown(tls: &Tls) -> Vec<u8> {
        tls.shown.0.load().cert[0].to_vec()
    }

    fn der(certificate: &str) -> Vec<u8> {
        CertificateDer::from_pem_slice(certificate.as_bytes())
            .unwrap()
            .to_vec()
    }

    #[test]
    fn renewed_certificate_is_shown_once_it_is_whole() {
        let directory = TempDir::new().unwrap();
        let files = TlsOptions {
            cert_file: directory.path().join("cert"),
            key_file: directory.path().join("key"),
        };
        let ((first, first_key), (second, second_key)) = (generate(), generate());
        put(&files.cert_file, &first);
        put(&files.key_file, &first_key);
        let mut tls = Tls::open(files.clone()).unwrap();
        let mut look = |expected: Result<bool, &str>, certificate: &str| {
            let looked = tls.look().map_err(|why| why.to_string());
            match (&looked, expected) {
                (Err(why), Err(begin)) => assert!(why.starts_with(begin), "{why}"),
                _ => assert_eq!(looked.as_ref().ok(), expected.ok().as_ref(), "{looked:?}"),
            }
            assert_eq!(shown(&tls), der(certificate));
        };
        look(Ok(false), &first);
        put(&files.cert_file, "nonsense");
        look(Err("cannot find a certificate in "), &first);
        look(Ok(false), &first);
        put(&files.cert_file, &second);
        look(Err("cannot use the certificate in "), &first);
        put(&files.key_file, &second_key);
        look(Ok(true), &second);
        fs::remove_file(&files.key_file).unwrap();
        look(Err("cannot read "), &second);
        look(Ok(false), &second);
        put(&files.key_file, &first);
        look(Err("cannot find a private key in "), &second);
        put(&files.cert_file, &first);
        put(&files.key_file, &first_key);
        look(Ok(true), &first);
    }

    #[test]
    fn server_without_a_usable_certificate_is_not_opened() {
        let files = TlsOptions {
            cert_file: "none".into(),
            key_file: "none".into(),
        };
        let why = Tls::open(files).unwrap_err().to_string();
        assert!(why.starts_with("cannot read none: "), "{why}");
    }
}
