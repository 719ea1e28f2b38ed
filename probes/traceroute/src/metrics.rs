//! What does a trace record, and under which names?
//!
//! No address is a label of a number, for paths change: series are told apart by TTL only, and the
//! path is a value. The one info names it.

use leadsman_core::metric::{Counter, Declared, Gauge, Info};

use crate::discovery::Verdict;

pub(crate) static RUNS: Counter = Counter::new(
    "probe_traceroute_runs_total",
    "Traces by how they ended: unfinished are those that were cut short by the deadline, a stop or \
     a fault of this host.",
)
.by(&["result"], RESULTS);

pub(crate) static SENT: Counter = Counter::new(
    "probe_traceroute_sent_total",
    "Packets that were asked to be sent, those beyond the target included.",
);

pub(crate) static SPARED: Counter = Counter::new(
    "probe_traceroute_spared_total",
    "Packets that were not sent to spare the router that would have answered: all traces together \
     ask each router ten times a second at most.",
);

pub(crate) static PUT_OFF: Counter = Counter::new(
    "probe_traceroute_put_off_total",
    "Searches for all paths or for the path MTU that were put off to a later run, to spare routers \
     that many traces ask.",
)
.by(&["search"], SEARCHES);

pub(crate) static HOPS: Gauge = Gauge::new(
    "probe_traceroute_path_hops",
    "The lowest TTL with which the last run got to the target; absent if it did not.",
);

pub(crate) static REVERSE_HOPS: Gauge = Gauge::new(
    "probe_traceroute_reverse_hops",
    "Length of the way back from the target, guessed from the TTL left in its answer; absent if \
     there was none.",
);

pub(crate) static RTT: Gauge = Gauge::new(
    "probe_traceroute_target_rtt_seconds",
    "Round trip to the target and back in the last run; absent if it did not answer.",
);

pub(crate) static RTT_SOURCE: Info = Info::new(
    "probe_traceroute_rtt_source_info",
    "Whose stamps the least exact round trip of the last run is taken from: kernel, kernel_receive \
     (the departure's is this program's) or user.",
    &["source"],
);

pub(crate) static ASYMMETRY: Gauge = Gauge::new(
    "probe_traceroute_asymmetry_hops",
    "By how much the way back from the target seems to be longer than the way there; absent if \
     either is not known.",
);

pub(crate) static PATH_CHANGES: Counter = Counter::new(
    "probe_traceroute_path_changes_total",
    "Changes of the path: times at which two runs in a row found another router at some TTL.",
);

pub(crate) static SYSTEMS_CHANGES: Counter = Counter::new(
    "probe_traceroute_as_path_changes_total",
    "Changes of the path that lead through other autonomous systems than before; 0 without \
     `as_database`.",
);

pub(crate) static LAST_CHANGE: Gauge = Gauge::new(
    "probe_traceroute_path_last_change_timestamp_seconds",
    "When the path last changed, in seconds since the Unix epoch; absent if it did not.",
);

pub(crate) static PATH_HASH: Gauge = Gauge::new(
    "probe_traceroute_path_hash",
    "A number for the paths of all flows: it changes when two runs of a flow in a row found another \
     router at some TTL, and when a router that kept silent, or a flow, became known.",
);

pub(crate) static PATH: Info = Info::new(
    "probe_traceroute_path_info",
    "The path of the first flow: who answers at TTL 1, 2 and so on, a star for silence.",
    &["path"],
);

pub(crate) static FLOW_PATHS: Gauge = Gauge::new(
    "probe_traceroute_flow_paths",
    "How many different paths the flows of all runs so far take.",
);

pub(crate) static HOP_PROBES: Counter = Counter::new(
    "probe_traceroute_hop_probes_total",
    "Packets with this TTL, up to that which got to the target.",
)
.by(&["ttl"], TTLS)
.passing();

pub(crate) static HOP_REPLIES: Counter = Counter::new(
    "probe_traceroute_hop_replies_total",
    "Traces in which a packet with this TTL was answered while it was waited for, up to that which \
     got to the target.",
)
.by(&["ttl"], TTLS)
.passing();

pub(crate) static HOP_RTT: Gauge = Gauge::new(
    "probe_traceroute_hop_rtt_seconds",
    "Round trip of the packet with this TTL in the last run; absent if it was not answered.",
)
.by(&["ttl"], TTLS);

