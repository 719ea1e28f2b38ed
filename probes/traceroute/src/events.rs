//! What does a trace say while it runs?
//!
//! Written by the probe, read back by the drawing, and by programs as `--json`.

pub(crate) mod branching;
pub(crate) mod sounding;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use leadsman_core::Event;
use leadsman_wire::extension::{Extension, Role};
use leadsman_wire::{Answer, Arrived, Protocol, RttSource};
use serde::{Deserialize, Serialize};

use crate::answer::{listens, translation};
use crate::line::Line;
use crate::quote::Translation;
use crate::reply::{Reply, Says};
use crate::step::Probe;

/// The round of a discovery's packets.
pub(crate) const DISCOVERY: u32 = 0;

/// Anything that a trace says.
#[derive(Debug)]
pub(crate) enum Said {
    Sent(Sent),
    Hop(Box<Hop>),
    Silent(Silent),
    Ended(Ended),
    Round(Round),
    Lost(Lost),
    NotSent(NotSent),
    Router(Router),
}

impl Said {
    /// Reads an event; `None` for those that are the core's or are not drawn.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match event.name {
            Sent::NAME => event.read().map(Self::Sent),
            Hop::NAME => event.read().map(Self::Hop),
            Silent::NAME => event.read().map(Self::Silent),
            Ended::NAME => event.read().map(Self::Ended),
            Round::NAME => event.read().map(Self::Round),
            Lost::NAME => event.read().map(Self::Lost),
            NotSent::NAME => event.read().map(Self::NotSent),
            Router::NAME => event.read().map(Self::Router),
            _ => None,
        }
    }
}

/// A packet is about to leave this host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// [`DISCOVERY`], or the round of the observation, from 1.
    pub(crate) round: u32,
    pub(crate) ttl: u8,
    pub(crate) to: IpAddr,
    /// Length of the packet after its IP header.
    pub(crate) bytes: usize,
    /// `icmp`, `udp` or `tcp`.
    pub(crate) protocol: Cow<'static, str>,
    /// The port that it goes to.
    pub(crate) port: Option<u16>,
}

/// Somebody on the way answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hop {
    /// That of the packet that was answered.
    pub(crate) round: u32,
    pub(crate) ttl: u8,
    pub(crate) from: IpAddr,
    pub(crate) arrival: Arrival,
    #[serde(rename = "rtt_seconds", with = "seconds")]
    pub(crate) rtt: Duration,
    /// As in `probe_traceroute_rtt_source_info`.
    pub(crate) rtt_source: Cow<'static, str>,
    /// Whether the packet had got to the target.
    pub(crate) arrived: bool,
    /// What else was said than that the hops ran out, in ping(8)'s words.
    pub(crate) what: Option<String>,
    /// TTL or hop limit left in the answer.
    #[serde(rename = "hop_limit")]
    pub(crate) ttl_left: Option<u8>,
    /// The TTL that the router found in the packet, normally 1.
    pub(crate) quoted_ttl: Option<u8>,
    /// The TOS or traffic class byte that the router found in the packet, if it was changed.
    pub(crate) changed_tos: Option<u8>,
    /// `open` or `closed`, if the target says which of them the port is.
    pub(crate) port: Option<Cow<'static, str>>,
    /// What translators of addresses before this router have done to the packet.
    pub(crate) translated: Option<Translated>,
    /// The MPLS labels that the packet arrived with, outermost first (RFC 4950).
    pub(crate) labels: Vec<Label>,
    /// The router's interfaces, as far as it tells (RFC 5837).
    pub(crate) interfaces: Vec<Interface>,
}

/// What of a packet is not as it was sent (RFC 3022).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Translated {
    pub(crate) source: Option<IpAddr>,
    /// The source port, or the identifier of an echo request.
    pub(crate) port: Option<u16>,
    /// The IPv4 identification.
    pub(crate) identification: Option<u16>,
    /// By how much the checksum is another, in ones' complement.
    pub(crate) checksum_difference: Option<u16>,
}

impl From<Translation> for Translated {
    fn from(translation: Translation) -> Self {
        Self {
            source: translation.source,
            port: translation.port,
            identification: translation.identification,
            checksum_difference: translation.checksum,
        }
    }
}

/// Whether an answer ends its packet's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrival {
    InTime,
    /// After the packet was taken for lost.
    Late,
    /// After another answer to the same packet.
    Again,
}

/// An entry of an MPLS label stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Label {
    #[serde(rename = "label")]
    pub(crate) number: u32,
    pub(crate) traffic_class: u8,
    pub(crate) ttl: u8,
}

/// An interface as its router describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) role: Cow<'static, str>,
    pub(crate) index: Option<u32>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) name: Option<String>,
    pub(crate) mtu: Option<u32>,
}

/// Nobody answered packets with this TTL.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Silent {
    pub(crate) ttl: u8,
    /// How many there were.
    pub(crate) packets: u32,
    /// How long the last was waited for: less than `wait` where farther routers had answered.
    #[serde(rename = "waited_seconds", with = "seconds")]
    pub(crate) waited: Duration,
}

/// The trace is over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// As in `probe_traceroute_runs_total`.
    pub(crate) result: Cow<'static, str>,
    /// The lowest TTL with which a packet got to the target.
    pub(crate) hops: Option<u8>,
    /// How many packets were sent.
    pub(crate) packets: u32,
    /// Who answered at TTL 1 and on.
    #[serde(default)]
    pub(crate) path: Vec<Option<IpAddr>>,
    /// The same as earlier runs had it, if there were any.
    #[serde(default)]
    pub(crate) known: Option<Vec<Option<IpAddr>>>,
    /// The first TTL at which this run left the known path.
    #[serde(default)]
    pub(crate) first_difference: Option<u8>,
}

