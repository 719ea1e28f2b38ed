//! How is a path that is known kept under observation?
//!
//! Once per round each hop is asked, as mtr(8) does, evenly spread over the round, on a grid that
//! does not drift. Rounds take turns with the flows. Beyond the target nothing is asked as long as it answers; while it does not, one
//! TTL more is, so that a path that has grown is noticed.
//!
//! What this does not do is keep accounts: what the answers come to is [`crate::record`]'s.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use leadsman_wire::Ttl;

use crate::reply::{Reply, Says};
use crate::step::{Flow, Machine, Probe, Step};

/// Observation of the path to one target.
#[derive(Debug)]
pub struct Rounds {
    target: IpAddr,
    plan: Plan,
    /// The TTL at which the target is, or would be if it answered.
    reach: Ttl,
    /// Rounds in a row in which the target answered beyond `reach`, but not from there.
    astray: u32,
    /// The next probe of this round.
    next: u8,
    round: u32,
    /// Whether each of the latest probes was answered.
    asked: BTreeMap<Probe, bool>,
}

/// How a path is observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The first TTL to ask.
    pub first: Ttl,
    /// The last TTL that may be asked.
    pub max: Ttl,
    /// Time from one round to the next; a millisecond if it is shorter.
    pub interval: Duration,
    /// How many rounds there are; `None` for no end.
    pub rounds: Option<u32>,
    /// The flows that take turns, the default one if there are none.
    pub flows: Vec<Flow>,
}

impl Rounds {
    /// Prepares to observe the path to `target`, which is at the TTL `reach`, or would be if it
    /// answered: one more than the farthest router.
    pub fn new(target: IpAddr, reach: Ttl, plan: Plan) -> Self {
        Self {
            target,
            next: plan.first.hops(),
            plan,
            reach,
            astray: 0,
            round: 0,
            asked: BTreeMap::new(),
        }
    }

    /// The TTL at which the target is, or would be if it answered.
    pub fn reach(&self) -> Ttl {
        self.reach
    }

    /// The round that is being sent, from 0.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Takes back a probe that is not sent, to spare who would answer it: its TTL is asked in the next
    /// round.
    pub fn spare(&mut self, probe: Probe) {
        self.asked.remove(&probe);
    }

    fn probe(&self, ttl: Ttl, round: u32) -> Probe {
        let flows = &self.plan.flows;
        let turn = round as usize % flows.len().max(1);
        let flow = flows.get(turn).copied().unwrap_or_default();
        Probe { ttl, flow, round }
    }

    fn begin(&self) -> Duration {
        self.interval() * self.round
    }

    fn interval(&self) -> Duration {
        self.plan.interval.max(SHORTEST_INTERVAL)
    }

    /// The last TTL of this round: one beyond the target if it has not just answered.
    fn last(&self) -> Ttl {
        let reach = self.reach.min(self.plan.max);
        if self.round == 0 || self.answered(reach, self.round - 1) {
            return reach;
        }
        let beyond = reach.hops().checked_add(1).and_then(Ttl::new);
        beyond.unwrap_or(reach).min(self.plan.max)
    }

    fn answered(&self, ttl: Ttl, round: u32) -> bool {
        let asked = self.asked.get(&self.probe(ttl, round));
        asked.is_some_and(|answered| *answered)
    }

    /// When the probe with the TTL `next` is due, the probes of a round being spread over it.
    fn due(&self) -> Duration {
        let first = self.plan.first.hops();
        let count = u32::from(self.reach.hops().saturating_sub(first)) + 1;
        let before = u32::from(self.next - first);
        self.begin() + self.interval() * before / count.max(before + 1)
    }

    fn end_round(&mut self) {
        let beyond = self.reach.hops().checked_add(1).and_then(Ttl::new);
        let astray = beyond.is_some_and(|beyond| {
            self.answered(beyond, self.round) && !self.answered(self.reach, self.round)
        });
        self.astray = if astray { self.astray + 1 } else { 0 };
        if let (Some(beyond), true) = (beyond, self.astray >= ASTRAY_ROUNDS) {
            self.reach = beyond;
            self.astray = 0;
        }
        self.next = self.plan.first.hops();
        let oldest = self.round.saturating_sub(REMEMBERED_ROUNDS);
        self.asked.retain(|probe, _| probe.round >= oldest);
    }

    /// Moves the target's place as this answer tells.
    fn learn(&mut self, ttl: Ttl, reply: &Reply) {
        if reply.arrived_at(self.target) {
            self.reach = self.reach.min(ttl);
        } else if reply.says == Says::TimeExceeded && ttl >= self.reach {
            let beyond = ttl.hops().checked_add(1).and_then(Ttl::new);
            self.reach = beyond.unwrap_or(ttl).min(self.plan.max);
        }
    }
}

impl Machine for Rounds {
    fn poll(&mut self, now: Duration) -> Step {
        let current = (now.as_nanos() / self.interval().as_nanos()) as u32;
        if self.round < current {
            self.end_round();
            // What a stopped process has missed is not made up.
            self.round = current;
        }
        let rounds = self.plan.rounds.unwrap_or(u32::MAX);
        if self.round >= rounds {
            return Step::Done;
        }
        let Some(ttl) = Ttl::new(self.next).filter(|ttl| *ttl <= self.last()) else {
            return match self.round + 1 {
                next if next == rounds => Step::Done,
                _ => Step::Wait(self.begin() + self.interval()),
            };
        };
        let due = self.due();
        if due > now {
            return Step::Wait(due);
        }
        let probe = self.probe(ttl, self.round);
        self.next += 1;
        self.asked.insert(probe, false);
        Step::Send(probe)
    }

    fn hear(&mut self, probe: Probe, reply: Reply, _: Duration) {
        if let Some(answered) = self.asked.get_mut(&probe) {
            *answered = true;
            self.learn(probe.ttl, &reply);
        }
    }
}

const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// For so many rounds late answers still tell where the target is.
const REMEMBERED_ROUNDS: u32 = 8;

/// After so many rounds in which the target answered one hop farther only, it is there.
const ASTRAY_ROUNDS: u32 = 3;

#[cfg(test)]
mod tests;
