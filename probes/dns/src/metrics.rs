//! What does a run record, and under which names?
//!
//! Those that `blackbox_exporter` has too bear its names and meaning. The finer phases add up to the
//! duration of the run.

use std::time::Duration;

use leadsman_core::Context;
use leadsman_core::metric::{Counter, Declared, Gauge};
use leadsman_dial::metrics::TLS;
use leadsman_dial::{Laps, Phase as _};

use crate::answer::{Answer, Section};
use crate::codes::Kind;
use crate::course::Phase;

pub(crate) static DURATION: Gauge = Gauge::new(
    "probe_dns_duration_seconds",
    "Duration of the question by phase; connect includes TLS, request a second try over TCP.",
)
.by(&["phase"], &["resolve", "connect", "request"]);

pub(crate) static PHASES: Gauge = Gauge::new(
    "probe_dns_phase_seconds",
    "Duration of the finer phases of a run, which add up to its own; retry is all that was done over \
     TCP after a truncated answer.",
)
.by(
    &["phase"],
    &["resolve", "connect", "tls", "wait", "transfer", "retry", "own"],
);

pub(crate) static ANSWER_RRS: Gauge =
    Gauge::new("probe_dns_answer_rrs", "Records in the answer section.");

pub(crate) static AUTHORITY_RRS: Gauge = Gauge::new(
    "probe_dns_authority_rrs",
    "Records in the authority section.",
);

pub(crate) static ADDITIONAL_RRS: Gauge = Gauge::new(
    "probe_dns_additional_rrs",
    "Records in the additional section, that of EDNS included.",
);

pub(crate) static SUCCEEDED: Gauge = Gauge::new(
    "probe_dns_query_succeeded",
    "Whether an answer came that could be read, whatever it says, 1 or 0.",
);

pub(crate) static SERIAL: Gauge = Gauge::new(
    "probe_dns_serial",
    "Serial number of the zone if SOA was asked for; 0 if the answer has none.",
);

pub(crate) static RCODE: Gauge = Gauge::new(
    "probe_dns_rcode",
    "Code of the answer with the upper bits of EDNS, such as 0 for NOERROR or 3 for NXDOMAIN.",
);

pub(crate) static FLAG: Gauge = Gauge::new(
    "probe_dns_flag",
    "Whether the answer has this flag, 1 or 0: authoritative, truncated, recursion available, \
     authenticated.",
)
.by(&["flag"], &["aa", "tc", "ra", "ad"]);

pub(crate) static SIZE: Gauge = Gauge::new(
    "probe_dns_answer_bytes",
    "Length of the answer as a message.",
);

pub(crate) static QUERIES: Gauge = Gauge::new(
    "probe_dns_queries",
    "Questions that the run sent: more than 1 after a retry, or after a truncated answer.",
);

pub(crate) static TRUNCATED: Counter = Counter::new(
    "probe_dns_truncated_total",
    "Answers over UDP that were truncated.",
);

pub(crate) static IGNORED: Counter = Counter::new(
    "probe_dns_ignored_total",
    "Messages from the server's address that did not answer the question, so that the right one was \
     waited for.",
);

pub(crate) const ALL: &[&(dyn Declared + Sync)] = &[
    &DURATION,
    &PHASES,
    &ANSWER_RRS,
    &AUTHORITY_RRS,
    &ADDITIONAL_RRS,
    &SUCCEEDED,
    &SERIAL,
    &RCODE,
    &FLAG,
    &SIZE,
    &QUERIES,
    &TRUNCATED,
    &IGNORED,
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

/// Records what is there from the start, as `blackbox_exporter` has it.
pub(crate) fn record_nothing(cx: &Context<'_>) {
    for gauge in [
        &ANSWER_RRS,
        &AUTHORITY_RRS,
        &ADDITIONAL_RRS,
        &SUCCEEDED,
        &QUERIES,
    ] {
        cx.set(gauge, 0.0);
    }
}

/// Records an answer to a question for records of this type.
pub(crate) fn record_answer(cx: &Context<'_>, answer: &Answer, kind: Kind) {
    let counts = [
        (Section::Answer, &ANSWER_RRS),
        (Section::Authority, &AUTHORITY_RRS),
        (Section::Additional, &ADDITIONAL_RRS),
    ];
    for (section, gauge) in counts {
        cx.set(gauge, answer.section(section).len() as f64);
    }
    cx.set(&SUCCEEDED, 1.0);
    if kind == Kind::SOA {
        cx.set(&SERIAL, f64::from(answer.serial().unwrap_or_default()));
    }
    cx.set(&RCODE, f64::from(answer.rcode.0));
    let header = &answer.header;
    for (flag, is_set) in [
        ("aa", header.authoritative),
        ("tc", header.truncation),
        ("ra", header.recursion_available),
        ("ad", header.authentic_data),
    ] {
        cx.set_for(&FLAG, flag, f64::from(u8::from(is_set)));
    }
    cx.set(&SIZE, answer.message.len() as f64);
}

/// Records how long the phases took. One that never began is absent, or 0 where somebody wants what
/// `blackbox_exporter` would say.
pub(crate) fn record_phases(cx: &Context<'_>, laps: &Laps<Phase>) {
    for (phase, took) in laps.all() {
        cx.set_for(&PHASES, phase.label(), took.as_secs_f64());
    }
    for (broad, phases) in [
        ("resolve", &[Phase::Resolve][..]),
        ("connect", &[Phase::Connect, Phase::Tls]),
        ("request", &[Phase::Wait, Phase::Transfer, Phase::Retry]),
    ] {
        let took = phases.iter().filter_map(|phase| laps.of(*phase));
        let took = took.reduce(|sum, took| sum + took);
        let none = cx.is_compatible().then_some(Duration::ZERO);
        if let Some(took) = took.or(none) {
            cx.set_for(&DURATION, broad, took.as_secs_f64());
        }
    }
}
