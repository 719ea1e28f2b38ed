//! Why could we not ask?
//!
//! All of these are our own host's fault, never the target's: what the network answers is
//! an [`Answer`](crate::Answer), not an error.

use std::io;
use std::net::IpAddr;

use thiserror::Error;

use crate::heard::Refusal;
use crate::port::{is_local, path_mtu};
use crate::{Interface, RequestOptions, template};

/// Why a flow could not be opened. Not remembered: the next attempt tries afresh.
#[derive(Debug, Error)]
pub enum OpenError {
    /// This process may open neither a raw nor a ping socket.
    #[error(
        "cannot open an {family} ICMP socket: permission denied. Either allow raw sockets \
         (CAP_NET_RAW: run as root, `setcap cap_net_raw+ep PROGRAM`, or \
         `AmbientCapabilities=CAP_NET_RAW` in a systemd unit), or allow ping sockets to this \
         group (`sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`)"
    )]
    NotPermitted {
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// This process may open no raw socket, without which no SYN can be sent.
    #[error(
        "cannot open a raw {family} socket for TCP: permission denied. Either allow raw sockets \
         (CAP_NET_RAW: run as root, `setcap cap_net_raw+ep PROGRAM`, or \
         `AmbientCapabilities=CAP_NET_RAW` in a systemd unit), or send UDP, which needs none"
    )]
    TcpNotPermitted {
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The socket cannot be opened or set up, for example where IPv6 is disabled.
    #[error("cannot open an {family} socket for {protocol}")]
    Socket {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// `ICMP`, `UDP` or `TCP`.
        protocol: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is nothing to wake the thread by that receives: this process may have no more
    /// descriptors.
    #[error("cannot prepare to receive over {family}")]
    Receive {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The interface cannot be used.
    #[error(
        "cannot use interface {interface}{}",
        match source.raw_os_error() {
            Some(libc::ENODEV) => ": this host has no such interface. See `ip link`",
            Some(libc::EPERM) => ": permission denied. It takes CAP_NET_RAW",
            _ => "",
        }
    )]
    Interface {
        /// The one asked for.
        interface: Interface,
        /// What the kernel said.
        source: io::Error,
    },
    /// Requests cannot be marked.
    #[error(
        "cannot mark packets with {mark:#x}{}",
        match source.raw_os_error() {
            Some(libc::EPERM) => ": permission denied. It takes CAP_NET_ADMIN or CAP_NET_RAW",
            _ => "",
        }
    )]
    Mark {
        /// The mark asked for.
        mark: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nothing can be sent from the source address, usually as it is not one of this host's.
    #[error("cannot send from {source_address}: this host has no such address. See `ip address`")]
    Source {
        /// The address asked for.
        source_address: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The requests would not fit into an IP packet.
    #[error(
        "cannot send {size} bytes of payload: an echo request holds at most {} bytes",
        crate::RequestOptions::MAX_PAYLOAD_SIZE
    )]
    PayloadTooLarge {
        /// Bytes asked for.
        size: usize,
    },
    /// An IPv4 packet cannot be sent from an IPv6 address, nor the other way round.
    #[error(
        "cannot send to {destination} from {source_address}: give a source address of the same \
         family"
    )]
    SourceFamily {
        /// Where the requests would go.
        destination: IpAddr,
        /// The address they were to come from.
        source_address: IpAddr,
    },
}

/// Why one request was not sent. Nothing left this host, but for [`SendError::Unheard`].
#[derive(Debug, Error)]
pub enum SendError {
    /// A local packet filter (EPERM) or a `prohibit` route (EACCES) forbids it.
    #[error(
        "cannot send to {destination}: this host forbids it. Look for \
         an output rule in its packet filter (`nft list ruleset`, `iptables -L OUTPUT`) or a \
         prohibit route (`ip route get {destination}`)"
    )]
    Forbidden {
        /// Where the request would have gone.
        destination: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The routing table has no way to the destination, or the way's interface is down.
    #[error(
        "cannot send to {destination}: no route. See \
         `ip route get {destination}`"
    )]
    NoRoute {
        /// Where the request would have gone.
        destination: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The chosen source address is not one of this host's.
    #[error(
        "cannot send to {destination} from {source_address}: this host has no \
         such address. See `ip address`"
    )]
    NoSuchSource {
        /// Where the request would have gone.
        destination: IpAddr,
        /// The address it was to come from.
        source_address: IpAddr,
    },
    /// The request may not be fragmented and does not fit the link or the path.
    #[error(
        "cannot send {size} bytes to {destination}: message too long{}",
        mtu.map_or_else(String::new, |mtu| format!(" (mtu = {mtu})"))
    )]
    TooLong {
        /// Where the request would have gone.
        destination: IpAddr,
        /// Length of the request, without the IP header.
        size: usize,
        /// Largest IP packet believed to fit, where the kernel knows.
        mtu: Option<u32>,
    },
    /// The kernel's send buffer or the interface's queue is full; later it may work.
    #[error("cannot send to {destination}: the send queue is full")]
    NoBuffers {
        /// Where the request would have gone.
        destination: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// So many requests are in flight that there is no number for another.
    #[error(
        "cannot send to {destination}: 65,536 requests with its identifier or \
         port are waiting for answers. Ask less often, or wait less long"
    )]
    OutOfSequenceNumbers {
        /// Where the request would have gone.
        destination: IpAddr,
    },
    /// This program was stopped or starved for longer than the answer was to be waited for.
    #[error(
        "cannot send to {destination}: its time was over before there was time to \
         send it. Is this host overloaded?"
    )]
    TooLate {
        /// Where the request would have gone.
        destination: IpAddr,
    },
    /// The system starts no further thread to receive on.
    #[error(
        "cannot hear what {destination} answers: this host starts no further thread. See the \
         limit on processes (`ulimit -u`, `TasksMax=` in a systemd unit)"
    )]
    Unheard {
        /// Where the request went.
        destination: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot send to {destination}")]
    Other {
        /// Where the request would have gone.
        destination: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

impl SendError {
    /// Tells what a refusal to send means.
    pub(crate) fn of(refusal: Refusal, destination: IpAddr, options: &RequestOptions) -> Self {
        let errno = match refusal {
            Refusal::Kernel(errno) => errno,
            Refusal::OutOfSequenceNumbers => return Self::OutOfSequenceNumbers { destination },
            Refusal::TooLate => return Self::TooLate { destination },
            Refusal::Unheard(errno) => {
                let source = io::Error::from_raw_os_error(errno);
                return Self::Unheard {
                    destination,
                    source,
                };
            }
        };
        let source = io::Error::from_raw_os_error(errno);
        match errno {
            libc::EPERM | libc::EACCES => Self::Forbidden {
                destination,
                source,
            },
            // EINVAL is a blackhole route; EADDRNOTAVAIL is IPv6 without an address to send from.
            // Which of them a wrong source address gets depends on the kernel and the family.
            libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EINVAL
            | libc::EADDRNOTAVAIL => match options.source {
                Some(source_address) if !is_local(source_address) => Self::NoSuchSource {
                    destination,
                    source_address,
                },
                _ => Self::NoRoute {
                    destination,
                    source,
                },
            },
            libc::EMSGSIZE => Self::TooLong {
                destination,
                size: template::bytes(options),
                mtu: path_mtu(destination),
            },
            libc::ENOBUFS | libc::EAGAIN | libc::ENOMEM => Self::NoBuffers {
                destination,
                source,
            },
            _ => Self::Other {
                destination,
                source,
            },
        }
    }
}
