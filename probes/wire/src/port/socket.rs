//! How are sockets opened and prepared?
//!
//! Raw where this process may: one to send and one to receive, so that the stamps of departures
//! take no room from answers. Over IPv4 the one that sends is given whole packets, header
//! included. Else a ping socket for both. Their options hold for all packets; what differs from
//! packet to packet is told with each of them (`control`).

use std::io;
use std::net::{IpAddr, SocketAddr};

use etherparse::{icmpv4, icmpv6};
use socket2::{Socket, Type};

use super::filter;
use super::stamping::{self, Departures};
use crate::engine::{Framing, Key};
use crate::{Family, Interface, Mode, OpenError, Protocol, RequestOptions, Stamps, sys};

/// Which way packets go; those that go the same way share their sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    pub(crate) family: Family,
    pub(crate) protocol: Protocol,
    pub(crate) source: Option<IpAddr>,
    pub(crate) interface: Option<Interface>,
    pub(crate) mark: Option<u32>,
    pub(crate) stamps: Stamps,
}

impl Way {
    pub(crate) fn new(family: Family, options: &RequestOptions) -> Self {
        Self {
            family,
            protocol: options.protocol,
            source: options.source,
            interface: options.interface,
            mark: options.mark,
            stamps: options.stamps,
        }
    }

    fn on_top_of_ip(&self) -> socket2::Protocol {
        i32::from(self.protocol.number(self.family)).into()
    }
}

/// What packets that go one way go through.
pub(crate) struct Sockets {
    pub(crate) mode: Mode,
    pub(crate) framing: Framing,
    /// One for all packets, or of UDP sockets one for each port.
    pub(crate) transmit: Vec<Socket>,
    /// For ICMP, and for what UDP and TCP themselves answer.
    pub(crate) receive: Vec<Receiver>,
    pub(crate) departures: Departures,
    /// Whether the kernel stamps arrivals.
    pub(crate) arrivals: bool,
    /// The first of the identifiers or source ports that are its own.
    pub(crate) first: u16,
    pub(crate) identifiers: u16,
}

/// What answers come through.
pub(crate) struct Receiver {
    /// One of those that send by another descriptor, but for raw sockets.
    pub(crate) socket: Socket,
    /// What answers they are.
    pub(crate) protocol: Protocol,
}

impl Sockets {
    /// Which of the sockets that send is for a request.
    pub(crate) fn place(&self, key: Key) -> usize {
        usize::from(key.page()) % self.transmit.len()
    }

    /// The port of a UDP socket, from which the kernel gives payloads without their headers.
    pub(crate) fn port(&self, place: usize) -> Option<u16> {
        (self.mode == Mode::Udp).then(|| self.first + place as u16)
    }
}

/// Opens and prepares the best sockets that this process may have.
pub(crate) fn open(way: Way) -> Result<Sockets, OpenError> {
    let unprivileged = match way.protocol {
        Protocol::Icmp => Mode::Ping,
        Protocol::Udp => Mode::Udp,
        Protocol::Tcp => return open_as(way, Mode::Raw),
    };
    match open_as(way, Mode::Raw) {
        Err(OpenError::NotPermitted { .. }) => open_as(way, unprivileged),
        opened => opened,
    }
}

/// Opens and prepares sockets of one kind.
pub(crate) fn open_as(way: Way, mode: Mode) -> Result<Sockets, OpenError> {
    match mode {
        Mode::Raw => open_raw(way),
        Mode::Ping => open_ping(way),
        Mode::Udp => open_udp(way),
    }
}

