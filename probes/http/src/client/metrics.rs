//! What does a run record, and under which names?
//!
//! Those that `blackbox_exporter` has too bear its names and meaning. Phases are summed over all
//! hops; together with the program's own time they add up to the duration of the run.

use leadsman_core::Context;
use leadsman_core::metric::{Declared, Gauge};
use leadsman_dial::Laps;
use leadsman_dial::metrics::{TCP, TLS};

pub(crate) use leadsman_dial::metrics::FAILED_REGEX;

use super::watch::{Phase, sum};

pub(crate) static DURATION: Gauge = Gauge::new(
    "probe_http_duration_seconds",
    "Duration of the requests by phase, summed over all redirects; processing includes the writing \
     of the request.",
)
.by(
    &["phase"],
    &["resolve", "connect", "tls", "processing", "transfer"],
);

pub(crate) static REQUEST_WRITE: Gauge = Gauge::new(
    "probe_http_request_write_seconds",
    "Part of the phase processing until the kernel had taken the last byte of the request.",
);

pub(crate) static OWN: Gauge = Gauge::new(
    "probe_http_own_seconds",
    "Time that this program took for itself: to read files before, and to decode and judge the \
     response after. In no phase, and no fault of the target.",
);

pub(crate) static TTFB: Gauge = Gauge::new(
    "probe_http_ttfb_seconds",
    "Time from the beginning of the run to the first byte of the last response.",
);

pub(crate) static ATTEMPTS: Gauge = Gauge::new(
    "probe_http_connect_attempts",
    "Addresses that connections were tried with, in all hops.",
);

pub(crate) static STATUS: Gauge = Gauge::new(
    "probe_http_status_code",
    "Status code of the last response; 0 if there was none.",
);

pub(crate) static CONTENT_LENGTH: Gauge = Gauge::new(
    "probe_http_content_length",
    "Length of the last response's body as its header says it, in bytes; -1 if it does not.",
);

pub(crate) static UNCOMPRESSED_LENGTH: Gauge = Gauge::new(
    "probe_http_uncompressed_body_length",
    "Length of the last response's body as it came, once its coding was taken off, in bytes.",
);

pub(crate) static REDIRECTS: Gauge = Gauge::new(
    "probe_http_redirects",
    "Redirects that came, the last one included where it was not followed.",
);

pub(crate) static SSL: Gauge = Gauge::new(
    "probe_http_ssl",
    "Whether the last response came over TLS, 1 or 0.",
);

pub(crate) static VERSION: Gauge = Gauge::new(
    "probe_http_version",
    "Version of HTTP of the last response: 1, 1.1, 2 or 3; 0 if there was none.",
);

pub(crate) static LAST_MODIFIED: Gauge = Gauge::new(
    "probe_http_last_modified_timestamp_seconds",
    "What the field Last-Modified of the last response says, in Unix time.",
);

pub(crate) static FAILED_CEL: Gauge = Gauge::new(
    "probe_failed_due_to_cel",
    "Whether a CEL expression about the body made the run fail, 1 or 0; absent if there is none.",
);

pub(crate) const ALL: &[&(dyn Declared + Sync)] = &[
    &DURATION,
    &REQUEST_WRITE,
    &OWN,
    &TTFB,
    &ATTEMPTS,
    &STATUS,
    &CONTENT_LENGTH,
    &UNCOMPRESSED_LENGTH,
    &REDIRECTS,
    &SSL,
    &VERSION,
    &LAST_MODIFIED,
    &FAILED_REGEX,
    &FAILED_CEL,
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

/// Records what is there from the start, as `blackbox_exporter` has it.
pub(crate) fn record_nothing(cx: &Context<'_>) {
    for gauge in [
        &STATUS,
        &CONTENT_LENGTH,
        &UNCOMPRESSED_LENGTH,
        &REDIRECTS,
        &SSL,
        &VERSION,
        &FAILED_REGEX,
        &ATTEMPTS,
    ] {
        cx.set(gauge, 0.0);
    }
}

/// Records how long the phases of all hops took.
pub(crate) fn record_phases(cx: &Context<'_>, hops: &[Laps<Phase>]) {
    let took = |phase| sum(hops, phase);
    let seconds = |phase| took(phase).unwrap_or_default().as_secs_f64();
    if let Some(resolve) = took(Phase::Resolve) {
        cx.set_for(&DURATION, "resolve", resolve.as_secs_f64());
    }
    if took(Phase::Connect).is_some() {
        let processing = seconds(Phase::Write) + seconds(Phase::Wait);
        cx.set_for(&DURATION, "connect", seconds(Phase::Connect));
        cx.set_for(&DURATION, "tls", seconds(Phase::Tls));
        cx.set_for(&DURATION, "processing", processing);
        cx.set_for(&DURATION, "transfer", seconds(Phase::Transfer));
    }
    if let Some(write) = took(Phase::Write) {
        cx.set(&REQUEST_WRITE, write.as_secs_f64());
    }
    if let Some(own) = took(Phase::Own) {
        cx.set(&OWN, own.as_secs_f64());
    }
    let last = hops
        .last()
        .and_then(|hop| Some((hop, hop.of(Phase::Transfer)?)));
    if let Some((hop, transfer)) = last {
        let after = transfer + hop.of(Phase::Own).unwrap_or_default();
        let all: std::time::Duration = hops.iter().map(Laps::total).sum();
        cx.set(&TTFB, all.saturating_sub(after).as_secs_f64());
    }
}
