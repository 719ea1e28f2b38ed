//! What stands before a request where this program writes the IPv4 header itself?
//!
//! The kernel fills in what is 0 here: the header's checksum, and the source if none is known.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::checksum::Sum16BitWords;

use crate::engine::Framing;
use crate::{Family, RequestOptions, Ttl};

/// IPv4 header without options, in bytes.
pub(crate) const IP_HEADER: usize = 20;

// Offsets in the IPv4 header.
pub(crate) const IDENTIFICATION: usize = 4;
pub(crate) const TTL: usize = 8;

/// Makes the header of all requests of a flow, with `length` bytes after it; nothing if the kernel
/// writes it.
pub(crate) fn v4(
    framing: Framing,
    options: &RequestOptions,
    destination: IpAddr,
    length: usize,
) -> Option<[u8; IP_HEADER]> {
    let (Framing::Header { ttl }, IpAddr::V4(destination)) = (framing, destination) else {
        return None;
    };
    let ttl = match options.ttl {
        Some(ttl) => ttl.hops(),
        // ip(7), IP_MULTICAST_TTL: such packets stay on the link unless asked otherwise.
        None if destination.is_multicast() => 1,
        None => ttl,
    };
    let mut header = [0; IP_HEADER];
    header[0] = 0x45;
    header[1] = options.tos;
    header[2..4].copy_from_slice(&((IP_HEADER + length) as u16).to_be_bytes());
    header[6] = u8::from(options.dont_fragment) << 6;
    header[TTL] = ttl;
    header[9] = options.protocol.number(Family::V4);
    header[16..].copy_from_slice(&destination.octets());
    Some(header)
}

/// Gives a written request a TTL of its own.
pub(crate) fn set_ttl(request: &mut [u8], ttl: Ttl) {
    request[TTL] = ttl.hops();
}

/// The sum of what UDP and TCP add to their checksum (RFC 768, RFC 9293, RFC 8200 section 8.1).
pub(crate) fn pseudo_header(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    length: usize,
) -> Sum16BitWords {
    let sum = Sum16BitWords::new()
        .add_2bytes([0, protocol])
        .add_2bytes((length as u16).to_be_bytes());
    let addresses = [source, destination].into_iter();
    addresses.fold(sum, |sum, address| match address {
        IpAddr::V4(address) => sum.add_slice(&address.octets()),
        IpAddr::V6(address) => sum.add_slice(&address.octets()),
    })
}

/// In place of a source address that is not known: without a route nothing leaves.
pub(crate) const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
