//! What is recorded of a connection and of the peer's certificates, and under which names?
//!
//! The names that begin with `probe_ssl_`, and those of version and cipher, are
//! `blackbox_exporter`'s and are recorded where it does, once the handshake was good and the peer
//! answered. The others tell of what was shown even if it was refused.

use leadsman_core::Context;
use leadsman_core::metric::{Declared, Gauge, Info};

use crate::TcpInfo;
use crate::tls::{Certificate, Protocol, Shown};

static EARLIEST_EXPIRY: Gauge = Gauge::new(
    "probe_ssl_earliest_cert_expiry",
    "When the first of the certificates that the peer sent expires, in Unix time.",
);

static CHAIN_EXPIRY: Gauge = Gauge::new(
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "Until when the certificate is trusted: the end of the chain to a root that lasts longest, in \
     Unix time; absent if no chain is trusted.",
);

static CHAIN_INFO: Info = Info::new(
    "probe_ssl_last_chain_info",
    "The certificate of the peer.",
    &[
        "fingerprint_sha256",
        "subject",
        "issuer",
        "subjectalternative",
        "serialnumber",
    ],
);

static VERSION_INFO: Info = Info::new(
    "probe_tls_version_info",
    "The version of TLS that was agreed on.",
    &["version"],
);

static CIPHER_INFO: Info = Info::new(
    "probe_tls_cipher_info",
    "The cipher suite that was agreed on, by its IANA name.",
    &["cipher"],
);

static TRUSTED: Gauge = Gauge::new(
    "probe_tls_certificate_trusted",
    "Whether the certificate that the peer showed is to be trusted for its name, 1 or 0, be it \
     refused for that or not.",
);

static NOT_BEFORE: Gauge = Gauge::new(
    "probe_tls_certificate_not_before_timestamp_seconds",
    "From when the certificate that the peer showed is valid, in Unix time, be it refused or not.",
);

static NOT_AFTER: Gauge = Gauge::new(
    "probe_tls_certificate_not_after_timestamp_seconds",
    "Until when the certificate that the peer showed is valid, in Unix time, be it refused or not.",
);

static CERTIFICATE_INFO: Info = Info::new(
    "probe_tls_certificate_info",
    "The certificate that the peer showed, be it refused or not.",
    &[
        "fingerprint_sha256",
        "subject",
        "issuer",
        "subjectalternative",
        "serialnumber",
    ],
);

/// All of TLS, for a plugin's declaration.
pub const TLS: [&(dyn Declared + Sync); 9] = [
    &EARLIEST_EXPIRY,
    &CHAIN_EXPIRY,
    &CHAIN_INFO,
    &VERSION_INFO,
    &CIPHER_INFO,
    &TRUSTED,
    &NOT_BEFORE,
    &NOT_AFTER,
    &CERTIFICATE_INFO,
];

/// Whether the peer said something else than a pattern wanted; for probes that have patterns.
pub static FAILED_REGEX: Gauge = Gauge::new(
    "probe_failed_due_to_regex",
    "Whether a regular expression made the run fail, 1 or 0.",
);

static RTT: Gauge = Gauge::new(
    "probe_tcp_rtt_seconds",
    "Smoothed round-trip time of the last connection, as the kernel measured it until its end.",
);

static RTT_VARIATION: Gauge = Gauge::new(
    "probe_tcp_rtt_variation_seconds",
    "By how much the round trips of the last connection varied (RFC 6298).",
);

static RETRANSMITS: Gauge = Gauge::new(
    "probe_tcp_retransmitted_segments",
    "Segments that this host had to send again over the last connection.",
);

static MSS: Gauge = Gauge::new(
    "probe_tcp_mss_bytes",
    "Most bytes that a segment to the peer of the last connection could carry.",
);

/// All of TCP, for a plugin's declaration.
pub const TCP: [&(dyn Declared + Sync); 4] = [&RTT, &RTT_VARIATION, &RETRANSMITS, &MSS];

/// Records what the kernel knew of a connection in the end.
pub fn record_connection(cx: &Context<'_>, info: &TcpInfo) {
    cx.set(&RTT, info.rtt.as_secs_f64());
    cx.set(&RTT_VARIATION, info.rtt_variation.as_secs_f64());
    cx.set(&RETRANSMITS, f64::from(info.retransmits));
    cx.set(&MSS, f64::from(info.mss));
}

/// Records and tells what a peer showed, whatever came of the handshake.
pub fn record_shown(cx: &Context<'_>, shown: &Shown) {
    let own = &shown.own;
    cx.set(&TRUSTED, f64::from(u8::from(shown.trust.is_ok())));
    cx.set(&NOT_BEFORE, own.not_before as f64);
    cx.set(&NOT_AFTER, own.not_after as f64);
    cx.inform(&CERTIFICATE_INFO, &labels(own));
    cx.event("certificate", || own.clone());
}

/// Records what a peer showed and agreed to that answered then.
pub fn record_answered(cx: &Context<'_>, shown: &Shown, agreed: &Protocol) {
    cx.set(&EARLIEST_EXPIRY, shown.earliest as f64);
    match shown.trust {
        Ok(until) => cx.set(&CHAIN_EXPIRY, until as f64),
        Err(_) if cx.is_compatible() => cx.set(&CHAIN_EXPIRY, ZERO_TIME),
        Err(_) => {}
    }
    cx.inform(&CHAIN_INFO, &labels(&shown.own));
    cx.inform(&VERSION_INFO, &[agreed.version]);
    // Over QUIC it is not told.
    if !agreed.cipher.is_empty() {
        cx.inform(&CIPHER_INFO, &[&agreed.cipher]);
    }
}

/// What Go calls the zero time, the beginning of the year 1, in Unix time: what `blackbox_exporter`
/// says of a chain that it did not verify.
const ZERO_TIME: f64 = -62_135_596_800.0;

fn labels(certificate: &Certificate) -> [&str; 5] {
    let Certificate {
        fingerprint,
        subject,
        issuer,
        dns_names,
        serial,
        ..
    } = certificate;
    [fingerprint, subject, issuer, dns_names, serial]
}
