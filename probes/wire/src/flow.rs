//! How does one target use the socket that all share?
//!
//! A flow numbers its own requests and hears only their answers. It does not wait for anything it
//! was not asked to wait for, and holds no socket, task or thread of its own.

use std::net::IpAddr;

use tokio::time::Instant;

use crate::{EchoOptions, Heard, OpenError, SendError};

/// One target's use of its address family's socket.
///
/// Cheap enough for 100,000 of them. Dropping it forgets its outstanding requests: what still
/// comes for them is ignored.
#[derive(Debug)]
pub struct Flow {
    destination: IpAddr,
    options: EchoOptions,
}

impl Flow {
    /// Prepares to send echo requests to `destination`; sends nothing yet.
    ///
    /// The first flow of an address family opens that family's socket and starts its receiving
    /// thread, both of which then live as long as the process. An IPv4-mapped IPv6 address is
    /// taken for the IPv4 address it holds.
    pub fn open(destination: IpAddr, options: EchoOptions) -> Result<Self, OpenError> {
        todo!("{destination} {options:?}")
    }

    /// Returns how this flow's socket was opened.
    pub fn mode(&self) -> Mode {
        todo!()
    }

    /// Sends one echo request, without waiting for room in the socket's buffer.
    ///
    /// A request that could not be sent uses up no sequence number.
    pub fn send(&self) -> Result<Sent, SendError> {
        todo!("{:?}", self.options)
    }

    /// Waits for the next thing heard for any request of this flow, in order of arrival.
    ///
    /// Cancel safe: what was not returned is kept for the next call. At most 1,024 answers are
    /// kept for a flow that nobody listens to; further ones are dropped.
    pub async fn heard(&self) -> Heard {
        todo!("{}", self.destination)
    }
}

/// How an address family's socket was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A raw socket, which needs CAP_NET_RAW. Sees every ICMP message that this host receives.
    Raw,
    /// A datagram ICMP socket, which `net.ipv4.ping_group_range` allows to unprivileged groups.
    /// The kernel chooses its one identifier and keeps corrupted messages to itself.
    Ping,
}

/// One echo request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Number of the request within its flow, from 0; what is heard for it bears the same.
    pub sequence: u64,
    /// When it was handed to the kernel, on the clock that the caller's timers use.
    pub at: Instant,
    /// Length of the ICMP message, header included.
    pub bytes: usize,
}