/// A round of the observation begins.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) round: u32,
    /// The TTL at which the target is, or would be if it answered.
    pub(crate) reach: u8,
}

/// Nobody answered a packet of a round in time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub(crate) round: u32,
    pub(crate) ttl: u8,
    /// Whether this host may have dropped the answer, or was late to ask.
    pub(crate) local_suspect: bool,
}

/// This host could not send a packet of a round, which it had announced as sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NotSent {
    pub(crate) round: u32,
    pub(crate) ttl: u8,
    pub(crate) error: String,
}

/// Something was found out about who answers at an address; what is `None` is told elsewhere, or
/// not known.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Router {
    pub(crate) address: IpAddr,
    /// Its name, by reverse lookup.
    pub(crate) name: Option<String>,
    /// The number of the autonomous system that announces the address (RFC 6793).
    pub(crate) system: Option<u32>,
}

/// Two runs in a row took another path than those before.
#[derive(Debug, Serialize)]
pub(crate) struct PathChanged {
    pub(crate) old: Vec<Option<IpAddr>>,
    pub(crate) new: Vec<Option<IpAddr>>,
    /// The first TTL with another router.
    pub(crate) first_difference: u8,
    /// The autonomous systems on the way, if they are known to be others than before.
    pub(crate) old_systems: Option<Vec<u32>>,
    pub(crate) new_systems: Option<Vec<u32>>,
}

/// Something came that tells nothing of the way.
#[derive(Debug, Serialize)]
pub(crate) struct Other {
    pub(crate) ttl: u8,
    pub(crate) from: IpAddr,
    /// What was said, in ping(8)'s words.
    pub(crate) what: String,
}

impl Sent {
    pub(crate) const NAME: &str = "sent";

    /// That `probe` of a round leaves by `line`.
    pub(crate) fn new(probe: Probe, round: u32, line: &Line) -> Self {
        Self {
            round,
            ttl: probe.ttl.hops(),
            to: line.address(),
            bytes: line.bytes(),
            protocol: match line.protocol() {
                Protocol::Icmp => "icmp",
                Protocol::Udp => "udp",
                Protocol::Tcp => "tcp",
            }
            .into(),
            port: line.port(),
        }
    }
}

impl Hop {
    pub(crate) const NAME: &str = "hop";

    /// What `answer`, which is read as `reply`, tells of the way that `line` leads.
    pub(crate) fn new(
        probe: Probe,
        round: u32,
        answer: &Answer,
        reply: &Reply,
        line: &Line,
    ) -> Self {
        let quote = reply.quote;
        Self {
            round,
            ttl: probe.ttl.hops(),
            from: reply.from,
            arrival: match answer.arrived {
                Arrived::InTime => Arrival::InTime,
                Arrived::Late => Arrival::Late,
                Arrived::Again => Arrival::Again,
            },
            rtt: reply.rtt,
            rtt_source: label(answer.rtt_source).into(),
            arrived: reply.arrived_at(line.address()),
            what: match reply.says {
                Says::Unreachable { .. } => Some(answer.to_string()),
                Says::Arrived | Says::TimeExceeded => None,
            },
            ttl_left: reply.hop_limit,
            quoted_ttl: quote.map(|quote| quote.ttl),
            changed_tos: quote
                .map(|quote| quote.tos)
                .filter(|tos| *tos != line.tos()),
            port: listens(line.protocol(), answer)
                .map(|listens| if listens { "open" } else { "closed" }.into()),
            translated: translation(answer).map(Translated::from),
            labels: labels(&reply.extensions),
            interfaces: interfaces(&reply.extensions),
        }
    }
}

impl Round {
    pub(crate) const NAME: &str = "round";
}

impl Lost {
    pub(crate) const NAME: &str = "lost";
}

impl NotSent {
    pub(crate) const NAME: &str = "send_error";
}

impl Router {
    pub(crate) const NAME: &str = "router";
}

impl Silent {
    pub(crate) const NAME: &str = "silent";
}

impl Ended {
    pub(crate) const NAME: &str = "ended";
}

impl PathChanged {
    pub(crate) const NAME: &str = "path_changed";
}

impl Other {
    pub(crate) const NAME: &str = "icmp_error";
}

/// The value of the label `source`.
pub(crate) fn label(source: RttSource) -> &'static str {
    match source {
        RttSource::User => "user",
        RttSource::KernelReceive => "kernel_receive",
        RttSource::Kernel => "kernel",
    }
}

/// The MPLS labels among a router's remarks.
fn labels(extensions: &[Extension]) -> Vec<Label> {
    let stacks = extensions.iter().filter_map(|extension| match extension {
        Extension::Labels(labels) => Some(labels),
        _ => None,
    });
    let labels = stacks.flatten().map(|label| Label {
        number: label.label,
        traffic_class: label.traffic_class,
        ttl: label.ttl,
    });
    labels.collect()
}

/// The interfaces among a router's remarks.
fn interfaces(extensions: &[Extension]) -> Vec<Interface> {
    let interfaces = extensions.iter().filter_map(|extension| match extension {
        Extension::Interface(interface) => Some(Interface {
            role: match interface.role {
                Role::Incoming => "incoming".into(),
                Role::SubIncoming => "sub_incoming".into(),
                Role::Outgoing => "outgoing".into(),
                Role::NextHop => "next_hop".into(),
            },
            index: interface.index,
            address: interface.address,
            name: interface.name.clone(),
            mtu: interface.mtu,
        }),
        _ => None,
    });
    interfaces.collect()
}

/// A duration as a number of seconds, the base unit that metrics have too.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(d: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(d.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(de::Error::custom)
    }
}