pub(crate) static HOP_LOSS: Gauge = Gauge::new(
    "probe_traceroute_hop_loss_ratio",
    "The largest share of packets that can have been lost up to this TTL in the last 64 runs: the \
     least that any TTL from here on left unanswered.",
)
.by(&["ttl"], TTLS);

pub(crate) static HOP_RELUCTANCE: Gauge = Gauge::new(
    "probe_traceroute_hop_reluctance_ratio",
    "The share of packets in the last 64 runs that the router at this TTL left unanswered beyond \
     what can have been lost: it limits its answers, or has better to do.",
)
.by(&["ttl"], TTLS);

pub(crate) static HOP_RESPONDERS: Gauge = Gauge::new(
    "probe_traceroute_hop_responders",
    "How many different addresses have answered at this TTL in the last 64 runs.",
)
.by(&["ttl"], TTLS);

/// Those that have a series for each TTL that is shown.
pub(crate) const OF_HOPS: [&(dyn Declared + Sync); 6] = [
    &HOP_PROBES,
    &HOP_REPLIES,
    &HOP_RTT,
    &HOP_LOSS,
    &HOP_RELUCTANCE,
    &HOP_RESPONDERS,
];

pub(crate) static HOP_ADDRESSES: Gauge = Gauge::new(
    "probe_traceroute_hop_addresses",
    "How many routers were found at this TTL; with `paths: all` only.",
)
.by(&["ttl"], TTLS);

pub(crate) static PATHS: Gauge = Gauge::new(
    "probe_traceroute_paths",
    "In how many ways the routers that were found are linked from the first to the last; with \
     `paths: all` only.",
);

pub(crate) static DIAMONDS: Gauge = Gauge::new(
    "probe_traceroute_diamonds",
    "How many stretches of the way have several routers at every TTL; with `paths: all` only.",
);

pub(crate) static PATH_MTU: Gauge = Gauge::new(
    "probe_traceroute_path_mtu_bytes",
    "The largest IP packet that gets to the target, or to the farthest hop that answers; with \
     `mtu: true` only.",
);

pub(crate) static MTU_BLACK_HOLE: Gauge = Gauge::new(
    "probe_traceroute_path_mtu_black_hole",
    "Whether larger packets vanish somewhere without a word: 1 or 0; with `mtu: true` only.",
);

pub(crate) const ALL: &[&(dyn Declared + Sync)] = &[
    &RUNS,
    &SENT,
    &SPARED,
    &PUT_OFF,
    &HOPS,
    &REVERSE_HOPS,
    &ASYMMETRY,
    &RTT,
    &RTT_SOURCE,
    &PATH_CHANGES,
    &SYSTEMS_CHANGES,
    &LAST_CHANGE,
    &PATH_HASH,
    &PATH,
    &FLOW_PATHS,
    &HOP_PROBES,
    &HOP_REPLIES,
    &HOP_RTT,
    &HOP_LOSS,
    &HOP_RELUCTANCE,
    &HOP_RESPONDERS,
    &HOP_ADDRESSES,
    &PATHS,
    &DIAMONDS,
    &PATH_MTU,
    &MTU_BLACK_HOLE,
];

/// The value of the label `result`; no verdict is how a run that was cut short ends.
pub(crate) fn result(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Reached { .. } | Verdict::ReachedBeyond { .. }) => "reached",
        Some(Verdict::Unreached { .. }) => "unreached",
        Some(Verdict::Blocked { .. }) => "blocked",
        Some(Verdict::Loop { .. }) => "loop",
        None => "unfinished",
    }
}

/// The value of the label `ttl`; none beyond [`MOST_HOPS`].
pub(crate) fn ttl(hops: u8) -> Option<&'static str> {
    TTLS.get(usize::from(hops).checked_sub(1)?).copied()
}

const SEARCHES: &[&str] = &[ALL_PATHS, MTU];

/// The values of the label `search`.
pub(crate) const ALL_PATHS: &str = "paths";
pub(crate) const MTU: &str = "mtu";

const RESULTS: &[&str] = &["reached", "unreached", "blocked", "loop", "unfinished"];

const TTLS: &[&str] = &[
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30",
];

/// TTLs that have series.
pub(crate) const MOST_HOPS: usize = TTLS.len();
