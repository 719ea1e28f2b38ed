//! What does an enumeration of all paths say once it is over?

use std::borrow::Cow;
use std::net::IpAddr;

use leadsman_core::Event;
use serde::{Deserialize, Serialize};

/// Anything that an enumeration says.
#[derive(Debug)]
pub(crate) enum Said {
    Branches(Branches),
    Enumerated(Enumerated),
}

impl Said {
    /// Reads an event; `None` for those that are others'.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match event.name {
            Branches::NAME => event.read().map(Self::Branches),
            Enumerated::NAME => event.read().map(Self::Enumerated),
            _ => None,
        }
    }
}

/// Who answers at one TTL.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Branches {
    pub(crate) ttl: u8,
    /// How packets get to one of several: `silent`, `single`, `per_flow` or `per_packet`.
    pub(crate) spread: Cow<'static, str>,
    /// How many flows were answered.
    pub(crate) flows: usize,
    /// In the order of their addresses.
    pub(crate) routers: Vec<Branch>,
}

/// One of those that answer at a TTL.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Branch {
    pub(crate) address: IpAddr,
    /// Those at the next TTL that packets go on to from here; empty if they are not known.
    pub(crate) next: Vec<IpAddr>,
}

/// The enumeration is over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Enumerated {
    /// As in `probe_traceroute_paths`.
    pub(crate) paths: u64,
    /// As in `probe_traceroute_diamonds`.
    pub(crate) diamonds: usize,
    /// How many packets were sent for it.
    pub(crate) packets: u64,
    /// Whether it was not stopped before its end.
    pub(crate) complete: bool,
    /// How sure it is that nothing is missing, in percent; `None` if it was stopped before, or a
    /// TTL answered too few flows to tell.
    pub(crate) confidence: Option<u8>,
    /// How many flows can be told from each other here, if that are too few to be sure.
    pub(crate) most_flows: Option<u16>,
}

impl Branches {
    pub(crate) const NAME: &str = "branches";
}

impl Enumerated {
    pub(crate) const NAME: &str = "enumerated";
}
