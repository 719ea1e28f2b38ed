//! How does this program speak TLS with those who connect to it?
//!
//! For doors that show a certificate, and may ask for one. What may be chosen about it is in
//! [`options`], who has to show a certificate in [`client`]. Files are read when a [`ServerTls`] is
//! made and never again: whoever opens a door looks whether they have changed, and makes a new one
//! for the connections to come. Where all there is to it are two files, [`Renewable`] does that.

mod client;
mod options;
mod renewable;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::PROVIDER;
pub use options::{CipherSuite, ClientAuth, Curve, ServerTlsOptions};
pub use renewable::Renewable;

/// How TLS is spoken with those who connect. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerTls(Arc<ServerConfig>);

/// The stream of a peer that TLS was agreed on with.
#[derive(Debug)]
pub struct Accepted<S> {
    /// The stream.
    pub stream: TlsStream<S>,
    /// The protocol that was chosen of those offered (RFC 7301), if the peer named any of them.
    pub alpn: Option<Vec<u8>>,
}

/// What the files and texts of [`ServerTlsOptions`] hold, as they were read.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerFiles {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// Why TLS cannot be spoken as the options want it.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    /// The options contradict each other, or ask for what there is not.
    #[error("{0}")]
    Options(String),
    /// A file cannot be read.
    #[error("cannot read {}, the file of `{option}_file`: {source}", .path.display())]
    File {
        /// Under which option it is named.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no certificate where one has to be.
    #[error("there is no certificate in {0}: it must hold PEM")]
    NoCertificate(String),
    /// There is no key where one has to be.
    #[error("there is no private key in {0}: it must hold PEM without a passphrase")]
    NoKey(String),
    /// Certificate and key do not belong together, or are of a kind that cannot be used.
    #[error("cannot use the certificate in {whence} with its key: {source}")]
    Unusable {
        /// Where the certificate is.
        whence: String,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// No certificate of a client could be judged by these authorities.
    #[error("cannot use the authorities in `client_ca` or `client_ca_file`: {0}")]
    ClientAuthorities(String),
}

impl ServerFiles {
    /// Reads the files that the options name. Blocks on them.
    pub fn read(options: &ServerTlsOptions) -> Result<Self, ServerTlsError> {
        let key = options.key.as_ref().map(|key| key.reveal().to_owned());
        let missing = |what: &str| {
            let detail = format!(
                "`{what}` or `{what}_file` is missing: a server needs both a certificate and its key"
            );
            ServerTlsError::Options(detail)
        };
        let cert = content("cert", options.cert.clone(), options.cert_file.as_ref())?;
        let key = content("key", key, options.key_file.as_ref())?;
        Ok(Self {
            cert: cert.ok_or_else(|| missing("cert"))?,
            key: key.ok_or_else(|| missing("key"))?,
            client_ca: content(
                "client_ca",
                options.client_ca.clone(),
                options.client_ca_file.as_ref(),
            )?,
        })
    }
}

impl ServerTls {
    /// Speaks TLS as the options say, with what was read for them. `alpn` are the protocols offered,
    /// the best one first.
    pub fn new(
        options: &ServerTlsOptions,
        files: &ServerFiles,
        alpn: &[&[u8]],
    ) -> Result<Self, ServerTlsError> {
        let provider = Arc::new(provider(options)?);
        let auth = client::verifier(options, files.client_ca.as_deref(), &provider)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files.cert).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let cert = || whence("cert", options.cert_file.as_deref());
        let chain = chain.ok_or_else(|| ServerTlsError::NoCertificate(cert()))?;
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| {
            let key = whence("key", options.key_file.as_deref());
            ServerTlsError::NoKey(key)
        })?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(options)?)
            .map_err(|why| ServerTlsError::Options(why.to_string()))?;
        let builder = match auth {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config =
            builder
                .with_single_cert(chain, key)
                .map_err(|source| ServerTlsError::Unusable {
                    whence: cert(),
                    source,
                })?;
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config.ignore_client_order = options.prefer_server_cipher_suites;
        Ok(Self(Arc::new(config)))
    }

    /// Agrees on TLS with a peer that has connected. Takes as long as the peer does.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<Accepted<S>> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.0));
        let stream = acceptor.accept(stream).await?;
        let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        Ok(Accepted { stream, alpn })
    }
}

