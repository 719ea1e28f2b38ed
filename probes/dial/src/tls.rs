//! How is TLS agreed on, and what did the peer show of itself?
//!
//! The only module that names rustls, beside that of servers. Nothing is taken over from an earlier connection: no ticket,
//! no session, so that each handshake is a whole one and its certificates are seen. What the peer
//! showed is known even where it was refused. Of TLS only 1.2 and 1.3 are spoken.

mod cache;
mod certificate;
mod library;
mod options;
mod roots;
mod verifier;

use std::io;
use std::sync::{Arc, LazyLock};

use leadsman_core::{Cause, Fault};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConfig, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
pub use tokio_rustls::client::TlsStream;

pub use cache::{TlsCache, TlsError};
pub use certificate::Certificate;
pub use options::{TlsOptions, TlsVersion};
pub use verifier::Distrust;

use library::Library;
use roots::Roots;
pub(crate) use verifier::Verifier;

use crate::Peer;

/// How TLS is spoken, with all files read. Made by a [`TlsCache`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    roots: Arc<Roots>,
    library: Arc<Library>,
    insecure: bool,
}

/// What came of a handshake.
#[derive(Debug)]
pub struct Handshake<S> {
    /// The stream that was agreed on, or why there is none.
    pub stream: Result<TlsStream<S>, Fault>,
    /// What the peer showed, be it refused or not; `None` if it came to no showing.
    pub shown: Option<Shown>,
}

/// What a peer showed of itself.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The peer's own certificate.
    pub own: Certificate,
    /// When the first of all that it sent expires, in Unix time.
    pub earliest: i64,
    /// Until when its own is to be trusted, in Unix time: the latest end of all chains to a trusted
    /// root, where a chain ends with the first of its certificates.
    pub trust: Result<i64, Distrust>,
}

/// What was agreed on, in the names of the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: &'static str,
    /// The cipher suite's name in IANA's registry.
    pub cipher: String,
    /// The protocol that the peer chose of those offered (RFC 7301), if it did.
    pub alpn: Option<Vec<u8>>,
}

impl Tls {
    /// Agrees on TLS with `peer`, which has to be `name`: a host's name, which is sent to it
    /// (RFC 6066, section 3), or an address. `alpn` are the protocols offered, the best one first.
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        peer: impl Into<Peer<'_>>,
        name: &str,
        alpn: &[&[u8]],
    ) -> Handshake<S> {
        let peer = peer.into();
        let doing = format!("cannot agree on TLS with {peer} as {name}");
        let Ok(server) = ServerName::try_from(name.trim_end_matches('.').to_owned()) else {
            let detail = format!("{doing}: that is no name for a server");
            return Handshake {
                stream: Err(Fault::own(detail)),
                shown: None,
            };
        };
        let (config, verifier) = self.watched(alpn);
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(server, stream).await;
        let shown = verifier.shown();
        let distrust = shown.as_ref().and_then(|shown| shown.trust.as_ref().err());
        let stream = stream.map_err(|why| match distrust {
            Some(distrust) if !self.insecure => {
                Fault::target(Cause::Tls, format!("{doing}: {distrust}"))
            }
            _ => failure(peer, &doing, &why),
        });
        Handshake { stream, shown }
    }

    /// A configuration for one handshake, and who judges what the peer shows in it.
    pub(crate) fn watched(&self, alpn: &[&[u8]]) -> (ClientConfig, Arc<Verifier>) {
        let (roots, library) = (Arc::clone(&self.roots), Arc::clone(&self.library));
        let verifier = Arc::new(Verifier::new(roots, library, self.insecure));
        let mut config = (*self.config).clone();
        config
            .dangerous()
            .set_certificate_verifier(Arc::clone(&verifier) as _);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        (config, verifier)
    }

    /// Whether whatever the peer shows is accepted.
    #[cfg(feature = "quic")]
    pub(crate) fn is_insecure(&self) -> bool {
        self.insecure
    }
}

impl Protocol {
    /// What was agreed on for a stream.
    pub fn of<S>(stream: &TlsStream<S>) -> Self {
        let (_, connection) = stream.get_ref();
        let cipher = connection.negotiated_cipher_suite();
        let cipher = cipher
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or_default();
        Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS 1.3",
            },
            // rustls marks the suites of TLS 1.3, which IANA does not.
            cipher: cipher.replacen("TLS13_", "TLS_", 1),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        }
    }
}

/// Judges an I/O error of a stream with TLS or without; see [`Fault::connection`].
pub fn failure<'p>(peer: impl Into<Peer<'p>>, doing: &str, error: &io::Error) -> Fault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
            Fault::target(Cause::Tls, format!("{doing}: the answer is not TLS"))
        }
        Some(tls) => Fault::target(Cause::Tls, format!("{doing}: {tls}")),
        None => {
            let copy = match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(error.kind(), error.to_string()),
            };
            peer.into().fault(doing, copy)
        }
    }
}

/// The one implementation of the algorithms. ring builds without cmake and in a fifth of the time
/// of the alternative, and has all that the servers of today can be asked for.
///
/// AES with keys of 128 bits is asked for first, as Go and browsers do: those of 256 come with
/// SHA-384, for which few processors have instructions.
pub(crate) static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| !is_aes_128(suite.suite()));
    Arc::new(provider)
});

fn is_aes_128(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

#[cfg(test)]
mod tests {
    use rustls::SupportedCipherSuite as Suite;

    use super::*;

    #[test]
    fn shorter_keys_of_aes_are_asked_for_first_in_each_version() {
        fn first(is_of: fn(&&Suite) -> bool) -> bool {
            let first = PROVIDER.cipher_suites.iter().find(is_of).unwrap();
            is_aes_128(first.suite())
        }
        assert!(first(|suite| suite.tls13().is_some()));
        assert!(first(|suite| suite.tls13().is_none()));
        let all = ring::default_provider().cipher_suites;
        assert_eq!(PROVIDER.cipher_suites.len(), all.len());
    }
}