fn open_raw(way: Way) -> Result<Sockets, OpenError> {
    let family = way.family;
    let (transmit, framing) = match family {
        // As raw(7) has it, this protocol means that the packets include their headers.
        Family::V4 => {
            let transmit = raw(way, libc::IPPROTO_RAW.into())?;
            let prepare = || {
                // Else the kernel keeps it to itself if the interface's queue is full.
                sys::set_option(&transmit, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
                // The DF bit is in each header; this is about a path MTU learnt earlier.
                set_dont_fragment(&transmit, Family::V4, true)?;
                transmit.ttl_v4()
            };
            let ttl = prepare().map_err(|source| failed(way, source))? as u8;
            (transmit, Framing::Header { ttl })
        }
        Family::V6 => (deaf(way)?, Framing::Message),
    };
    let receive = raw(way, family.protocol())?;
    let (first, identifiers) = block(way.protocol);
    let prepare = || match family {
        Family::V4 => {
            sys::set_option(&receive, SOL_RAW, ICMP_FILTER, filter_v4())?;
            receive.attach_filter(&filter::v4(way.protocol, first))
        }
        Family::V6 => {
            sys::set_option(&receive, libc::IPPROTO_ICMPV6, ICMP6_FILTER, filter_v6())?;
            receive.attach_filter(&filter::v6(way.protocol, first))?;
            receive.set_recv_hoplimit_v6(true)
        }
    };
    prepare().map_err(|source| failed(way, source))?;
    let mut receive = vec![Receiver {
        socket: receive,
        protocol: Protocol::Icmp,
    }];
    if way.protocol != Protocol::Icmp {
        receive.push(Receiver {
            socket: open_answers(way, first)?,
            protocol: way.protocol,
        });
    }
    let mut receivers = receive.iter();
    let arrivals = receivers.all(|one| stamping::of_arrivals(&one.socket, way.stamps));
    Ok(Sockets {
        mode: Mode::Raw,
        framing,
        departures: stamping::of_departures(&transmit, way.stamps),
        arrivals,
        transmit: vec![transmit],
        receive,
        first,
        identifiers,
    })
}

/// Opens a raw socket for what services say to our ports. The kernel gives it a copy of every
/// datagram or segment, of which the filter leaves ours.
fn open_answers(way: Way, first: u16) -> Result<Socket, OpenError> {
    let socket = raw(way, way.on_top_of_ip())?;
    let prepare = || {
        socket.attach_filter(&filter::answers(way.family, way.protocol, first))?;
        match way.family {
            Family::V4 => Ok(()),
            Family::V6 => socket.set_recv_hoplimit_v6(true),
        }
    };
    prepare().map_err(|source| failed(way, source))?;
    Ok(socket)
}

/// The identifiers or source ports of raw sockets: the first, and how many.
///
/// Programs that do the same share one only by accident, and then a cookie tells the answers apart.
fn block(protocol: Protocol) -> (u16, u16) {
    match protocol {
        Protocol::Icmp => (fastrand::u16(..) & !(RAW_BLOCK - 1), RAW_BLOCK),
        Protocol::Udp | Protocol::Tcp => {
            let first = fastrand::u16(FIRST_PORT..) & !(PORT_BLOCK - 1);
            (first, PORT_BLOCK)
        }
    }
}

fn open_ping(way: Way) -> Result<Sockets, OpenError> {
    let socket = socket(way, Type::DGRAM, way.family.protocol(), 0)?;
    let prepare = || -> io::Result<_> {
        queue_errors(&socket, way.family)?;
        // Makes the kernel choose the identifier, which is the port.
        if way.source.is_none() {
            socket.bind(&way.family.unspecified())?;
        }
        let bound = socket.local_addr()?.as_socket();
        let bound = bound.expect("an IP socket has an IP address");
        Ok((bound.port(), socket.try_clone()?))
    };
    let (first, receive) = prepare().map_err(|source| failed(way, source))?;
    let (departures, arrivals) = stamping::of_both(&socket, way.stamps);
    Ok(Sockets {
        mode: Mode::Ping,
        framing: Framing::Message,
        transmit: vec![socket],
        receive: vec![Receiver {
            socket: receive,
            protocol: Protocol::Icmp,
        }],
        departures,
        arrivals,
        first,
        identifiers: 1,
    })
}

/// Opens sockets on as many ports in a row.
fn open_udp(way: Way) -> Result<Sockets, OpenError> {
    let mut attempts = 0;
    let (first, transmit) = loop {
        let first = fastrand::u16(FIRST_PORT..=u16::MAX - PLAIN_PORTS);
        let ports = first..first + PLAIN_PORTS;
        let opened = ports.map(|port| socket(way, Type::DGRAM, socket2::Protocol::UDP, port));
        match opened.collect::<Result<Vec<_>, _>>() {
            Ok(transmit) => break (first, transmit),
            // Some of them are another program's.
            Err(OpenError::Source { source, .. } | OpenError::Socket { source, .. })
                if source.kind() == io::ErrorKind::AddrInUse && attempts < ATTEMPTS =>
            {
                attempts += 1;
            }
            Err(error) => return Err(error),
        }
    };
    let receive = transmit.iter().map(|socket| {
        queue_errors(socket, way.family)?;
        Ok(Receiver {
            socket: socket.try_clone()?,
            protocol: Protocol::Udp,
        })
    });
    let receive = receive.collect::<io::Result<_>>();
    let stamped = transmit
        .iter()
        .map(|socket| stamping::of_both(socket, way.stamps));
    let stamped: Vec<_> = stamped.collect();
    let keyed = |(departures, _): &_| matches!(departures, Departures::Keyed);
    Ok(Sockets {
        mode: Mode::Udp,
        framing: Framing::Message,
        receive: receive.map_err(|source| failed(way, source))?,
        // The kernel's count of one socket is not that of another.
        departures: if stamped.iter().all(keyed) {
            Departures::Keyed
        } else {
            Departures::Unstamped
        },
        arrivals: stamped.iter().all(|(_, arrivals)| *arrivals),
        transmit,
        first,
        identifiers: PLAIN_PORTS,
    })
}

/// Has ICMP errors queued, and TTLs told.
fn queue_errors(socket: &Socket, family: Family) -> io::Result<()> {
    match family {
        Family::V4 => {
            sys::set_option(socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
            sys::set_option(socket, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)
        }
        Family::V6 => {
            sys::set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)?;
            socket.set_recv_hoplimit_v6(true)
        }
    }
}

/// Opens a raw socket that receives nothing, and whose packets the kernel may fragment. Over IPv6
/// it computes their checksums.
fn deaf(way: Way) -> Result<Socket, OpenError> {
    let socket = raw(way, way.on_top_of_ip())?;
    let prepare = || match (way.protocol, way.family) {
        (Protocol::Icmp, Family::V4) => sys::set_option(&socket, SOL_RAW, ICMP_FILTER, -1),
        (Protocol::Icmp, Family::V6) => {
            let none = [u32::MAX; 8];
            sys::set_option(&socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, none)
        }
        (Protocol::Udp | Protocol::Tcp, Family::V4) => socket.attach_filter(&filter::nothing()),
        (Protocol::Udp | Protocol::Tcp, Family::V6) => {
            let at = i32::from(way.protocol.checksum_at());
            sys::set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_CHECKSUM, at)?;
            socket.attach_filter(&filter::nothing())
        }
    };
    prepare().map_err(|source| failed(way, source))?;
    Ok(socket)
}

