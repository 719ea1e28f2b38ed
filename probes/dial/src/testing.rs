//! With what certificate does a server of a test speak TLS?
//!
//! With one that an authority of the test's own has signed, which a probe has to be told to trust. What
//! the server says is the test's affair.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto};
use tokio_rustls::TlsAcceptor;

/// A server's certificate and the authority that signed it.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The authority's certificate, PEM.
    pub authority: String,
    chain: Vec<CertificateDer<'static>>,
    key: String,
}

impl Certified {
    /// For these names and addresses, valid today.
    pub fn new(names: &[&str]) -> Self {
        Self::with(names, |_| {})
    }

    /// The same with a certificate that is changed before it is signed.
    ///
    /// # Panics
    /// If a name can be none, or the change leaves what cannot be signed.
    pub fn with(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let params = |names: &[&str], common| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).expect(SOUND);
            params.distinguished_name.push(DnType::CommonName, common);
            params
        };
        let mut authority = params(&[], "test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = || KeyPair::generate().expect(SOUND);
        let issuer = CertifiedIssuer::self_signed(authority, key()).expect(SOUND);
        let mut own = params(names, "test server");
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut own);
        let key = key();
        let own = own.signed_by(&key, &issuer).expect(SOUND);
        Self {
            authority: issuer.pem(),
            chain: vec![own.der().clone()],
            key: key.serialize_pem(),
        }
    }

    /// Speaks TLS with it, and one of these protocols by ALPN.
    pub fn acceptor(&self, alpn: &[&[u8]]) -> TlsAcceptor {
        TlsAcceptor::from(Arc::new(self.config(alpn)))
    }

    /// How the server speaks TLS with it.
    ///
    /// # Panics
    /// If the certificate was changed so that no server can have it.
    pub fn config(&self, alpn: &[&[u8]]) -> ServerConfig {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect(SOUND);
        let provider = Arc::new(crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect(SOUND)
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .expect(SOUND);
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }
}

const SOUND: &str = "it was made for this";
