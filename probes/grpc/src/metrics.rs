//! What does a run record, and under which names?
//!
//! Those that `blackbox_exporter` has too bear its names and meaning. What was not measured is
//! absent, unless somebody wants it to be 0 as there.

use leadsman_core::metric::{Declared, Gauge};
use leadsman_dial::metrics::{TCP, TLS};

use super::health::NAMES;

pub(crate) static DURATION: Gauge = Gauge::new(
    "probe_grpc_duration_seconds",
    "Duration of the run by phase: until the address is known, and all that follows.",
)
.by(&["phase"], &["resolve", "check"]);

pub(crate) static CHECK: Gauge = Gauge::new(
    "probe_grpc_check_duration_seconds",
    "Parts of the phase check: until the connection is open, until TLS is agreed on, until the head \
     of the answer, and until its end.",
)
.by(&["phase"], &["connect", "tls", "processing", "transfer"]);

pub(crate) static SSL: Gauge = Gauge::new(
    "probe_grpc_ssl",
    "Whether TLS was agreed on for the connection, 1 or 0.",
);

pub(crate) static STATUS: Gauge = Gauge::new(
    "probe_grpc_status_code",
    "Status of the call, the server's or the one that gRPC has for what happened in its place: 0 OK, \
     4 no answer in time, 14 no connection; absent if nobody could be asked.",
);

pub(crate) static HEALTH: Gauge = Gauge::new(
    "probe_grpc_healthcheck_response",
    "What the service says about itself: 1 for that, 0 for all others.",
)
.by(&["serving_status"], &NAMES);

pub(crate) const ALL: &[&(dyn Declared + Sync)] = &[
    &DURATION, &CHECK, &SSL, &STATUS, &HEALTH, TCP[0], TCP[1], TCP[2], TCP[3], TLS[0], TLS[1],
    TLS[2], TLS[3], TLS[4], TLS[5], TLS[6], TLS[7], TLS[8],
];