/// Opens a raw socket for IPv4 packets that are too large for a link: those with their header in
/// them are refused. Their departures are stamped if packets may have keys.
pub(crate) fn fragmenting(way: Way, departures: &Departures) -> Result<Socket, OpenError> {
    let socket = deaf(way)?;
    if matches!(departures, Departures::Keyed) {
        stamping::of_departures(&socket, way.stamps);
    }
    Ok(socket)
}

fn raw(way: Way, protocol: socket2::Protocol) -> Result<Socket, OpenError> {
    socket(way, Type::RAW, protocol, 0)
}

fn socket(
    way: Way,
    kind: Type,
    protocol: socket2::Protocol,
    port: u16,
) -> Result<Socket, OpenError> {
    let socket = plain(way, kind, Some(protocol), port)?;
    enlarge_buffers(&socket);
    Ok(socket)
}

/// Opens a socket whose packets go this way; on any port if that is 0.
pub(super) fn plain(
    way: Way,
    kind: Type,
    protocol: Option<socket2::Protocol>,
    port: u16,
) -> Result<Socket, OpenError> {
    let family = way.family;
    let socket = Socket::new(family.domain(), kind, protocol);
    let socket = socket.map_err(|source| failed(way, source))?;
    if let Some(interface) = way.interface {
        let bound = socket.bind_device(Some(interface.bytes()));
        bound.map_err(|source| OpenError::Interface { interface, source })?;
    }
    if let Some(mark) = way.mark {
        let marked = socket.set_mark(mark);
        marked.map_err(|source| OpenError::Mark { mark, source })?;
    }
    if let Some(source_address) = way.source {
        let bound = socket.bind(&SocketAddr::new(source_address, port).into());
        bound.map_err(|source| OpenError::Source {
            source_address,
            source,
        })?;
    } else if port != 0 {
        let any = SocketAddr::new(family.any(), port);
        let bound = socket.bind(&any.into());
        bound.map_err(|source| failed(way, source))?;
    }
    let prepare = || match family {
        Family::V4 => {
            set_dont_fragment(&socket, family, false)?;
            // Whoever names a broadcast address means it.
            socket.set_broadcast(true)
        }
        // The flow label is told with the address.
        Family::V6 => sys::set_option(&socket, libc::IPPROTO_IPV6, IPV6_FLOWINFO_SEND, 1),
    };
    prepare().map_err(|source| failed(way, source))?;
    Ok(socket)
}

