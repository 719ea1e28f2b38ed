//! How are the routers at one TTL linked to those at the next?
//!
//! Where branches neither cross nor differ in number, the side with fewer routers has the choice:
//! each router of the other side has one link. A router that is seen with two, or routers with
//! unlike numbers of links, mean that counting flows by TTL proves nothing, for some branches get
//! fewer flows than others. Then each router is asked on its own (node control), all along the
//! branches.
//!
//! To see that, two flows through each router must be known at both TTLs. Of routers that might
//! hide a crossing from two flows one in two remains unseen, yet any one that is seen is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::ply::Ply;
use super::{Multipath, StoppingPoints};
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

/// Two neighbouring plies of which the first has several routers.
struct Pair {
    position: usize,
    /// The links of the first ply's routers to the second's.
    forward: BTreeMap<IpAddr, Links>,
    /// And the other way round.
    backward: BTreeMap<IpAddr, Links>,
}

impl Pair {
    /// Which of both TTLs is to be asked what; `control` tells how many flows a router needs that
    /// has so many links, if each is to be asked on its own.
    fn needs(&self, control: Option<&StoppingPoints>) -> Vec<(usize, Need)> {
        let (here, there) = (self.position, self.position + 1);
        let (near, far) = (self.forward.len(), self.backward.len());
        let seen = |chooses: bool| if chooses { 1 } else { LINKS_SEEN };
        let forward = self.forward.values().filter_map(|links| {
            let light = || seen(near < far);
            let wanted = control.map_or_else(light, |points| points.after(links.routers.len()));
            Some(links.lacking(wanted)?.at(here, there))
        });
        let backward = self.backward.values();
        let backward =
            backward.filter_map(|links| Some(links.lacking(seen(far < near))?.at(there, here)));
        forward.chain(backward).collect()
    }

    /// Whether a router of the side that has no choice has two links.
    fn crosses(&self) -> bool {
        let two_links = |links: &BTreeMap<_, _>| link_counts(links).last() > Some(&1);
        let (near, far) = (self.forward.len(), self.backward.len());
        (near >= far && two_links(&self.forward)) || (far >= near && two_links(&self.backward))
    }

    /// Whether the routers of the side that has the choice have unlike numbers of links.
    fn is_uneven(&self) -> bool {
        let forward = self.forward.len() < self.backward.len();
        let side = if forward {
            &self.forward
        } else {
            &self.backward
        };
        link_counts(side).len() > 1
    }
}

impl Multipath {
    /// What each ply, by its position, is to be asked for the sake of its neighbours; notes where
    /// branches turn out to cross or to be uneven.
    pub(super) fn survey(&mut self) -> BTreeMap<usize, Need> {
        let mut needs = BTreeMap::new();
        for position in self.branching_pairs() {
            let (near, far) = (&self.plies[position], &self.plies[position + 1]);
            let pair = Pair {
                position,
                forward: links(near, far),
                backward: links(far, near),
            };
            let mut wanted = pair.needs(self.control(position));
            let is_known = !wanted.is_empty() || self.full.contains(&position);
            if !is_known && (pair.crosses() || pair.is_uneven()) {
                self.note_mesh(position);
                wanted = pair.needs(self.control(position));
            }
            for (position, need) in wanted {
                let known = needs.entry(position).or_insert(need);
                *known = known.and(need);
            }
        }
        needs
    }

    fn control(&self, position: usize) -> Option<&StoppingPoints> {
        self.full.contains(&position).then_some(self.stopping)
    }

    /// All along the branches, for what is uneven at one TTL is so beyond.
    fn note_mesh(&mut self, position: usize) {
        let branching = |position: &usize| self.plies[*position].width() > 1;
        let before = (0..=position).rev().take_while(branching);
        let after = (position..self.plies.len()).take_while(branching);
        let diamond: Vec<_> = before.chain(after).collect();
        self.full.extend(diamond);
    }

    /// The positions of neighbouring plies of which the first has several routers, all found as
    /// far as counting flows tells.
    fn branching_pairs(&self) -> Vec<usize> {
        let is_ready = |ply: &Ply| {
            let found = ply.width();
            let enough = ply.has_enough(self.stopping.after(found), 0);
            found > 0 && enough && !ply.is_per_packet() && !ply.is_given_up()
        };
        let pairs = self.plies.windows(2).enumerate();
        let ready = pairs.filter(|(_, pair)| pair[0].width() > 1 && pair.iter().all(is_ready));
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

fn link_counts(links: &BTreeMap<IpAddr, Links>) -> BTreeSet<usize> {
    links.values().map(|links| links.routers.len()).collect()
}

/// So many flows through a router must be known at both TTLs to see whether it has two links.
const LINKS_SEEN: usize = 2;
