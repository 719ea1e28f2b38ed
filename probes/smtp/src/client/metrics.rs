//! What does a run record, and under which names?
//!
//! Phases of all servers that a run tries are summed; together they add up to its duration. The
//! text of replies is in no label, for servers choose it.

use leadsman_core::Context;
use leadsman_core::metric::{Counter, Declared, Gauge, Info};
use leadsman_dial::Laps;
use leadsman_dial::metrics::{TCP, TLS};

use super::exchangers::FLAWS;
use super::offers::EXTENSIONS;
use super::phase::{OUTCOMES, Outcome, PHASES, Phase};
use super::rails::REASONS;
use crate::delivery::METRICS as DELIVERY;

pub(crate) static DURATION: Gauge = Gauge::new(
    "probe_smtp_duration_seconds",
    "Duration of each phase, summed over all servers that were tried; 0 for those that a run did \
     not come to.",
)
.by(&["phase"], PHASES);

pub(crate) static ENVELOPE: Gauge = Gauge::new(
    "probe_smtp_envelope_seconds",
    "Time from the first byte of MAIL to the last of the answer to RCPT, or to DATA where it came to \
     that; with `pipelining` what tells more than its phases.",
);

pub(crate) static REPLY_CODE: Gauge = Gauge::new(
    "probe_smtp_reply_code",
    "Code of the last reply in each phase; 0 if there was none.",
)
.by(&["phase"], PHASES);

pub(crate) static STATUS_CODE: Gauge = Gauge::new(
    "probe_smtp_status_code",
    "Code of the last reply that decided anything, so not that to QUIT; 0 if there was none.",
);

pub(crate) static STATUS_INFO: Info = Info::new(
    "probe_smtp_enhanced_status_info",
    "Enhanced status code (RFC 3463) of the last reply that decided anything and had one.",
    &["phase", "status"],
);

pub(crate) static OUTCOME: Gauge = Gauge::new(
    "probe_smtp_outcome",
    "How the run ended: 1 for that, 0 for all others.",
)
.by(&["outcome"], OUTCOMES);

pub(crate) static MESSAGE_SENT: Gauge = Gauge::new(
    "probe_smtp_message_sent",
    "Whether the server took a message in this run, 1 or 0.",
);

pub(crate) static MESSAGES: Counter =
    Counter::new("probe_smtp_messages_total", "Messages that servers took.");

pub(crate) static SUPPRESSED: Counter = Counter::new(
    "probe_smtp_messages_suppressed_total",
    "Runs in which this program kept itself back, by reason: too soon for the domain, too many in \
     all, or refused too often.",
)
.by(&["reason"], REASONS);

pub(crate) static BACK_OFF: Gauge = Gauge::new(
    "probe_smtp_back_off_seconds",
    "How long the recipient is still left in peace because it was refused three times; 0 if it is \
     not.",
);

pub(crate) static SECURE: Gauge = Gauge::new(
    "probe_smtp_tls",
    "Whether the dialogue went on in TLS, 1 or 0.",
);

pub(crate) static VERIFIED: Gauge = Gauge::new(
    "probe_smtp_tls_verified",
    "Whether it did, with a certificate to be trusted for the server's name, 1 or 0.",
);

pub(crate) static STARTTLS_OFFERED: Gauge = Gauge::new(
    "probe_smtp_starttls_offered",
    "Whether the server offered STARTTLS, 1 or 0.",
);

pub(crate) static EXTENSION: Gauge = Gauge::new(
    "probe_smtp_extension",
    "Whether the server offered the extension in its last answer to EHLO, 1 or 0.",
)
.by(&["extension"], EXTENSIONS);

pub(crate) static SIZE_LIMIT: Gauge = Gauge::new(
    "probe_smtp_size_limit_bytes",
    "Most octets that the server says a message may have; 0 if it does not say.",
);

pub(crate) static BARE: Gauge = Gauge::new(
    "probe_smtp_bare_line_feeds",
    "Whether any line of the server ended without a carriage return, 1 or 0.",
);

pub(crate) static MX_RECORDS: Gauge = Gauge::new(
    "probe_smtp_mx_records",
    "MX records of the recipient's domain.",
);

pub(crate) static MX_PREFERENCE: Gauge = Gauge::new(
    "probe_smtp_mx_preference",
    "Preference of the exchanger that was asked last.",
);

pub(crate) static MX_ATTEMPTS: Gauge = Gauge::new(
    "probe_smtp_mx_attempts",
    "Addresses of exchangers, or of the server, that a connection was tried with.",
);

pub(crate) static MX_INFO: Info = Info::new(
    "probe_smtp_mx_info",
    "The exchanger that was asked last, and whether it is the domain itself for want of records.",
    &["exchange", "implicit"],
);

pub(crate) static MX_FLAW: Gauge = Gauge::new(
    "probe_smtp_mx_flaws",
    "MX records that are wrong, by what is wrong, as far as they were looked at: \".\" among others, \
     an address in place of a name, the name of an alias, a name without an address.",
)
.by(&["flaw"], FLAWS);

pub(crate) static ALL: &[&(dyn Declared + Sync)] = &[
    &DURATION,
    &ENVELOPE,
    &REPLY_CODE,
    &STATUS_CODE,
    &STATUS_INFO,
    &OUTCOME,
    &MESSAGE_SENT,
    &MESSAGES,
    &SUPPRESSED,
    &BACK_OFF,
    &SECURE,
    &VERIFIED,
    &STARTTLS_OFFERED,
    &EXTENSION,
    &SIZE_LIMIT,
    &BARE,
    &MX_RECORDS,
    &MX_PREFERENCE,
    &MX_ATTEMPTS,
    &MX_INFO,
    &MX_FLAW,
    DELIVERY[0],
    DELIVERY[1],
    DELIVERY[2],
    DELIVERY[3],
    TCP[0],
    TCP[1],
    TCP[2],
    TCP[3],
    TLS[0],
    TLS[1],
    TLS[2],
    TLS[3],
    TLS[4],
    TLS[5],
    TLS[6],
    TLS[7],
    TLS[8],
];

/// Records what is there from the start.
pub(crate) fn record_nothing(cx: &Context<'_>) {
    for gauge in [
        &STATUS_CODE,
        &MESSAGE_SENT,
        &BACK_OFF,
        &SECURE,
        &VERIFIED,
        &STARTTLS_OFFERED,
        &BARE,
        &MX_ATTEMPTS,
    ] {
        cx.set(gauge, 0.0);
    }
    for phase in PHASES {
        cx.set_for(&DURATION, phase, 0.0);
        cx.set_for(&REPLY_CODE, phase, 0.0);
    }
    for outcome in OUTCOMES {
        cx.set_for(&OUTCOME, outcome, 0.0);
    }
}

/// Records how a run ended.
pub(crate) fn record_outcome(cx: &Context<'_>, outcome: Outcome) {
    cx.set_for(&OUTCOME, outcome.label(), 1.0);
}

/// Records how long the phases took.
pub(crate) fn record_phases(cx: &Context<'_>, laps: &Laps<Phase>) {
    for (phase, took) in laps.all() {
        cx.set_for(&DURATION, phase.label(), took.as_secs_f64());
    }
    let envelope = [Phase::Mail, Phase::Rcpt, Phase::Data].map(|phase| laps.of(phase));
    if envelope[0].is_some() {
        let sum: std::time::Duration = envelope.into_iter().flatten().sum();
        cx.set(&ENVELOPE, sum.as_secs_f64());
    }
}
