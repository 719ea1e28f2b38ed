//! What may be chosen about a trace?
//!
//! Whether a source address or an interface exists on this host shows only when a packet is sent.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::metric::{Declared as _, Metric};
use leadsman_core::options::{OptionsError, Period};
use leadsman_core::{Options, Preference, Target};
use leadsman_wire::{FlowLabel, Interface, Protocol, RequestOptions, Ttl};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::Shown;
use crate::discovery::Limits;
use crate::metrics::{self, MOST_HOPS};
use crate::multipath::Confidence;
use crate::trace::{Trace, Wanted};

/// Options of the traceroute probe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the configuration"
)]
pub(crate) struct TraceOptions {
    /// What packets are: icmp (echo requests), udp or tcp (SYNs, which take raw sockets).
    pub(crate) protocol: PacketProtocol,
    /// Port that UDP and TCP packets go to: 33434 for UDP and 80 for TCP if none is given.
    #[schemars(range(min = 1))]
    pub(crate) port: Option<u16>,
    /// Address family to use if the name has addresses of both: ip4 or ip6.
    pub(crate) preferred_ip_protocol: String,
    /// Use the other family if the name has no address of the preferred one.
    pub(crate) ip_protocol_fallback: bool,
    /// The first TTL to ask: routers nearer than this are left alone.
    #[schemars(range(min = 1, max = 30))]
    pub(crate) first_ttl: u8,
    /// The last TTL to ask; beyond it, one packet with a TTL of 64 asks whether the target answers at all.
    #[schemars(range(min = 1, max = 30))]
    pub(crate) max_ttl: u8,
    /// End when the path is known, as with `mtu` and `paths: all`; otherwise its hops are measured in rounds from then on.
    pub(crate) once: bool,
    /// Rounds before the report; 0 goes on until the run's deadline, or by hand until you stop it (10 where the output is no terminal).
    pub(crate) report: u32,
    /// Time from one round to the next, at least 10ms: each hop is asked once in a round.
    pub(crate) interval: Period,
    /// Tell addresses only: the names of routers are not looked up.
    pub(crate) numeric: bool,
    /// File that tells which autonomous system an address belongs to, in the format of iptoasn.com, not compressed.
    pub(crate) as_database: Option<PathBuf>,
    /// How long to wait where nothing farther answers; twice the slowest answer if that is longer.
    pub(crate) wait: Period,
    /// Which TTLs have series: none, summary (the first two and the last two) or all; the path as a whole has them always.
    pub(crate) hops: Shown,
    /// Follow one path, or find all that load balancers offer and how they are linked.
    pub(crate) paths: Paths,
    /// How sure it must be, in percent, that no branch is missing where all paths are wanted: 95 or 99.
    #[schemars(range(min = 95, max = 99))]
    pub(crate) confidence: u8,
    /// Find the largest packet that gets through, and the routers before narrow links; all packets then have the DF bit.
    pub(crate) mtu: bool,
    /// Number of flows: each run takes the next, so that balancers show more than one path over time.
    #[schemars(range(min = 1, max = 64))]
    pub(crate) flows: u16,
    /// Address to send from, of this host and of the target's family; the routing table chooses if none is given.
    pub(crate) source_ip_address: Option<IpAddr>,
    /// Interface to send from and to hear answers on; the routing table chooses if none is given.
    pub(crate) interface: Option<String>,
    /// Firewall mark of the packets, by which `ip rule` may route them; takes the capability to administer networks.
    pub(crate) mark: Option<u32>,
    /// Bytes of payload after the header of ICMP or UDP, at least 20: by these, answers are told from those to other programs. TCP has none.
    #[schemars(range(min = 20, max = 65_507))]
    pub(crate) payload_size: u16,
    /// Type of service (IPv4) or traffic class (IPv6) byte: DSCP in the upper six bits.
    pub(crate) tos: u8,
    /// IPv6 flow label, 1 to 1048575; one that follows from the target's address if none is given.
    #[schemars(range(min = 1, max = 0xf_ffff))]
    pub(crate) flow_label: Option<u32>,
}

/// What packets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PacketProtocol {
    Icmp,
    Udp,
    Tcp,
}

/// How many of the paths to a target are wanted: that of one flow, or those of as many flows as it
/// takes to find all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Paths {
    One,
    All,
}

impl Default for TraceOptions {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            protocol: PacketProtocol::Icmp,
            port: None,
            preferred_ip_protocol: "ip6".to_owned(),
            ip_protocol_fallback: true,
            first_ttl: limits.first.hops(),
            max_ttl: limits.max.hops(),
            once: true,
            report: 0,
            interval: Period(Duration::from_secs(1)),
            numeric: true,
            as_database: None,
            wait: Period(limits.wait),
            hops: Shown::default(),
            paths: Paths::One,
            confidence: 95,
            mtu: false,
            flows: 1,
            source_ip_address: None,
            interface: None,
            mark: None,
            payload_size: 36,
            tos: 0,
            flow_label: None,
        }
    }
}

