//! How is a network written down, and what is to be sent into it?
//!
//! A scenario is data, in a TOML file or in Rust; nothing happens here. The file says what is sent
//! and what should come of it too, so that one file is one test in memory and on a TUN device.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

use crate::{Load, Node, Outcome};

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
    /// Whether it is not for real kernels, which remember what they were told (path MTUs), and
    /// then send no more what the scenario is about.
    #[serde(default)]
    pub in_memory_only: bool,
    /// What to send.
    pub load: Option<Load>,
    /// The least and the greatest share of requests that should come to each outcome. Those that
    /// are not named must not occur.
    #[serde(default)]
    pub expect: BTreeMap<Outcome, [f64; 2]>,
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
