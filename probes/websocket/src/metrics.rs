//! What does a run record, and under which names?
//!
//! Those that `blackbox_exporter` has too bear its names and meaning.

use leadsman_core::Context;
use leadsman_core::metric::{Declared, Gauge};
use leadsman_dial::metrics::{TCP, TLS};

pub(crate) static DURATION: Gauge = Gauge::new(
    "probe_websocket_duration_seconds",
    "Duration of the run by phase; processing is from the request to the head of the answer, \
     transfer all that is said over the WebSocket.",
)
.by(
    &["phase"],
    &["resolve", "connect", "tls", "processing", "transfer"],
);

pub(crate) static STATUS: Gauge = Gauge::new(
    "probe_websocket_status_code",
    "Status code of the answer to the request, 101 if it is good; 0 if there was none.",
);

pub(crate) static UPGRADED: Gauge = Gauge::new(
    "probe_websocket_connection_upgraded",
    "Whether the WebSocket was opened, 1 or 0.",
);

pub(crate) static FAILED_REGEX: Gauge = Gauge::new(
    "probe_websocket_failed_due_to_regex",
    "Whether the run failed because a message was another than was expected, 1 or 0.",
);

pub(crate) const ALL: &[&(dyn Declared + Sync)] = &[
    &DURATION,
    &STATUS,
    &UPGRADED,
    &FAILED_REGEX,
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
    for gauge in [&STATUS, &UPGRADED, &FAILED_REGEX] {
        cx.set(gauge, 0.0);
    }
}
