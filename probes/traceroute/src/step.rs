//! What does a machine of this crate want done next?
//!
//! All of them are asked the same way: `poll(now)` says what to send or until when to wait, and
//! what is heard goes in by `hear`. `now` is the time since the trace began, on any clock that
//! never goes back. They hold no socket and no timer, so a test can run hours of them in no time.

use std::time::Duration;

use leadsman_wire::Ttl;

use crate::reply::Reply;

/// Something that decides what to send, and is told what was heard.
pub trait Machine {
    /// Says what to do next.
    fn poll(&mut self, now: Duration) -> Step;

    /// Takes in an answer to a probe that [`Machine::poll`] has asked to send.
    fn hear(&mut self, probe: Probe, reply: Reply, now: Duration);
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send this now, then ask again at once. The machine takes it for sent.
    Send(Probe),
    /// There is nothing to do before this time unless something is heard.
    Wait(Duration),
    /// There is nothing to do any more.
    Done,
}

/// One packet to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    /// How many hops it may travel.
    pub ttl: Ttl,
    /// Which path it takes where there are several.
    pub flow: Flow,
    /// Tells apart the packets with the same TTL and flow.
    pub round: u32,
}

/// One choice of the header fields that load balancers look at (Augustin 2006, Paris traceroute).
///
/// Packets of one flow take one path unless a balancer decides anew for each packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow(pub u16);
