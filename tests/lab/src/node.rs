//! What is a router or a target, as data?
//!
//! Everything has a plain default: a router that forwards to the node after it, decrements, quotes
//! and answers at once. What nodes do with it is `router`'s.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use leadsman_core::options::Period;
use serde::Deserialize;

use crate::{Balance, Interface, Label, Limit, Nat, Prefix, Quote, Way};

/// Which node of a network, counted from 0 in the order in which they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// One router or host, with the link that leads to it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// What routes call it; `n1`, `n2`, … if empty.
    pub name: String,
    /// Its IPv4 address; `10.0.n.1` for the n-th node, counted from 1, if none.
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 address; `fd00:0:n::1` if none.
    pub v6: Option<Ipv6Addr>,
    /// Addresses that it answers for besides its own: it is the target.
    pub serves: Vec<Prefix>,
    /// The link towards it.
    pub out: Way,
    /// The same link, back.
    pub back: Way,
    /// Longest packet that this link carries, in bytes; any if none. IPv4 packets that may be
    /// fragmented pass: they are put together again out of sight.
    pub mtu: Option<u32>,
    /// Where it sends what is not for itself. The last one that applies counts, and if none does
    /// there is no route. Without any, all goes to the node after it, if there is one.
    pub routes: Vec<Route>,
    /// How it chooses between the next hops of one route.
    pub balance: Balance,
    /// How it translates what it forwards.
    pub nat: Option<Nat>,
    /// Whether it forwards packets whose TTL becomes 0, for the next one to complain.
    pub forwards_zero_ttl: bool,
    /// Whether it never answers anything.
    pub silent: bool,
    /// Address that its answers are from, whatever was asked.
    pub answers_from: Vec<IpAddr>,
    /// TTL or hop limit that its answers leave with.
    pub ttl: u8,
    /// How many errors it sends.
    pub limit: Option<Limit>,
    /// How much its errors quote.
    pub quote: Quote,
    /// Label stack in its errors; no such object if empty.
    pub mpls: Vec<Label>,
    /// Interfaces in its errors.
    pub interfaces: Vec<Interface>,
    /// When it neither forwards nor answers.
    pub down: Vec<Window>,
    /// What it says to UDP.
    pub udp: Udp,
    /// What it says to a TCP SYN.
    pub tcp: Tcp,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            name: String::new(),
            v4: None,
            v6: None,
            serves: Vec::new(),
            out: Way::default(),
            back: Way::default(),
            mtu: None,
            routes: Vec::new(),
            balance: Balance::default(),
            nat: None,
            forwards_zero_ttl: false,
            silent: false,
            answers_from: Vec::new(),
            ttl: 64,
            limit: None,
            quote: Quote::default(),
            mpls: Vec::new(),
            interfaces: Vec::new(),
            down: Vec::new(),
            udp: Udp::default(),
            tcp: Tcp::default(),
        }
    }
}

/// Where a node sends packets, or why not.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Which packets, by their destination; all if none.
    pub to: Option<Prefix>,
    /// From when on.
    pub since: Period,
    /// Names of the next hops, of which `balance` chooses one.
    pub next: Vec<String>,
    /// Why there is no next hop.
    pub refuse: Option<Refusal>,
}

/// Why a node does not forward a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is no route: network unreachable, code 0 of both families.
    NoRoute,
    /// The neighbour does not answer: code 1 of IPv4, 3 of IPv6.
    Host,
    /// It is forbidden: code 13 of IPv4, 1 of IPv6.
    Prohibited,
    /// Any other code.
    Code(u8),
    /// It drops them without a word.
    Silently,
}

impl Refusal {
    /// The code of a destination unreachable; none if nothing is said.
    pub(crate) fn code(self, is_v4: bool) -> Option<u8> {
        Some(match (self, is_v4) {
            (Self::NoRoute, _) => 0,
            (Self::Host, false) => 3,
            (Self::Host, true) | (Self::Prohibited, false) => 1,
            (Self::Prohibited, true) => 13,
            (Self::Code(code), _) => code,
            (Self::Silently, _) => return None,
        })
    }
}

/// A span of time since the network began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// When it begins.
    pub from: Period,
    /// When it is over.
    pub until: Period,
}

/// What a target says to UDP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Udp {
    /// That nobody listens.
    #[default]
    PortUnreachable,
    /// Nothing.
    Silent,
}

/// What a target says to a TCP SYN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tcp {
    /// That nobody listens.
    #[default]
    Reset,
    /// That somebody does.
    SynAck,
    /// Nothing.
    Silent,
}
