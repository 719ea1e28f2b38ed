//! What is in an echo request, and is what came back the same?
//!
//! ```text
//!  0  type 8 (IPv4) or 128 (IPv6) · code 0 · checksum · identifier · sequence    RFC 792, RFC 4443
//!  8  complement of the sequence number
//! 10  flow word: the same in all of a flow's requests, another in another flow's
//! 12  cookie: a keyed hash of which flow's which request this is
//! 20  complement of the cookie
//! 28  send time, nanoseconds on this process's clock, big endian
//! 36  complement of the send time
//! 44  filler: each byte is its own offset in the payload
//! ```
//!
//! A router that shares its load among links by the first bytes after the IP header, where the
//! checksum is, must send all of a flow's requests the same way. So whatever differs between them
//! is there with its complement, and the checksum is the same (as Paris traceroute has it). A
//! smaller payload lacks what does not fit: the send time below 36 bytes, the cookie below 20, the
//! flow word below 4, and below 2 bytes the checksum varies.
//!
//! The send time is for readers of packet captures: round trips are taken from our own record, not
//! from what a peer returns. Over IPv6, and on ping sockets, the kernel computes the checksum.

use std::hash::{BuildHasher, RandomState};

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type};

use crate::clock::Stamp;
use crate::slots::FlowKey;
use crate::socket::Family;

/// ICMP header of an echo request or reply, in bytes.
pub(crate) const HEADER: usize = 8;

// Offsets in the payload.
const COOKIE: usize = 4;
const TIME: usize = 20;
const FILLER: usize = 36;

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
        buffer.clear();
        buffer.resize(HEADER, 0);
        let time = Stamp::now().0.to_be_bytes();
        let (start, length) = self.start(echo.seq, payload_size, whose, time);
        buffer.extend(&start[..length]);
        buffer.extend((length..payload_size).map(|offset| offset as u8));

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
        sequence: u16,
        payload: &[u8],
        payload_size: usize,
        whose: (FlowKey, u64),
    ) -> Content {
        if self.check_start(sequence, payload, payload_size, whose) == Content::Foreign {
            return Content::Foreign;
        }
        // The send time is not kept: it is right if its complement is.
        let time = payload.get(TIME..).and_then(<[u8]>::first_chunk);
        let time = time.copied().unwrap_or_default();
        let (start, length) = self.start(sequence, payload_size, whose, time);
        let sent = start[..length].iter().copied();
        let filler = (length..payload_size).map(|offset| offset as u8);
        if payload.len() == payload_size && sent.chain(filler).zip(payload).all(|(a, b)| a == *b) {
            Content::Same
        } else {
            Content::Altered
        }
    }

    /// Compares the cookie alone, or where none was sent what stands in its stead, if it is there:
    /// a quote may be cut short.
    pub(crate) fn check_start(
        &self,
        sequence: u16,
        payload: &[u8],
        payload_size: usize,
        whose: (FlowKey, u64),
    ) -> Content {
        let (start, length) = self.start(sequence, payload_size, whose, [0; 8]);
        let telling = if length < TIME {
            0..length
        } else {
            COOKIE..COOKIE + 8
        };
        let sent = &start[telling.clone()];
        if payload.get(telling).is_none_or(|returned| returned == sent) {
            Content::Same
        } else {
            Content::Foreign
        }
    }

    /// What stands before the filler, so far as it fits: a value without its complement would
    /// change the checksum.
    fn start(
        &self,
        sequence: u16,
        payload_size: usize,
        whose: (FlowKey, u64),
        time: [u8; 8],
    ) -> ([u8; FILLER], usize) {
        let mut bytes = [0; FILLER];
        bytes[..2].copy_from_slice(&(!sequence).to_be_bytes());
        bytes[2..COOKIE].copy_from_slice(&self.flow_word(whose.0));
        for (at, value) in [(COOKIE, self.cookie(whose)), (TIME, time)] {
            bytes[at..at + 8].copy_from_slice(&value);
            bytes[at + 8..at + 16].copy_from_slice(&value.map(|byte| !byte));
        }
        let length = match payload_size {
            ..COOKIE => payload_size,
            COOKIE..TIME => COOKIE,
            TIME..FILLER => TIME,
            _ => FILLER,
        };
        (bytes, length)
    }

    fn flow_word(&self, flow: FlowKey) -> [u8; 2] {
        (self.0.hash_one(flow) as u16).to_be_bytes()
    }

    fn cookie(&self, whose: (FlowKey, u64)) -> [u8; 8] {
        self.0.hash_one(whose).to_be_bytes()
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
        for size in [0, 1, 2, 3, 4, 19, 20, 21, 35, 36, 37, 56, 1472, 65_507] {
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
                cookies.check_reply(ECHO.seq, payload, 56, whose),
                expected,
                "{payload:02x?}"
            );
        };
        check(payload, WHOSE, Content::Same);
        check(payload, (WHOSE.0, 8), Content::Foreign);
        check(&payload[..55], WHOSE, Content::Altered);
        check(&[payload, &[56]].concat(), WHOSE, Content::Altered);
        for byte in 0..56 {
            let expected = match byte {
                COOKIE..12 => Content::Foreign,
                _ => Content::Altered,
            };
            check(&flipped(payload, byte), WHOSE, expected);
        }
    }

    #[test]
    fn all_requests_of_a_flow_have_one_checksum() {
        let cookies = Cookies::default();
        let checksum = |payload_size, seq, whose| {
            let mut packet = Vec::new();
            let echo = IcmpEchoHeader { seq, ..ECHO };
            cookies.write(&mut packet, Family::V4, echo, payload_size, whose);
            [packet[2], packet[3]]
        };
        for size in [2, 3, 4, 5, 19, 20, 28, 35, 36, 37, 56, 1_472] {
            let first = checksum(size, 0, WHOSE);
            for seq in [1, 2, 0x00ff, 0x0100, 0x8000, 0xfffe, 0xffff] {
                let whose = (WHOSE.0, u64::from(seq));
                assert_eq!(checksum(size, seq, whose), first, "{size} bytes, {seq}");
            }
        }
        let words: std::collections::HashSet<_> = (1..=100)
            .map(|key| checksum(56, 0, (FlowKey(NonZeroU64::new(key).unwrap()), 0)))
            .collect();
        assert!(words.len() > 90, "flows differ");
    }

    #[test]
    fn a_payload_without_room_for_a_cookie_is_told_by_its_flow_word_if_there_is_one() {
        let cookies = Cookies::default();
        let others = (FlowKey(NonZeroU64::new(2).unwrap()), 7);
        for size in 0..TIME {
            let mut packet = Vec::new();
            cookies.write(&mut packet, Family::V4, ECHO, size, WHOSE);
            let check = |whose| cookies.check_reply(ECHO.seq, &packet[HEADER..], size, whose);
            assert_eq!(check(WHOSE), Content::Same);
            // The key is a random one, and so may two words be the same.
            let (ours, theirs) = (cookies.flow_word(WHOSE.0), cookies.flow_word(others.0));
            let same =
                size < COOKIE && ours[..size.saturating_sub(2)] == theirs[..size.saturating_sub(2)];
            let expected = if same || ours == theirs {
                Content::Same
            } else {
                Content::Foreign
            };
            assert_eq!(check(others), expected, "{size} bytes");
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
                cookies.check_start(ECHO.seq, start, 56, WHOSE),
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
