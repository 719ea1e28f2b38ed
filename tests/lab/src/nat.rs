//! What does a NAT do to packets, and to the errors about them?
//!
//! Enough of one to see what a prober makes of it: it keeps its translations for ever and lets
//! nothing in that nothing inside has asked for.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use crate::packet::{ICMP, ICMPV6, Packet, Side, UDP};

/// How a node translates what it forwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nat {
    /// Source address that IPv4 packets leave with; their own if none.
    pub v4: Option<Ipv4Addr>,
    /// Source address that IPv6 packets leave with; their own if none.
    pub v6: Option<Ipv6Addr>,
    /// What is added to echo identifiers and source ports, wrapping.
    pub shift: u16,
    /// Whether the transport checksum in the packets that errors quote stays what it was outside,
    /// against RFC 5508, section 4.2.
    pub leaves_quoted_checksum: bool,
}

/// A NAT at work.
#[derive(Debug)]
pub(crate) struct Translator {
    nat: Nat,
    /// Who is behind a protocol and the identifier or port that it has outside.
    inside: HashMap<(u8, u16), IpAddr>,
}

impl Translator {
    pub(crate) fn new(nat: Nat) -> Self {
        Self {
            nat,
            inside: HashMap::new(),
        }
    }

    /// Translates what goes out.
    pub(crate) fn outwards(&mut self, packet: &mut Packet<Vec<u8>>) {
        let Some(inner) = identifier(packet, Side::Source) else {
            return;
        };
        let source = packet.source();
        let outer = inner.wrapping_add(self.nat.shift);
        self.inside.insert((packet.protocol(), outer), source);
        let address = match source {
            IpAddr::V4(_) => self.nat.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.nat.v6.map(IpAddr::V6),
        };
        rewrite(packet, Side::Source, address.unwrap_or(source), outer, true);
    }

    /// Translates an answer back, as far as it is one.
    pub(crate) fn inwards(&self, packet: &mut Packet<Vec<u8>>) {
        let is_error = match packet.protocol() {
            ICMP => !matches!(packet.transport()[0], 0 | 8),
            ICMPV6 => packet.transport()[0] < 128,
            _ => false,
        };
        if is_error {
            self.error_inwards(packet);
        } else if let Some((outer, source)) = self.behind(packet, Side::Destination) {
            let inner = outer.wrapping_sub(self.nat.shift);
            rewrite(packet, Side::Destination, source, inner, true);
        }
    }

    fn error_inwards(&self, packet: &mut Packet<Vec<u8>>) {
        let old = packet.clone();
        let Some(mut quoted) = Packet::read(&mut packet.transport_mut()[8..]) else {
            return;
        };
        let Some((outer, source)) = self.behind(&quoted, Side::Source) else {
            return;
        };
        let inner = outer.wrapping_sub(self.nat.shift);
        let mends = !self.nat.leaves_quoted_checksum;
        rewrite(&mut quoted, Side::Source, source, inner, mends);
        packet.set_address(Side::Destination, source);
        let sum = |packet: &Packet<Vec<u8>>| {
            // Only ICMPv6 sums up addresses too.
            let addresses = if packet.is_v4() {
                0
            } else {
                sum_of_address(packet.destination())
            };
            sum(&packet.transport()[8..]) + addresses
        };
        let (before, after) = (sum(&old), sum(packet));
        adjust(&mut packet.transport_mut()[2..4], before, after);
    }

    fn behind<B: AsRef<[u8]>>(&self, packet: &Packet<B>, side: Side) -> Option<(u16, IpAddr)> {
        let outer = identifier(packet, side)?;
        let source = self.inside.get(&(packet.protocol(), outer))?;
        Some((outer, *source))
    }
}

/// The echo identifier, or the port on that side; none where a quote ends before it.
fn identifier<B: AsRef<[u8]>>(packet: &Packet<B>, side: Side) -> Option<u16> {
    let at = identifier_at(packet.protocol(), side);
    let bytes = packet.transport().get(at..at + 2)?;
    Some(u16::from_be_bytes(bytes.try_into().expect("two bytes")))
}

fn identifier_at(protocol: u8, side: Side) -> usize {
    match (protocol, side) {
        (ICMP | ICMPV6, _) => 4,
        (_, Side::Source) => 0,
        (_, Side::Destination) => 2,
    }
}

/// Gives a packet another address and identifier on one side.
fn rewrite<B: AsRef<[u8]> + AsMut<[u8]>>(
    packet: &mut Packet<B>,
    side: Side,
    address: IpAddr,
    identifier: u16,
    mends_checksum: bool,
) {
    let protocol = packet.protocol();
    let old_address = packet.address(side);
    packet.set_address(side, address);
    let at = identifier_at(protocol, side);
    let Some(bytes) = packet.transport_mut().get_mut(at..at + 2) else {
        return;
    };
    let mut before = sum(bytes);
    bytes.copy_from_slice(&identifier.to_be_bytes());
    let mut after = u64::from(identifier);
    if protocol != ICMP {
        before += sum_of_address(old_address);
        after += sum_of_address(address);
    }
    let at = match protocol {
        ICMP | ICMPV6 => 2,
        UDP => 6,
        _ => 16,
    };
    if let Some(checksum) = packet.transport_mut().get_mut(at..at + 2)
        && mends_checksum
    {
        adjust(checksum, before, after);
    }
}

