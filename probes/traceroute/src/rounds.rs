//! How is a path that is known kept under observation?
//!
//! Once per round each hop is asked, as mtr(8) does, evenly spread over the round, on a grid that
//! does not drift. Rounds take turns with the flows. Beyond the target nothing is asked as long as
//! it answers; while it does not, one TTL more is, so that a path that has grown is noticed.
//!
//! What this does not decide: whether a router may be asked at all. A probe that was not sent
//! after all, for lack of a budget or by our own fault, is withdrawn and counts nowhere.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use leadsman_wire::Ttl;

use crate::record::Record;
use crate::reply::{Reply, Says};
use crate::step::{Flow, Machine, Probe, Step};

/// Observation of the path to one target, without an end.
#[derive(Debug)]
pub struct Rounds {
    target: IpAddr,
    plan: Plan,
    /// The TTL at which the target is, or would be if it answered.
    reach: Ttl,
    /// Rounds in a row in which the target answered beyond `reach`, but not from there.
    astray: u32,
    /// The next probe of this round, and when the round began.
    next: u8,
    round: u32,
    asked: BTreeMap<Probe, Asked>,
    records: BTreeMap<(Ttl, Flow), Record>,
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
    /// How long an answer may take before it counts as late, and its probe as lost meanwhile.
    pub wait: Duration,
    /// The flows that take turns, the default one if there are none.
    pub flows: Vec<Flow>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    sent: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    Answered,
    Lost,
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
            records: BTreeMap::new(),
        }
    }

    /// Takes back a probe that could not or should not be sent: it counts nowhere.
    pub fn withdraw(&mut self, probe: Probe) {
        if let Some(asked) = self.asked.remove(&probe)
            && let Some(record) = self.records.get_mut(&(probe.ttl, probe.flow))
        {
            record.note_unsent(asked.sent);
        }
    }

    /// Who will likely answer to a TTL and flow: who answered last.
    pub fn responder(&self, ttl: Ttl, flow: Flow) -> Option<IpAddr> {
        let latest = self.records.get(&(ttl, flow))?.latest.as_ref();
        latest.map(|reply| reply.from)
    }

    /// What is known about each TTL and flow, in that order.
    pub fn records(&self) -> &BTreeMap<(Ttl, Flow), Record> {
        &self.records
    }

    /// The TTL at which the target is, or would be if it answered.
    pub fn reach(&self) -> Ttl {
        self.reach
    }

    /// The round that is being sent, from 0.
    pub fn round(&self) -> u32 {
        self.round
    }

    fn flow(&self) -> Flow {
        let flows = &self.plan.flows;
        let turn = self.round as usize % flows.len().max(1);
        flows.get(turn).copied().unwrap_or_default()
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
        if self.round == 0 || self.arrived(reach, self.round - 1) {
            return reach;
        }
        let beyond = reach.hops().checked_add(1).and_then(Ttl::new);
        beyond.unwrap_or(reach).min(self.plan.max)
    }

    fn arrived(&self, ttl: Ttl, round: u32) -> bool {
        let flow = self.plan.flows.len().max(1);
        let flow = self.plan.flows.get(round as usize % flow);
        let flow = flow.copied().unwrap_or_default();
        let asked = self.asked.get(&Probe { ttl, flow, round });
        asked.is_some_and(|asked| asked.state == State::Answered)
    }

    /// When the probe with the TTL `next` is due, the probes of a round being spread over it.
    fn due(&self) -> Duration {
        let first = self.plan.first.hops();
        let count = u32::from(self.reach.hops().saturating_sub(first)) + 1;
        let before = u32::from(self.next - first);
        self.begin() + self.interval() * before / count.max(before + 1)
    }

    fn expire(&mut self, now: Duration) {
        for (probe, asked) in &mut self.asked {
            if asked.state == State::UnderWay && asked.sent + self.plan.wait <= now {
                asked.state = State::Lost;
                let record = self.records.entry((probe.ttl, probe.flow)).or_default();
                record.note_lost(asked.sent);
            }
        }
        let oldest = self.round.saturating_sub(REMEMBERED_ROUNDS);
        self.asked
            .retain(|probe, asked| asked.state == State::UnderWay || probe.round >= oldest);
    }

    fn next_expiry(&self) -> Option<Duration> {
        let under_way = self.asked.values();
        let under_way = under_way.filter(|asked| asked.state == State::UnderWay);
        under_way.map(|asked| asked.sent + self.plan.wait).min()
    }

    fn end_round(&mut self) {
        let beyond = self.reach.hops().checked_add(1).and_then(Ttl::new);
        let astray = beyond.is_some_and(|beyond| {
            self.arrived(beyond, self.round) && !self.arrived(self.reach, self.round)
        });
        self.astray = if astray { self.astray + 1 } else { 0 };
        if let (Some(beyond), true) = (beyond, self.astray >= ASTRAY_ROUNDS) {
            self.reach = beyond;
            self.astray = 0;
        }
        self.next = self.plan.first.hops();
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
    /// Never says that it is done.
    fn poll(&mut self, now: Duration) -> Step {
        self.expire(now);
        let current = (now.as_nanos() / self.interval().as_nanos()) as u32;
        if self.round < current {
            self.end_round();
            // What a stopped process has missed is not made up.
            self.round = current;
        }
        let end = self.begin() + self.interval();
        let ttl = Ttl::new(self.next).filter(|ttl| *ttl <= self.last());
        let due = ttl.map_or(end, |_| self.due());
        let Some(ttl) = ttl.filter(|_| due <= now) else {
            return Step::Wait(self.next_expiry().map_or(due, |expiry| expiry.min(due)));
        };
        let (flow, round) = (self.flow(), self.round);
        let probe = Probe { ttl, flow, round };
        self.next += 1;
        let state = State::UnderWay;
        self.asked.insert(probe, Asked { sent: now, state });
        self.records.entry((ttl, flow)).or_default().note_sent(now);
        Step::Send(probe)
    }

    fn hear(&mut self, probe: Probe, reply: Reply, _: Duration) {
        let Some(asked) = self.asked.get_mut(&probe) else {
            return;
        };
        let before = std::mem::replace(&mut asked.state, State::Answered);
        let sent = asked.sent;
        self.learn(probe.ttl, &reply);
        let record = self.records.entry((probe.ttl, probe.flow)).or_default();
        match before {
            State::UnderWay => record.note_answer(probe.round, sent, reply),
            State::Lost => record.note_late(sent, reply),
            State::Answered => record.duplicates += 1,
        }
    }
}

const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// For so many rounds late and duplicate answers are still recognised.
const REMEMBERED_ROUNDS: u32 = 8;

/// After so many rounds in which the target answered one hop farther only, it is there.
const ASTRAY_ROUNDS: u32 = 3;

#[cfg(test)]
mod tests;
