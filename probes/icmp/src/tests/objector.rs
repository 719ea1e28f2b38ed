//! Who reports that a request was too big?
//!
//! The kernel answers for every address of loopback; for one of them an ICMP error follows, as from
//! a router on the way.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;

use socket2::{Domain, Protocol, Socket, Type};

/// The address whose requests are objected to.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 7, 7, 8);

/// What the next link would carry.
pub(super) const MTU: u16 = 1_400;

/// Objects for as long as the process lives. Needs a raw socket; `false` if it may not have one.
pub(super) fn start() -> bool {
    let Ok(socket) = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)) else {
        return false;
    };
    socket.bind(&SocketAddrV4::new(ADDRESS, 0).into()).unwrap();
    thread::spawn(move || serve(&socket));
    true
}

fn serve(mut socket: &Socket) {
    let mut buffer = [0; 512];
    while let Ok(length) = socket.read(&mut buffer) {
        let request = &buffer[..length];
        let source: [u8; 4] = request[12..16].try_into().unwrap();
        let header = usize::from(request[0] & 0x0f) * 4;
        if request[header] != ECHO_REQUEST {
            continue;
        }
        // RFC 1191, section 4: the MTU stands behind two unused bytes, then the packet itself.
        let [high, low] = MTU.to_be_bytes();
        let mut error = [&[3, 4, 0, 0, 0, 0, high, low], request].concat();
        let checksum = checksum(&error);
        error[2..4].copy_from_slice(&checksum.to_be_bytes());
        let back = SocketAddrV4::new(source.into(), 0).into();
        socket.send_to(&error, &back).unwrap();
    }
}

/// RFC 1071.
fn checksum(message: &[u8]) -> u16 {
    let words = message.chunks(2);
    let words = words.map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |b| (*b).into()));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

const ECHO_REQUEST: u8 = 8;
