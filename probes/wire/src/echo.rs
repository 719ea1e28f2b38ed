//! What is in an echo request, and is what came back the same?
//!
//! ```text
//!     IPv4 header, where this program writes it: the identification is the sequence number   RFC 791
//!  0  type 8 (IPv4) or 128 (IPv6) · code 0 · checksum · identifier · sequence    RFC 792, RFC 4443
//!  8  complement of the sequence number
//! 10  flow word: the same in all of a flow's requests, another in another flow's
//! 12  cookie: a keyed hash of which flow's which request this is
//! 20  complement of the cookie
//! 28  send time, nanoseconds on this process's clock, big endian
//! 36  complement of the send time
//! 44  filler: each byte is its own offset in the payload, or a pattern
//!     padding of a request that is larger than the flow's others: zeros
//! ```
//!
//! A router that shares its load among links by the first bytes after the IP header, where the
//! checksum is, must send all of a flow's requests the same way. So whatever differs between them
//! is there with its complement, and the checksum is the same (as Paris traceroute has it): it is
//! computed once, when the template is made. A smaller payload lacks what does not fit: the send
//! time below 36 bytes, the cookie below 20, the flow word below 4, and below 2 bytes the checksum
//! varies. Padding adds nothing to the checksum but its length, which is in the pseudo-header that
//! ICMP over IPv6 has it cover: the flow word makes good for it.
//!
//! The send time is for readers of packet captures: round trips are taken from our own record, not
//! from what a peer returns. Over IPv6, and on ping sockets, the kernel computes the checksum.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use etherparse::checksum::Sum16BitWords;
use etherparse::{icmpv4, icmpv6};

use crate::clock::Stamp;
use crate::engine::{Framing, PeerKey};
use crate::header::{self, IDENTIFICATION, IP_HEADER};
use crate::options::Pattern;
use crate::remarks::Sent;
use crate::{Family, RequestOptions};

/// ICMP header of an echo request or reply, in bytes.
pub(crate) const HEADER: usize = 8;

// Offsets in the payload.
const COOKIE: usize = 4;
const TIME: usize = 20;
const FILLER: usize = 36;

/// Makes cookies, under a key that is this process's own.
#[derive(Debug, Default)]
pub(crate) struct Cookies(RandomState);

impl Cookies {
    /// Makes a flow's secret.
    pub(crate) fn secret(&self, whose: PeerKey) -> u16 {
        self.0.hash_one(whose.number()) as u16
    }

    /// Makes the cookie of a flow's request.
    pub(crate) fn cookie(&self, whose: PeerKey, sequence: u64) -> Cookie {
        // One number, which a hasher takes in faster than three.
        Cookie(
            self.0
                .hash_one(u128::from(whose.number()) << 64 | u128::from(sequence)),
        )
    }
}

/// Which request of which flow this is, as nobody else can say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cookie(u64);

