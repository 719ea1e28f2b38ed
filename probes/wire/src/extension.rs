//! What does a router add to an ICMP error after the packet that it quotes?
//!
//! RFC 4884 puts an extension structure there: a list of objects, of which RFC 4950 (the MPLS
//! labels that the packet arrived with) and RFC 5837 (the interface that it arrived by) are read
//! and all others kept as they are. Anybody may have sent these bytes, so at most eight objects of
//! at most eight labels are read, and a structure whose checksum is wrong is as good as none.
//!
//! The quoted packet itself is not read here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::checksum::Sum16BitWords;
use etherparse::{icmpv4, icmpv6};

/// One object of an extension structure (RFC 4884, section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extension {
    /// The MPLS label stack that the packet arrived with, outermost first (RFC 4950).
    Labels(Vec<Label>),
    /// An interface of the router that sent the error (RFC 5837).
    Interface(Interface),
    /// An object of a class that is not read here, or one that breaks its class's rules.
    Unknown {
        /// Which registry the kind belongs to (RFC 4884, section 8).
        class: u8,
        /// The class's own type, called C-Type.
        kind: u8,
        /// What follows the object's header.
        bytes: Vec<u8>,
    },
}

/// One entry of an MPLS label stack (RFC 3032, section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The label, 20 bits.
    pub label: u32,
    /// The traffic class, 3 bits (RFC 5462); RFC 4950 still calls it experimental.
    pub traffic_class: u8,
    /// Whether this is the innermost entry.
    pub bottom: bool,
    /// The entry's time to live, as the router received it.
    pub ttl: u8,
}

/// An interface as its router describes it; routers send any part of this (RFC 5837, section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// What the interface was to the packet.
    pub role: Role,
    /// The interface's `ifIndex` (RFC 2863).
    pub index: Option<u32>,
    /// An address that identifies the interface, not necessarily that which sent the error.
    pub address: Option<IpAddr>,
    /// The interface's `ifName`, at most 63 bytes; what is not UTF-8 is replaced.
    pub name: Option<String>,
    /// The largest IP packet that the interface carries, in bytes.
    pub mtu: Option<u32>,
}

/// What an interface was to the packet that the error is about (RFC 5837, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The packet arrived by it.
    Incoming,
    /// The packet arrived by this part of it, such as one link of an aggregate.
    SubIncoming,
    /// The packet would have left by it.
    Outgoing,
    /// It is the next hop that the packet would have gone to.
    NextHop,
}

impl Extension {
    /// Reads the extensions of a whole `ICMPv4` message; none if it has none that are sound.
    pub fn read_v4(message: &[u8]) -> Vec<Self> {
        let types = [
            icmpv4::TYPE_DEST_UNREACH,
            icmpv4::TYPE_TIME_EXCEEDED,
            icmpv4::TYPE_PARAMETER_PROBLEM,
        ];
        // RFC 4884, section 4.1: the sixth byte counts 32-bit words.
        read(message, &types, |header| usize::from(header[5]) * 4)
    }

    /// Reads the extensions of a whole `ICMPv6` message; none if it has none that are sound.
    pub fn read_v6(message: &[u8]) -> Vec<Self> {
        let types = [icmpv6::TYPE_DST_UNREACH, icmpv6::TYPE_TIME_EXCEEDED];
        // RFC 4884, section 4.4: the fifth byte counts 64-bit words.
        read(message, &types, |header| usize::from(header[4]) * 8)
    }
}

fn read(message: &[u8], types: &[u8], quoted: impl Fn(&[u8; 8]) -> usize) -> Vec<Extension> {
    let Some((header, rest)) = message.split_first_chunk::<8>() else {
        return Vec::new();
    };
    if !types.contains(&header[0]) {
        return Vec::new();
    }
    // RFC 4884, section 5.5: routers older than it give no length and always quote 128 bytes.
    let quoted = match quoted(header) {
        0 => LEGACY_QUOTE,
        quoted => quoted,
    };
    let Some(structure) = rest.get(quoted..) else {
        return Vec::new();
    };
    read_structure(structure).unwrap_or_default()
}

