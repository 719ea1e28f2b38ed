//! What is in a TCP request, and is what came back about it?
//!
//! ```text
//!     IPv4 header, where this program writes it: the identification is the sequence number's
//!     complement                                                                        RFC 791
//!  0  source port: the flow · destination port                                         RFC 9293
//!  4  the request's number · the flow's secret less that number, which are TCP's sequence number
//!  8  0, as nothing is acknowledged
//! 12  six words · SYN · window · checksum · no urgent data
//! 20  maximum segment size, for some filters drop what asks for none
//! ```
//!
//! The sum of both halves of TCP's sequence number is the flow's secret, so all of a flow's SYNs
//! have one checksum as well as the same addresses and ports: a balancer sends them all one way.
//! Every router returns the sequence number (RFC 792), and every answer acknowledges it.

use std::net::IpAddr;

use crate::engine::Framing;
use crate::header::{self, IDENTIFICATION, IP_HEADER};
use crate::remarks::Sent;
use crate::{Family, Protocol, RequestOptions};

/// Length of a SYN, in bytes.
pub(crate) const BYTES: usize = 24;

/// All of a flow's SYNs but for what differs between them.
#[derive(Debug)]
pub(crate) struct Template {
    ip: Option<[u8; IP_HEADER]>,
    source: Option<IpAddr>,
    ports: [u16; 2],
    secret: u16,
    largest: u16,
    /// If this program computes it.
    checksum: Option<u16>,
}

impl Template {
    /// Prepares the SYNs of a flow from a port; `secret` is the flow's.
    pub(crate) fn new(
        framing: Framing,
        from_port: u16,
        secret: u16,
        destination: IpAddr,
        options: &RequestOptions,
    ) -> Self {
        let family = Family::of(destination);
        let mut template = Self {
            ip: header::v4(framing, options, destination, BYTES),
            source: options.source,
            ports: [from_port, options.port],
            secret,
            largest: match family {
                Family::V4 => LARGEST_V4,
                Family::V6 => LARGEST_V6,
            },
            checksum: None,
        };
        if template.ip.is_some() {
            let source = options.source.unwrap_or(header::UNKNOWN);
            let number = Protocol::Tcp.number(family);
            let sum = header::pseudo_header(source, destination, number, BYTES);
            let checksum = sum.add_slice(&template.segment(0)).ones_complement();
            template.checksum = Some(u16::from_be_bytes(checksum.to_ne_bytes()));
        }
        template
    }

    /// Appends a SYN to `packet`.
    pub(crate) fn write(&self, sequence: u16, packet: &mut Vec<u8>) {
        if let Some(mut header) = self.ip {
            let identification = (!sequence).to_be_bytes();
            header[IDENTIFICATION..IDENTIFICATION + 2].copy_from_slice(&identification);
            packet.extend_from_slice(&header);
        }
        packet.extend_from_slice(&self.segment(sequence));
    }

    /// What it is that translators change.
    pub(crate) fn sent(&self, sequence: u16) -> Sent {
        Sent {
            source: self.source,
            // The kernel fills in another if this is 0.
            identification: self.ip.map(|_| !sequence).filter(|id| *id != 0),
            identifier: self.ports[0],
            checksum: self.checksum,
        }
    }

    /// Whether a SYN with this sequence number, to this port, is ours.
    pub(crate) fn is_ours(&self, to_port: u16, number: u32) -> bool {
        to_port == self.ports[1] && number == self.number(sequence(number))
    }

    fn segment(&self, sequence: u16) -> [u8; BYTES] {
        let mut segment = [0; BYTES];
        let mut put =
            |at: usize, bytes: &[u8]| segment[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.ports[0].to_be_bytes());
        put(2, &self.ports[1].to_be_bytes());
        put(4, &self.number(sequence).to_be_bytes());
        put(12, &[(BYTES as u8 / 4) << 4, SYN]);
        put(14, &WINDOW.to_be_bytes());
        put(16, &self.checksum.unwrap_or(0).to_be_bytes());
        // RFC 9293, section 3.2: the kind of the option and its length.
        put(20, &[2, 4]);
        put(22, &self.largest.to_be_bytes());
        segment
    }

    fn number(&self, sequence: u16) -> u32 {
        // In ones' complement, as checksums are.
        let (rest, borrow) = self.secret.overflowing_sub(sequence);
        u32::from(sequence) << 16 | u32::from(rest.wrapping_sub(borrow.into()))
    }
}

/// The number of the request whose SYN has this sequence number.
pub(crate) fn sequence(number: u32) -> u16 {
    (number >> 16) as u16
}

// RFC 9293, section 3.1: control bits.
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// What Linux sends over Ethernet: who asks otherwise is treated otherwise.
const WINDOW: u16 = 64_240;
const LARGEST_V4: u16 = 1_460;
const LARGEST_V6: u16 = 1_440;
