//! What may be chosen about a trace?
//!
//! Whether a source address or an interface exists on this host shows only when a packet is sent.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::{OptionsError, Period};
use leadsman_core::{Options, Preference, Target};
use leadsman_wire::{EchoOptions, FlowLabel, Interface, Ttl};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::discovery::Limits;
use crate::metrics::MOST_HOPS;
use crate::trace::Trace;

/// Options of the traceroute probe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TraceOptions {
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
    /// End when the path is known; otherwise its hops are measured in rounds from then on.
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
    /// Address to send from, of this host and of the target's family; the routing table chooses if none is given.
    pub(crate) source_ip_address: Option<IpAddr>,
    /// Interface to send from and to hear answers on; the routing table chooses if none is given.
    pub(crate) interface: Option<String>,
    /// Firewall mark of the packets, by which `ip rule` may route them; takes the capability to administer networks.
    pub(crate) mark: Option<u32>,
    /// Bytes of payload after the ICMP header, at least 20: by these, answers are told from those to other programs.
    #[schemars(range(min = 20, max = 65_507))]
    pub(crate) payload_size: u16,
    /// Type of service (IPv4) or traffic class (IPv6) byte: DSCP in the upper six bits.
    pub(crate) tos: u8,
    /// IPv6 flow label, 1 to 1048575; one that follows from the target's address if none is given.
    #[schemars(range(min = 1, max = 0xf_ffff))]
    pub(crate) flow_label: Option<u32>,
}

impl Default for TraceOptions {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
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
        let most = EchoOptions::MAX_PAYLOAD_SIZE;
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
        Ok(Trace::new(
            Arc::clone(self),
            self.echo(&target.address)?,
            self.limits()?,
        ))
    }

    /// All TTLs, two of them twice, and the one with a TTL of 64; then all TTLs in every round.
    fn packets(&self, timeout: Duration) -> Option<u64> {
        let hops = u64::from(self.max_ttl.saturating_sub(self.first_ttl)) + 1;
        let fitting = timeout.as_nanos().div_ceil(self.interval.as_nanos().max(1));
        let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
        let rounds = match self.report {
            _ if self.once => 0,
            0 => fitting,
            rounds => fitting.min(rounds.into()),
        };
        Some((hops + 3).saturating_add(hops.saturating_mul(rounds)))
    }
}

impl TraceOptions {
    /// Which address family is wanted.
    pub(crate) fn preference(&self) -> Preference {
        Preference::new(&self.preferred_ip_protocol, self.ip_protocol_fallback)
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
    fn echo(&self, target: &str) -> Result<EchoOptions, OptionsError> {
        let interface = self.interface.as_deref().map(|name| {
            let message = format!("`{name}` cannot be the name of an interface, such as eth0");
            Interface::new(name).ok_or_else(|| OptionsError::field("interface", message))
        });
        let label = self.flow_label.unwrap_or_else(|| label(target));
        let label = FlowLabel::new(label)
            .ok_or_else(|| OptionsError::field("flow_label", "must be from 1 to 1048575"))?;
        Ok(EchoOptions {
            source: self.source_ip_address,
            interface: interface.transpose()?,
            mark: self.mark,
            tos: self.tos,
            flow_label: Some(label),
            payload_size: self.payload_size.into(),
            remarks: true,
            ..EchoOptions::default()
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
    fn every_target_has_a_flow_label() {
        for target in ["192.0.2.1", "example.com", ""] {
            assert!(FlowLabel::new(label(target)).is_some(), "{target}");
        }
    }
}
