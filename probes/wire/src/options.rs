//! What may be chosen about an echo request?
//!
//! Flows whose source, interface and mark are the same share their sockets, whatever else is
//! chosen. Whether a choice can be met (an address or interface that exists, a size that fits)
//! shows when a flow is opened or a request sent.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;

use crate::{OpenError, Protocol};

/// How one flow's requests look on the wire, and which way they leave: echo requests, if not told
/// otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestOptions {
    /// What the requests are.
    pub protocol: Protocol,
    /// The port that UDP and TCP requests go to; echo requests have none.
    pub port: u16,
    /// Address to send from; `None` lets the routing table choose. Of the destination's family.
    pub source: Option<IpAddr>,
    /// Interface to send from and to hear answers on; `None` lets the routing table choose.
    pub interface: Option<Interface>,
    /// The firewall mark of the requests, by which rules may route them (`ip rule`).
    pub mark: Option<u32>,
    /// Hops the request may travel; `None` is the system's default, usually 64.
    pub ttl: Option<Ttl>,
    /// The IPv4 TOS or IPv6 traffic class byte: DSCP in the upper six bits, ECN in the lower two.
    pub tos: u8,
    /// The IPv6 flow label (RFC 6437); `None` lets the system choose. IPv4 has none.
    pub flow_label: Option<FlowLabel>,
    /// Whether too large a request is refused rather than fragmented, here and on the way.
    ///
    /// Over IPv4 the DF bit is set, over IPv6 no fragments are made; and a path MTU learnt earlier
    /// is ignored, so that every request asks the path anew.
    pub dont_fragment: bool,
    /// Bytes after the header of ICMP or UDP, at most [`RequestOptions::MAX_PAYLOAD_SIZE`]. A SYN has
    /// none.
    ///
    /// From 20 bytes on, a request carries a cookie by which its answers are told from those to
    /// another program's requests; smaller ones have two bytes for that, from 4 bytes on. From 2
    /// bytes on, all requests of a flow have the same ICMP checksum. Datagrams are
    /// filled up to 20 bytes.
    pub payload_size: usize,
    /// What fills an echo request's payload from its 36th byte on; `None` is each byte's own offset.
    pub pattern: Option<Pattern>,
    /// What the kernel stamps.
    pub stamps: Stamps,
    /// Whether answers come with what ICMP errors tell beside: see
    /// [`Answer::remarks`](crate::Answer::remarks).
    pub remarks: bool,
}

impl RequestOptions {
    /// The largest payload of an IPv4 echo request: 65,535 less 20 (IP) and 8 (ICMP) bytes.
    pub const MAX_PAYLOAD_SIZE: usize = 65_507;

    /// Refuses what cannot be sent to `destination`, whatever this host.
    pub(crate) fn fit(&self, destination: IpAddr) -> Result<(), OpenError> {
        if self.payload_size > Self::MAX_PAYLOAD_SIZE {
            return Err(OpenError::PayloadTooLarge {
                size: self.payload_size,
            });
        }
        match self.source {
            Some(source_address) if source_address.is_ipv4() != destination.is_ipv4() => {
                Err(OpenError::SourceFamily {
                    destination,
                    source_address,
                })
            }
            _ => Ok(()),
        }
    }

    /// What fills the payload at an offset.
    pub(crate) fn filler(&self, offset: usize) -> u8 {
        match &self.pattern {
            Some(pattern) => pattern.at(offset),
            None => offset as u8,
        }
    }
}

impl Default for RequestOptions {
    /// What ping(8) sends: 56 bytes of payload, everything else left to the system.
    fn default() -> Self {
        Self {
            protocol: Protocol::Icmp,
            port: 0,
            source: None,
            interface: None,
            mark: None,
            ttl: None,
            tos: 0,
            flow_label: None,
            dont_fragment: false,
            payload_size: 56,
            pattern: None,
            stamps: Stamps::Both,
            remarks: false,
        }
    }
}

/// Which packets the kernel is asked to stamp. What it stamps not is stamped by this process, less
/// exactly: see [`RttSource`](crate::RttSource).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Stamps {
    /// Requests as they leave and answers as they come.
    #[default]
    Both,
    /// Answers only: a sixth less work.
    Arrivals,
    /// None.
    Neither,
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

/// An IPv6 flow label, 1 to 0xfffff: 0 is how RFC 6437 says that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowLabel(u32);

impl FlowLabel {
    /// Makes a label of a number, or nothing of 0 and of more than 20 bits.
    pub const fn new(label: u32) -> Option<Self> {
        if label == 0 || label > 0xf_ffff {
            return None;
        }
        Some(Self(label))
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// The name of a network interface, such as `eth0`: 1 to 15 bytes, neither `/` nor space.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interface([u8; Self::LONGEST]);

impl Interface {
    const LONGEST: usize = 15;

    /// Makes a name, or nothing of what cannot be one. Whether there is such an interface shows
    /// when it is used.
    pub fn new(name: &str) -> Option<Self> {
        let impossible = |c: char| c == '/' || c == '\0' || c.is_whitespace();
        if name.is_empty() || name.len() > Self::LONGEST || name.contains(impossible) {
            return None;
        }
        let mut bytes = [0; Self::LONGEST];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Some(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let length = self.0.iter().position(|byte| *byte == 0);
        &self.0[..length.unwrap_or(Self::LONGEST)]
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.bytes()))
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interface({self})")
    }
}

/// Bytes with which a payload is filled over and over, 1 to 16 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    bytes: [u8; Self::LONGEST],
    length: u8,
}

impl Pattern {
    const LONGEST: usize = 16;

    /// Makes a pattern, or nothing of none and of too many bytes.
    pub fn new(pattern: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::LONGEST];
        bytes.get_mut(..pattern.len())?.copy_from_slice(pattern);
        (!pattern.is_empty()).then_some(Self {
            bytes,
            length: pattern.len() as u8,
        })
    }

    /// Returns the bytes, without repetition.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn at(&self, offset: usize) -> u8 {
        self.bytes[offset % usize::from(self.length)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_are_what_the_kernel_takes() {
        for (name, expected) in [
            ("eth0", true),
            ("fifteen-letters", true),
            ("sixteen-letters!", false),
            ("", false),
            ("a b", false),
            ("../x", false),
        ] {
            let interface = Interface::new(name);
            assert_eq!(interface.is_some(), expected, "{name}");
            assert!(interface.is_none_or(|interface| interface.to_string() == name));
        }
    }

    #[test]
    fn a_flow_label_has_twenty_bits_and_a_pattern_sixteen_bytes() {
        for (label, expected) in [(0, false), (1, true), (0xf_ffff, true), (0x10_0000, false)] {
            assert_eq!(FlowLabel::new(label).is_some(), expected, "{label:#x}");
        }
        for (length, expected) in [(0, false), (1, true), (16, true), (17, false)] {
            assert_eq!(Pattern::new(&[7; 17][..length]).is_some(), expected);
        }
        let pattern = Pattern::new(b"abc").unwrap();
        let filled: Vec<_> = (36..41).map(|offset| pattern.at(offset)).collect();
        assert_eq!(filled, b"abcab");
    }
}
