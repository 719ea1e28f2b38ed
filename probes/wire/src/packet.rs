//! What does a received packet say?
//!
//! Pure readings of bytes that anybody may have sent: they never panic, and return nothing for
//! what cannot be about a request of ours. Whether it is about one is for the engine to say.
//!
//! Not compared, because routers and NATs change them: the TTL, checksum, TOS, length and source
//! of a quoted packet.

pub(crate) mod start;

use std::net::{IpAddr, Ipv4Addr};

use etherparse::checksum::Sum16BitWords;
use etherparse::{IcmpEchoHeader, Icmpv4Slice, Icmpv6Slice, LaxIpv4Slice, icmpv4, icmpv6};

use crate::engine::Framing;
use crate::{Family, Protocol, What, tcp, udp};

use start::{Ports, Quote};

/// A packet as it was received, or an error from a socket's queue of them.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// From the IPv4 header on, as raw IPv4 sockets deliver packets; else from the header after it
    /// on. With an error, the start of the request that it is about.
    pub bytes: &'a [u8],
    /// What the bytes are, if they do not begin with an IPv4 header.
    pub protocol: Protocol,
    /// Our port and theirs, if the kernel keeps the UDP header to itself: then the bytes begin with
    /// the payload.
    pub ports: Option<(u16, u16)>,
    /// Who sent it, unless that stands in an IPv4 header; with an error, where the request was going.
    pub named: IpAddr,
    /// TTL or hop limit left, if the kernel told. That in an IPv4 header counts before it.
    pub hop_limit: Option<u8>,
    /// The error, if this is one from a queue.
    pub error: Option<Reported>,
}

/// An ICMP error as the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// What it says.
    pub what: What,
    /// The host that says so.
    pub from: IpAddr,
}

/// A message with who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read<'a> {
    pub(crate) from: IpAddr,
    pub(crate) hop_limit: Option<u8>,
    pub(crate) message: Message<'a>,
}

/// Reads a packet or an error.
pub(crate) fn read<'a>(
    family: Family,
    framing: Framing,
    received: &Received<'a>,
) -> Option<Read<'a>> {
    let hop_limit = received.hop_limit;
    let ports = received.ports;
    let ports = ports.map(|(ours, theirs)| Ports { ours, theirs });
    if let Some(Reported { what, from }) = received.error {
        let quote = Quote {
            destination: received.named,
            start: match ports {
                Some(ports) => start::payload(ports, received.bytes)?,
                None => start::echo(family, received.bytes)?,
            },
        };
        return Some(Read {
            from,
            hop_limit,
            message: Message::Error {
                what,
                quote,
                whole: None,
            },
        });
    }
    if let (Family::V4, Framing::Header { .. }) = (family, framing) {
        let datagram = read_datagram_v4(received.bytes)?;
        return Some(Read {
            from: datagram.from.into(),
            hop_limit: Some(datagram.ttl),
            message: datagram.message,
        });
    }
    let message = match ports {
        Some(ports) => read_payload(ports, received.bytes)?,
        None => read_message(family, received.protocol, received.bytes)?,
    };
    Some(Read {
        from: received.named,
        hop_limit,
        message,
    })
}

/// A message that may be about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// An echo reply.
    Reply {
        echo: IcmpEchoHeader,
        payload: &'a [u8],
        /// Whether the checksum is right.
        intact: bool,
    },
    /// A UDP datagram.
    Datagram {
        ports: Ports,
        /// Its first two bytes.
        sequence: u16,
        /// Its length, header included.
        bytes: usize,
    },
    /// What TCP says to a SYN.
    Segment {
        ports: Ports,
        /// The sequence number of that SYN.
        number: u32,
        /// Whether it is a RST.
        refuses: bool,
        /// Its length.
        bytes: usize,
    },
    /// An ICMP error about a request.
    Error {
        what: What,
        quote: Quote<'a>,
        /// The ICMP message, if the kernel passed it on.
        whole: Option<&'a [u8]>,
    },
}

impl Message<'_> {
    /// The identifier or port that the request left from which this is about, and its sequence
    /// number.
    pub(crate) fn name(&self) -> (u16, u16) {
        match *self {
            Message::Reply { echo, .. } => (echo.id, echo.seq),
            Message::Datagram {
                ports, sequence, ..
            } => (ports.ours, sequence),
            Message::Segment { ports, number, .. } => (ports.ours, tcp::sequence(number)),
            Message::Error { quote, .. } => quote.start.name(),
        }
    }
}

/// A message with what its IPv4 header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) from: Ipv4Addr,
    pub(crate) ttl: u8,
    pub(crate) message: Message<'a>,
}

/// Reads a whole IPv4 packet, as raw IPv4 sockets deliver it.
pub(crate) fn read_datagram_v4(bytes: &[u8]) -> Option<Datagram<'_>> {
    let (packet, _) = LaxIpv4Slice::from_slice(bytes).ok()?;
    let protocol = Protocol::of_number(packet.payload_ip_number().0, Family::V4)?;
    Some(Datagram {
        from: packet.header().source_addr(),
        ttl: packet.header().ttl(),
        message: read_message(Family::V4, protocol, packet.payload().payload)?,
    })
}

