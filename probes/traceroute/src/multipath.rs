//! Which paths lead to a target where balancers spread flows over several next hops?
//!
//! All TTLs are asked at once, with the same flows, and each with so many that it is unlikely that
//! a next hop was missed (see [`Confidence`]); every next hop that is found asks for more. That is
//! the light form of the multipath detection algorithm (MDA-Lite: Vermeulen, IMC 2018), and enough
//! for a balancer alone. Where several routers stand at two TTLs in a row the full form takes over:
//! every router on its own is asked with flows that pass through it (`pairs`).
//!
//! All of this takes it that a router spreads flows evenly over its next hops. One that gives a
//! next hop less than its share may hide it: a share of a tenth is missed in 53 of 100 cases after
//! the six flows that rule out a second even branch.
//!
//! A router that decides anew for each packet is found by asking with one flow again and again: it
//! has next hops but no paths, and nothing more is asked of it.

mod pairs;
mod ply;
mod shape;
mod stopping;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use leadsman_wire::Ttl;

use self::pairs::Need;
use self::ply::Ply;
pub use self::stopping::Confidence;
use self::stopping::StoppingPoints;
use crate::pace::Pace;
use crate::reply::{Reply, Says};
use crate::step::{Flow, Machine, Probe, Step};

/// One enumeration of the paths to a target.
#[derive(Debug)]
pub struct Multipath {
    target: IpAddr,
    scope: Scope,
    stopping: &'static StoppingPoints,
    pace: Pace,
    /// By TTL, without gaps.
    plies: Vec<Ply>,
}

/// What to enumerate, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The first TTL to ask.
    pub first: Ttl,
    /// The TTL at which discovery has found the target; longer branches are followed beyond it.
    pub reach: Ttl,
    /// The last TTL that may be asked.
    pub max: Ttl,
    /// How sure it must be that no branch is missing.
    pub confidence: Confidence,
    /// How many flows there are; [`Scope::MOST_FLOWS`] where nothing limits them.
    pub flows: u16,
    /// How many packets may be under way; 64 suits most.
    pub window: usize,
    /// How many packets may leave at once.
    pub burst: u32,
    /// Least time between packets after that, 1 ms at least. Every answer earns a packet besides.
    pub pace: Duration,
    /// How long an answer is waited for.
    pub wait: Duration,
}

impl Scope {
    /// As many flows as are ever asked with.
    pub const MOST_FLOWS: u16 = 1024;
}

/// What was found at one TTL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branches {
    /// The TTL.
    pub ttl: Ttl,
    /// Who answers there, in the order of their addresses.
    pub addresses: Vec<IpAddr>,
    /// How they are spread.
    pub spread: Spread,
    /// How many flows were answered.
    pub flows: usize,
}

/// How packets are spread over the routers at one TTL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Nobody answers.
    Silent,
    /// There is one router.
    Single,
    /// Each flow keeps to one of them.
    PerFlow,
    /// Each packet goes to any of them; not all of them may have been found.
    PerPacket,
}

impl Multipath {
    /// Prepares to enumerate the paths to `target`.
    pub fn new(target: IpAddr, scope: Scope) -> Self {
        let (first, reach) = (scope.first.hops(), scope.reach.min(scope.max).hops());
        let ttls = (first..=reach).filter_map(Ttl::new);
        Self {
            target,
            stopping: StoppingPoints::of(scope.confidence, 1),
            pace: Pace::new(scope.pace, scope.burst),
            plies: ttls.map(Ply::new).collect(),
            scope,
        }
    }

    /// Takes in who was heard at a TTL, with this flow, before the enumeration began.
    pub fn know(&mut self, ttl: Ttl, flow: Flow, from: IpAddr) {
        if let Some(ply) = self.plies.iter_mut().find(|ply| ply.ttl() == ttl) {
            ply.know(flow, from);
        }
    }

    /// Whether every TTL at which anybody answers did so often enough for what is claimed.
    pub fn is_sure(&self) -> bool {
        let mut answering = self.plies.iter().filter(|ply| ply.width() > 0);
        answering
            .all(|ply| ply.is_per_packet() || ply.has_enough(self.stopping.after(ply.width()), 0))
    }

    /// Whether that is so for want of flows.
    pub fn lacks_flows(&self) -> bool {
        let mut plies = self.plies.iter();
        let none_left = |ply: &Ply| ply.new_flow(self.scope.flows).is_none();
        !self.is_sure() && plies.any(|ply| none_left(ply) && !ply.is_given_up())
    }

    /// What was found so far, by TTL.
    pub fn branches(&self) -> Vec<Branches> {
        self.plies.iter().map(Ply::branches).collect()
    }

    /// Which routers follow each other: the TTL of the first of the two, and both. Nothing is
    /// told of routers that decide for each packet.
    pub fn links(&self) -> BTreeSet<(Ttl, IpAddr, IpAddr)> {
        let pairs = self.plies.iter().zip(self.plies.iter().skip(1));
        let stable = pairs.filter(|(near, far)| !near.is_per_packet() && !far.is_per_packet());
        let links = stable.flat_map(|(near, far)| {
            let flows = near.heard().iter();
            let seen = flows.filter_map(|(flow, from)| Some((*from, *far.heard().get(flow)?)));
            // All that get beyond a router that has its TTL to itself have passed it.
            let alone = near.alone().into_iter();
            let passed = alone.flat_map(|from| far.heard().values().map(move |to| (from, *to)));
            seen.chain(passed).map(|(from, to)| (near.ttl(), from, to))
        });
        links.collect()
    }

