//! How are very many targets asked at once, by hand?
//!
//! A run has a future, a record and a deadline of its own, which together cost more than one small
//! packet. A plugin whose question is that small can offer a sweep as well: one call asks a whole
//! list, in batches, on a thread that it has to itself. It records no metrics and tells no events:
//! whoever sweeps a network wants to know who answers. Names have been looked up before, and how the
//! findings are shown is the host's affair.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use serde_json::{Map, Value};

use crate::{Blocker, Cause, Fault, Stop};

/// A way to ask many targets at once, made by [`Options::sweep`](crate::Options::sweep).
pub trait Sweep: Send {
    /// Asks every address of the order, and tells the watcher what came of each, in any order.
    ///
    /// Blocks until each has been told of, or until soon after a stop was requested: those that
    /// were not told of by then stay untold. An error is what kept the sweep as a whole from being
    /// carried out; what concerns one address alone is a [`Finding`] about that one.
    fn sweep(self: Box<Self>, order: SweepOrder<'_>) -> Result<(), Fault>;
}

/// A list of addresses that is to be asked.
pub struct SweepOrder<'a> {
    /// Whom to ask; the same address may stand there more than once.
    pub addresses: &'a [IpAddr],
    /// Packets per second at most, over all addresses; without it, as fast as this host can.
    pub rate: Option<NonZeroU32>,
    /// Asked for when a person has seen enough.
    pub stop: &'a Stop,
    /// Hears what is found.
    pub watcher: &'a mut dyn Watcher,
}

/// Hears what a sweep finds. It is called between batches, so it should not block.
pub trait Watcher {
    /// One address has been asked all that it will be asked. Called once for each.
    fn found(&mut self, finding: &Finding<'_>);

    /// How far the sweep is; called at least five times a second.
    fn progress(&mut self, progress: Progress);
}

/// What came of asking one address.
pub struct Finding<'a> {
    /// Its place in [`SweepOrder::addresses`].
    pub index: usize,
    /// How it ended.
    pub ending: Ending,
    /// The figures in one line without the address, such as `3/3 answered, 0.1 ms`.
    pub summary: &'a dyn fmt::Display,
    /// The same for programs. Not called unless a program reads the output.
    pub fields: &'a dyn Fn() -> Map<String, Value>,
}

/// How asking one address ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It answered as it should, at least once.
    Answered,
    /// It did not.
    Unanswered(Cause),
    /// We could not ask it, or cannot know whether it answered.
    NotAsked(Blocker),
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Packets sent so far.
    pub sent: u64,
    /// Addresses that have been told of.
    pub done: usize,
    /// Those of them that answered.
    pub answered: usize,
}

impl fmt::Debug for SweepOrder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SweepOrder")
            .field("addresses", &self.addresses.len())
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finding")
            .field("index", &self.index)
            .field("ending", &self.ending)
            .field("summary", &format_args!("{}", self.summary))
            .finish_non_exhaustive()
    }
}
