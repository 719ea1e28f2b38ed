//! What does a ping record, and under which names?
//!
//! The first two are `blackbox_exporter`'s, with its meaning. Round trips are those of replies in
//! time: one that came late counts as lost and as late, and its time as none.

use leadsman_core::metric::{Counter, Declared, Gauge, Histogram, Info, RTT_BUCKETS};

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
    "Share of the last run's echo requests that got no good reply in time, from 0 to 1 \
     (RFC 6673). Requests that were not sent, that were still in flight when the run was stopped or whose \
     replies this host may have dropped do not count.",
);

pub(crate) static RTT: Histogram = Histogram::new(
    "probe_icmp_rtt_seconds",
    "Time from an echo request to its reply (RFC 2681), of replies in time; all from one source, so \
     that its count may be less than the outcome ok.",
    RTT_BUCKETS,
);

pub(crate) static RTT_SOURCE: Info = Info::new(
    "probe_icmp_rtt_source_info",
    "Whose stamps the last round trip observed in probe_icmp_rtt_seconds is taken from: kernel, \
     kernel_receive (the departure's is this program's) or user.",
    &["source"],
);

pub(crate) static JITTER: Gauge = Gauge::new(
    "probe_icmp_jitter_seconds",
    "Jitter J of RFC 3550, section 6.4.1, taken of the round trips of neighbouring echo requests \
     that were both answered, over all runs; absent until there were two.",
);

pub(crate) static IPDV: Counter = Counter::new(
    "probe_icmp_ipdv_seconds_total",
    "Sizes of the delay variation (RFC 3393) between the round trips of neighbouring echo requests \
     that were both answered, added up.",
);

pub(crate) static IPDV_PAIRS: Counter = Counter::new(
    "probe_icmp_ipdv_pairs_total",
    "Pairs of neighbouring echo requests that are in probe_icmp_ipdv_seconds_total.",
);

pub(crate) static LOSS_PERIODS: Counter = Counter::new(
    "probe_icmp_loss_periods_total",
    "Loss periods (RFC 3357): times that echo requests in a row, be it one, got no good reply in \
     time.",
);

pub(crate) static ERROR: Info = Info::new(
    "probe_icmp_error_info",
    "The last ICMP error that the last run heard: type and code as on the wire (RFC 792 and \
     RFC 4443), and what they mean.",
    &["type", "code", "meaning"],
);

pub(crate) static NEXT_HOP_MTU: Gauge = Gauge::new(
    "probe_icmp_next_hop_mtu_bytes",
    "What the next link carries according to the last frag_needed of the last run (RFC 1191 and \
     RFC 4443); absent if there was none or it did not tell.",
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
    "Answers, ICMP errors included, to echo requests that had already ended as timeout, local_suspect or abandoned.",
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
    &JITTER,
    &IPDV,
    &IPDV_PAIRS,
    &LOSS_PERIODS,
    &ERROR,
    &NEXT_HOP_MTU,
    &SENT,
    &ECHOES,
    &LATE,
    &DUPLICATES,
];

/// Finding the address; preparing to send; from the last request that was answered to its reply.
pub(crate) const PHASES: &[&str] = &["resolve", "setup", "rtt"];
