//! Where in an IP packet stands what routers look at and change?
//!
//! Works on the bytes themselves, for a packet under way is changed a little at each hop; the same
//! view reads a quoted packet, of which the end may be missing. Extension headers of IPv6 are not
//! walked: such a packet's transport protocol is the first of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::checksum::Sum16BitWords;

/// An IP packet, or the start of one that holds at least its IP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<B>(B);

impl<B: AsRef<[u8]>> Packet<B> {
    /// Takes bytes for a packet if they begin with a whole IP header.
    pub fn read(bytes: B) -> Option<Self> {
        let packet = Self(bytes);
        let start = packet.bytes();
        let whole = match start.first()? >> 4 {
            4 => start.len() >= 20 && (20..=start.len()).contains(&packet.header_length()),
            6 => start.len() >= 40,
            _ => false,
        };
        whole.then_some(packet)
    }

    /// The packet as it stands on the wire.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Whether it is IPv4; it is IPv6 otherwise.
    pub fn is_v4(&self) -> bool {
        self.bytes()[0] >> 4 == 4
    }

    /// Length of the IP header in bytes, options included.
    pub fn header_length(&self) -> usize {
        if self.is_v4() {
            usize::from(self.bytes()[0] & 0xf) * 4
        } else {
            40
        }
    }

    /// Length in bytes that the IP header claims, its own included.
    pub fn claimed_length(&self) -> usize {
        if self.is_v4() {
            usize::from(self.word(2))
        } else {
            40 + usize::from(self.word(4))
        }
    }

    /// Who sent it.
    pub fn source(&self) -> IpAddr {
        self.address(Side::Source)
    }

    /// Where it is going.
    pub fn destination(&self) -> IpAddr {
        self.address(Side::Destination)
    }

    pub(crate) fn address(&self, side: Side) -> IpAddr {
        let at = side.offset(self.is_v4());
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from(self.array::<4>(at)))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.array::<16>(at)))
        }
    }

    /// TTL or hop limit.
    pub fn ttl(&self) -> u8 {
        self.bytes()[if self.is_v4() { 8 } else { 7 }]
    }

    /// TOS or traffic class: DSCP and ECN.
    pub fn tos(&self) -> u8 {
        if self.is_v4() {
            self.bytes()[1]
        } else {
            (self.word(0) >> 4) as u8
        }
    }

    /// Flow label; 0 for IPv4, which has none.
    pub fn flow_label(&self) -> u32 {
        if self.is_v4() {
            0
        } else {
            u32::from_be_bytes(self.array(0)) & 0xf_ffff
        }
    }

    /// Number of the transport protocol.
    pub fn protocol(&self) -> u8 {
        self.bytes()[if self.is_v4() { 9 } else { 6 }]
    }

    /// Whether routers must not cut it into fragments; no IPv6 router does.
    pub fn dont_fragment(&self) -> bool {
        !self.is_v4() || self.word(6) & 0x4000 != 0
    }

    /// Whether it is a fragment that is not the first, so that it has no transport header.
    pub fn is_later_fragment(&self) -> bool {
        self.is_v4() && self.word(6) & 0x1fff != 0
    }

    /// What follows the IP header.
    pub fn transport(&self) -> &[u8] {
        &self.bytes()[self.header_length()..]
    }

    /// Whether the transport checksum is right: the target of a packet looks at it.
    pub fn is_intact(&self) -> bool {
        self.checksum_of(self.transport()) == 0
    }

    /// The checksum that `transport`, whose own is zero, has between this packet's addresses.
    pub(crate) fn checksum_of(&self, transport: &[u8]) -> u16 {
        let sum = Sum16BitWords::new().add_slice(transport);
        let sum = if self.is_v4() && self.protocol() == ICMP {
            sum
        } else {
            // RFC 8200, section 8.1, and RFC 9293, section 3.1: a pseudo-header is summed up too.
            let addresses = Side::Source.offset(self.is_v4())..self.addresses_end();
            sum.add_slice(&self.bytes()[addresses])
                .add_4bytes((transport.len() as u32).to_be_bytes())
                .add_2bytes([0, self.protocol()])
        };
        sum.ones_complement().to_be()
    }

    fn addresses_end(&self) -> usize {
        if self.is_v4() { 20 } else { 40 }
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_be_bytes(self.array(at))
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.bytes()[at..at + N].try_into();
        bytes.expect("the slice is as long as the array")
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Packet<B> {
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_mut()
    }

    pub(crate) fn transport_mut(&mut self) -> &mut [u8] {
        let start = self.header_length();
        &mut self.bytes_mut()[start..]
    }

    pub(crate) fn set_ttl(&mut self, ttl: u8) {
        let at = if self.is_v4() { 8 } else { 7 };
        self.bytes_mut()[at] = ttl;
        self.sum_header();
    }

    pub(crate) fn set_tos(&mut self, tos: u8) {
        if self.is_v4() {
            self.bytes_mut()[1] = tos;
        } else {
            let word = self.word(0) & 0xf00f | u16::from(tos) << 4;
            self.bytes_mut()[..2].copy_from_slice(&word.to_be_bytes());
        }
        self.sum_header();
    }

    /// Sets an address of the packet's own family; the transport checksum is the caller's to mend.
    pub(crate) fn set_address(&mut self, side: Side, address: IpAddr) {
        let at = side.offset(self.is_v4());
        match address {
            IpAddr::V4(v4) => self.bytes_mut()[at..at + 4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => self.bytes_mut()[at..at + 16].copy_from_slice(&v6.octets()),
        }
        self.sum_header();
    }

    /// Makes the checksum of an IPv4 header right again.
    fn sum_header(&mut self) {
        if self.is_v4() {
            let length = self.header_length();
            let header = &mut self.bytes_mut()[..length];
            header[10..12].fill(0);
            let sum = Sum16BitWords::new().add_slice(header).ones_complement();
            header[10..12].copy_from_slice(&sum.to_ne_bytes());
        }
    }
}

impl Packet<Vec<u8>> {
    /// Makes a packet whose transport checksum, two bytes at `checksum_at`, is filled in.
    ///
    /// # Panics
    ///
    /// If the addresses are of different families, or the whole is longer than 65,535 bytes.
    pub fn build(header: Header, transport: &[u8], checksum_at: usize) -> Self {
        let length = transport.len() as u16;
        let mut bytes = Vec::with_capacity(40 + transport.len());
        match (header.source, header.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                assert!(transport.len() <= 65_515, "it fits into an IPv4 packet");
                bytes.extend([0x45, header.tos]);
                bytes.extend((length + 20).to_be_bytes());
                bytes.extend([0, 0, 0, 0, header.ttl, header.protocol, 0, 0]);
                bytes.extend(source.octets());
                bytes.extend(destination.octets());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                assert!(transport.len() <= 65_535, "it fits into an IPv6 packet");
                bytes.extend([0x60, 0, 0, 0]);
                bytes.extend(length.to_be_bytes());
                bytes.extend([header.protocol, header.ttl]);
                bytes.extend(source.octets());
                bytes.extend(destination.octets());
            }
            _ => panic!("{} and {}", header.source, header.destination),
        }
        bytes.extend(transport);
        let mut packet = Self(bytes);
        packet.set_tos(header.tos);
        packet.transport_mut()[checksum_at..checksum_at + 2].fill(0);
        let checksum = packet.checksum_of(packet.transport());
        packet.transport_mut()[checksum_at..checksum_at + 2]
            .copy_from_slice(&checksum.to_be_bytes());
        packet
    }

    /// Gives the bytes away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What the IP header of a new packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Who sends it.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// TOS or traffic class.
    pub tos: u8,
    /// Number of the transport protocol.
    pub protocol: u8,
}