/// RFC 4884, section 7: version and checksum, then the objects.
fn read_structure(structure: &[u8]) -> Option<Vec<Extension>> {
    let (&[version, _, sum0, sum1], mut rest) = structure.split_first_chunk::<4>()?;
    let summed = [sum0, sum1] != [0, 0];
    let sum = Sum16BitWords::new().add_slice(structure).ones_complement();
    if version >> 4 != VERSION || (summed && sum != 0) {
        return None;
    }
    let mut objects = Vec::new();
    while objects.len() < MOST_OBJECTS
        && let Some((&[length0, length1, class, kind], _)) = rest.split_first_chunk::<4>()
    {
        let length = usize::from(u16::from_be_bytes([length0, length1]));
        let Some(bytes) = rest.get(4..length) else {
            break;
        };
        objects.push(read_object(class, kind, bytes));
        rest = &rest[length..];
    }
    Some(objects)
}

fn read_object(class: u8, kind: u8, bytes: &[u8]) -> Extension {
    let known = match (class, kind) {
        (MPLS_CLASS, MPLS_INCOMING) => Some(Extension::Labels(read_labels(bytes))),
        (INTERFACE_CLASS, _) => read_interface(kind, bytes).map(Extension::Interface),
        _ => None,
    };
    known.unwrap_or_else(|| Extension::Unknown {
        class,
        kind,
        bytes: bytes.to_vec(),
    })
}

fn read_labels(bytes: &[u8]) -> Vec<Label> {
    let entries = bytes.as_chunks::<4>().0.iter().take(MOST_LABELS);
    let labels = entries.map(|entry| {
        let entry = u32::from_be_bytes(*entry);
        Label {
            label: entry >> 12,
            traffic_class: (entry >> 9 & 0b111) as u8,
            bottom: entry >> 8 & 1 == 1,
            ttl: entry as u8,
        }
    });
    labels.collect()
}

/// RFC 5837, section 4: the type says which parts follow, always in this order.
fn read_interface(kind: u8, mut bytes: &[u8]) -> Option<Interface> {
    let role = match kind >> 6 {
        0 => Role::Incoming,
        1 => Role::SubIncoming,
        2 => Role::Outgoing,
        _ => Role::NextHop,
    };
    let has = |bit: u8| kind & bit != 0;
    let rest = &mut bytes;
    Some(Interface {
        role,
        index: if has(INDEX) { Some(word(rest)?) } else { None },
        address: if has(ADDRESS) {
            Some(address(rest)?)
        } else {
            None
        },
        name: if has(NAME) { Some(name(rest)?) } else { None },
        mtu: if has(MTU) { Some(word(rest)?) } else { None },
    })
}

fn word(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes).map(u32::from_be_bytes)
}

fn address(bytes: &mut &[u8]) -> Option<IpAddr> {
    // The address family numbers of IANA.
    match take::<4>(bytes)? {
        [0, 1, _, _] => take::<4>(bytes).map(|octets| Ipv4Addr::from(octets).into()),
        [0, 2, _, _] => take::<16>(bytes).map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

/// The first byte is the length, itself and the padding included.
fn name(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::from(*bytes.first()?);
    let (name, rest) = bytes.split_at_checked(length.max(1))?;
    if length > LONGEST_NAME {
        return None;
    }
    *bytes = rest;
    let name = String::from_utf8_lossy(&name[1..]);
    Some(name.trim_end_matches('\0').to_owned())
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (taken, rest) = bytes.split_first_chunk::<LENGTH>()?;
    *bytes = rest;
    Some(*taken)
}

const VERSION: u8 = 2;
const LEGACY_QUOTE: usize = 128;
const MOST_OBJECTS: usize = 8;
const MOST_LABELS: usize = 8;

const MPLS_CLASS: u8 = 1;
const MPLS_INCOMING: u8 = 1;
const INTERFACE_CLASS: u8 = 2;
const LONGEST_NAME: usize = 64;

/// The bits of an interface object's type (RFC 5837, section 4.1).
const INDEX: u8 = 0b1000;
const ADDRESS: u8 = 0b0100;
const NAME: u8 = 0b0010;
const MTU: u8 = 0b0001;

#[cfg(test)]
mod tests;
