//! How are an address family's ICMP sockets opened and prepared?
//!
//! Raw where this process may: one to send and one to receive, so that the stamps of departures
//! take no room from answers and wake nobody. Else a ping socket for both. Their options hold for all packets; what differs
//! from packet to packet is told with each of them (`control`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::{icmpv4, icmpv6};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::slots::RAW_BLOCK;
use crate::{Mode, OpenError, filter, stamping, sys};

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// Any address, no port.
    pub(crate) fn unspecified(self) -> SockAddr {
        let address = match self {
            Self::V4 => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(address, 0).into()
    }

    fn domain(self) -> Domain {
        match self {
            Self::V4 => Domain::IPV4,
            Self::V6 => Domain::IPV6,
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::V4 => Protocol::ICMPV4,
            Self::V6 => Protocol::ICMPV6,
        }
    }
}

/// What an address family's packets go through.
pub(crate) struct Sockets {
    pub(crate) transmit: Socket,
    /// The same socket by another descriptor, if it is a ping socket.
    pub(crate) receive: Socket,
    /// Whether departures are stamped, under the key of each packet.
    pub(crate) stamped: bool,
    /// The first of the identifiers that are its own.
    pub(crate) first: u16,
    pub(crate) identifiers: u16,
}

/// Opens and prepares the best sockets that this process may have.
pub(crate) fn open(family: Family) -> Result<(Sockets, Mode), OpenError> {
    for mode in [Mode::Raw, Mode::Ping] {
        match open_as(family, mode) {
            Ok(sockets) => return Ok((sockets, mode)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(source) => {
                return Err(OpenError::Socket {
                    family: family.name(),
                    source,
                });
            }
        }
    }
    Err(OpenError::NotPermitted {
        family: family.name(),
    })
}

/// Opens and prepares sockets of the given kind.
pub(crate) fn open_as(family: Family, mode: Mode) -> io::Result<Sockets> {
    let sockets = match mode {
        Mode::Raw => {
            let open = || Socket::new(family.domain(), Type::RAW, Some(family.protocol()));
            let (transmit, receive) = (open()?, open()?);
            let first = fastrand::u16(..) & !(RAW_BLOCK - 1);
            match family {
                Family::V4 => {
                    sys::set_option(&transmit, SOL_RAW, ICMP_FILTER, -1)?;
                    sys::set_option(&receive, SOL_RAW, ICMP_FILTER, filter_v4())?;
                    receive.attach_filter(&filter::v4(first))?;
                }
                Family::V6 => {
                    let none = [u32::MAX; 8];
                    sys::set_option(&transmit, libc::IPPROTO_ICMPV6, ICMP6_FILTER, none)?;
                    sys::set_option(&receive, libc::IPPROTO_ICMPV6, ICMP6_FILTER, filter_v6())?;
                    receive.attach_filter(&filter::v6(first))?;
                }
            }
            stamping::of_arrivals(&receive);
            Sockets {
                stamped: stamping::of_departures(&transmit),
                transmit,
                receive,
                first,
                identifiers: RAW_BLOCK,
            }
        }
        Mode::Ping => {
            let socket = Socket::new(family.domain(), Type::DGRAM, Some(family.protocol()))?;
            // Errors come by way of the error queue.
            match family {
                Family::V4 => {
                    sys::set_option(&socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?;
                    sys::set_option(&socket, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
                }
                Family::V6 => {
                    sys::set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)?;
                }
            }
            // Makes the kernel choose the identifier, which is the port.
            socket.bind(&family.unspecified())?;
            let bound = socket.local_addr()?.as_socket();
            let bound = bound.expect("an IP socket has an IP address");
            Sockets {
                stamped: stamping::of_both(&socket),
                first: bound.port(),
                identifiers: 1,
                receive: socket.try_clone()?,
                transmit: socket,
            }
        }
    };
    match family {
        Family::V4 => {
            set_dont_fragment_v4(&sockets.transmit, false)?;
            // Whoever names a broadcast address means it.
            sockets.transmit.set_broadcast(true)?;
        }
        Family::V6 => sockets.receive.set_recv_hoplimit_v6(true)?,
    }
    enlarge_receive_buffer(&sockets.receive);
    Ok(sockets)
}

/// Sets or clears the DF bit of all IPv4 packets to come.
///
/// `PROBE` rather than `DO`: a path MTU learnt earlier must not answer for the path.
pub(crate) fn set_dont_fragment_v4(socket: &Socket, dont_fragment: bool) -> io::Result<()> {
    let discovery = if dont_fragment {
        libc::IP_PMTUDISC_PROBE
    } else {
        libc::IP_PMTUDISC_DONT
    };
    sys::set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discovery)
}

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

/// Whether `address` is one that this host can send from.
pub(crate) fn is_local(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// A burst of answers waits here while the receiving thread is not running. The usual 208 KiB hold
/// 256 of them; beyond that the kernel drops answers, which would look like loss in the network.
fn enlarge_receive_buffer(socket: &Socket) {
    let forced = sys::set_option(
        socket,
        libc::SOL_SOCKET,
        libc::SO_RCVBUFFORCE,
        RECEIVE_BUFFER,
    );
    // Only CAP_NET_ADMIN may exceed net.core.rmem_max; others get as much as that allows.
    let set = forced.or_else(|_| socket.set_recv_buffer_size(RECEIVE_BUFFER as usize));
    match set.and_then(|()| socket.recv_buffer_size()) {
        Ok(bytes) => tracing::debug!(bytes, "receive buffer of the icmp socket"),
        Err(error) => tracing::debug!(%error, "receive buffer of the icmp socket stays small"),
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

const RECEIVE_BUFFER: i32 = 8 << 20;

// From linux/icmp.h, linux/icmpv6.h and linux/socket.h; the libc crate has them not.
const SOL_RAW: i32 = 255;
const ICMP_FILTER: i32 = 1;
const ICMP6_FILTER: i32 = 1;