fn failed(way: Way, source: io::Error) -> OpenError {
    let (family, protocol) = (way.family.name(), way.protocol.name());
    match (source.kind(), way.protocol) {
        (io::ErrorKind::PermissionDenied, Protocol::Tcp) => OpenError::TcpNotPermitted { family },
        (io::ErrorKind::PermissionDenied, _) => OpenError::NotPermitted { family },
        _ => OpenError::Socket {
            family,
            protocol,
            source,
        },
    }
}

/// Sets or clears the DF bit of all IPv4 packets to come whose header the kernel writes; over IPv6
/// packets are told on their own not to be fragmented.
///
/// `PROBE` rather than `DO`: a path MTU learnt earlier must not answer for the path.
pub(crate) fn set_dont_fragment(
    socket: &Socket,
    family: Family,
    dont_fragment: bool,
) -> io::Result<()> {
    let (level, name, discovery) = match (family, dont_fragment) {
        (Family::V4, true) => (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_PROBE,
        ),
        (Family::V4, false) => (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
        ),
        (Family::V6, true) => (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_PROBE,
        ),
        (Family::V6, false) => (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_WANT,
        ),
    };
    sys::set_option(socket, level, name, discovery)
}

/// The usual 208 KiB hold some 260 packets. A burst of answers, or of departures' stamps, waits in
/// the receive buffer while nobody reads; beyond that the kernel drops answers, which would look
/// like loss in the network. In the send buffer a request waits for as long as the kernel asks a
/// neighbour that does not answer for its link-layer address, which is 3 s: some hundred of those
/// would hold up the requests to everybody else.
fn enlarge_buffers(socket: &Socket) {
    for (forced, usual, buffer) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, "receive"),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, "send"),
    ] {
        // Only CAP_NET_ADMIN may exceed net.core.rmem_max and net.core.wmem_max; others get as
        // much as those allow.
        let set = |name| sys::set_option(socket, libc::SOL_SOCKET, name, BUFFER);
        let set = set(forced).or_else(|_| set(usual));
        match set.and_then(|()| sys::option(socket, libc::SOL_SOCKET, usual)) {
            Ok(bytes) => tracing::debug!(bytes, buffer, "buffer of the icmp socket"),
            Err(error) => tracing::debug!(%error, buffer, "buffer of the icmp socket stays small"),
        }
    }
}

/// One bit per type, set for those that the socket shall not see; raw(7).
fn filter_v4() -> i32 {
    !(1 << icmpv4::TYPE_ECHO_REPLY
        | 1 << icmpv4::TYPE_DEST_UNREACH
        | 1 << icmpv4::TYPE_TIME_EXCEEDED
        | 1 << icmpv4::TYPE_PARAMETER_PROBLEM)
}

/// One bit per type, set for those that the socket shall not see; RFC 3542, section 3.2, whose
/// bits are the other way round than Linux has them.
fn filter_v6() -> [u32; 8] {
    let mut blocked = [u32::MAX; 8];
    for kind in [
        icmpv6::TYPE_DST_UNREACH,
        icmpv6::TYPE_PACKET_TOO_BIG,
        icmpv6::TYPE_TIME_EXCEEDED,
        icmpv6::TYPE_PARAMETER_PROBLEM,
        icmpv6::TYPE_ECHO_REPLY,
    ] {
        blocked[usize::from(kind) / 32] &= !(1 << (kind % 32));
    }
    blocked
}

/// Identifiers of a raw socket.
pub(crate) const RAW_BLOCK: u16 = 16;

/// Source ports of a raw socket: flows to one target differ in nothing else.
pub(crate) const PORT_BLOCK: u16 = 1_024;

/// Ports of UDP sockets: of each flow at once to one target, one.
pub(crate) const PLAIN_PORTS: u16 = 16;

/// How often so many ports in a row are looked for.
const ATTEMPTS: u32 = 32;

/// From where on programs have their ports chosen by the kernel, unless told otherwise.
const FIRST_PORT: u16 = 0x8000;

/// The kernel doubles it: room for 20,000 packets.
const BUFFER: i32 = 8 << 20;

// From linux/icmp.h, linux/icmpv6.h, linux/socket.h and linux/in6.h; the libc crate has them not.
const IPV6_FLOWINFO_SEND: i32 = 33;
const SOL_RAW: i32 = 255;
const ICMP_FILTER: i32 = 1;
const ICMP6_FILTER: i32 = 1;
