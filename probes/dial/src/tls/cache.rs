//! When are the files of TLS options read?
//!
//! By the first run that needs them, and again by one that comes a second or more after the last
//! look, so that a renewed certificate is noticed without a reload. While their content stays the
//! same so does what was made of it: a probe of ten thousand targets reads each file once a second.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leadsman_core::options::Secret;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::time::Instant;

use super::library::Library;
use super::options::{TlsOptions, TlsVersion};
use super::roots::Roots;
use super::verifier::Verifier;
use super::{PROVIDER, Tls};

/// Why TLS cannot be spoken as the options want it. Never the target's fault.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}, the file of `{option}`")]
    File {
        /// Under which option it is named.
        option: &'static str,
        /// As written in the options.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// What should hold certificates of authorities holds none.
    #[error("there is no certificate of an authority in `ca` or `ca_file`: it must hold PEM")]
    NoAuthority,
    /// The system has no authorities to trust.
    #[error(
        "this system has no certificates of authorities to trust: install ca-certificates, or set `ca_file`"
    )]
    NoSystemAuthority,
    /// The client's certificate is none.
    #[error("there is no certificate in `cert` or `cert_file`: it must hold PEM")]
    NoCertificate,
    /// The client's key is none.
    #[error(
        "there is no private key in `key` or `key_file`: it must hold PEM without a passphrase"
    )]
    NoKey,
    /// Certificate and key do not belong together, or are of a kind that cannot be used.
    #[error("cannot use the certificate with its key")]
    Unusable(#[source] rustls::Error),
}

/// What was last made of TLS options, kept beside them.
#[derive(Debug, Default)]
pub struct TlsCache(Mutex<Option<Made>>);

#[derive(Clone, Debug)]
struct Made {
    tls: Tls,
    contents: Contents,
    looked: Instant,
}

/// What authorities, certificate and key are, from a file or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Contents {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl TlsCache {
    /// What these options say, with their files as they are now or were less than a second ago.
    /// Always ask with the same options.
    pub async fn tls(&self, options: &TlsOptions) -> Result<Tls, TlsError> {
        let made = self.made().clone();
        if let Some(made) = &made
            && made.looked.elapsed() < FRESH
        {
            return Ok(made.tls.clone());
        }
        let contents = Contents::read(options).await?;
        let tls = match made {
            Some(made) if made.contents == contents => made.tls,
            _ => contents.make(options).await?,
        };
        *self.made() = Some(Made {
            tls: tls.clone(),
            contents,
            looked: Instant::now(),
        });
        Ok(tls)
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Option<Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    async fn read(options: &TlsOptions) -> Result<Self, TlsError> {
        let key = options.key.as_ref().map(Secret::reveal);
        Ok(Self {
            ca: content("ca_file", options.ca.as_deref(), options.ca_file.as_deref()).await?,
            cert: content(
                "cert_file",
                options.cert.as_deref(),
                options.cert_file.as_deref(),
            )
            .await?,
            key: content("key_file", key, options.key_file.as_deref()).await?,
        })
    }

    async fn make(&self, options: &TlsOptions) -> Result<Tls, TlsError> {
        let roots = match &self.ca {
            Some(pem) => Roots::of_pem(pem).ok_or(TlsError::NoAuthority)?,
            None => Roots::of_system().await,
        };
        if roots.anchors.is_empty() && !options.insecure_skip_verify {
            return Err(TlsError::NoSystemAuthority);
        }
        let insecure = options.insecure_skip_verify;
        let library = Arc::new(Library::default());
        let verifier = Verifier::new(Arc::clone(&roots), Arc::clone(&library), insecure);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&versions(options))
            .expect("the provider has suites for each version, and the options leave one")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
                let chain = chain.ok().filter(|chain| !chain.is_empty());
                let chain = chain.ok_or(TlsError::NoCertificate)?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(TlsError::Unusable)?
            }
            _ => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        Ok(Tls {
            config: Arc::new(config),
            roots,
            library,
            insecure,
        })
    }
}

async fn content(
    option: &'static str,
    inline: Option<&str>,
    path: Option<&str>,
) -> Result<Option<Vec<u8>>, TlsError> {
    let Some(path) = path else {
        return Ok(inline.map(|text| text.as_bytes().to_vec()));
    };
    let read = tokio::fs::read(path).await;
    read.map(Some).map_err(|source| TlsError::File {
        option,
        path: path.to_owned(),
        source,
    })
}

fn versions(options: &TlsOptions) -> Vec<&'static SupportedProtocolVersion> {
    let known = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)];
    let wanted = known.into_iter().filter(|(version, _)| {
        options.min_version.is_none_or(|min| *version >= min)
            && options.max_version.is_none_or(|max| *version <= max)
    });
    wanted.map(|(_, version)| version).collect()
}

/// How long what was read of a file stands for what it holds.
const FRESH: Duration = Duration::from_secs(1);
