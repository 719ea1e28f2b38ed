//! What does a search for the path MTU say once it is over?

use std::borrow::Cow;
use std::net::IpAddr;

use leadsman_core::Event;
use serde::{Deserialize, Serialize};

/// The largest packets that get through, whole IP packets in bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PathMtu {
    /// To the target, or to the farthest hop that answers; `None` if nothing large enough to tell
    /// was answered.
    pub(crate) bytes: Option<u32>,
    /// Whether larger ones vanish somewhere without a word.
    pub(crate) black_hole: bool,
    /// How many packets were sent for it.
    pub(crate) packets: u64,
    /// To each hop that answers.
    pub(crate) hops: Vec<HopMtu>,
    /// Where links get narrower, the nearest first.
    pub(crate) narrowings: Vec<Narrowing>,
}

/// The largest packet that gets to a hop.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HopMtu {
    pub(crate) ttl: u8,
    pub(crate) address: IpAddr,
    /// What is known to get there.
    pub(crate) bytes: u32,
    /// What may get there besides, if that is not known: larger packets were not answered, and
    /// nobody said that they do not fit.
    pub(crate) at_most: Option<u32>,
}

/// A link that carries less than those before it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Narrowing {
    /// The TTL of the last router that is known to be before it; 0 if none is.
    pub(crate) after_ttl: u8,
    /// What it carries.
    pub(crate) bytes: u32,
    /// What becomes of larger packets: `told`, `refused` without saying what fits, or `silent`.
    pub(crate) larger: Cow<'static, str>,
}

impl PathMtu {
    pub(crate) const NAME: &str = "path_mtu";

    /// Reads an event; `None` for those that are others'.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match event.name {
            Self::NAME => event.read(),
            _ => None,
        }
    }
}