impl Cookie {
    pub(crate) fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

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

/// What payloads are filled with: one for all flows whose payloads are of one size and pattern, for
/// there may be many flows, and a payload may be large.
#[derive(Debug, Default)]
pub(crate) struct Fillers(Vec<Filler>);

#[derive(Debug)]
struct Filler {
    payload_size: usize,
    pattern: Option<Pattern>,
    bytes: Arc<[u8]>,
}

impl Fillers {
    /// Returns what fills payloads from their byte `start` on, which follows from their size.
    fn of(&mut self, options: &RequestOptions, start: usize) -> Arc<[u8]> {
        let (payload_size, pattern) = (options.payload_size, options.pattern);
        let same = |known: &&Filler| known.payload_size == payload_size && known.pattern == pattern;
        if let Some(known) = self.0.iter().find(same) {
            return Arc::clone(&known.bytes);
        }
        self.0.retain(|known| Arc::strong_count(&known.bytes) > 1);
        let bytes: Arc<[u8]> = (start..payload_size).map(|at| options.filler(at)).collect();
        self.0.push(Filler {
            payload_size,
            pattern,
            bytes: Arc::clone(&bytes),
        });
        bytes
    }
}

/// All of a flow's requests but for what differs between them.
#[derive(Debug)]
pub(crate) struct Template {
    /// Everything before the filler: the IPv4 header, if this program writes it, then the message.
    head: [u8; IP_HEADER + HEADER + FILLER],
    /// Bytes of the IPv4 header: 20, or 0 if the kernel writes it.
    ip: u8,
    /// Bytes of payload in the head, so far as they fit: a value without its complement would
    /// change the checksum.
    start: u8,
    filler: Arc<[u8]>,
    /// Where requests come from, if that was chosen.
    source: Option<IpAddr>,
}

impl Template {
    /// Prepares the requests of a flow with the identifier `id`.
    pub(crate) fn new(
        cookies: &Cookies,
        fillers: &mut Fillers,
        whose: PeerKey,
        framing: Framing,
        id: u16,
        destination: IpAddr,
        options: &RequestOptions,
    ) -> Self {
        let start = match options.payload_size {
            size @ ..COOKIE => size,
            COOKIE..TIME => COOKIE,
            TIME..FILLER => TIME,
            _ => FILLER,
        };
        let mut template = Self {
            head: [0; _],
            ip: 0,
            start: start as u8,
            filler: fillers.of(options, start),
            source: options.source,
        };
        let length = HEADER + options.payload_size;
        if let Some(header) = header::v4(framing, options, destination, length) {
            template.ip = IP_HEADER as u8;
            template.head[..IP_HEADER].copy_from_slice(&header);
        }
        let ip = usize::from(template.ip);
        let message = &mut template.head[ip..];
        message[0] = match Family::of(destination) {
            Family::V4 => icmpv4::TYPE_ECHO_REQUEST,
            Family::V6 => icmpv6::TYPE_ECHO_REQUEST,
        };
        message[4..6].copy_from_slice(&id.to_be_bytes());
        // A payload of three bytes has one for the flow word.
        let word = cookies.secret(whose).to_be_bytes();
        message[HEADER + 2..HEADER + COOKIE].copy_from_slice(&word);
        if destination.is_ipv4() {
            fill_in(message, 0, Cookie(0), [0; 8]);
            // Where there is a filler, it begins at an even offset.
            let sum = checksum([&message[..HEADER + start], &template.filler]);
            message[2..4].copy_from_slice(&sum);
        }
        template
    }

    /// Appends a request to `packet`.
    pub(crate) fn write(&self, sequence: u16, cookie: Cookie, time: Stamp, packet: &mut Vec<u8>) {
        let ip = usize::from(self.ip);
        let start = usize::from(self.start);
        let mut head = self.head;
        if ip > 0 {
            // The kernel fills in another if this is 0.
            head[IDENTIFICATION..IDENTIFICATION + 2].copy_from_slice(&sequence.to_be_bytes());
        }
        fill_in(&mut head[ip..], sequence, cookie, time.0.to_be_bytes());
        let begin = packet.len();
        packet.extend_from_slice(&head[..ip + HEADER + start]);
        packet.extend_from_slice(&self.filler);
        if start < 2 && self.head[ip] == icmpv4::TYPE_ECHO_REQUEST {
            let message = &mut packet[begin + ip..];
            message[2..4].fill(0);
            let sum = checksum([message]);
            message[2..4].copy_from_slice(&sum);
        }
    }

    /// What it is that translators change.
    pub(crate) fn sent(&self, sequence: u16) -> Sent {
        let ip = usize::from(self.ip);
        let word = |at| u16::from_be_bytes([self.head[ip + at], self.head[ip + at + 1]]);
        Sent {
            source: self.source,
            // The kernel fills in another if this is 0.
            identification: Some(sequence).filter(|id| ip > 0 && *id != 0),
            identifier: word(4),
            checksum: Some(word(2)).filter(|_| ip > 0 && usize::from(self.start) >= 2),
        }
    }

    /// Adds padding to a written request, which begins at `begin`; at most as much as fits an IP
    /// packet.
    pub(crate) fn pad(&self, packet: &mut Vec<u8>, begin: usize, padding: u16) {
        packet.resize(packet.len() + usize::from(padding), 0);
        let request = &mut packet[begin..];
        if self.ip > 0 {
            let length = request.len() as u16;
            request[2..4].copy_from_slice(&length.to_be_bytes());
        }
        self.make_good(&mut request[usize::from(self.ip) + HEADER..], padding);
    }

