//! How is a path discovered in about one round trip, without waste?
//!
//! All TTLs of a usual path are asked at once, in a window that runs ahead of the farthest answer:
//! wide before anything is heard, as many TTLs beyond the farthest answer as may be silent in a
//! row after that. So a path as long as the window takes one round trip, a longer one takes one
//! more for what is beyond, and what is sent beyond the target is bounded by the gap.
//!
//! Silence below the target is not waited out: see `patience`. Silence at the end is, and
//! meanwhile one packet with a high TTL asks whether the target answers at all. If it does, the
//! path goes on beyond the gap and all TTLs are asked. See [`Verdict`] for how it can end.
//!
//! A router is asked once, save the silent ones next to the target: whether the path is longer
//! than it seems depends on them, so they are asked again. Loss elsewhere is for rounds to find.

mod limits;
mod patience;
mod recurrence;
mod verdict;

use std::net::IpAddr;
use std::time::Duration;

use leadsman_wire::Ttl;

pub use self::limits::Limits;
use self::recurrence::recurrence;
pub use self::verdict::Verdict;
use crate::pace::Pace;
use crate::path::Path;
use crate::reply::{Reply, Says};
use crate::step::{Flow, Machine, Probe, Step};

/// One discovery of the path to a target.
#[derive(Debug, Clone)]
pub struct Discovery {
    limits: Limits,
    target: IpAddr,
    flow: Flow,
    pace: Pace,
    /// By TTL, without gaps.
    hops: Vec<Hop>,
    last_ditch: Option<Hop>,
    /// Whether the target is known to answer beyond the gap.
    beyond_gap: bool,
    /// When something was last sent or heard.
    stirred: Duration,
    verdict: Option<Verdict>,
}

/// What is known about one TTL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The TTL.
    pub ttl: Ttl,
    /// When it was last asked.
    pub sent: Duration,
    /// How often it was asked.
    pub tries: u32,
    /// The first answer.
    pub reply: Option<Reply>,
    /// Whether it was left alone when it should have been asked: see [`Discovery::spare`].
    pub spared: bool,
    /// If there is none, how long it has been waited for, at least: below [`Limits::wait`], the
    /// silence was not waited out, and an answer may still come.
    pub waited: Duration,
}

impl Discovery {
    /// Prepares to discover the path that `flow` takes to `target`.
    pub fn new(target: IpAddr, flow: Flow, limits: Limits) -> Self {
        Self {
            pace: Pace::new(limits.pace, limits.burst),
            limits,
            target,
            flow,
            hops: Vec::new(),
            last_ditch: None,
            beyond_gap: false,
            stirred: Duration::ZERO,
            verdict: None,
        }
    }

    /// What it was limited to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How it ended; `None` until [`Machine::poll`] has said [`Step::Done`].
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// The lowest TTL from which the target has answered so far.
    pub fn arrived(&self) -> Option<Ttl> {
        let arrived = |hop: &&Hop| self.arrived_with(hop);
        self.hops.iter().find(arrived).map(|hop| hop.ttl)
    }

    /// What is known about each TTL, from the first; those beyond the target included.
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// The path as far as it is known, up to the target if that was reached.
    pub fn path(&self) -> Path {
        let arrived = self.arrived();
        let hidden = std::iter::repeat_n(None, usize::from(self.limits.first.hops() - 1));
        let asked = self.hops.iter();
        let asked = asked.take_while(|hop| arrived.is_none_or(|arrived| hop.ttl <= arrived));
        let answered = asked.map(|hop| hop.reply.as_ref().map(|reply| reply.from));
        Path::new(hidden.chain(answered), arrived.is_some())
    }

    /// How many packets were sent.
    pub fn packets(&self) -> u32 {
        let asked = self.hops.iter().chain(&self.last_ditch);
        asked.map(|hop| hop.tries).sum()
    }

    /// Takes back a probe that is not sent, to spare who would answer it: its TTL is not asked any
    /// more, and that it keeps silent says nothing.
    pub fn spare(&mut self, probe: Probe) {
        let mut asked = self.hops.iter_mut().chain(&mut self.last_ditch);
        if let Some(hop) = asked.find(|hop| hop.ttl == probe.ttl) {
            hop.tries -= 1;
            hop.spared = true;
            self.pace.earn();
        }
    }

    /// What to ask next, however long ago the last packet left.
    fn wanted(&self) -> Option<Ttl> {
        let again = |hop: &&Hop| self.is_doubtful(hop) && self.patience(hop) <= hop.waited;
        if let Some(hop) = self.hops.iter().find(again) {
            return Some(hop.ttl);
        }
        if let Some(next) = self.next_ttl() {
            return Some(next);
        }
        self.last_ditch_due()
            .filter(|due| *due <= Duration::ZERO)
            .and(self.limits.last_ditch)
    }

    /// The next TTL that was not asked yet and should be.
    fn next_ttl(&self) -> Option<Ttl> {
        let next = match self.hops.last() {
            Some(hop) => Ttl::new(hop.ttl.hops().checked_add(1)?)?,
            None => self.limits.first,
        };
        let farthest = self.hops.iter().rfind(|hop| hop.reply.is_some());
        let farthest = farthest.map_or(0, |hop| hop.ttl.hops());
        let window = (self.limits.first.hops() - 1).saturating_add(self.limits.window);
        let bound = match self.blocked() {
            Some((hop, _)) => hop.ttl.hops().saturating_add(BEYOND_BLOCK),
            None if self.beyond_gap => u8::MAX,
            None => window.max(farthest.saturating_add(self.limits.gap)),
        };
        let wanted = self.arrived().is_none() && next.hops() <= bound && next <= self.limits.max;
        wanted.then_some(next)
    }

