//! What does a ping say while it runs?
//!
//! Written by the probe, read back by the drawing, and by programs as `--json`. Sequence numbers
//! count from 1, as ping(8) shows them, and go on from run to run; those in the packets are the
//! engine's own and count the echoes of all targets.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use leadsman_core::Event;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exchange::{Arrival, Outcome};

/// Anything that a ping says.
#[derive(Debug)]
pub(crate) enum Said {
    Sent(Sent),
    Reply(Reply),
    Error(IcmpError),
    Lost(Lost),
    NotSent(NotSent),
}

impl Said {
    /// Reads an event; `None` for those that are the core's.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        fn read<T: DeserializeOwned>(event: &Event, said: fn(T) -> Said) -> Option<Said> {
            event.read().map(said)
        }
        match event.name {
            Sent::NAME => read(event, Self::Sent),
            Reply::NAME => read(event, Self::Reply),
            IcmpError::NAME => read(event, Self::Error),
            Lost::NAME => read(event, Self::Lost),
            NotSent::NAME => read(event, Self::NotSent),
            _ => None,
        }
    }
}

/// An echo request is about to leave this host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) sequence: u64,
    pub(crate) to: IpAddr,
    /// Length of the ICMP message, header included.
    pub(crate) bytes: usize,
}

/// A good echo reply came.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) sequence: u64,
    pub(crate) from: IpAddr,
    /// Length of the ICMP message, header included.
    pub(crate) bytes: usize,
    pub(crate) hop_limit: Option<u8>,
    #[serde(rename = "rtt_seconds", with = "seconds")]
    pub(crate) rtt: Duration,
    /// As in `probe_icmp_rtt_source_info`.
    pub(crate) rtt_source: Cow<'static, str>,
    /// Whether the round trip is from a worse source than the others, and not comparable to them.
    pub(crate) apart: bool,
    pub(crate) arrived: Arrival,
}

/// An ICMP error message came, or a reply that is not good.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IcmpError {
    pub(crate) sequence: u64,
    pub(crate) from: IpAddr,
    pub(crate) outcome: Outcome,
    /// Type and code of the ICMP error as on the wire; none of a bad reply.
    #[serde(rename = "type")]
    pub(crate) icmp_type: Option<u8>,
    pub(crate) code: Option<u8>,
    /// What the next link carries, in bytes, if a `frag_needed` tells.
    pub(crate) mtu: Option<u32>,
    /// What was said, in ping(8)'s words.
    pub(crate) what: String,
    pub(crate) arrived: Arrival,
}

/// Nothing came in time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub(crate) sequence: u64,
    #[serde(rename = "waited_seconds", with = "seconds")]
    pub(crate) waited: Duration,
    /// `timeout`, or `local_suspect` if this host dropped packets meanwhile or was
    /// late to send it.
    pub(crate) outcome: Outcome,
}

/// This host could not send an echo request, which it had announced as sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NotSent {
    pub(crate) sequence: u64,
    pub(crate) error: String,
}

impl Sent {
    pub(crate) const NAME: &str = "sent";
}

impl Reply {
    pub(crate) const NAME: &str = "reply";
}

impl IcmpError {
    pub(crate) const NAME: &str = "icmp_error";
}

impl Lost {
    pub(crate) const NAME: &str = "lost";
}

impl NotSent {
    pub(crate) const NAME: &str = "send_error";
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
