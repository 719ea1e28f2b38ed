//! What does this host's routing table say of the way to a destination?
//!
//! It is asked by sockets of which none sends anything.

use std::net::{IpAddr, SocketAddr};

use socket2::{Socket, Type};

use super::socket::{Way, plain};
use crate::{Family, OpenError, sys};

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

/// Asks the routing table from which address packets to `destination` leave; none if there is no
/// route. An error is that it could not be asked, which says nothing of the way.
pub(crate) fn source(way: Way, destination: IpAddr) -> Result<Option<IpAddr>, OpenError> {
    let socket = plain(way, Type::DGRAM, None, 0)?;
    // Connecting sends nothing; any port but 0 will do.
    let connected = socket.connect(&SocketAddr::new(destination, 9).into());
    let local = connected.and_then(|()| socket.local_addr()).ok();
    let source = local.and_then(|local| local.as_socket());
    Ok(source.map(|source| source.ip()))
}

/// Whether `address` is one that this host can send from.
pub(crate) fn is_local(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Interface, RequestOptions};

    #[test]
    fn that_the_routing_table_cannot_be_asked_is_no_missing_route() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let source = |interface| {
            let options = RequestOptions {
                interface,
                ..RequestOptions::default()
            };
            source(Way::new(Family::V4, &options), loopback)
        };
        assert_eq!(source(None).unwrap(), Some(loopback));
        let nowhere = Interface::new("nowhere");
        assert!(nowhere.is_some() && source(nowhere).is_err());
    }
}
