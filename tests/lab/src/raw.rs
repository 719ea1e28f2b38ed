//! How does a test send a packet that it has written itself, and see what comes back?

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::Namespace;
use crate::packet::{Header, ICMP, ICMPV6, Packet, UDP};

/// Raw sockets of both families in a namespace.
pub(crate) struct Raw {
    out: [Socket; 2],
    back: [UdpSocket; 2],
}

impl Raw {
    pub(crate) fn open(namespace: &Namespace) -> Self {
        let socket = |domain, protocol| Socket::new(domain, Type::RAW, Some(protocol)).unwrap();
        let (raw, icmp, icmpv6) = (Protocol::from(255), Protocol::ICMPV4, Protocol::ICMPV6);
        namespace.run(|| Self {
            out: [socket(Domain::IPV4, raw), socket(Domain::IPV6, raw)],
            back: [socket(Domain::IPV4, icmp), socket(Domain::IPV6, icmpv6)].map(|socket| {
                socket
                    .set_read_timeout(Some(Duration::from_secs(1)))
                    .unwrap();
                UdpSocket::from(socket)
            }),
        })
    }

    /// Sends a packet and returns the answer: from whom, and the ICMP message.
    pub(crate) fn ask(&self, packet: &Packet<Vec<u8>>) -> Option<(IpAddr, Vec<u8>)> {
        self.send(packet);
        self.next(packet.is_v4())
    }

    pub(crate) fn send(&self, packet: &Packet<Vec<u8>>) {
        let to = SockAddr::from(SocketAddr::new(packet.destination(), 0));
        let out = &self.out[usize::from(!packet.is_v4())];
        out.send_to(packet.bytes(), &to).unwrap();
    }

    /// Returns the next answer, or nothing if there is none for a second.
    pub(crate) fn next(&self, is_v4: bool) -> Option<(IpAddr, Vec<u8>)> {
        let mut bytes = [0; 2_048];
        loop {
            let (length, from) = match self.back[usize::from(!is_v4)].recv_from(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // As when this process is stopped for a while: a call with a timeout is not resumed.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                received => received.unwrap(),
            };
            // Raw IPv4 sockets get the IP header too.
            let skip = if is_v4 { 20 } else { 0 };
            let message = &bytes[skip..length];
            // Neighbours are looked for with ICMPv6 too, and requests to this host are heard.
            let answers: &[u8] = if is_v4 { &[0, 3, 11] } else { &[1, 2, 3, 129] };
            if answers.contains(&message[0]) {
                return Some((from.ip(), message.to_vec()));
            }
        }
    }
}

/// Writes an echo request.
pub(crate) fn echo(from: &str, to: &str, ttl: u8, identifier: u16, size: usize) -> Packet<Vec<u8>> {
    let destination: IpAddr = to.parse().unwrap();
    let (protocol, kind) = match destination {
        IpAddr::V4(_) => (ICMP, 8),
        IpAddr::V6(_) => (ICMPV6, 128),
    };
    let [high, low] = identifier.to_be_bytes();
    let transport = [&[kind, 0, 0, 0, high, low, 0, 1][..], &vec![0xa5; size]].concat();
    Packet::build(header(from, destination, ttl, protocol), &transport, 2)
}

/// Writes a UDP datagram to port 33,434.
pub(crate) fn udp(from: &str, to: &str, ttl: u8, port: u16) -> Packet<Vec<u8>> {
    let [high, low] = port.to_be_bytes();
    let transport = [&[high, low, 0x82, 0x9a, 0, 16, 0, 0][..], &[1; 8]].concat();
    Packet::build(header(from, to.parse().unwrap(), ttl, UDP), &transport, 6)
}

fn header(from: &str, destination: IpAddr, ttl: u8, protocol: u8) -> Header {
    Header {
        source: from.parse().unwrap(),
        destination,
        ttl,
        tos: 0,
        protocol,
    }
}
