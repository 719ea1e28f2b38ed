//! How is a network written down, and what is to be sent into it?
//!
//! A scenario is data, in a TOML file or in Rust; nothing happens here. The file says what is sent
//! and what should come of it too, so that one file is one test in memory and on a TUN device.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use leadsman_core::options::Period;
use serde::Deserialize;

use crate::{Node, Prefix};

/// A network, and optionally a test of it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is there to show, in a sentence.
    pub about: String,
    /// Where all chance comes from.
    #[serde(default)]
    pub seed: u64,
    /// The routers and hosts, as a prober meets them.
    #[serde(rename = "node")]
    pub nodes: Vec<Node>,
    /// What to send.
    pub load: Option<Load>,
    /// The share of requests that should end in each way, from least to most. Ways that are not
    /// named must not occur.
    #[serde(default)]
    pub expect: BTreeMap<Expected, [f64; 2]>,
}

impl Scenario {
    /// Returns the name of each node.
    pub fn names(&self) -> Vec<String> {
        let named = |(n, node): (usize, &Node)| match &*node.name {
            "" => format!("n{}", n + 1),
            name => name.to_owned(),
        };
        self.nodes.iter().enumerate().map(named).collect()
    }

    /// Returns the own IPv4 and IPv6 address of the node at a place, counted from 0.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn addresses(&self, place: usize) -> [IpAddr; 2] {
        let node = &self.nodes[place];
        let number = place as u16 + 1;
        let v4 = Ipv4Addr::from_bits(0x0a00_0001 | u32::from(number) << 8);
        let v6 = Ipv6Addr::new(0xfd00, 0, number, 0, 0, 0, 0, 1);
        [node.v4.unwrap_or(v4).into(), node.v6.unwrap_or(v6).into()]
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        Ok(toml::from_str(text)?)
    }
}

/// Why a scenario is none.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file does not say what a scenario says.
    #[error("cannot read the scenario: {0}")]
    Unreadable(#[from] toml::de::Error),
    /// A route leads nowhere.
    #[error("{node} has a route to {next:?}, but no node is called so")]
    NoSuchNode {
        /// Whose route.
        node: String,
        /// Where it leads.
        next: String,
    },
    /// A route says both where packets go and why they do not, or neither.
    #[error("{node} has a route that needs either `next` or `refuse`")]
    UndecidedRoute {
        /// Whose route.
        node: String,
    },
}

/// Echo requests to send.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Whom to ask, in turn: the first `hosts` addresses of each range.
    pub targets: Vec<Prefix>,
    /// How many addresses of each range.
    #[serde(default = "one")]
    pub hosts: u32,
    /// How many requests to each address.
    pub count: u32,
    /// How long between requests to one address; requests to different ones are spread over it.
    pub every: Period,
    /// How long to wait for each answer.
    pub wait: Period,
    /// TTL or hop limit of the requests.
    #[serde(default = "usual_ttl")]
    pub ttl: u8,
    /// Bytes after the ICMP header.
    #[serde(default = "usual_size")]
    pub size: usize,
}

fn one() -> u32 {
    1
}

fn usual_ttl() -> u8 {
    64
}

fn usual_size() -> usize {
    56
}

/// How a request may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// An echo reply.
    Reply,
    /// No answer in time.
    Timeout,
    /// A reply with a flipped bit.
    Corrupt,
    /// A reply from an address that was not asked.
    WrongSource,
    /// An error that the destination is unreachable.
    Unreachable,
    /// An error that the TTL ran out.
    TimeExceeded,
    /// An error that the packet is too long.
    TooBig,
    /// Besides its end: an answer more than one, or one after the time was over.
    Surplus,
}