impl std::fmt::Debug for ServerFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerFiles")
    }
}

/// Where what was read for an option is.
fn whence(option: &str, path: Option<&Path>) -> String {
    path.map_or_else(
        || format!("`{option}`"),
        |path| format!("{}, the file of `{option}_file`", path.display()),
    )
}

fn content(
    option: &'static str,
    inline: Option<String>,
    path: Option<&PathBuf>,
) -> Result<Option<Vec<u8>>, ServerTlsError> {
    match (inline, path) {
        (Some(_), Some(_)) => Err(ServerTlsError::Options(format!(
            "of `{option}` and `{option}_file` at most one may be given"
        ))),
        (None, Some(path)) => match std::fs::read(path) {
            Ok(content) => Ok(Some(content)),
            Err(source) => Err(ServerTlsError::File {
                option,
                path: path.clone(),
                source,
            }),
        },
        (inline, None) => Ok(inline.map(String::into_bytes)),
    }
}

/// The algorithms that the options leave, in their order.
fn provider(options: &ServerTlsOptions) -> Result<CryptoProvider, ServerTlsError> {
    let mut provider = CryptoProvider::clone(&PROVIDER);
    let wanted = &options.cipher_suites;
    if !wanted.is_empty() {
        let known = provider.cipher_suites.clone();
        // Of TLS 1.3 no suite may be chosen, as in Go.
        let (newer, older): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|suite| suite.tls13().is_some());
        let chosen = wanted.iter().filter_map(|name| {
            let is =
                |suite: &&rustls::SupportedCipherSuite| suite.suite().as_str() == Some(name.name());
            older.iter().find(is).copied()
        });
        let chosen: Vec<_> = chosen.collect();
        if chosen.is_empty() && options.lets(&TLS12) && !options.lets(&TLS13) {
            let names = older.iter().filter_map(|suite| suite.suite().as_str());
            let names: Vec<_> = names.collect();
            return Err(ServerTlsError::Options(format!(
                "this program knows none of the `cipher_suites`; it knows {}",
                names.join(", ")
            )));
        }
        provider.cipher_suites = newer.into_iter().chain(chosen).collect();
    }
    let wanted = &options.curve_preferences;
    if !wanted.is_empty() {
        let known = provider.kx_groups.clone();
        let chosen = wanted.iter().filter_map(|curve| {
            let is = |group: &&&dyn rustls::crypto::SupportedKxGroup| group.name() == curve.group();
            known.iter().find(is).copied()
        });
        provider.kx_groups = chosen.collect();
        if provider.kx_groups.is_empty() {
            let detail = "this program knows none of the `curve_preferences`; it knows X25519, \
                          CurveP256 and CurveP384";
            return Err(ServerTlsError::Options(detail.to_owned()));
        }
    }
    Ok(provider)
}

fn versions(
    options: &ServerTlsOptions,
) -> Result<Vec<&'static SupportedProtocolVersion>, ServerTlsError> {
    let known = [&TLS13, &TLS12];
    let mut left: Vec<_> = known
        .into_iter()
        .filter(|version| options.lets(version))
        .collect();
    let chosen = !options.cipher_suites.is_empty();
    if chosen && left.len() == 2 && !options.has_suite_of_tls12() {
        left.retain(|version| **version == TLS13);
    }
    if left.is_empty() {
        let detail = "`min_version` and `max_version` leave no version that this program speaks: \
                      TLS12 or TLS13";
        return Err(ServerTlsError::Options(detail.to_owned()));
    }
    Ok(left)
}

#[cfg(test)]
mod tests;
