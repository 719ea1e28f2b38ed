//! How are the routers at one TTL linked to those at the next?
//!
//! Where several stand at both, counting flows by TTL proves nothing: branches may be uneven or
//! cross, and then some get fewer flows than others. So each router of the first is asked on its
//! own, with flows that are known to pass it, until it is unlikely that it has a link more (node
//! control). The light form of the algorithm does so only where two flows through each router show
//! that branches differ, and so misses one in ten of those that do.
//!
//! And of each router of the second it is asked where two of its flows come from, which finds
//! routers of the first that counting has missed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Multipath;
use super::ply::Ply;
use crate::step::Flow;

/// What is to be asked at one TTL for the sake of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// This flow, for its router at the neighbour is known.
    This(Flow),
    /// New flows, so many at a time, in the hope that they pass the right router.
    Any(usize),
}

impl Need {
    /// Where it is to be asked, if the router is at `here` and its links are `there`.
    fn at(self, here: usize, there: usize) -> (usize, Self) {
        match self {
            Self::This(_) => (there, self),
            Self::Any(_) => (here, self),
        }
    }

    /// What satisfies both sooner or later: a certain flow goes first.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any(some), Self::Any(more)) => Self::Any(some + more),
            (Self::This(_), _) => self,
            (Self::Any(_), Self::This(_)) => other,
        }
    }
}

/// What flows through one router tell of its links to the plies before or after.
#[derive(Debug, Default)]
struct Links {
    /// The routers that share a flow with it.
    routers: BTreeSet<IpAddr>,
    /// How many of its flows are known at the other TTL, or will be.
    flows: usize,
    /// One of its flows that was not asked there.
    unasked: Option<Flow>,
}

impl Links {
    fn lacking(&self, wanted: usize) -> Option<Need> {
        let lacking = wanted
            .checked_sub(self.flows)
            .filter(|lacking| *lacking > 0)?;
        Some(self.unasked.map_or(Need::Any(lacking), Need::This))
    }
}

impl Multipath {
    /// What each ply, by its position, is to be asked for the sake of its neighbours.
    pub(super) fn survey(&self) -> BTreeMap<usize, Need> {
        let mut needs = BTreeMap::new();
        for here in self.branching_pairs() {
            let there = here + 1;
            let (near, far) = (&self.plies[here], &self.plies[there]);
            let spreads = near.width() > 1 && far.width() > 1;
            let forward = links(near, far).into_values().filter_map(|links| {
                let control = || self.stopping.after(links.routers.len());
                let wanted = if spreads { control() } else { 1 };
                Some(links.lacking(wanted)?.at(here, there))
            });
            let backward = links(far, near).into_values();
            let backward =
                backward.filter_map(|links| Some(links.lacking(CAME_BY)?.at(there, here)));
            for (position, need) in forward.chain(backward) {
                let known = needs.entry(position).or_insert(need);
                *known = known.and(need);
            }
        }
        needs
    }

    /// The positions of neighbouring plies of which one has several routers, all found as far as
    /// counting flows tells.
    fn branching_pairs(&self) -> Vec<usize> {
        let is_ready = |ply: &Ply| {
            let found = ply.width();
            let enough = ply.has_enough(self.stopping.after(found), 0);
            found > 0 && enough && !ply.is_per_packet() && !ply.is_given_up()
        };
        let pairs = self.plies.windows(2).enumerate();
        let ready = pairs.filter(|(_, pair)| {
            pair.iter().any(|ply| ply.width() > 1) && pair.iter().all(is_ready)
        });
        ready.map(|(position, _)| position).collect()
    }
}

fn links(from: &Ply, to: &Ply) -> BTreeMap<IpAddr, Links> {
    let mut all: BTreeMap<IpAddr, Links> = BTreeMap::new();
    for (flow, router) in from.heard() {
        let links = all.entry(*router).or_default();
        let linked = to.heard().get(flow);
        links.routers.extend(linked);
        if linked.is_some() || to.is_under_way(*flow) {
            links.flows += 1;
        } else if !to.was_asked(*flow) {
            links.unasked = links.unasked.or(Some(*flow));
        }
    }
    all
}

/// Of so many flows to each router it must be known where they come from.
const CAME_BY: usize = 2;
