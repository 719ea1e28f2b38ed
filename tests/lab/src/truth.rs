//! What really happened to each packet?
//!
//! The network's own account, to hold a prober's against. It knows nothing of timeouts: what a
//! prober should have made of a record is `verdict`'s.

use std::net::IpAddr;
use std::time::Duration;

use crate::NodeId;

/// The account of one packet that a prober sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it entered the network, since that began.
    pub entered: Duration,
    /// What it was.
    pub request: Request,
    /// What became of it: one ending, and one more for each time that it or an answer to it was
    /// duplicated.
    pub endings: Vec<Ending>,
}

/// What a prober sent, as far as that tells one request from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// Where it was going.
    pub destination: IpAddr,
    /// TTL or hop limit that it left with.
    pub ttl: u8,
    /// Number of its transport protocol.
    pub protocol: u8,
    /// The first bytes after the IP header, zero where there were fewer: identifier and sequence
    /// number of an echo request, ports of UDP, ports and sequence number of TCP.
    pub start: [u8; 8],
}

/// What became of a packet and of the answer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It, or the answer to it, is still on its way.
    Travelling,
    /// An answer was handed to the prober.
    Delivered(Delivered),
    /// It is gone, and so is any answer.
    Vanished {
        /// At which node, or on the link that leads to it; for an answer, from it.
        node: NodeId,
        /// Whether it was the answer that vanished.
        answered: bool,
        /// Why.
        why: Why,
    },
}

/// An answer that the prober got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// When it left the network, since that began.
    pub at: Duration,
    /// When the prober had it at the latest: well after `at` only where this host held up whoever
    /// carries it.
    pub by: Duration,
    /// What it says.
    pub answer: Answer,
    /// Which node sent it.
    pub node: NodeId,
    /// Which address it is from.
    pub from: IpAddr,
    /// Whether a bit of it was flipped on the way.
    pub is_corrupted: bool,
}

/// What a node says to a packet. Codes are those of the packet's family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// An echo reply.
    EchoReply,
    /// The packet's TTL or hop limit has run out.
    TimeExceeded,
    /// The destination, or its port, cannot be reached.
    Unreachable {
        /// Why not.
        code: u8,
    },
    /// The packet is too long for the next link and must not be cut.
    TooBig {
        /// Largest packet that the link carries, in bytes.
        mtu: u32,
    },
    /// A TCP port is open.
    SynAck,
    /// A TCP port is closed.
    Reset,
}

impl Answer {
    /// Whether it is an ICMP error.
    pub fn is_error(self) -> bool {
        !matches!(self, Self::EchoReply | Self::SynAck | Self::Reset)
    }
}

/// Why a packet is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// A link lost it.
    Loss,
    /// The node was down.
    Down,
    /// The node does not answer such packets.
    Silent,
    /// The node had sent too many errors.
    Limited,
    /// The node drops what goes there, and says nothing.
    Blackhole,
    /// An answer's own TTL or hop limit ran out.
    TtlOfAnswer,
    /// Its checksum was wrong when it reached its destination.
    Corrupted,
    /// It is nothing that is answered: an error, an answer, a later fragment.
    Unanswerable,
}
