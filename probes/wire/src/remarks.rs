//! What does an ICMP error tell beside that a request failed?
//!
//! A router returns the start of the request as it arrived there, so whatever differs from what
//! was [`Sent`] was changed on the way, and it may add extensions of its own. Who only pings has no
//! use for either, so this is read for flows that ask for it
//! ([`RequestOptions::remarks`](crate::RequestOptions::remarks)). What a difference means is for the
//! reader to say.

use std::net::IpAddr;

use etherparse::{LaxIpv4Slice, LaxIpv6Slice};

use crate::extension::Extension;
use crate::{Family, Protocol};

/// What an ICMP error tells of the request's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remarks {
    /// The request's headers as they left this host.
    pub sent: Sent,
    /// The same headers as they were when the error was sent.
    pub quoted: Quoted,
    /// The reporting host's own remarks (RFC 4884); most send none.
    pub extensions: Vec<Extension>,
}

/// Fields of a request's headers that translators change, where this program knows them: the kernel
/// computes the checksum over IPv6, and it writes the IPv4 header for unprivileged processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Where the request came from, if the routing table told when its flow was opened.
    pub source: Option<IpAddr>,
    /// The IPv4 identification.
    pub identification: Option<u16>,
    /// The ICMP identifier, or the source port.
    pub identifier: u16,
    /// The checksum of ICMP, UDP or TCP.
    pub checksum: Option<u16>,
}

/// The fields of a request's headers that routers and translators change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    /// TTL or hop limit, normally 1 where it ran out.
    pub ttl: u8,
    /// The IPv4 TOS or IPv6 traffic class byte.
    pub tos: u8,
    /// Where the request came from.
    pub source: IpAddr,
    /// The IPv4 identification; `None` over IPv6.
    pub identification: Option<u16>,
    /// The ICMP identifier, or the source port.
    pub identifier: u16,
    /// The checksum of ICMP, UDP or TCP; `None` if the quote is cut before it, as it may be for
    /// TCP.
    pub checksum: Option<u16>,
}

impl Remarks {
    /// Reads a whole ICMP error about a request; nothing if the quote is cut before its first 8
    /// bytes after the IP header end.
    pub(crate) fn read(family: Family, message: &[u8], sent: Sent) -> Option<Self> {
        let quote = message.get(8..)?;
        Some(match family {
            Family::V4 => Self {
                sent,
                quoted: read_v4(quote)?,
                extensions: Extension::read_v4(message),
            },
            Family::V6 => Self {
                sent,
                quoted: read_v6(quote)?,
                extensions: Extension::read_v6(message),
            },
        })
    }
}

fn read_v4(quote: &[u8]) -> Option<Quoted> {
    let (packet, _) = LaxIpv4Slice::from_slice(quote).ok()?;
    let header = packet.header();
    let protocol = Protocol::of_number(packet.payload_ip_number().0, Family::V4)?;
    let (checksum, identifier) = read_request(protocol, packet.payload().payload)?;
    Some(Quoted {
        ttl: header.ttl(),
        tos: header.slice()[1],
        source: header.source_addr().into(),
        identification: Some(header.identification()),
        identifier,
        checksum,
    })
}

fn read_v6(quote: &[u8]) -> Option<Quoted> {
    let (packet, _) = LaxIpv6Slice::from_slice(quote).ok()?;
    let header = packet.header();
    let protocol = Protocol::of_number(packet.payload().ip_number.0, Family::V6)?;
    let (checksum, identifier) = read_request(protocol, packet.payload().payload)?;
    Some(Quoted {
        ttl: header.hop_limit(),
        tos: header.traffic_class(),
        source: header.source_addr().into(),
        identification: None,
        identifier,
        checksum,
    })
}

/// The checksum, and the identifier or the source port.
fn read_request(protocol: Protocol, request: &[u8]) -> Option<(Option<u16>, u16)> {
    let word = |at: u8| {
        Some(u16::from_be_bytes(
            *request.get(at.into()..)?.first_chunk()?,
        ))
    };
    let identifier = match protocol {
        Protocol::Icmp => word(4)?,
        Protocol::Udp | Protocol::Tcp => word(0)?,
    };
    // Less than this no router returns.
    request.first_chunk::<8>()?;
    Some((word(protocol.checksum_at()), identifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quoted_header_is_read_over_both_families() {
        let mut error = ERROR_V4.to_vec();
        let quoted = Quoted {
            ttl: 1,
            tos: 0xb9,
            source: [192, 0, 2, 7].into(),
            identification: Some(0xbeef),
            identifier: 0x4321,
            checksum: Some(0xb7fc),
        };
        check(Family::V4, &error, Some(quoted));
        error.truncate(error.len() - 1);
        check(Family::V4, &error, None);
        let quoted = Quoted {
            source: "2001:db8::7".parse().unwrap(),
            identification: None,
            ..quoted
        };
        check(Family::V6, &ERROR_V6, Some(quoted));
        check(Family::V6, &ERROR_V6[..55], None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            for (family, error) in [(Family::V4, &ERROR_V4[..]), (Family::V6, &ERROR_V6[..])] {
                let mut damaged = error[..random.usize(..=error.len())].to_vec();
                if let Some(byte) = damaged.get_mut(random.usize(..error.len())) {
                    *byte = random.u8(..);
                }
                Remarks::read(family, &damaged, SENT);
            }
        }
    }

    #[track_caller]
    fn check(family: Family, error: &[u8], expected: Option<Quoted>) {
        let read = Remarks::read(family, error, SENT);
        assert_eq!(read.map(|remarks| remarks.quoted), expected);
    }

    const SENT: Sent = Sent {
        source: None,
        identification: None,
        identifier: 0,
        checksum: None,
    };

    /// Time exceeded, then the IPv4 header and 8 bytes that every router quotes (RFC 792).
    #[rustfmt::skip]
    const ERROR_V4: [u8; 36] = [
        11, 0, 0, 0, 0, 0, 0, 0,
        0x45, 0xb9, 0, 56, 0xbe, 0xef, 0, 0, 1, 1, 0, 0, 192, 0, 2, 7, 203, 0, 113, 9,
        8, 0, 0xb7, 0xfc, 0x43, 0x21, 0, 5,
    ];

    /// Time exceeded, then the IPv6 header and 8 bytes.
    #[rustfmt::skip]
    const ERROR_V6: [u8; 56] = [
        3, 0, 0, 0, 0, 0, 0, 0,
        0x6b, 0x91, 0x23, 0x45, 0, 8, 58, 1,
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9,
        128, 0, 0xb7, 0xfc, 0x43, 0x21, 0, 5,
    ];
}
