//! What does a run record, and under which names?
//!
//! Those that `blackbox_exporter` has too bear its names and meaning. Both probes have the same of
//! their own, each under its name.

use leadsman_core::metric::{Declared, Gauge, Info};
use leadsman_dial::metrics::{FAILED_REGEX, TCP as CONNECTION, TLS};

/// The names that differ between the two probes.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) duration: &'static Gauge,
    pub(crate) step: &'static Gauge,
    pub(crate) failed: &'static Gauge,
}

pub(crate) static OF_TCP: Names = Names {
    duration: &TCP_DURATION,
    step: &TCP_STEP,
    failed: &TCP_FAILED,
};

pub(crate) static OF_UNIX: Names = Names {
    duration: &UNIX_DURATION,
    step: &UNIX_STEP,
    failed: &UNIX_FAILED,
};

static TCP_DURATION: Gauge = Gauge::new("probe_tcp_duration_seconds", DURATION_HELP).by(
    &["phase"],
    &["resolve", "connect", "tls", "dialogue", "starttls"],
);

static TCP_STEP: Gauge =
    Gauge::new("probe_tcp_step_duration_seconds", STEP_HELP).by(&["step"], &STEPS);

static TCP_FAILED: Gauge = Gauge::new("probe_tcp_failed_step", FAILED_HELP);

static UNIX_DURATION: Gauge = Gauge::new("probe_unix_duration_seconds", DURATION_HELP)
    .by(&["phase"], &["connect", "tls", "dialogue", "starttls"]);

static UNIX_STEP: Gauge =
    Gauge::new("probe_unix_step_duration_seconds", STEP_HELP).by(&["step"], &STEPS);

static UNIX_FAILED: Gauge = Gauge::new("probe_unix_failed_step", FAILED_HELP);

pub(crate) static FAILED_BYTES: Gauge = Gauge::new(
    "probe_failed_due_to_bytes",
    "Whether other bytes than the expected ones made the run fail, 1 or 0.",
);

pub(crate) static EXPECT_INFO: Info = Info::open(
    "probe_expect_info",
    "What the expected lines said, in the labels that the steps name.",
);

pub(crate) const ALL_OF_TCP: &[&(dyn Declared + Sync)] = &[
    &TCP_DURATION,
    &TCP_STEP,
    &TCP_FAILED,
    &FAILED_REGEX,
    &FAILED_BYTES,
    &EXPECT_INFO,
    CONNECTION[0],
    CONNECTION[1],
    CONNECTION[2],
    CONNECTION[3],
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

pub(crate) const ALL_OF_UNIX: &[&(dyn Declared + Sync)] = &[
    &UNIX_DURATION,
    &UNIX_STEP,
    &UNIX_FAILED,
    &FAILED_REGEX,
    &FAILED_BYTES,
    &EXPECT_INFO,
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

/// The label of a step, if it is among those that have one.
pub(crate) fn step(index: usize) -> Option<&'static str> {
    STEPS.get(index).copied()
}

/// Steps that have a series of their own; a dialogue of people's has fewer.
const STEPS: [&str; 20] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20",
];

const DURATION_HELP: &str = "Time of each phase that was reached, in seconds; starttls is what the \
    steps needed to agree on TLS, dialogue all else of them.";

const STEP_HELP: &str =
    "Time of each step of query_response that was begun, in seconds; the first 20.";

const FAILED_HELP: &str =
    "Number of the step of query_response that failed, the first being 1; 0 if none did.";