/// Mends a checksum for words of sum `before` replaced by words of sum `after`, so that a wrong one
/// stays wrong (RFC 1624, section 3).
fn adjust(checksum: &mut [u8], before: u64, after: u64) {
    let old = sum(checksum);
    let folded = |mut sum: u64| {
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        sum as u16
    };
    let new = !folded(u64::from(!(old as u16)) + u64::from(!folded(before)) + after);
    checksum.copy_from_slice(&new.to_be_bytes());
}

fn sum_of_address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => sum(&v4.octets()),
        IpAddr::V6(v6) => sum(&v6.octets()),
    }
}

fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(2).map(|word| {
        let low = word.get(1).copied().unwrap_or_default();
        u64::from(word[0]) << 8 | u64::from(low)
    });
    words.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;
    use crate::icmp_error::{self, Quote};
    use crate::packet::{Header, TCP};

    const NAT: Nat = Nat {
        v4: Some(Ipv4Addr::new(198, 51, 100, 1)),
        v6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        shift: 1_000,
        leaves_quoted_checksum: false,
    };

    fn request(is_v4: bool, protocol: u8) -> Packet<Vec<u8>> {
        let [source, destination] = if is_v4 {
            ["10.0.0.1", "192.0.2.1"]
        } else {
            ["fd00::1", "fd00:9::1"]
        };
        let header = Header {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            ttl: 9,
            tos: 0,
            protocol,
        };
        let (start, checksum_at) = match protocol {
            ICMP => ([8, 0, 0, 0], 2),
            ICMPV6 => ([128, 0, 0, 0], 2),
            UDP => ([0x80, 1, 0, 53], 6),
            _ => ([0x80, 1, 0, 80], 16),
        };
        let transport = [&start[..], &[0x12, 0x34, 0, 7], &[0xa5; 20]].concat();
        Packet::build(header, &transport, checksum_at)
    }

    /// Sends a request out and an error about it back, quoting `most` bytes after the header.
    fn check(is_v4: bool, protocol: u8, most: Option<usize>) {
        let mut translator = Translator::new(NAT);
        let sent = request(is_v4, protocol);
        let mut outside = sent.clone();
        translator.outwards(&mut outside);
        assert_ne!(outside.source(), sent.source());
        assert!(outside.is_intact(), "{protocol}");
        let from = Header {
            source: sent.destination(),
            destination: outside.source(),
            ttl: 64,
            tos: 0,
            protocol: if is_v4 { ICMP } else { ICMPV6 },
        };
        let quote = Quote {
            most,
            unannounced: false,
        };
        let mut error = icmp_error::write(&outside, Answer::TimeExceeded, from, quote, &[]);
        translator.inwards(&mut error);
        assert!(error.is_intact(), "{protocol}");
        assert_eq!(error.destination(), sent.source());
        let quoted = &error.transport()[8..];
        assert_eq!(quoted, &sent.bytes()[..quoted.len()], "{protocol}");
    }

    #[test]
    fn an_error_quotes_inside_what_was_sent_inside() {
        for most in [None, Some(8)] {
            for protocol in [ICMP, UDP, TCP] {
                check(true, protocol, most);
            }
            for protocol in [ICMPV6, UDP, TCP] {
                check(false, protocol, most);
            }
        }
    }

    #[test]
    fn a_nat_that_leaves_the_quoted_checksum_leaves_it() {
        let mut translator = Translator::new(Nat {
            leaves_quoted_checksum: true,
            ..NAT
        });
        let sent = request(true, ICMP);
        let mut outside = sent.clone();
        translator.outwards(&mut outside);
        let from = Header {
            source: sent.destination(),
            destination: outside.source(),
            ttl: 64,
            tos: 0,
            protocol: ICMP,
        };
        let mut error =
            icmp_error::write(&outside, Answer::TimeExceeded, from, Quote::default(), &[]);
        translator.inwards(&mut error);
        assert!(error.is_intact());
        let quoted = Packet::read(&error.transport()[8..]).unwrap();
        assert_eq!(quoted.source(), sent.source());
        assert_eq!(quoted.transport()[4..], sent.transport()[4..]);
        assert_eq!(quoted.transport()[2..4], outside.transport()[2..4]);
        assert_ne!(quoted.transport()[2..4], sent.transport()[2..4]);
    }

    #[test]
    fn a_wrong_checksum_stays_wrong() {
        let mut translator = Translator::new(NAT);
        let mut packet = request(false, ICMPV6);
        packet.transport_mut()[10] ^= 4;
        translator.outwards(&mut packet);
        assert!(!packet.is_intact());
    }
}
