//! Which of several equal next hops does a router choose for a packet?
//!
//! The hashes are not those of any router; only what they look at is, for that is all that decides
//! which packets take the same path.

use std::net::IpAddr;

use serde::Deserialize;

use crate::packet::{ICMP, ICMPV6, Packet, TCP, UDP};

/// What a router looks at to choose between equal paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Addresses, protocol and, for TCP and UDP alone, ports: what Linux does.
    #[default]
    FiveTuple,
    /// Addresses, protocol and the first four bytes after the IP header: ports, or type, code and
    /// checksum of ICMP.
    FirstFour,
    /// Addresses, protocol and the identifier of ICMP.
    Identifier,
    /// Addresses and the flow label of IPv6 (RFC 6438).
    FlowLabel,
    /// Nothing: each packet goes where chance sends it.
    PerPacket,
}

impl Balance {
    /// Returns a number that is equal for packets of one flow; `chance` decides where nothing else
    /// does. Routers with different `salt` decide differently.
    pub fn hash<B: AsRef<[u8]>>(self, packet: &Packet<B>, salt: u64, chance: u64) -> u64 {
        let transport = packet.transport();
        let part = |range: std::ops::Range<usize>| transport.get(range).unwrap_or_default();
        let seen = match (self, packet.protocol()) {
            (Self::PerPacket, _) => return chance,
            (Self::FiveTuple, TCP | UDP) | (Self::FirstFour, _) => part(0..4),
            (Self::Identifier, ICMP | ICMPV6) => part(4..6),
            (Self::FlowLabel, _) => &packet.flow_label().to_be_bytes(),
            (Self::FiveTuple | Self::Identifier, _) => &[],
        };
        let mut hash = mixed(salt);
        let mut take = |bytes: &[u8]| {
            for byte in bytes {
                hash = mixed(hash ^ u64::from(*byte));
            }
        };
        for address in [packet.source(), packet.destination()] {
            match address {
                IpAddr::V4(v4) => take(&v4.octets()),
                IpAddr::V6(v6) => take(&v6.octets()),
            }
        }
        take(&[packet.protocol()]);
        take(seen);
        hash
    }
}

/// The finaliser of `SplitMix64`: each bit of the result depends on each bit of `value`.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::packet::Header;

    /// Sends 64 packets, the n-th as `vary` makes it, and counts the paths of 4 that they take.
    fn check(balance: Balance, protocol: u8, vary: impl Fn(&mut [u8], u8), paths: usize) {
        let mut chance = fastrand::Rng::with_seed(1);
        let taken = (0..64).map(|n| {
            let header = Header {
                source: "fd00::1".parse().unwrap(),
                destination: "fd00:9::1".parse().unwrap(),
                ttl: 64,
                tos: 0,
                protocol,
            };
            let mut bytes = Packet::build(header, &[1; 20], 16).into_bytes();
            vary(&mut bytes, n);
            let packet = Packet::read(bytes).unwrap();
            balance.hash(&packet, 1, chance.u64(..)) % 4
        });
        let taken: BTreeSet<u64> = taken.collect();
        assert_eq!(taken.len(), paths, "{balance:?}");
    }

    #[test]
    fn what_a_balancer_looks_at_spreads_packets_and_nothing_else_does() {
        let source_port = |bytes: &mut [u8], n| bytes[41] = n;
        let identifier = |bytes: &mut [u8], n| bytes[45] = n;
        let label = |bytes: &mut [u8], n| bytes[3] = n;
        check(Balance::FiveTuple, UDP, source_port, 4);
        check(Balance::FiveTuple, ICMPV6, source_port, 1);
        check(Balance::FiveTuple, UDP, identifier, 1);
        check(Balance::FirstFour, ICMPV6, source_port, 4);
        check(Balance::FirstFour, ICMPV6, identifier, 1);
        check(Balance::Identifier, ICMPV6, identifier, 4);
        check(Balance::Identifier, ICMPV6, source_port, 1);
        check(Balance::FlowLabel, UDP, label, 4);
        check(Balance::FlowLabel, UDP, source_port, 1);
        check(Balance::PerPacket, UDP, |_, _| (), 4);
    }
}
