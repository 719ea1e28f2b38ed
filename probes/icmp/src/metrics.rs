//! What does a ping record, and under which names?
//!
//! The first two are `blackbox_exporter`'s, with its meaning. Round trips are those of replies in
//! time: one that came late counts as lost and as late, and its time as none.

use leadsman_core::metric::{Counter, Declared, Gauge, Histogram, Info, RTT_BUCKETS};

use crate::exchange::Outcome;
use crate::source;

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
     Requests that were not sent, that were still in flight when the run was stopped or whose \
     replies this host may have dropped do not count.",
);

pub(crate) static RTT: Histogram = Histogram::new(
    "probe_icmp_rtt_seconds",
    "Time from an echo request to its reply, of replies in time; all from one source.",
    RTT_BUCKETS,
);

pub(crate) static RTT_SOURCE: Info = Info::new(
    "probe_icmp_rtt_source_info",
    "Whose stamps the last round trip observed in probe_icmp_rtt_seconds is taken from: kernel, \
     kernel_receive (the departure's is this program's) or user.",
    &["source"],
);

pub(crate) static ROUND_TRIPS: Counter = Counter::new(
    "probe_icmp_round_trips_total",
    "Replies in time by whose stamps their round trip is taken from; those from a worse source \
     than the others are not in probe_icmp_rtt_seconds.",
)
.by(&["source"], source::LABELS);

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
    &RTT_SOURCE,
    &ROUND_TRIPS,
    &SENT,
    &ECHOES,
    &LATE,
    &DUPLICATES,
];

/// Finding the address; preparing to send; from the last request that was answered to its reply.
pub(crate) const PHASES: &[&str] = &["resolve", "setup", "rtt"];
