//! What does this host's routing table say of the way to a destination?
//!
//! It is asked by sockets of which none sends anything.

use std::net::{IpAddr, SocketAddr};

use socket2::{Socket, Type};

use super::socket::{Way, plain};
use crate::{Family, sys};

/// Asks the kernel how large an IP packet it believes to fit on the way to `destination`.
pub(crate) fn path_mtu(destination: IpAddr) -> Option<u32> {
    let (level, name) = match destination {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU),
    };
    // Connecting a UDP socket sends nothing; any port but 0 will do.
    let socket = Socket::new(Family::of(destination).domain(), Type::DGRAM, None).ok()?;
    socket
        .connect(&SocketAddr::new(destination, 9).into())
        .ok()?;
    u32::try_from(sys::option(&socket, level, name).ok()?).ok()
}

/// Asks the routing table from which address packets to `destination` leave.
pub(crate) fn source(way: Way, destination: IpAddr) -> Option<IpAddr> {
    // Connecting sends nothing; any port but 0 will do.
    let socket = plain(way, Type::DGRAM, None, 0).ok()?;
    socket
        .connect(&SocketAddr::new(destination, 9).into())
        .ok()?;
    let source = socket.local_addr().ok()?.as_socket()?;
    Some(source.ip())
}

/// Whether `address` is one that this host can send from.
pub(crate) fn is_local(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}
