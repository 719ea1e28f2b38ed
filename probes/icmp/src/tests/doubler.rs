//! Who answers a request twice?
//!
//! The kernel answers for every address of loopback; this answers once more for one of them.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;

use socket2::{Domain, Protocol, Socket, Type};

/// The address whose requests are answered twice.
pub(super) const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 7, 7, 7);

/// Answers for as long as the process lives. Needs a raw socket; `false` if it may not have one.
pub(super) fn start() -> bool {
    let Ok(socket) = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)) else {
        return false;
    };
    socket.bind(&SocketAddrV4::new(ADDRESS, 0).into()).unwrap();
    thread::spawn(move || serve(&socket));
    true
}

fn serve(mut socket: &Socket) {
    let mut buffer = [0; 2_048];
    while let Ok(length) = socket.read(&mut buffer) {
        let source: [u8; 4] = buffer[12..16].try_into().unwrap();
        let header = usize::from(buffer[0] & 0x0f) * 4;
        let message = &mut buffer[header..length];
        if message[0] != ECHO_REQUEST {
            continue;
        }
        // A reply is the request with another type, and a checksum to match (RFC 1624).
        message[0] = 0;
        let sum = u16::from_be_bytes([message[2], message[3]]);
        let (sum, carry) = sum.overflowing_add(u16::from(ECHO_REQUEST) << 8);
        message[2..4].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
        let back = SocketAddrV4::new(source.into(), 0).into();
        socket.send_to(message, &back).unwrap();
    }
}

const ECHO_REQUEST: u8 = 8;