    /// The path of each flow that was answered at the last TTL; `None` where a hop kept silent or
    /// was not asked with this flow.
    pub fn paths(&self) -> BTreeMap<Flow, Vec<Option<IpAddr>>> {
        let flows = self.plies.last().into_iter();
        let flows = flows.flat_map(|ply| ply.heard().keys().copied());
        let hop = |ply: &Ply, flow| ply.heard().get(&flow).copied();
        let path = |flow| self.plies.iter().map(|ply| hop(ply, flow)).collect();
        flows.map(|flow| (flow, path(flow))).collect()
    }

    /// What to ask next.
    fn wanted(&self) -> Option<Probe> {
        let under_way: usize = self.plies.iter().map(Ply::under_way).sum();
        if under_way >= self.scope.window {
            return None;
        }
        let counted = self.least_asked(|_, ply| self.wanted_by_count(ply));
        counted.or_else(|| {
            let needs = self.survey();
            self.least_asked(|position, ply| self.wanted_by_neighbours(ply, *needs.get(&position)?))
        })
    }

    /// Of what each TTL wants, that of the TTL that was asked least, so that one router is not
    /// asked twice in a row.
    fn least_asked(&self, want: impl Fn(usize, &Ply) -> Option<(Flow, u32)>) -> Option<Probe> {
        let plies = self.plies.iter().enumerate();
        let asked = plies.filter(|(_, ply)| !ply.is_given_up() && !ply.is_per_packet());
        let wants = asked.filter_map(|(position, ply)| {
            let (flow, round) = want(position, ply)?;
            let ttl = ply.ttl();
            Some((ply.asked(), Probe { ttl, flow, round }))
        });
        wants
            .min_by_key(|(asked, _)| *asked)
            .map(|(_, probe)| probe)
    }

    /// Enough flows, then the same flow again to see whether each packet goes its own way.
    fn wanted_by_count(&self, ply: &Ply) -> Option<(Flow, u32)> {
        if ply.has_enough(self.stopping.after(ply.width()), ply.flows_under_way()) {
            return ply.repetition();
        }
        ply.new_flow(self.scope.flows).map(|flow| (flow, 0))
    }

    fn wanted_by_neighbours(&self, ply: &Ply, need: Need) -> Option<(Flow, u32)> {
        let flow = match need {
            Need::This(flow) => Some(flow),
            Need::Any(wanted) if ply.flows_under_way() < wanted => ply.new_flow(self.scope.flows),
            Need::Any(_) => None,
        };
        flow.map(|flow| (flow, 0))
    }

    /// How many routers may spread flows over several.
    fn balancers(&self) -> usize {
        let nearest = self.plies.first().filter(|ply| ply.width() > 1);
        let pairs = self.plies.windows(2);
        let spreading = pairs.filter(|pair| pair[1].width() > pair[0].width());
        let before = spreading.map(|pair| pair[0].width());
        usize::from(nearest.is_some()) + before.sum::<usize>()
    }

    /// Follows branches that are longer than the one that discovery found.
    fn extend(&mut self, probe: Probe, reply: &Reply) {
        let goes_on = reply.says == Says::TimeExceeded && reply.from != self.target;
        let last = self.plies.last().map(Ply::ttl);
        let next = probe.ttl.hops().checked_add(1).and_then(Ttl::new);
        if let Some(next) = next.filter(|next| *next <= self.scope.max)
            && goes_on
            && last == Some(probe.ttl)
        {
            self.plies.push(Ply::new(next));
        }
    }
}

impl Machine for Multipath {
    fn poll(&mut self, now: Duration) -> Step {
        for ply in &mut self.plies {
            ply.expire(now);
        }
        let waiting = self.plies.iter().filter_map(Ply::next_expiry).min();
        let Some(probe) = self.wanted() else {
            return waiting.map_or(Step::Done, Step::Wait);
        };
        let next = self.pace.next();
        if next > now {
            return Step::Wait(waiting.map_or(next, |waiting| waiting.min(next)));
        }
        self.pace.spend(now);
        let ply = self.plies.iter_mut().find(|ply| ply.ttl() == probe.ttl);
        if let Some(ply) = ply {
            ply.note_sent(probe, now + self.scope.wait);
        }
        Step::Send(probe)
    }

    fn hear(&mut self, probe: Probe, reply: Reply, _: Duration) {
        let ply = self.plies.iter_mut().find(|ply| ply.ttl() == probe.ttl);
        if ply.is_some_and(|ply| ply.note_answer(probe, reply.from)) {
            self.pace.earn();
            self.extend(probe, &reply);
            self.stopping = StoppingPoints::of(self.scope.confidence, self.balancers());
        }
    }
}

#[cfg(test)]
mod tests;