    /// How long from now the packet with the high TTL is due, if it is wanted at all.
    fn last_ditch_due(&self) -> Option<Duration> {
        let last = self.hops.last()?;
        let wanted = self.last_ditch.is_none()
            && self.arrived().is_none()
            && self.blocked().is_none()
            && self.next_ttl().is_none()
            && last.reply.is_none()
            && self.limits.last_ditch.is_some_and(|ttl| ttl > last.ttl);
        let quiet = (last.sent + last.waited).saturating_sub(self.stirred);
        wanted.then(|| (self.patience(last) / 4).saturating_sub(quiet))
    }

    /// Returns how often it was sent before.
    fn note_sent(&mut self, ttl: Ttl, now: Duration) -> u32 {
        let asked = self.hops.iter_mut().find(|hop| hop.ttl == ttl);
        if let Some(hop) = asked {
            hop.tries += 1;
            hop.sent = now;
            hop.waited = Duration::ZERO;
            return hop.tries - 1;
        }
        let hop = Hop {
            ttl,
            sent: now,
            tries: 1,
            reply: None,
            spared: false,
            waited: Duration::ZERO,
        };
        if self.next_ttl() == Some(ttl) {
            self.hops.push(hop);
        } else {
            self.last_ditch = Some(hop);
        }
        0
    }

    /// Whether this TTL should be asked again: the path may end there if its answer was lost.
    fn is_doubtful(&self, hop: &Hop) -> bool {
        let Some(arrived) = self.arrived() else {
            return false;
        };
        let below = self.hops.iter().rev().skip_while(|hop| hop.ttl >= arrived);
        let mut silent = below.take_while(|hop| hop.reply.is_none()).take(DOUBTFUL);
        hop.tries < 2 && !hop.spared && silent.any(|silent| silent.ttl == hop.ttl)
    }

    fn arrived_with(&self, hop: &Hop) -> bool {
        let reply = hop.reply.as_ref();
        reply.is_some_and(|reply| reply.arrived_at(self.target))
    }

    /// Whether the packet with the high TTL arrived although all that were asked did not.
    fn goes_on_beyond(&self) -> bool {
        let last_ditch = self.last_ditch.as_ref();
        let arrived = last_ditch.is_some_and(|hop| self.arrived_with(hop));
        arrived && self.next_ttl().is_none() && self.hops.iter().all(|hop| self.is_settled(hop))
    }

    /// Where a router turns packets away, if none is known to have got beyond it.
    fn blocked(&self) -> Option<(&Hop, &Reply)> {
        let replies = self
            .hops
            .iter()
            .rev()
            .filter_map(|hop| Some((hop, hop.reply.as_ref()?)));
        let turned_away = replies.take_while(|(hop, reply)| {
            matches!(reply.says, Says::Unreachable { .. }) && !self.arrived_with(hop)
        });
        turned_away.last()
    }

    /// Whether nothing more is expected of a TTL.
    fn is_settled(&self, hop: &Hop) -> bool {
        hop.reply.is_some()
            || hop.spared
            || (self.patience(hop) <= hop.waited && !self.is_doubtful(hop))
    }

    /// When silence may next change what is to be done.
    fn next_change(&self, now: Duration) -> Duration {
        let asked = self.hops.iter().chain(&self.last_ditch);
        let open = asked.filter(|hop| hop.reply.is_none() && !hop.spared);
        let ends = open.map(|hop| hop.sent + self.patience(hop));
        let last_ditch = self.last_ditch_due().map(|due| now + due);
        let ahead = ends.chain(last_ditch).filter(|end| *end > now);
        ahead.min().unwrap_or(now + self.limits.wait)
    }
}

impl Machine for Discovery {
    fn poll(&mut self, now: Duration) -> Step {
        for hop in self.hops.iter_mut().chain(&mut self.last_ditch) {
            hop.waited = now.saturating_sub(hop.sent);
        }
        self.beyond_gap |= self.goes_on_beyond();
        if self.verdict.is_none() {
            self.verdict = self.decide();
        }
        if self.verdict.is_some() {
            return Step::Done;
        }
        let Some(ttl) = self.wanted() else {
            return Step::Wait(self.next_change(now));
        };
        let next = self.pace.next();
        if next > now {
            return Step::Wait(next.min(self.next_change(now)));
        }
        self.pace.spend(now);
        self.stirred = now;
        let round = self.note_sent(ttl, now);
        let flow = self.flow;
        Step::Send(Probe { ttl, flow, round })
    }

    /// Only the first answer to each TTL is taken in.
    fn hear(&mut self, probe: Probe, reply: Reply, now: Duration) {
        let mut asked = self.hops.iter_mut().chain(&mut self.last_ditch);
        let asked = asked.find(|hop| hop.ttl == probe.ttl && hop.reply.is_none());
        if let (Some(hop), None) = (asked, self.verdict) {
            hop.reply = Some(reply);
            self.stirred = now;
            self.pace.earn();
        }
    }
}

/// How many TTLs beyond a router that turns packets away are asked all the same.
const BEYOND_BLOCK: u8 = 2;

/// How many silent TTLs next to the target are asked again.
const DOUBTFUL: usize = 2;

#[cfg(test)]
mod tests;
