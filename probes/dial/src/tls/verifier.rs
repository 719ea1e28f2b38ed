//! Is the peer's certificate to be trusted, and until when?
//!
//! The verdict is kept beside what was shown, whether or not the connection goes on. Where all is
//! accepted the verdict is still made, so that a probe can tell what others would have said.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::certificate::Certificate;
use super::library::Library;
use super::roots::Roots;
use super::{PROVIDER, Shown};

/// Why a certificate is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Its own time, or that of one that signed it, is over.
    #[error("its certificate has expired")]
    Expired,
    /// Its time has not come.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// No way leads from it to a trusted authority.
    #[error("its certificate is signed by nobody who is trusted")]
    UnknownIssuer,
    /// It is for other names; these.
    #[error("its certificate is not for this name but for {0}")]
    WrongName(String),
    /// It is wrong in some other way.
    #[error("its certificate is not acceptable: {0}")]
    Unacceptable(String),
}

/// Judges the certificates of one connection, and remembers them.
#[derive(Debug)]
pub(crate) struct Verifier {
    roots: Arc<Roots>,
    library: Arc<Library>,
    insecure: bool,
    shown: Mutex<Option<Shown>>,
}

impl Verifier {
    pub(super) fn new(roots: Arc<Roots>, library: Arc<Library>, insecure: bool) -> Self {
        Self {
            roots,
            library,
            insecure,
            shown: Mutex::default(),
        }
    }

    /// What was shown, and what is to be thought of it.
    pub(crate) fn shown(&self) -> Option<Shown> {
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Until when the certificate is to be trusted.
    fn judge(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<i64, Distrust> {
        let entity = EndEntityCert::try_from(own).map_err(|why| Distrust::of(&why, own))?;
        let until = if self.roots.contain(own) {
            // Trusted itself, so whoever signed it does not matter; it may even be an authority's.
            self.end(own)
        } else {
            self.chain(&entity, others, now)
                .map_err(|why| Distrust::of(&why, own))?
        };
        let begin = self.library.read(own).map_or(0, |own| own.not_before);
        if until < now.as_secs().cast_signed() {
            return Err(Distrust::Expired);
        }
        if begin > now.as_secs().cast_signed() {
            return Err(Distrust::NotYetValid);
        }
        let named = entity.verify_is_valid_for_subject_name(name);
        named.map_err(|why| Distrust::of(&why, own))?;
        Ok(until)
    }

    /// The latest end of all ways to an authority (RFC 5280, section 6).
    fn chain(
        &self,
        entity: &EndEntityCert<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<i64, webpki::Error> {
        let latest = Cell::new(None);
        // Each way is noted and turned down, so that the next one is looked for.
        let note = |path: &VerifiedPath<'_>| {
            let between = path
                .intermediate_certificates()
                .map(|cert| self.end(&cert.der()));
            let first = between.fold(self.end(&path.end_entity().der()), i64::min);
            let ends = self.roots.ends(path.anchor()).map(|root| root.min(first));
            latest.set(ends.max().max(latest.get()));
            Err(webpki::Error::UnknownIssuer)
        };
        let algorithms = PROVIDER.signature_verification_algorithms.all;
        let usage = KeyUsage::server_auth();
        let refused = entity
            .verify_for_usage(
                algorithms,
                &self.roots.anchors,
                others,
                now,
                usage,
                None,
                Some(&note),
            )
            .err();
        match (latest.get(), refused) {
            (Some(until), _) => Ok(until),
            (None, refused) => Err(refused.unwrap_or(webpki::Error::UnknownIssuer)),
        }
    }
}

impl Verifier {
    /// Until when a certificate is valid; one that cannot be read never was.
    fn end(&self, der: &CertificateDer<'_>) -> i64 {
        let read = self.library.read(der);
        read.map_or(i64::MIN, |certificate| certificate.not_after)
    }
}

impl Distrust {
    fn of(error: &webpki::Error, own: &CertificateDer<'_>) -> Self {
        match error {
            webpki::Error::CertExpired { .. } => Self::Expired,
            webpki::Error::CertNotValidYet { .. } => Self::NotYetValid,
            // An authority of the right name but with another key signed nothing of this.
            webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
                Self::UnknownIssuer
            }
            webpki::Error::CertNotValidForName(_) => {
                let names = Certificate::read(own).map(|own| own.dns_names);
                // Escaped, for the server chose them and a terminal may show them.
                let names = names.map(|names| names.escape_debug().to_string());
                let names = names.filter(|names| !names.is_empty());
                Self::WrongName(names.unwrap_or_else(|| "no name at all".to_owned()))
            }
            error => Self::Unacceptable(error.to_string()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.judge(own, others, name, now);
        if let Some(certificate) = self.library.read(own) {
            let ends = others.iter().map(|other| self.end(other));
            let shown = Shown {
                earliest: ends.fold(certificate.not_after, i64::min),
                own: (*certificate).clone(),
                trust: verdict.clone(),
            };
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        }
        match verdict {
            Err(distrust) if !self.insecure => {
                let other = CertificateError::Other(OtherError(Arc::new(distrust)));
                Err(Error::InvalidCertificate(other))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use rcgen::{date_time_ymd, generate_simple_self_signed};

    use super::*;

    fn authority(name: &str, year: i32) -> CertificateParams {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(year, 1, 1);
        params
    }

    fn judge(roots: &str, own: &[u8]) -> Result<i64, Distrust> {
        let roots = Roots::of_pem(roots.as_bytes()).unwrap();
        let verifier = Verifier::new(roots, Arc::default(), false);
        let name = ServerName::try_from("a.test").unwrap();
        // In 2026.
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000));
        verifier.judge(&CertificateDer::from(own), &[], &name, now)
    }

    #[test]
    fn a_certificate_is_trusted_until_the_longest_of_its_chains_ends() {
        let key = KeyPair::generate().unwrap();
        let older = authority("same", 2031).self_signed(&key).unwrap().pem();
        let past = authority("same", 2025).self_signed(&key).unwrap().pem();
        let newer = CertifiedIssuer::self_signed(authority("same", 2041), key).unwrap();
        let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2051, 1, 1);
        let own = KeyPair::generate().unwrap();
        let own = params.signed_by(&own, &newer).unwrap();
        let end = |year| date_time_ymd(year, 1, 1).unix_timestamp();
        let newer = newer.pem();
        for (roots, expected) in [
            (newer.clone(), Ok(end(2041))),
            (older.clone(), Ok(end(2031))),
            (format!("{past}{older}{newer}"), Ok(end(2041))),
            (past, Err(Distrust::Expired)),
        ] {
            assert_eq!(judge(&roots, own.der()), expected);
        }
    }

    #[test]
    fn a_certificate_that_is_trusted_itself_may_be_an_authoritys() {
        let mut params = authority("a.test", 2041);
        params.subject_alt_names = CertificateParams::new(["a.test".to_owned()])
            .unwrap()
            .subject_alt_names;
        let own = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert!(judge(&own.pem(), own.der()).is_ok());
        let other = generate_simple_self_signed(["b.test".to_owned()])
            .unwrap()
            .cert;
        let named = Err(Distrust::WrongName("b.test".to_owned()));
        assert_eq!(judge(&other.pem(), other.der()), named);
        assert_eq!(judge(&own.pem(), other.der()), Err(Distrust::UnknownIssuer));
    }
}