/// Which address of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Destination,
}

impl Side {
    fn offset(self, is_v4: bool) -> usize {
        match (self, is_v4) {
            (Self::Source, true) => 12,
            (Self::Destination, true) => 16,
            (Self::Source, false) => 8,
            (Self::Destination, false) => 24,
        }
    }
}

/// Number of the protocol `ICMPv4`.
pub const ICMP: u8 = 1;
/// Number of the protocol TCP.
pub const TCP: u8 = 6;
/// Number of the protocol UDP.
pub const UDP: u8 = 17;
/// Number of the protocol `ICMPv6`.
pub const ICMPV6: u8 = 58;

#[cfg(test)]
mod tests {
    use etherparse::{PacketBuilder, SlicedPacket};

    use super::*;

    #[test]
    fn a_built_packet_is_the_one_that_etherparse_builds() {
        let mut expected = Vec::new();
        PacketBuilder::ipv6([0xfd; 16], [0xfc; 16], 9)
            .icmpv6_echo_request(7, 8)
            .write(&mut expected, b"odd")
            .unwrap();
        let header = Header {
            source: Ipv6Addr::from([0xfd; 16]).into(),
            destination: Ipv6Addr::from([0xfc; 16]).into(),
            ttl: 9,
            tos: 0,
            protocol: ICMPV6,
        };
        let packet = Packet::build(header, b"\x80\0\0\0\0\x07\0\x08odd", 2);
        assert_eq!(packet.bytes(), expected);
        assert!(packet.is_intact());

        let mut expected = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 9, 0, 1], 9)
            .udp(5, 6)
            .write(&mut expected, b"even")
            .unwrap();
        let packet = Packet::read(expected).unwrap();
        assert!(packet.is_intact() && packet.dont_fragment());
    }

    #[test]
    fn what_is_changed_reads_back_and_leaves_the_header_checksum_right() {
        for source in ["10.0.0.1", "fd00::1"] {
            let source: IpAddr = source.parse().unwrap();
            let header = Header {
                source,
                destination: source,
                ttl: 64,
                tos: 0,
                protocol: UDP,
            };
            let mut packet = Packet::build(header, &[0, 1, 0, 2, 0, 9, 0, 0, 7], 6);
            packet.set_ttl(3);
            packet.set_tos(0xb9);
            assert_eq!((packet.ttl(), packet.tos()), (3, 0xb9));
            assert_eq!(packet.flow_label(), 0);
            SlicedPacket::from_ip(packet.bytes()).unwrap();
            if source.is_ipv4() {
                let sum = Sum16BitWords::new().add_slice(&packet.bytes()[..20]);
                assert_eq!(sum.ones_complement(), 0);
            }
        }
    }

    #[test]
    fn anything_else_is_no_packet() {
        for bytes in [
            &[][..],
            &[0x45; 19],
            &[0x60; 39],
            &[0x44; 40],
            &[0x4f; 59],
            &[0; 60],
        ] {
            assert_eq!(Packet::read(bytes), None, "{bytes:x?}");
        }
    }
}
