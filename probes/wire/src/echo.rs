//! What is in an echo request, and is what came back the same?
//!
//! ```text
//!  0  type 8 (IPv4) or 128 (IPv6) · code 0 · checksum · identifier · sequence    RFC 792, RFC 4443
//!  8  send time, nanoseconds on this process's clock, big endian
//! 16  cookie: a keyed hash of the send time and of which flow's which request this is
//! 24  filler: each byte is its own offset in the payload
//! ```
//!
//! A smaller payload is cut off. The send time is for readers of packet captures: round trips are
//! taken from our own record, not from what a peer returns. Over IPv6, and on ping sockets, the
//! kernel computes the checksum.

use std::hash::{BuildHasher, RandomState};

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type};

use crate::clock::Stamp;
use crate::slots::FlowKey;
use crate::socket::Family;

/// ICMP header of an echo request or reply, in bytes.
pub(crate) const HEADER: usize = 8;

const COOKIE: usize = 8;
const FILLER: usize = 16;

/// Makes and checks cookies, under a key that is this process's own.
#[derive(Debug, Default)]
pub(crate) struct Cookies(RandomState);

/// Whether a returned payload is what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Not from us, or from an earlier user of the slot.
    Foreign,
    /// Ours, and whole.
    Same,
    /// Ours, but changed, cut or extended.
    Altered,
}

impl Cookies {
    /// Writes a request into `buffer`, replacing what it held.
    pub(crate) fn write(
        &self,
        buffer: &mut Vec<u8>,
        family: Family,
        echo: IcmpEchoHeader,
        payload_size: usize,
        whose: (FlowKey, u64),
    ) {
        let time = Stamp::now().0.to_be_bytes();
        buffer.clear();
        buffer.resize(HEADER, 0);
        buffer.extend(time);
        buffer.extend(self.cookie(time, whose));
        buffer.extend((FILLER..payload_size).map(|offset| offset as u8));
        buffer.truncate(HEADER + payload_size);

        let (header, payload) = buffer.split_at_mut(HEADER);
        match family {
            Family::V4 => {
                let request = Icmpv4Type::EchoRequest(echo);
                header.copy_from_slice(&Icmpv4Header::with_checksum(request, payload).to_bytes());
            }
            Family::V6 => {
                let request = Icmpv6Type::EchoRequest(echo);
                header.copy_from_slice(&Icmpv6Header::new(request).to_bytes());
            }
        }
    }

    /// Compares a reply's payload with what was sent.
    pub(crate) fn check_reply(
        &self,
        payload: &[u8],
        payload_size: usize,
        whose: (FlowKey, u64),
    ) -> Content {
        if self.check_start(payload, payload_size, whose) == Content::Foreign {
            return Content::Foreign;
        }
        let filler = payload.iter().enumerate().skip(FILLER);
        let same = payload.len() == payload_size
            && filler
                .into_iter()
                .all(|(offset, byte)| *byte == offset as u8);
        if same {
            Content::Same
        } else {
            Content::Altered
        }
    }

    /// Compares the cookie alone, if one was sent and is there: a quote may be cut short.
    pub(crate) fn check_start(
        &self,
        payload: &[u8],
        payload_size: usize,
        whose: (FlowKey, u64),
    ) -> Content {
        let Some((time, rest)) = payload.split_first_chunk() else {
            return Content::Same;
        };
        let matches = rest
            .first_chunk()
            .is_none_or(|cookie| *cookie == self.cookie(*time, whose));
        if payload_size < FILLER || matches {
            Content::Same
        } else {
            Content::Foreign
        }
    }

    fn cookie(&self, time: [u8; 8], (flow, sequence): (FlowKey, u64)) -> [u8; COOKIE] {
        self.0.hash_one((time, flow, sequence)).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    const WHOSE: (FlowKey, u64) = (FlowKey(NonZeroU64::MIN), 7);
    const ECHO: IcmpEchoHeader = IcmpEchoHeader {
        id: 0x1234,
        seq: 0x5678,
    };

    #[test]
    fn a_request_has_the_size_asked_for_and_a_right_checksum() {
        for size in [0, 1, 7, 8, 15, 16, 17, 56, 1472, 65_507] {
            let packet = request(Family::V4, size);
            assert_eq!(packet.len(), HEADER + size);
            assert_eq!(packet[..2], [8, 0]);
            assert_eq!(packet[4..8], [0x12, 0x34, 0x56, 0x78]);
            let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&packet);
            assert_eq!(sum.ones_complement(), 0, "{size} bytes");
        }
        assert_eq!(
            request(Family::V6, 56)[..8],
            [128, 0, 0, 0, 0x12, 0x34, 0x56, 0x78]
        );
    }

    #[test]
    fn a_reply_is_told_from_a_foreign_and_from_a_damaged_one() {
        let cookies = Cookies::default();
        let mut packet = Vec::new();
        cookies.write(&mut packet, Family::V4, ECHO, 56, WHOSE);
        let payload = &packet[HEADER..];
        let check = |payload: &[u8], whose, expected| {
            assert_eq!(
                cookies.check_reply(payload, 56, whose),
                expected,
                "{payload:02x?}"
            );
        };
        check(payload, WHOSE, Content::Same);
        check(payload, (WHOSE.0, 8), Content::Foreign);
        check(&payload[..55], WHOSE, Content::Altered);
        check(&[payload, &[56]].concat(), WHOSE, Content::Altered);
        for (byte, expected) in [(0, Content::Foreign), (15, Content::Foreign)] {
            check(&flipped(payload, byte), WHOSE, expected);
        }
        for byte in [16, 55] {
            check(&flipped(payload, byte), WHOSE, Content::Altered);
        }
    }

    #[test]
    fn a_payload_without_room_for_a_cookie_is_taken_on_trust() {
        let cookies = Cookies::default();
        for size in 0..FILLER {
            let packet = request(Family::V4, size);
            assert_eq!(
                cookies.check_reply(&packet[HEADER..], size, WHOSE),
                Content::Same
            );
        }
    }

    #[test]
    fn a_quote_may_end_anywhere() {
        let cookies = Cookies::default();
        let mut packet = Vec::new();
        cookies.write(&mut packet, Family::V4, ECHO, 56, WHOSE);
        for end in HEADER..packet.len() {
            let start = &packet[HEADER..end];
            assert_eq!(
                cookies.check_start(start, 56, WHOSE),
                Content::Same,
                "{end} bytes"
            );
        }
    }

    fn request(family: Family, payload_size: usize) -> Vec<u8> {
        let mut buffer = vec![0xff; 99];
        Cookies::default().write(&mut buffer, family, ECHO, payload_size, WHOSE);
        buffer
    }

    fn flipped(payload: &[u8], byte: usize) -> Vec<u8> {
        let mut payload = payload.to_vec();
        payload[byte] ^= 1;
        payload
    }
}