/// Reads what comes after an IP header.
fn read_message(family: Family, protocol: Protocol, bytes: &[u8]) -> Option<Message<'_>> {
    match (protocol, family) {
        (Protocol::Icmp, Family::V4) => read_message_v4(bytes),
        (Protocol::Icmp, Family::V6) => read_message_v6(bytes),
        (Protocol::Udp, _) => read_datagram(bytes),
        (Protocol::Tcp, _) => read_segment(bytes),
    }
}

/// Reads a UDP datagram. Its checksum is not looked at: only two bytes of it matter.
fn read_datagram(bytes: &[u8]) -> Option<Message<'_>> {
    read_payload(start::ports_of_answer(bytes)?, bytes.get(udp::HEADER..)?)
}

fn read_payload(ports: Ports, payload: &[u8]) -> Option<Message<'_>> {
    Some(Message::Datagram {
        ports,
        sequence: u16::from_be_bytes(*payload.first_chunk()?),
        bytes: udp::HEADER + payload.len(),
    })
}

/// Reads a TCP segment, if it is one that answers a SYN (RFC 9293, section 3.5.2: a RST does so by
/// an acknowledgment, too). Its checksum is not looked at: what it acknowledges has to be right.
fn read_segment(bytes: &[u8]) -> Option<Message<'_>> {
    let [number @ .., _, flags] = *bytes.get(8..)?.first_chunk::<6>()?;
    let refuses = match flags & (tcp::SYN | tcp::RST | tcp::ACK) {
        SYN_ACK => false,
        RST_ACK => true,
        _ => return None,
    };
    Some(Message::Segment {
        ports: start::ports_of_answer(bytes)?,
        number: u32::from_be_bytes(number).wrapping_sub(1),
        refuses,
        bytes: bytes.len(),
    })
}

/// Reads an `ICMPv4` message.
pub(crate) fn read_message_v4(bytes: &[u8]) -> Option<Message<'_>> {
    let icmp = Icmpv4Slice::from_slice(bytes).ok()?;
    let rest = u32::from_be_bytes(icmp.bytes5to8());
    let intact = Sum16BitWords::new().add_slice(bytes).ones_complement() == 0;
    let info = match icmp.type_u8() {
        icmpv4::TYPE_ECHO_REPLY => {
            let echo = IcmpEchoHeader::from_bytes(icmp.bytes5to8());
            return Some(Message::Reply {
                echo,
                payload: icmp.payload(),
                intact,
            });
        }
        // RFC 1191, section 4: the MTU is the lower half.
        icmpv4::TYPE_DEST_UNREACH => rest & 0xffff,
        // RFC 792, p. 8: the pointer is the first byte.
        icmpv4::TYPE_PARAMETER_PROBLEM => rest >> 24,
        _ => rest,
    };
    let what = error_v4(icmp.type_u8(), icmp.code_u8(), info)?;
    let quote = start::quote_v4(icmp.payload())?;
    intact.then_some(Message::Error {
        what,
        quote,
        whole: Some(bytes),
    })
}

/// Reads an `ICMPv6` message, whose checksum the kernel has verified.
pub(crate) fn read_message_v6(bytes: &[u8]) -> Option<Message<'_>> {
    let icmp = Icmpv6Slice::from_slice(bytes).ok()?;
    if icmp.type_u8() == icmpv6::TYPE_ECHO_REPLY {
        let echo = IcmpEchoHeader::from_bytes(icmp.bytes5to8());
        return Some(Message::Reply {
            echo,
            payload: icmp.payload(),
            intact: true,
        });
    }
    let info = u32::from_be_bytes(icmp.bytes5to8());
    let what = error_v6(icmp.type_u8(), icmp.code_u8(), info)?;
    Some(Message::Error {
        what,
        quote: start::quote_v6(icmp.payload())?,
        whole: Some(bytes),
    })
}

/// Names an `ICMPv4` error; `info` is its MTU or pointer.
pub(crate) fn error_v4(kind: u8, code: u8, info: u32) -> Option<What> {
    match (kind, code) {
        (icmpv4::TYPE_DEST_UNREACH, icmpv4::CODE_DST_UNREACH_NEED_FRAG) => Some(What::TooBig {
            mtu: (info != 0).then_some(info),
        }),
        (icmpv4::TYPE_DEST_UNREACH, _) => Some(What::Unreachable { code }),
        (icmpv4::TYPE_TIME_EXCEEDED, _) => Some(What::TimeExceeded { code }),
        (icmpv4::TYPE_PARAMETER_PROBLEM, _) => Some(What::ParameterProblem {
            code,
            pointer: info,
        }),
        _ => None,
    }
}

/// Names an `ICMPv6` error; `info` is its MTU or pointer.
pub(crate) fn error_v6(kind: u8, code: u8, info: u32) -> Option<What> {
    match kind {
        icmpv6::TYPE_DST_UNREACH => Some(What::Unreachable { code }),
        icmpv6::TYPE_PACKET_TOO_BIG => Some(What::TooBig { mtu: Some(info) }),
        icmpv6::TYPE_TIME_EXCEEDED => Some(What::TimeExceeded { code }),
        icmpv6::TYPE_PARAMETER_PROBLEM => Some(What::ParameterProblem {
            code,
            pointer: info,
        }),
        _ => None,
    }
}

const SYN_ACK: u8 = tcp::SYN | tcp::ACK;
const RST_ACK: u8 = tcp::RST | tcp::ACK;

#[cfg(test)]
mod tests;