impl Options for TraceOptions {
    type Probe = Trace;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<Trace, OptionsError> {
        target.host()?;
        let most = RequestOptions::MAX_PAYLOAD_SIZE;
        if !(LEAST_PAYLOAD..=most).contains(&usize::from(self.payload_size)) {
            let message = format!("must be from {LEAST_PAYLOAD} to {most}");
            return Err(OptionsError::field("payload_size", message));
        }
        if self.wait.is_zero() {
            return Err(OptionsError::field("wait", "must be longer than 0s"));
        }
        if *self.interval < SHORTEST_INTERVAL {
            return Err(OptionsError::field("interval", "must be at least 10ms"));
        }
        if self.first_ttl > self.max_ttl {
            let message = format!("must not be above max_ttl, which is {}", self.max_ttl);
            return Err(OptionsError::field("first_ttl", message));
        }
        let (echo, limits) = (self.echo(&target.address)?, self.limits()?);
        let confidence = self.confidence()?;
        if !(1..=MOST_FLOWS).contains(&self.flows) {
            let message = format!("must be from 1 to {MOST_FLOWS}");
            return Err(OptionsError::field("flows", message));
        }
        if self.mtu && self.protocol != PacketProtocol::Icmp {
            let message = "is found with echo requests only: leave protocol at icmp";
            return Err(OptionsError::field("mtu", message));
        }
        let wanted = Wanted {
            flows: self.flows,
            all_paths: (self.paths == Paths::All).then_some(confidence),
            mtu: self.mtu,
        };
        Ok(Trace::new(Arc::clone(self), echo, limits, wanted))
    }

    /// All TTLs, two of them twice, and the one with a TTL of 64; for all paths, as many flows as
    /// rule out branches; for the path MTU, two sizes; then all TTLs in every round.
    fn packets(&self, timeout: Duration) -> Option<u64> {
        let hops = u64::from(self.max_ttl.saturating_sub(self.first_ttl)) + 1;
        let flows = match (self.paths, self.confidence) {
            (Paths::One, _) => 0,
            (Paths::All, 99) => 8,
            (Paths::All, _) => 6,
        };
        let fitting = timeout.as_nanos().div_ceil(self.interval.as_nanos().max(1));
        let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
        let rounds = match self.report {
            _ if !self.goes_on() => 0,
            0 => fitting,
            rounds => fitting.min(rounds.into()),
        };
        let found = hops + 3 + hops * flows + 2 * u64::from(self.mtu);
        Some(found.saturating_add(hops.saturating_mul(rounds)))
    }

    fn series(&self, metric: &Metric) -> Option<usize> {
        let asked = usize::from(self.max_ttl.saturating_sub(self.first_ttl) + 1);
        if std::ptr::eq(metrics::HOP_ADDRESSES.metric(), metric) {
            return Some(if self.paths == Paths::All { asked } else { 0 });
        }
        let mut of_hops = metrics::OF_HOPS.into_iter();
        of_hops.find(|declared| std::ptr::eq(declared.metric(), metric))?;
        Some(self.hops.at_most(asked))
    }
}

impl TraceOptions {
    /// Whether hops are measured in rounds once the path is known.
    pub(crate) fn goes_on(&self) -> bool {
        !self.once && !self.mtu && self.paths == Paths::One
    }

    /// Which address family is wanted.
    pub(crate) fn preference(&self) -> Preference {
        Preference::new(&self.preferred_ip_protocol, self.ip_protocol_fallback)
    }

    fn confidence(&self) -> Result<Confidence, OptionsError> {
        Confidence::of(self.confidence)
            .ok_or_else(|| OptionsError::field("confidence", "must be 95 or 99"))
    }

    fn limits(&self) -> Result<Limits, OptionsError> {
        let ttl = |field, hops| {
            let hops = Some(hops).filter(|hops| usize::from(*hops) <= MOST_HOPS);
            let message = format!("must be from 1 to {MOST_HOPS}");
            hops.and_then(Ttl::new)
                .ok_or_else(|| OptionsError::field(field, message))
        };
        Ok(Limits {
            first: ttl("first_ttl", self.first_ttl)?,
            max: ttl("max_ttl", self.max_ttl)?,
            wait: *self.wait,
            ..Limits::default()
        })
    }

