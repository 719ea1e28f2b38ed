//! Which clients have to show a certificate, and which of those are let in?
//!
//! By Go's five policies, and then by the names that the certificate is for. A certificate that
//! nobody has to have signed proves only that its key is known to the client.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{ClientAuth, ServerTlsError, ServerTlsOptions};

/// Who judges the certificates of clients; `None` if none is asked for.
pub(super) fn verifier(
    options: &ServerTlsOptions,
    authorities: Option<&[u8]>,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, ServerTlsError> {
    let policy = options.client_auth_type;
    let verifies = matches!(
        policy,
        ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify
    );
    let requires = matches!(
        policy,
        ClientAuth::RequireAny | ClientAuth::RequireAndVerify
    );
    if authorities.is_some() && policy == ClientAuth::None {
        let detail = "`client_ca` or `client_ca_file` has no effect without `client_auth_type`: \
                      set it to RequireAndVerifyClientCert";
        return Err(ServerTlsError::Options(detail.to_owned()));
    }
    if !options.client_allowed_sans.is_empty() && !requires {
        let detail = "`client_allowed_sans` needs a `client_auth_type` that requires a \
                      certificate: RequireAndVerifyClientCert or RequireAnyClientCert";
        return Err(ServerTlsError::Options(detail.to_owned()));
    }
    let signed: Arc<dyn ClientCertVerifier> = match (policy, authorities) {
        (ClientAuth::None, _) => return Ok(None),
        (_, Some(pem)) if verifies => {
            let whence = super::whence("client_ca", options.client_ca_file.as_deref());
            trusted(pem, whence, requires, provider)?
        }
        (_, None) if verifies => {
            let detail = "a `client_auth_type` that verifies needs the authorities to trust: set \
                          `client_ca_file`";
            return Err(ServerTlsError::Options(detail.to_owned()));
        }
        _ => Arc::new(Whoever {
            provider: Arc::clone(provider),
            mandatory: requires,
        }),
    };
    if options.client_allowed_sans.is_empty() {
        return Ok(Some(signed));
    }
    Ok(Some(Arc::new(Named {
        signed,
        allowed: options.client_allowed_sans.clone(),
    })))
}

fn trusted(
    pem: &[u8],
    whence: String,
    requires: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ServerTlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.ok().filter(|found| !found.is_empty());
    let certificates = certificates.ok_or(ServerTlsError::NoCertificate(whence))?;
    let unusable = |why: &dyn ToString| ServerTlsError::ClientAuthorities(why.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|why| unusable(&why))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if requires {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder.build().map_err(|why| unusable(&why))
}

/// Lets in whoever shows any certificate, or none.
#[derive(Debug)]
struct Whoever {
    provider: Arc<CryptoProvider>,
    mandatory: bool,
}

impl ClientCertVerifier for Whoever {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// Lets in only those whose certificate is for one of some names.
#[derive(Debug)]
struct Named {
    signed: Arc<dyn ClientCertVerifier>,
    allowed: Vec<String>,
}

impl ClientCertVerifier for Named {
    fn client_auth_mandatory(&self) -> bool {
        self.signed.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.signed.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.signed.verify_client_cert(own, others, now)?;
        if names(own).iter().any(|name| self.allowed.contains(name)) {
            return Ok(verified);
        }
        let error = CertificateError::ApplicationVerificationFailure;
        Err(Error::InvalidCertificate(error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// What a certificate is for (RFC 5280, section 4.2.1.6): DNS names, addresses, e-mail addresses
/// and URIs.
fn names(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Vec::new();
    };
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|names| &names.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    });
    names.collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}
