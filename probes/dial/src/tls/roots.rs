//! Whom is trusted to sign certificates?
//!
//! The system's authorities, read once and shared by all, or those of a file in their place.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use webpki::anchor_from_trusted_cert;

use super::certificate::Certificate;

/// Trusted authorities.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// As the verification of signatures wants them.
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// Beside each: its certificate, and until when it is valid.
    certificates: Vec<(CertificateDer<'static>, i64)>,
}

impl Roots {
    /// The system's, where `SSL_CERT_FILE` and `SSL_CERT_DIR` do not name others.
    pub(super) async fn of_system() -> Arc<Self> {
        static SYSTEM: OnceCell<Arc<Roots>> = OnceCell::const_new();
        let read = || async {
            let found = spawn_blocking(|| {
                let found = rustls_native_certs::load_native_certs();
                Arc::new(Self::new(found.certs))
            });
            found.await.expect("reading certificates does not panic")
        };
        Arc::clone(SYSTEM.get_or_init(read).await)
    }

    /// Those of a text in PEM; `None` if there are none in it.
    pub(super) fn of_pem(pem: &[u8]) -> Option<Arc<Self>> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let roots = Self::new(certificates.ok()?);
        (!roots.anchors.is_empty()).then(|| Arc::new(roots))
    }

    /// Leaves out what is no certificate, as other programs do with the system's.
    fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = Self::default();
        for certificate in certificates {
            let anchor = anchor_from_trusted_cert(&certificate).map(|anchor| anchor.to_owned());
            if let (Ok(anchor), Some(read)) = (anchor, Certificate::read(&certificate)) {
                roots.anchors.push(anchor);
                roots.certificates.push((certificate, read.not_after));
            }
        }
        roots
    }

    /// Until when each authority of this name and key is valid.
    pub(super) fn ends<'a>(&'a self, anchor: &'a TrustAnchor<'_>) -> impl Iterator<Item = i64> {
        let same = move |other: &TrustAnchor<'_>| {
            other.subject == anchor.subject
                && other.subject_public_key_info == anchor.subject_public_key_info
        };
        let pairs = self.anchors.iter().zip(&self.certificates);
        pairs
            .filter(move |(other, _)| same(other))
            .map(|(_, (_, end))| *end)
    }

    /// Whether this very certificate is trusted.
    pub(super) fn contain(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates
            .iter()
            .any(|(root, _)| root.as_ref() == certificate.as_ref())
    }
}