    /// What these options mean for the packets to a target.
    fn echo(&self, target: &str) -> Result<RequestOptions, OptionsError> {
        let interface = self.interface.as_deref().map(|name| {
            let message = format!("`{name}` cannot be the name of an interface, such as eth0");
            Interface::new(name).ok_or_else(|| OptionsError::field("interface", message))
        });
        let label = self.flow_label.unwrap_or_else(|| label(target));
        let label = FlowLabel::new(label)
            .ok_or_else(|| OptionsError::field("flow_label", "must be from 1 to 1048575"))?;
        let (protocol, port) = match self.protocol {
            PacketProtocol::Icmp if self.port.is_some() => {
                let message = "has no meaning for ICMP: set protocol to udp or tcp";
                return Err(OptionsError::field("port", message));
            }
            PacketProtocol::Icmp => (Protocol::Icmp, 0),
            PacketProtocol::Udp => (Protocol::Udp, self.port.unwrap_or(PORT_UDP)),
            PacketProtocol::Tcp => (Protocol::Tcp, self.port.unwrap_or(PORT_TCP)),
        };
        if self.port == Some(0) {
            return Err(OptionsError::field("port", "must be from 1 to 65535"));
        }
        Ok(RequestOptions {
            protocol,
            port,
            source: self.source_ip_address,
            interface: interface.transpose()?,
            mark: self.mark,
            tos: self.tos,
            flow_label: Some(label),
            dont_fragment: self.mtu,
            payload_size: self.payload_size.into(),
            remarks: true,
            ..RequestOptions::default()
        })
    }
}

/// A flow label for a target: one that the kernel chose might differ from packet to packet, and
/// routers may choose the way by it (RFC 6438).
fn label(target: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    (hasher.finish() as u32 & 0xf_ffff).max(1)
}

/// Where traceroute(8) sends: a port at which nobody listens.
const PORT_UDP: u16 = 33_434;

/// Where traceroute(8) sends: a port that many filters let through.
const PORT_TCP: u16 = 80;

/// So many kinds of packets show most of what there is; all takes `paths: all`.
const MOST_FLOWS: u16 = 64;
/// A router is asked once in so much time.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Of a smaller payload there is no cookie in the packet.
const LEAST_PAYLOAD: usize = 20;

#[cfg(test)]
mod tests {
    use leadsman_core::options::{Kind, Node, read};

    use super::*;

    #[test]
    fn options_are_refused_with_words_that_help() {
        for (options, expected) in [
            (&[("max_ttl", "30"), ("first_ttl", "30")][..], ""),
            (&[("max_ttl", "31")], "max_ttl: must be from 1 to 30"),
            (&[("first_ttl", "0")], "first_ttl: must be from 1 to 30"),
            (
                &[("max_ttl", "3"), ("first_ttl", "4")],
                "first_ttl: must not be above max_ttl, which is 3",
            ),
            (
                &[("payload_size", "19")],
                "payload_size: must be from 20 to 65507",
            ),
            (&[("protocol", "tcp"), ("port", "443")], ""),
            (
                &[("port", "53")],
                "port: has no meaning for ICMP: set protocol to udp or tcp",
            ),
            (
                &[("protocol", "udp"), ("port", "0")],
                "port: must be from 1 to 65535",
            ),
            (&[("confidence", "99"), ("paths", "all")], ""),
            (&[("flows", "65")], "flows: must be from 1 to 64"),
            (&[("confidence", "97")], "confidence: must be 95 or 99"),
            (&[("interval", "9ms")], "interval: must be at least 10ms"),
            (&[("wait", "0s")], "wait: must be longer than 0s"),
            (
                &[("interface", "a b")],
                "interface: `a b` cannot be the name of an interface, such as eth0",
            ),
            (
                &[("flow_label", "1048576")],
                "flow_label: must be from 1 to 1048575",
            ),
        ] {
            check(options, expected);
        }
    }

    /// Reads and aims; `expected` is the complaint, or empty for none.
    fn check(options: &[(&str, &str)], expected: &str) {
        let entries = options
            .iter()
            .map(|(k, v)| (Node::word(*k), Node::word(*v)));
        let options = read::<TraceOptions>(&Node::new(Kind::Map(entries.collect())))
            .expect("each has the right type");
        let aimed = Arc::new(options).aim(&Target::new("192.0.2.1"));
        let said = aimed.err().map(|error| error.to_string());
        assert_eq!(said.unwrap_or_default(), expected);
    }

    #[test]
    fn check_knows_how_many_series_the_hops_have_at_most() {
        for (first_ttl, max_ttl, hops, expected) in [
            (1, 30, Shown::None, 0),
            (1, 30, Shown::Summary, 4),
            (1, 30, Shown::All, 30),
            (5, 20, Shown::All, 16),
            (3, 4, Shown::Summary, 2),
        ] {
            let options = TraceOptions {
                first_ttl,
                max_ttl,
                hops,
                ..TraceOptions::default()
            };
            for metric in metrics::ALL {
                let is_of_hop = metric.metric().labels == ["ttl"];
                // Found only where all paths are wanted.
                let is_found = std::ptr::eq(metric.metric(), metrics::HOP_ADDRESSES.metric());
                let expected = is_of_hop.then_some(if is_found { 0 } else { expected });
                assert_eq!(options.series(metric.metric()), expected, "{metric:?}");
            }
        }
    }

    #[test]
    fn every_target_has_a_flow_label() {
        for target in ["192.0.2.1", "example.com", ""] {
            assert!(FlowLabel::new(label(target)).is_some(), "{target}");
        }
    }
}
