//! What does a received ICMP message say?
//!
//! Pure readings of bytes that anybody may have sent: they never panic, and return nothing for
//! what cannot be about an echo request of ours. Whether it is about one is for the engine to say.
//!
//! Not compared, because routers and NATs change them: the TTL, checksum, TOS, length and source
//! of a quoted packet.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::checksum::Sum16BitWords;
use etherparse::{
    IcmpEchoHeader, Icmpv4Slice, Icmpv6Slice, LaxIpv4Slice, LaxIpv6Slice, icmpv4, icmpv6, ip_number,
};

use crate::engine::Framing;
use crate::{Family, What};

/// A packet as it was received, or an error from a socket's queue of them.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// From the IPv4 header on, as raw IPv4 sockets deliver packets; else from the ICMP header on.
    /// With an error, the start of the request that it is about.
    pub bytes: &'a [u8],
    /// Who sent it; with an error, where the request was going.
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

/// An ICMP message with who sent it.
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
    if let Some(Reported { what, from }) = received.error {
        let (echo, payload) = read_request(family, received.bytes)?;
        let quote = Quote {
            destination: received.named,
            echo,
            payload,
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
    let message = match (family, framing) {
        (Family::V4, Framing::Header { .. }) => {
            let datagram = read_datagram_v4(received.bytes)?;
            return Some(Read {
                from: datagram.from.into(),
                hop_limit: Some(datagram.ttl),
                message: datagram.message,
            });
        }
        (Family::V4, Framing::Message) => read_message_v4(received.bytes)?,
        (Family::V6, _) => read_message_v6(received.bytes)?,
    };
    Some(Read {
        from: received.named,
        hop_limit,
        message,
    })
}

/// An ICMP message that may be about an echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// An echo reply.
    Reply {
        echo: IcmpEchoHeader,
        payload: &'a [u8],
        /// Whether the checksum is right.
        intact: bool,
    },
    /// An error about an echo request.
    Error {
        what: What,
        quote: Quote<'a>,
        /// The ICMP message, if the kernel passed it on.
        whole: Option<&'a [u8]>,
    },
}

impl Message<'_> {
    /// The identifier and sequence number of the request that this is about.
    pub(crate) fn echo(&self) -> IcmpEchoHeader {
        match *self {
            Message::Reply { echo, .. }
            | Message::Error {
                quote: Quote { echo, .. },
                ..
            } => echo,
        }
    }
}

/// The start of an echo request, as an ICMP error returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote<'a> {
    /// Where the request was going.
    pub(crate) destination: IpAddr,
    pub(crate) echo: IcmpEchoHeader,
    /// As much of the payload as was returned, often nothing.
    pub(crate) payload: &'a [u8],
}

/// An ICMP message with what its IPv4 header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) from: Ipv4Addr,
    pub(crate) ttl: u8,
    pub(crate) message: Message<'a>,
}

/// Reads a whole IPv4 packet, as raw IPv4 sockets deliver it.
pub(crate) fn read_datagram_v4(bytes: &[u8]) -> Option<Datagram<'_>> {
    let (packet, _) = LaxIpv4Slice::from_slice(bytes).ok()?;
    if packet.payload_ip_number() != ip_number::ICMP {
        return None;
    }
    Some(Datagram {
        from: packet.header().source_addr(),
        ttl: packet.header().ttl(),
        message: read_message_v4(packet.payload().payload)?,
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
    let quote = read_quote_v4(icmp.payload())?;
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
        quote: read_quote_v6(icmp.payload())?,
        whole: Some(bytes),
    })
}

/// Reads the start of an echo request without its IP header, as error queues hold it.
pub(crate) fn read_request(family: Family, bytes: &[u8]) -> Option<(IcmpEchoHeader, &[u8])> {
    let request = match family {
        Family::V4 => icmpv4::TYPE_ECHO_REQUEST,
        Family::V6 => icmpv6::TYPE_ECHO_REQUEST,
    };
    // The code tells a request from the filler in a quoted later fragment.
    let (header, payload) = bytes.split_first_chunk::<8>()?;
    let [kind, code, _, _, echo @ ..] = *header;
    (kind == request && code == 0).then_some((IcmpEchoHeader::from_bytes(echo), payload))
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

/// RFC 792 quotes the IP header and 8 bytes more, RFC 1812 (4.3.2.3) up to 576 bytes in all.
fn read_quote_v4(bytes: &[u8]) -> Option<Quote<'_>> {
    let (packet, _) = LaxIpv4Slice::from_slice(bytes).ok()?;
    if packet.payload_ip_number() != ip_number::ICMP {
        return None;
    }
    let (echo, payload) = read_request(Family::V4, packet.payload().payload)?;
    let destination = packet.header().destination_addr().into();
    Some(Quote {
        destination,
        echo,
        payload,
    })
}

/// RFC 4443 (2.4 c) quotes as much as fits into 1,280 bytes, extension headers included.
fn read_quote_v6(bytes: &[u8]) -> Option<Quote<'_>> {
    let (packet, _) = LaxIpv6Slice::from_slice(bytes).ok()?;
    if packet.payload().ip_number != ip_number::IPV6_ICMP {
        return None;
    }
    let (echo, payload) = read_request(Family::V6, packet.payload().payload)?;
    let destination = packet.header().destination_addr().into();
    Some(Quote {
        destination,
        echo,
        payload,
    })
}

#[cfg(test)]
mod tests;