    /// Changes the flow word of a payload so that the checksum stays what it is without padding.
    fn make_good(&self, payload: &mut [u8], padding: u16) {
        let message = &self.head[usize::from(self.ip)..];
        if message[0] == icmpv6::TYPE_ECHO_REQUEST && usize::from(self.start) >= COOKIE {
            let word = u16::from_be_bytes([payload[2], payload[3]]);
            // Subtraction in ones' complement takes its borrow from the end.
            let (word, borrows) = word.overflowing_sub(padding);
            let word = word.wrapping_sub(u16::from(borrows));
            payload[2..4].copy_from_slice(&word.to_be_bytes());
        }
    }

    /// Compares a reply's payload with what was sent, padding included.
    pub(crate) fn check_reply(
        &self,
        sequence: u16,
        cookie: Cookie,
        padding: u16,
        payload: &[u8],
    ) -> Content {
        // The send time is not kept: it is right if its complement is.
        let time = payload.get(TIME..).and_then(<[u8]>::first_chunk);
        let mut sent = self.start(sequence, cookie, time.copied().unwrap_or_default());
        self.make_good(&mut sent, padding);
        if !self.is_ours(&sent, payload) {
            return Content::Foreign;
        }
        let start = usize::from(self.start);
        let usual = start + self.filler.len();
        let whole = payload.len() == usual + usize::from(padding)
            && payload[..start] == sent[..start]
            && payload[start..usual] == *self.filler
            && payload[usual..].iter().all(|byte| *byte == 0);
        if whole {
            Content::Same
        } else {
            Content::Altered
        }
    }

    /// Compares the cookie alone, or where none was sent what stands in its stead, if it is there:
    /// a quote may be cut short.
    pub(crate) fn check_start(&self, sequence: u16, cookie: Cookie, payload: &[u8]) -> Content {
        if self.is_ours(&self.start(sequence, cookie, [0; 8]), payload) {
            Content::Same
        } else {
            Content::Foreign
        }
    }

    fn is_ours(&self, sent: &[u8; FILLER], payload: &[u8]) -> bool {
        let start = usize::from(self.start);
        let telling = if start < TIME {
            0..start
        } else {
            COOKIE..COOKIE + 8
        };
        let sent = &sent[telling.clone()];
        payload.get(telling).is_none_or(|returned| returned == sent)
    }

    /// What stands before the filler.
    fn start(&self, sequence: u16, cookie: Cookie, time: [u8; 8]) -> [u8; FILLER] {
        let ip = usize::from(self.ip);
        let mut message = [0; HEADER + FILLER];
        message.copy_from_slice(&self.head[ip..ip + HEADER + FILLER]);
        fill_in(&mut message, sequence, cookie, time);
        let mut start = [0; FILLER];
        start.copy_from_slice(&message[HEADER..]);
        start
    }
}

/// Writes what differs between the requests of a flow.
fn fill_in(message: &mut [u8], sequence: u16, cookie: Cookie, time: [u8; 8]) {
    message[6..8].copy_from_slice(&sequence.to_be_bytes());
    let payload = &mut message[HEADER..];
    payload[..2].copy_from_slice(&(!sequence).to_be_bytes());
    for (at, value) in [(COOKIE, cookie.bytes()), (TIME, time)] {
        payload[at..at + 8].copy_from_slice(&value);
        payload[at + 8..at + 16].copy_from_slice(&value.map(|byte| !byte));
    }
}

/// The checksum of a message in parts: one of odd length is the last that is not empty.
fn checksum<const PARTS: usize>(message: [&[u8]; PARTS]) -> [u8; 2] {
    let parts = message.into_iter();
    let sum = parts.fold(Sum16BitWords::new(), Sum16BitWords::add_slice);
    sum.ones_complement().to_ne_bytes()
}

#[cfg(test)]
mod tests;
