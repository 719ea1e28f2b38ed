//! What has the sink done so far?
//!
//! Counts, and gives the counts to whoever scrapes. What becomes of the numbers is the host's affair.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use leadsman_core::metric::{Metric, MetricKind};
use leadsman_core::{Count, Meter, Sample};

use crate::delivery::Taken;

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    came: AtomicU64,
    went: AtomicU64,
    octets: AtomicU64,
    messages: [AtomicU64; KINDS.len()],
    refused: [AtomicU64; REASONS.len()],
}

/// What kind of message was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One that a probe of this process waits for.
    InTime,
    /// One that a probe has waited for.
    Late,
    /// One of this process that nobody waits for: it was here before, or its probe is gone.
    Unknown,
    /// One of somebody else.
    Foreign,
}

/// What was refused, or why a session was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There were too many connections.
    Full,
    /// A recipient that is not here.
    Recipient,
    /// A message that is too large.
    Size,
    /// Lines that end otherwise than with CR and LF.
    Bare,
    /// Something was sent before its turn.
    Turn,
    /// Too many commands or errors, or a line that is too long.
    Commands,
    /// TLS did not come about.
    Tls,
    /// A client was too slow.
    Timeout,
}

impl Kind {
    /// What it means that a token was seen.
    pub(super) fn of(taken: Taken) -> Self {
        match taken {
            Taken::InTime(_) => Self::InTime,
            Taken::Late(_) => Self::Late,
            Taken::Unknown => Self::Unknown,
        }
    }

    /// Its name in metrics and in the log.
    pub(super) fn name(self) -> &'static str {
        KINDS[self as usize]
    }
}

impl Refused {
    /// Its name in metrics and in the log.
    pub(super) fn name(self) -> &'static str {
        REASONS[self as usize]
    }
}

impl Counts {
    /// A client was let in.
    pub(super) fn come(&self) {
        self.came.fetch_add(1, Relaxed);
    }

    /// A client that was let in has gone.
    pub(super) fn go(&self) {
        self.went.fetch_add(1, Relaxed);
    }

    /// A message was taken, of so many octets.
    pub(super) fn take(&self, kind: Kind, octets: u64) {
        self.messages[kind as usize].fetch_add(1, Relaxed);
        self.octets.fetch_add(octets, Relaxed);
    }

    /// Something was refused.
    pub(super) fn refuse(&self, why: Refused) {
        self.refused[why as usize].fetch_add(1, Relaxed);
    }

    /// Messages of one kind.
    #[cfg(test)]
    pub(super) fn messages(&self, kind: Kind) -> u64 {
        self.messages[kind as usize].load(Relaxed)
    }

    /// What was refused for one reason.
    #[cfg(test)]
    pub(super) fn refused(&self, why: Refused) -> u64 {
        self.refused[why as usize].load(Relaxed)
    }
}

impl Meter for Counts {
    fn read(&self) -> Vec<Sample> {
        // Read in this order, it is never negative.
        let went = self.went.load(Relaxed);
        let came = self.came.load(Relaxed);
        let mut samples = vec![
            sample(&CONNECTIONS, None, came.saturating_sub(went)),
            sample(&ACCEPTED, None, came),
            sample(&OCTETS, None, self.octets.load(Relaxed)),
        ];
        let messages = KINDS.iter().zip(&self.messages);
        samples.extend(messages.map(|(kind, n)| sample(&MESSAGES, Some(kind), n.load(Relaxed))));
        let refused = REASONS.iter().zip(&self.refused);
        samples.extend(refused.map(|(why, n)| sample(&REFUSED, Some(why), n.load(Relaxed))));
        samples
    }
}

fn sample(metric: &'static Metric, label: Option<&'static str>, value: u64) -> Sample {
    Sample {
        metric,
        labels: label.into_iter().map(Cow::Borrowed).collect(),
        count: Count::Number(value as f64),
    }
}

/// All that is counted.
pub(super) static METRICS: [&Metric; 5] = [&MESSAGES, &OCTETS, &REFUSED, &CONNECTIONS, &ACCEPTED];

static MESSAGES: Metric = Metric::of_responder(
    "leadsman_smtp_sink_messages_total",
    "Messages that were taken, by what they are to the probes of this process.",
    MetricKind::Counter,
    &["kind"],
);
static OCTETS: Metric = Metric::of_responder(
    "leadsman_smtp_sink_received_bytes_total",
    "Bytes of messages that were taken.",
    MetricKind::Counter,
    &[],
);
static REFUSED: Metric = Metric::of_responder(
    "leadsman_smtp_sink_refused_total",
    "Connections, recipients and messages that were refused, and sessions that were cut off, by reason.",
    MetricKind::Counter,
    &["reason"],
);
static CONNECTIONS: Metric = Metric::of_responder(
    "leadsman_smtp_sink_connections",
    "Connections that are open.",
    MetricKind::Gauge,
    &[],
);
static ACCEPTED: Metric = Metric::of_responder(
    "leadsman_smtp_sink_connections_total",
    "Connections that were let in.",
    MetricKind::Counter,
    &[],
);

/// In the order of [`Kind`].
const KINDS: [&str; 4] = ["in_time", "late", "unknown", "foreign"];
/// In the order of [`Refused`].
const REASONS: [&str; 8] = [
    "full",
    "recipient",
    "size",
    "bare",
    "turn",
    "commands",
    "tls",
    "timeout",
];
