//! What came back for one probe?
//!
//! The same for echo requests, UDP and TCP: how a protocol says that a packet has arrived is known
//! where packets are read, not here.

use std::net::IpAddr;
use std::time::Duration;

use leadsman_wire::extension::Extension;

use crate::quote::Quote;

/// An answer to one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Who answered.
    pub from: IpAddr,
    /// Time from when the probe left until its answer came.
    pub rtt: Duration,
    /// What the answer says.
    pub says: Says,
    /// TTL or hop limit left in the answer; `None` where the kernel did not tell.
    pub hop_limit: Option<u8>,
    /// The probe's header as the router saw it; `None` where the answer quotes none.
    pub quote: Option<Quote>,
    /// The router's own remarks (RFC 4884).
    pub extensions: Vec<Extension>,
}

/// What an answer says of the probe's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// It arrived: an echo reply, a SYN-ACK or RST, or a port unreachable.
    Arrived,
    /// Its TTL ran out on the way (RFC 792, p. 6; RFC 4443, section 3.3).
    TimeExceeded,
    /// It cannot go on (RFC 792, p. 4; RFC 4443, section 3.1).
    Unreachable {
        /// Why not, as on the wire.
        code: u8,
    },
}

impl Reply {
    /// Whether this proves that the probe got to `target`.
    ///
    /// Whatever the target itself finds unreachable is unreachable at its end of the way. But a
    /// time exceeded from its address is a router's, which may well have that address too.
    pub fn arrived_at(&self, target: IpAddr) -> bool {
        match self.says {
            Says::Arrived => true,
            Says::TimeExceeded => false,
            Says::Unreachable { .. } => self.from == target,
        }
    }
}
