//! Why could we not ask?
//!
//! All of these are our own host's fault, never the target's: what the network answers is a
//! [`Heard`](crate::Heard), not an error.

use std::io;
use std::net::IpAddr;

use thiserror::Error;

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
    /// The socket cannot be opened or set up, for example where IPv6 is disabled.
    #[error("cannot open an {family} ICMP socket")]
    Socket {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The operating system starts no further thread to receive on.
    #[error("cannot start the thread that receives {family} ICMP")]
    Thread {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The requests would not fit into an IP packet.
    #[error(
        "cannot send {size} bytes of payload: an echo request holds at most {} bytes",
        crate::EchoOptions::MAX_PAYLOAD_SIZE
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

/// Why one echo request was not sent. Nothing left this host.
#[derive(Debug, Error)]
pub enum SendError {
    /// A local packet filter (EPERM) or a `prohibit` route (EACCES) forbids it.
    #[error(
        "cannot send an echo request to {destination}: this host forbids it. Look for \
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
        "cannot send an echo request to {destination}: no route. See \
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
        "cannot send an echo request to {destination} from {source_address}: this host has no \
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
        "cannot send an echo request of {size} bytes to {destination}: message too long{}",
        mtu.map_or_else(String::new, |mtu| format!(" (mtu = {mtu})"))
    )]
    TooLong {
        /// Where the request would have gone.
        destination: IpAddr,
        /// Length of the ICMP message, without the IP header.
        size: usize,
        /// Largest IP packet believed to fit, where the kernel knows.
        mtu: Option<u32>,
    },
    /// The kernel's send buffer or the interface's queue is full; later it may work.
    #[error("cannot send an echo request to {destination}: the send queue is full")]
    NoBuffers {
        /// Where the request would have gone.
        destination: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anything else.
    #[error("cannot send an echo request to {destination}")]
    Other {
        /// Where the request would have gone.
        destination: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
}
