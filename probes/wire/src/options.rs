//! What may be chosen about an echo request?
//!
//! Per packet, not per socket: two flows with different options share one socket. Whether a choice
//! can be met (a source address that exists, a size that fits) shows when sending.

use std::net::IpAddr;
use std::num::NonZeroU8;

/// How one flow's echo requests look on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoOptions {
    /// Address to send from; `None` lets the routing table choose. Of the destination's family.
    pub source: Option<IpAddr>,
    /// Hops the request may travel; `None` is the system's default, usually 64.
    pub ttl: Option<Ttl>,
    /// The IPv4 TOS or IPv6 traffic class byte: DSCP in the upper six bits, ECN in the lower two.
    pub tos: u8,
    /// Whether too large a request is refused rather than fragmented, here and on the way.
    ///
    /// Over IPv4 the DF bit is set and a path MTU learnt earlier is ignored, so that every request
    /// asks the path anew. Over IPv6 no fragments are made, and a request larger than a path MTU
    /// learnt earlier is already refused here.
    pub dont_fragment: bool,
    /// Bytes after the ICMP header, at most [`EchoOptions::MAX_PAYLOAD_SIZE`].
    ///
    /// From 20 bytes on, a request carries a cookie by which its answers are told from those to
    /// another program's requests; smaller ones have two bytes for that, from 4 bytes on. From 2
    /// bytes on, all requests of a flow have the same ICMP checksum.
    pub payload_size: usize,
}

impl EchoOptions {
    /// The largest payload of an IPv4 echo request: 65,535 less 20 (IP) and 8 (ICMP) bytes.
    pub const MAX_PAYLOAD_SIZE: usize = 65_507;
}

impl Default for EchoOptions {
    /// What ping(8) sends: 56 bytes of payload, everything else left to the system.
    fn default() -> Self {
        Self {
            source: None,
            ttl: None,
            tos: 0,
            dont_fragment: false,
            payload_size: 56,
        }
    }
}

/// A time to live (IPv4) or hop limit (IPv6), 1 to 255: a packet with 0 may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(NonZeroU8);

impl Ttl {
    /// Makes a TTL of `hops`, or nothing of 0.
    pub const fn new(hops: u8) -> Option<Self> {
        match NonZeroU8::new(hops) {
            Some(hops) => Some(Self(hops)),
            None => None,
        }
    }

    /// Returns the number of hops, 1 to 255.
    pub const fn hops(self) -> u8 {
        self.0.get()
    }
}
