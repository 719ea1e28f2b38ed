//! What does a router write when it cannot forward a packet?
//!
//! `ICMPv4` and `ICMPv6` errors with as much of the packet quoted as the node quotes. Whether an
//! error may be sent at all is the node's to say.

use serde::Deserialize;

use crate::Answer;
use crate::packet::{Header, ICMP, ICMPV6, Packet};

/// How a node writes its errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quote {
    /// How many bytes after the IP header are quoted at most: 8 by RFC 792. By default the error
    /// is filled up to 576 bytes (RFC 1812, section 4.3.2.3) or 1,280 (RFC 4443, section 2.4).
    pub most: Option<usize>,
    /// Whether the length field that announces extensions stays zero, as in routers older than
    /// RFC 4884 (its section 5).
    pub unannounced: bool,
}

/// Writes the error `answer` about `packet`, with an extension structure if there is one.
pub(crate) fn write(
    packet: &Packet<Vec<u8>>,
    answer: Answer,
    from: Header,
    quote: Quote,
    extension: &[u8],
) -> Packet<Vec<u8>> {
    let is_v4 = packet.is_v4();
    let (kind, code, rest) = wire(answer, is_v4);
    // RFC 4884, sections 4.1 to 4.5: `Packet Too Big` has no room to announce extensions.
    let may_extend = is_v4 || kind != V6_TOO_BIG;
    let extension = if may_extend { extension } else { &[] };
    let (whole, unit) = if is_v4 { (576, 4) } else { (1280, 8) };
    let room = whole - if is_v4 { 28 } else { 48 } - extension.len();
    let most = quote
        .most
        .map_or(usize::MAX, |most| packet.header_length() + most);
    let quoted = packet.bytes().len().min(most);

    let mut message = vec![kind, code, 0, 0];
    message.extend(rest.to_be_bytes());
    if extension.is_empty() {
        message.extend(&packet.bytes()[..quoted.min(room)]);
    } else {
        let padded = if quote.unannounced {
            LEAST_BEFORE_EXTENSION
        } else {
            let padded = quoted.max(LEAST_BEFORE_EXTENSION).next_multiple_of(unit);
            padded.min(room / unit * unit)
        };
        message.extend(&packet.bytes()[..quoted.min(padded)]);
        message.resize(8 + padded, 0);
        if !quote.unannounced {
            message[if is_v4 { 5 } else { 4 }] = (padded / unit) as u8;
        }
        message.extend(extension);
    }
    Packet::build(from, &message, 2)
}

/// Returns type, code and the four bytes after the checksum.
fn wire(answer: Answer, is_v4: bool) -> (u8, u8, u32) {
    match (answer, is_v4) {
        (Answer::Unreachable { code }, true) => (3, code, 0),
        (Answer::Unreachable { code }, false) => (1, code, 0),
        (Answer::TooBig { mtu }, true) => (3, 4, mtu & 0xffff),
        (Answer::TooBig { mtu }, false) => (V6_TOO_BIG, 0, mtu),
        (Answer::TimeExceeded, true) => (11, 0, 0),
        (Answer::TimeExceeded, false) => (3, 0, 0),
        (Answer::EchoReply | Answer::SynAck | Answer::Reset, _) => {
            unreachable!("{answer:?} is no error")
        }
    }
}

/// Whether errors may be written about a packet: not about errors (RFC 1122, section 3.2.2), nor
/// about later fragments, nor about what went to many.
pub(crate) fn may_be_about(packet: &Packet<Vec<u8>>) -> bool {
    let kind = packet.transport().first().copied().unwrap_or_default();
    let is_error = match packet.protocol() {
        ICMP => !matches!(kind, 0 | 8 | 13 | 14),
        ICMPV6 => kind < 128,
        _ => false,
    };
    !is_error && !packet.is_later_fragment() && !packet.destination().is_multicast()
}

/// RFC 4884, section 4: the quoted packet is padded to this before an extension.
const LEAST_BEFORE_EXTENSION: usize = 128;
const V6_TOO_BIG: u8 = 2;

#[cfg(test)]
mod tests;
