//! Which request is it that an ICMP error returns the start of?
//!
//! At least 8 bytes after the IP header are there (RFC 792); of an echo request and of a SYN they
//! name it, of a datagram its checksum does.

use std::net::IpAddr;

use etherparse::{IcmpEchoHeader, LaxIpv4Slice, LaxIpv6Slice, icmpv4, icmpv6};

use crate::{Family, Protocol, tcp, udp};

/// The start of a request, as an ICMP error returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote<'a> {
    /// Where the request was going.
    pub(crate) destination: IpAddr,
    pub(crate) start: Start<'a>,
}

/// What comes after the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start<'a> {
    Echo {
        echo: IcmpEchoHeader,
        /// As much of the payload as was returned, often nothing.
        payload: &'a [u8],
    },
    Udp {
        ports: Ports,
        sequence: u16,
        /// As much of the payload as was returned, often nothing.
        payload: &'a [u8],
    },
    Tcp {
        ports: Ports,
        /// TCP's sequence number.
        number: u32,
    },
}

/// The two ports of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) ours: u16,
    pub(crate) theirs: u16,
}

impl Start<'_> {
    /// The identifier or port that the request left from, and its sequence number.
    pub(crate) fn name(&self) -> (u16, u16) {
        match *self {
            Self::Echo { echo, .. } => (echo.id, echo.seq),
            Self::Udp {
                ports, sequence, ..
            } => (ports.ours, sequence),
            Self::Tcp { ports, number } => (ports.ours, tcp::sequence(number)),
        }
    }
}

/// RFC 792 quotes the IP header and 8 bytes more, RFC 1812 (4.3.2.3) up to 576 bytes in all.
pub(super) fn quote_v4(bytes: &[u8]) -> Option<Quote<'_>> {
    let (packet, _) = LaxIpv4Slice::from_slice(bytes).ok()?;
    let header = packet.header();
    let destination = header.destination_addr().into();
    let request = packet.payload().payload;
    let start = match Protocol::of_number(packet.payload_ip_number().0, Family::V4)? {
        Protocol::Icmp => echo(Family::V4, request)?,
        // A later fragment has no header.
        _ if header.fragments_offset().value() != 0 => return None,
        Protocol::Udp => {
            let identification = Some(header.identification());
            datagram(
                header.source_addr().into(),
                destination,
                identification,
                request,
            )?
        }
        Protocol::Tcp => segment(request)?,
    };
    Some(Quote { destination, start })
}

/// RFC 4443 (2.4 c) quotes as much as fits into 1,280 bytes, extension headers included.
pub(super) fn quote_v6(bytes: &[u8]) -> Option<Quote<'_>> {
    let (packet, _) = LaxIpv6Slice::from_slice(bytes).ok()?;
    let header = packet.header();
    let destination = header.destination_addr().into();
    let request = packet.payload().payload;
    let start = match Protocol::of_number(packet.payload().ip_number.0, Family::V6)? {
        Protocol::Icmp => echo(Family::V6, request)?,
        Protocol::Udp => datagram(header.source_addr().into(), destination, None, request)?,
        Protocol::Tcp => segment(request)?,
    };
    Some(Quote { destination, start })
}

/// Reads the start of an echo request.
pub(crate) fn echo(family: Family, bytes: &[u8]) -> Option<Start<'_>> {
    let request = match family {
        Family::V4 => icmpv4::TYPE_ECHO_REQUEST,
        Family::V6 => icmpv6::TYPE_ECHO_REQUEST,
    };
    // The code tells a request from the filler in a quoted later fragment.
    let (header, payload) = bytes.split_first_chunk::<8>()?;
    let [kind, code, _, _, echo @ ..] = *header;
    (kind == request && code == 0).then_some(Start::Echo {
        echo: IcmpEchoHeader::from_bytes(echo),
        payload,
    })
}

fn datagram(
    source: IpAddr,
    destination: IpAddr,
    identification: Option<u16>,
    bytes: &[u8],
) -> Option<Start<'_>> {
    let (header, payload) = bytes.split_first_chunk::<{ udp::HEADER }>()?;
    // The surest first: nobody rewrites the payload, and translators rewrite the checksum.
    let sequence = match (payload.first_chunk(), identification) {
        (Some(sequence), _) => u16::from_be_bytes(*sequence),
        (None, Some(identification)) => !identification,
        (None, None) => udp::sequence(source, destination, *header),
    };
    Some(Start::Udp {
        ports: ports(header)?,
        sequence,
        payload,
    })
}

/// Reads the payload of a datagram, as error queues hold it.
pub(super) fn payload(ports: Ports, payload: &[u8]) -> Option<Start<'_>> {
    Some(Start::Udp {
        ports,
        sequence: u16::from_be_bytes(*payload.first_chunk()?),
        payload,
    })
}

fn segment(bytes: &[u8]) -> Option<Start<'_>> {
    let number = bytes.get(4..)?.first_chunk()?;
    Some(Start::Tcp {
        ports: ports(bytes)?,
        number: u32::from_be_bytes(*number),
    })
}

/// The ports of a request, from which it left and to which.
fn ports(header: &[u8]) -> Option<Ports> {
    let [from0, from1, to0, to1] = *header.first_chunk()?;
    Some(Ports {
        ours: u16::from_be_bytes([from0, from1]),
        theirs: u16::from_be_bytes([to0, to1]),
    })
}

/// The ports of an answer, which are the other way round.
pub(super) fn ports_of_answer(header: &[u8]) -> Option<Ports> {
    let Ports { ours, theirs } = ports(header)?;
    Some(Ports {
        ours: theirs,
        theirs: ours,
    })
}
