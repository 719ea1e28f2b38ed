//! Which datagrams, segments and errors get through to the sockets for them?

use std::io::Read;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Socket, Type};

use super::namespace::Namespace;
use super::*;
use crate::port::socket;

/// All that is not ours comes first, and must not be what is read.
#[test]
fn only_answers_to_our_ports_get_through() {
    let Some(host) = Namespace::new() else {
        skipped("a network namespace takes CAP_SYS_ADMIN");
        return;
    };
    host.ip(&host, "link set lo up");
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        for address in LOOPBACKS {
            let read = host.run(move || first_heard(protocol, address));
            for (ours, port) in read {
                assert_eq!(port, ours, "{protocol:?}, {address}");
            }
        }
    }
}

/// Has loopback tell of ports around a block, and returns for each socket that of the block and the
/// first of which was told.
fn first_heard(protocol: Protocol, address: IpAddr) -> Vec<(u16, u16)> {
    let options = RequestOptions { protocol, ..PLAIN };
    let way = Way::new(Family::of(address), &options);
    let sockets = socket::open_as(way, Mode::Raw).unwrap();
    let ours = sockets.first + (sockets.identifiers - 1);
    let (header, quoted) = match address {
        IpAddr::V4(_) => (20, 8 + 20),
        IpAddr::V6(_) => (0, 8 + 40),
    };
    // The ports beyond the ends of all blocks wrap around.
    for port in [sockets.first - 1, ours.wrapping_add(1).max(1), ours] {
        match protocol {
            Protocol::Tcp => refused(SocketAddr::new(address, port)),
            _ => exchange(SocketAddr::new(address, port)),
        }
    }
    let places = match protocol {
        // Nobody sends ICMP errors about TCP.
        Protocol::Tcp => vec![(1, header + 2)],
        _ => vec![(0, header + quoted), (1, header + 2)],
    };
    let read = places.into_iter().map(|(place, at)| {
        let mut bytes = [0; 1_500];
        let mut receive = &sockets.receive[place].socket;
        receive.set_read_timeout(Some(WAIT)).unwrap();
        let length = receive.read(&mut bytes).unwrap();
        let port = *bytes[..length][at..].first_chunk().unwrap();
        (ours, u16::from_be_bytes(port))
    });
    read.collect()
}

/// Sends a datagram from this address to a closed port, and is sent another.
fn exchange(address: SocketAddr) {
    let socket = UdpSocket::bind(address).unwrap();
    socket.send_to(&[0; 20], (address.ip(), 2)).unwrap();
    let other = UdpSocket::bind((address.ip(), 0)).unwrap();
    other.send_to(&[0; 20], address).unwrap();
}

/// Tries to connect from this address to a closed port.
fn refused(address: SocketAddr) {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.bind(&address.into()).unwrap();
    let error = socket.connect(&SocketAddr::new(address.ip(), 2).into());
    assert_eq!(
        error.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
}
