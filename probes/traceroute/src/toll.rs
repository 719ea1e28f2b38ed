//! May more be asked of the routers of a path than one packet each, in this run?
//!
//! A search for all paths or for the path MTU is of use as a whole only. So it is either made, and
//! what it takes of the common budget ([`crate::budget`]) is accounted for, or put off to a later run.
//! One that somebody watches is made in any case.

use std::collections::BTreeMap;
use std::net::IpAddr;

use leadsman_core::Context;

use crate::budget::{Turn, may_ask_all, note_asked};
use crate::discovery::Discovery;
use crate::metrics::{PUT_OFF, SPARED};

/// What a search that is made has paid for.
#[derive(Debug)]
pub(crate) struct Toll {
    /// None if nothing is accounted for.
    paid: Option<BTreeMap<IpAddr, u32>>,
}

impl Toll {
    /// Pays for so many packets to each router that `discovery` has found on the way to `target`; if
    /// that may not be now, `search` is put off, and it says so.
    pub(crate) fn pay(
        cx: &Context<'_>,
        (discovery, target): (&Discovery, IpAddr),
        search: &'static str,
        packets: u32,
        turn: &mut Turn,
    ) -> Option<Self> {
        if cx.is_watched() {
            return Some(Self { paid: None });
        }
        let replies = discovery.hops().iter().filter_map(|hop| hop.reply.as_ref());
        let routers = replies.map(|reply| reply.from);
        let paid: BTreeMap<_, _> = routers
            .filter(|router| *router != target)
            .map(|router| (router, packets))
            .collect();
        let routers: Vec<_> = paid.keys().copied().collect();
        if !may_ask_all(&routers, packets, turn) {
            cx.add(&SPARED, routers.len() as u64 * u64::from(packets));
            cx.add_for(&PUT_OFF, search, 1);
            return None;
        }
        Some(Self { paid: Some(paid) })
    }

    /// Takes in that somebody has answered.
    pub(crate) fn note(&mut self, from: IpAddr, target: IpAddr) {
        let Some(paid) = self.paid.as_mut().filter(|_| from != target) else {
            return;
        };
        match paid.get_mut(&from).filter(|left| **left > 0) {
            Some(left) => *left -= 1,
            None => note_asked(from),
        }
    }
}
