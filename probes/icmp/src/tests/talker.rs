//! Who says more about a request than the kernel does?
//!
//! The kernel answers for every address of loopback. For two of them something follows: a second
//! reply, or an ICMP error as from a router on the way.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;

use socket2::{Domain, Protocol, Socket, Type};

/// The address whose requests are answered twice.
pub(super) const DOUBLED: Ipv4Addr = Ipv4Addr::new(127, 7, 7, 7);

/// The address whose requests are said to be too big.
pub(super) const OBJECTED_TO: Ipv4Addr = Ipv4Addr::new(127, 7, 7, 8);

/// What the next link would carry.
pub(super) const MTU: u16 = 1_400;

/// Doubles for as long as the process lives. Needs a raw socket; `false` if it may not have one.
pub(super) fn doubles() -> bool {
    start(DOUBLED, reply)
}

/// Objects for as long as the process lives. Needs a raw socket; `false` if it may not have one.
pub(super) fn objects() -> bool {
    start(OBJECTED_TO, objection)
}

/// Says something to whoever sends a request: an ICMP message made from the packet and where its
/// own ICMP message begins.
fn start(address: Ipv4Addr, say: fn(&[u8], usize) -> Vec<u8>) -> bool {
    let Ok(socket) = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)) else {
        return false;
    };
    socket.bind(&SocketAddrV4::new(address, 0).into()).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok(length) = (&socket).read(&mut buffer) {
            let packet = &buffer[..length];
            let source: [u8; 4] = packet[12..16].try_into().unwrap();
            let header = usize::from(packet[0] & 0x0f) * 4;
            if packet[header] == ECHO_REQUEST {
                let back = SocketAddrV4::new(source.into(), 0).into();
                let message = with_checksum(say(packet, header));
                socket.send_to(&message, &back).unwrap();
            }
        }
    });
    true
}

/// The request with another type.
fn reply(packet: &[u8], header: usize) -> Vec<u8> {
    [&[ECHO_REPLY], &packet[header + 1..]].concat()
}

/// RFC 1191, section 4: the MTU stands behind two unused bytes, then the packet itself.
fn objection(packet: &[u8], _: usize) -> Vec<u8> {
    let [high, low] = MTU.to_be_bytes();
    [&[3, 4, 0, 0, 0, 0, high, low], packet].concat()
}

/// RFC 1071.
fn with_checksum(mut message: Vec<u8>) -> Vec<u8> {
    message[2..4].fill(0);
    let words = message.chunks(2);
    let words = words.map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |b| (*b).into()));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
