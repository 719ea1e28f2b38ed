//! What is in a UDP request, and is what came back about it?
//!
//! ```text
//!     IPv4 header, where this program writes it: the identification is the sequence number's
//!     complement                                                                        RFC 791
//!  0  source port: the flow · destination port · length · checksum                      RFC 768
//!  8  sequence number
//! 10  0 · 0: to a name server all this is a query, which it answers with the first two bytes
//! 12  cookie: a keyed hash of which flow's which request this is
//! 20  complement of the cookie
//! 28  0, to the end
//! ```
//!
//! Routers that share their load look at the addresses and ports, which are the same in all of a
//! flow's requests (as Paris traceroute has it). The sequence number is there three times: in the
//! payload; in the identification, which translators of addresses leave alone (as Dublin traceroute
//! has it); and in the checksum, for all else in it sums up to what is in the headers. So a router
//! that returns nothing of the payload tells it still.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;

use crate::echo::Cookie;
use crate::engine::Framing;
use crate::header::{self, IDENTIFICATION, IP_HEADER};
use crate::remarks::Sent;
use crate::{Family, Protocol, RequestOptions};

/// UDP header, in bytes.
pub(crate) const HEADER: usize = 8;

/// Length of a datagram with its header, in bytes.
pub(crate) fn bytes(options: &RequestOptions) -> usize {
    HEADER + options.payload_size.max(LEAST_PAYLOAD)
}

/// All of a flow's datagrams but for what differs between them.
#[derive(Debug)]
pub(crate) struct Template {
    ip: Option<[u8; IP_HEADER]>,
    source: Option<IpAddr>,
    ports: [u16; 2],
    bytes: usize,
    /// Of all but the sequence number, if this program computes the checksum.
    sum: Option<Sum16BitWords>,
}

impl Template {
    /// Prepares the datagrams of a flow from a port.
    pub(crate) fn new(
        framing: Framing,
        from_port: u16,
        destination: IpAddr,
        options: &RequestOptions,
    ) -> Self {
        let bytes = bytes(options);
        let mut template = Self {
            ip: header::v4(framing, options, destination, bytes),
            source: options.source,
            ports: [from_port, options.port],
            bytes,
            sum: None,
        };
        if template.ip.is_some() {
            let source = options.source.unwrap_or(header::UNKNOWN);
            let number = Protocol::Udp.number(Family::V4);
            let sum = header::pseudo_header(source, destination, number, bytes);
            template.sum = Some(sum.add_slice(&template.header()));
        }
        template
    }

    /// Appends a datagram to `packet`.
    pub(crate) fn write(&self, sequence: u16, cookie: Cookie, packet: &mut Vec<u8>) {
        if let Some(mut header) = self.ip {
            let identification = (!sequence).to_be_bytes();
            header[IDENTIFICATION..IDENTIFICATION + 2].copy_from_slice(&identification);
            packet.extend_from_slice(&header);
        }
        let mut header = self.header();
        header[6..].copy_from_slice(&self.checksum(sequence).unwrap_or(0).to_be_bytes());
        let end = packet.len() + self.bytes;
        packet.extend_from_slice(&header);
        packet.extend(sequence.to_be_bytes());
        packet.extend([0; 2]);
        packet.extend(cookie.bytes());
        packet.extend(cookie.bytes().map(|byte| !byte));
        packet.resize(end, 0);
    }

    /// What it is that differs from datagram to datagram, and that translators change.
    pub(crate) fn sent(&self, sequence: u16) -> Sent {
        Sent {
            source: self.source,
            // The kernel fills in another if this is 0.
            identification: self.ip.map(|_| !sequence).filter(|id| *id != 0),
            identifier: self.ports[0],
            checksum: self.checksum(sequence),
        }
    }

    /// Whether a datagram to this port, with as much of its payload as was returned, is ours.
    pub(crate) fn is_ours(&self, to_port: u16, cookie: Cookie, payload: &[u8]) -> bool {
        let returned = payload.get(COOKIE..COOKIE + 8);
        to_port == self.ports[1] && returned.is_none_or(|returned| returned == cookie.bytes())
    }

    fn header(&self) -> [u8; HEADER] {
        let [from, to] = self.ports.map(u16::to_be_bytes);
        let length = (self.bytes as u16).to_be_bytes();
        [from[0], from[1], to[0], to[1], length[0], length[1], 0, 0]
    }

    fn checksum(&self, sequence: u16) -> Option<u16> {
        let sum = self.sum.clone()?.add_2bytes(sequence.to_be_bytes());
        // RFC 768: 0 is how a datagram says that it has none.
        let checksum = sum.to_ones_complement_with_no_zero();
        Some(u16::from_be_bytes(checksum.to_ne_bytes()))
    }
}

/// Finds the sequence number of a datagram of ours of which only the header was returned.
pub(crate) fn sequence(source: IpAddr, destination: IpAddr, header: [u8; HEADER]) -> u16 {
    let number = Protocol::Udp.number(Family::of(destination));
    let length = u16::from_be_bytes([header[4], header[5]]);
    let sum = header::pseudo_header(source, destination, number, length.into());
    u16::from_be_bytes(sum.add_slice(&header).ones_complement().to_ne_bytes())
}

/// As much as is there in any case.
const LEAST_PAYLOAD: usize = 20;

// Offset in the payload.
const COOKIE: usize = 4;
