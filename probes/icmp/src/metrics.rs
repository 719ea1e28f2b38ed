//! What does a ping record, and under which names?
//!
//! The first two are `blackbox_exporter`'s, with its meaning. Round trips are those of replies in
//! time: one that came late counts as lost and as late, and its time as none.

use leadsman_core::metric::{Counter, Declared, Gauge, Histogram, RTT_BUCKETS};

use crate::exchange::Outcome;

pub(crate) static DURATION: Gauge = Gauge::new(
    "probe_icmp_duration_seconds",
    "Duration of the last run by phase; rtt is that of its last reply. 0 for a phase not reached.",
)
.by(&["phase"], PHASES);

pub(crate) static REPLY_HOP_LIMIT: Gauge = Gauge::new(
    "probe_icmp_reply_hop_limit",
    "TTL (IPv4) or hop limit (IPv6) left in the last reply.",
);

pub(crate) static LOSS: Gauge = Gauge::new(
    "probe_icmp_loss_ratio",
    "Share of the last run's echo requests that got no good reply in time, from 0 to 1. \
     Requests that were not sent or that were still in flight when the run was stopped do not count.",
);

pub(crate) static RTT: Histogram = Histogram::new(
    "probe_icmp_rtt_seconds",
    "Time from an echo request to its reply, of replies in time.",
    RTT_BUCKETS,
);

pub(crate) static SENT: Counter = Counter::new(
    "probe_icmp_sent_total",
    "Echo requests, those that this host could not send included. Equals the sum of \
     probe_icmp_echoes_total.",
);

pub(crate) static ECHOES: Counter = Counter::new(
    "probe_icmp_echoes_total",
    "Echo requests by what became of them; each has exactly one outcome.",
)
.by(&["outcome"], Outcome::LABELS);

pub(crate) static LATE: Counter = Counter::new(
    "probe_icmp_late_total",
    "Answers, ICMP errors included, to echo requests that already counted as lost or abandoned.",
);

pub(crate) static DUPLICATES: Counter = Counter::new(
    "probe_icmp_duplicates_total",
    "Replies to echo requests that had been answered before.",
);

pub(crate) const ALL: &[&(dyn Declared + Sync)] = &[
    &DURATION,
    &REPLY_HOP_LIMIT,
    &LOSS,
    &RTT,
    &SENT,
    &ECHOES,
    &LATE,
    &DUPLICATES,
];

/// Finding the address; preparing to send; from the last request that was answered to its reply.
pub(crate) const PHASES: &[&str] = &["resolve", "setup", "rtt"];
