//! What does a run come to, after those before it?
//!
//! The accounts are made at the end of a run, however it ends. Which series the hops have is a
//! choice between what can be seen and what it costs: a path of 15 hops has 90 series, of which
//! most people look at the ends.

use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use leadsman_core::Context;
use leadsman_wire::Ttl;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::{Turn, may_ask};
use crate::discovery::{Discovery, Hop, Verdict};
use crate::events::{Ended, PathChanged, Silent};
use crate::known::Known;
use crate::metrics::{
    ASYMMETRY, FLOW_PATHS, HOP_LOSS, HOP_PROBES, HOP_RELUCTANCE, HOP_REPLIES, HOP_RESPONDERS,
    HOP_RTT, HOPS, LAST_CHANGE, PATH, PATH_CHANGES, PATH_HASH, RUNS, SYSTEMS_CHANGES, result, ttl,
};
use crate::path::{Asn, Path, PathWatch};
use crate::recent::{Outcome, Recent};
use crate::reverse::reverse_hops;
use crate::step::Flow;
use crate::systems::Systems;

/// What is remembered of an address from run to run.
#[derive(Debug, Default)]
pub(crate) struct Past {
    watch: PathWatch,
    recent: Recent,
    changed: Option<SystemTime>,
    /// What other traces of the same target have found; none if nobody else can have.
    known: Option<Known>,
    /// Its claims to ask the routers at each TTL, and for a search for all paths and the path MTU.
    turns: BTreeMap<u8, Turn>,
    pub(crate) all_paths: Turn,
    pub(crate) mtu: Turn,
}

impl Past {
    /// Who answered at TTL 1 and on to packets of a flow, as far as all runs know.
    pub(crate) fn path(&self, flow: Flow) -> &[Option<IpAddr>] {
        self.watch.path(flow).map_or(&[], Path::hops)
    }

    /// That of an address which other traces may lead to as well.
    pub(crate) fn sharing(known: Known) -> Self {
        Self {
            known: Some(known),
            ..Self::default()
        }
    }
}

/// Which TTLs have series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shown {
    None,
    #[default]
    Summary,
    All,
}

/// Makes the accounts of one run.
pub(crate) struct Account<'a> {
    cx: &'a Context<'a>,
    shown: Shown,
    flow: Flow,
    past: &'a mut Past,
    systems: Option<Arc<Systems>>,
}

impl<'a> Account<'a> {
    /// Of a run that goes by `flow`.
    pub(crate) fn new(cx: &'a Context<'a>, shown: Shown, flow: Flow, past: &'a mut Past) -> Self {
        Self {
            cx,
            shown,
            flow,
            past,
            systems: None,
        }
    }

    /// The same with the autonomous systems of routers, so that a path through others is noticed.
    pub(crate) fn knowing(self, systems: Option<Arc<Systems>>) -> Self {
        Self { systems, ..self }
    }

    /// Whether the router at a TTL may be asked now, as far as it is known which that is.
    pub(crate) fn may_ask(&mut self, ttl: Ttl) -> bool {
        let Some(router) = self.router(ttl) else {
            return true;
        };
        let turn = self.past.turns.entry(ttl.hops()).or_default();
        may_ask(router, turn)
    }

    /// The router that will likely answer at a TTL, as earlier runs had it; none where that is the
    /// target.
    fn router(&self, ttl: Ttl) -> Option<IpAddr> {
        let path = self.past.watch.path(self.flow)?;
        let (last, routers) = path.hops().split_last()?;
        let router = *routers.get(usize::from(ttl.hops()) - 1)?;
        router.filter(|router| Some(*router) != *last)
    }

    /// Makes them. What the run has found is remembered only if it came to a verdict: one that was
    /// cut short, or that this host has spoilt, tells nothing of the path.
    pub(crate) fn close(&mut self, discovery: &Discovery, verdict: Option<Verdict>) {
        let cx = self.cx;
        let arrived = discovery.arrived();
        cx.add_for(&RUNS, result(verdict), 1);
        if let Some(hops) = arrived {
            cx.set(&HOPS, hops.hops().into());
            if let Some(back) = way_back(discovery, hops) {
                cx.set(&ASYMMETRY, f64::from(back) - f64::from(hops.hops()));
            }
        }
        let path = discovery.path();
        let own = self.past.watch.path(self.flow).cloned();
        let shared = self.past.known.as_ref();
        let known = match (own, shared.and_then(Known::path)) {
            // Of two that were good, this run took the one that it left later; if that tells nothing,
            // the newer one counts.
            (Some(own), Some(shared)) if later(&own, &shared, &path) => Some(own),
            (own, shared) => shared.or(own),
        };
        if verdict.is_some() {
            self.observe(discovery);
        }
        if let Some(known) = &self.past.known {
            known.learn(&path);
        }
        self.hops(discovery);
        // The last event, for a reader who wants one only.
        cx.event(Ended::NAME, || Ended {
            result: result(verdict).into(),
            hops: arrived.map(Ttl::hops),
            packets: discovery.packets(),
            first_difference: known.as_ref().and_then(|known| known.left_at(&path)),
            known: known.map(|known| known.hops().to_vec()),
            path: path.hops().to_vec(),
        });
    }

    /// Compares the path with those of earlier runs.
    fn observe(&mut self, discovery: &Discovery) {
        let (cx, past) = (self.cx, &mut *self.past);
        if let Some(change) = past.watch.observe(self.flow, discovery.path()) {
            cx.add(&PATH_CHANGES, 1);
            past.changed = Some(SystemTime::now());
            let systems = self.systems.as_deref();
            let others = systems.and_then(|systems| change.systems(|from| systems.of(from)));
            cx.add(&SYSTEMS_CHANGES, others.is_some().into());
            let numbers = |systems: Vec<Asn>| systems.into_iter().map(|asn| asn.0).collect();
            let (old_systems, new_systems) = others.unzip();
            let changed = PathChanged {
                old: change.old.hops().to_vec(),
                new: change.new.hops().to_vec(),
                first_difference: change.first_difference,
                old_systems: old_systems.map(numbers),
                new_systems: new_systems.map(numbers),
            };
            cx.note(PathChanged::NAME, changed);
        }
        let changed = past
            .changed
            .and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        if let Some(since_epoch) = changed {
            cx.set(&LAST_CHANGE, since_epoch.as_millis() as f64 / 1e3);
        }
        cx.set(&PATH_HASH, past.watch.hash() as f64);
        cx.set(&FLOW_PATHS, past.watch.distinct() as f64);
        if let Some(path) = past.watch.path(Flow::default()) {
            cx.inform(&PATH, &[&written(path.hops())]);
        }
        let length = self.length(discovery);
        let hidden = discovery.hops().first().map_or(0, |hop| hop.ttl.hops() - 1);
        let hops = discovery.hops().iter();
        let asked = hops.take_while(|hop| hop.ttl.hops() <= length);
        let outcomes = asked.map(|hop| match &hop.reply {
            Some(reply) => Outcome::Answered(reply.from),
            None if hop.spared => Outcome::Unasked,
            None => Outcome::Silent,
        });
        let hidden = repeat_n(Outcome::Unasked, hidden.into());
        self.past.recent.observe(hidden.chain(outcomes));
    }

    /// Tells of each TTL up to the path's end.
    fn hops(&self, discovery: &Discovery) {
        let (cx, length) = (self.cx, self.length(discovery));
        let arrived = discovery.arrived();
        let first = discovery.hops().first().map_or(1, |hop| hop.ttl.hops());
        for hop in discovery.hops() {
            let hops = hop.ttl.hops();
            if hop.reply.is_none()
                && !hop.spared
                && arrived.is_none_or(|arrived| hop.ttl <= arrived)
            {
                cx.event(Silent::NAME, || Silent {
                    ttl: hops,
                    packets: hop.tries,
                    waited: hop.waited,
                });
            }
            if hops <= length && self.shown.shows(hops, first, length) {
                self.count(hop);
            }
        }
        let past = self.past.recent.losses();
        let past = past.into_iter().zip(self.past.recent.responders());
        for (hops, (loss, responders)) in (1..).zip(past) {
            let Some(ttl) = ttl(hops).filter(|_| self.shown.shows(hops, first, length)) else {
                continue;
            };
            if let Some(loss) = loss {
                cx.set_for(&HOP_LOSS, ttl, loss.lost);
                cx.set_for(&HOP_RELUCTANCE, ttl, loss.missed - loss.lost);
                cx.set_for(&HOP_RESPONDERS, ttl, responders as f64);
            }
        }
    }

    fn count(&self, hop: &Hop) {
        let cx = self.cx;
        let ttl = ttl(hop.ttl.hops()).expect("the options allow no other");
        cx.add_for(&HOP_PROBES, ttl, hop.tries.into());
        cx.add_for(&HOP_REPLIES, ttl, hop.reply.is_some().into());
        if let Some(reply) = &hop.reply {
            cx.set_for(&HOP_RTT, ttl, reply.rtt.as_secs_f64());
        }
    }

    /// Where the path ends: at the target, or where it last was, or at the farthest router.
    fn length(&self, discovery: &Discovery) -> u8 {
        let known = self.past.watch.path(self.flow);
        let known = known.filter(|path| path.is_reached());
        let hops = discovery.hops();
        let farthest = hops.iter().rfind(|hop| hop.reply.is_some());
        let farthest = farthest
            .or_else(|| hops.first())
            .map_or(0, |hop| hop.ttl.hops());
        discovery
            .arrived()
            .map(Ttl::hops)
            .or_else(|| known.map(|path| path.hops().len() as u8))
            .unwrap_or(farthest)
    }
}

impl Shown {
    /// Whether a TTL has series on a path between two others.
    fn shows(self, ttl: u8, first: u8, last: u8) -> bool {
        match self {
            Self::None => false,
            Self::Summary => ttl < first + END || ttl + END > last,
            Self::All => true,
        }
    }

    /// How many of so many TTLs have series at most.
    pub(crate) fn at_most(self, asked: usize) -> usize {
        match self {
            Self::None => 0,
            Self::Summary => asked.min(2 * usize::from(END)),
            Self::All => asked,
        }
    }
}

/// Whether `path` left `one` later than it left `other`, or not at all.
fn later(one: &Path, other: &Path, path: &Path) -> bool {
    let left = |known: &Path| known.left_at(path).unwrap_or(u8::MAX);
    left(one) > left(other)
}

/// A path as text: who answers at each TTL, a star for silence.
fn written(hops: &[Option<IpAddr>]) -> String {
    let hops = hops.iter();
    let hops: Vec<_> = hops
        .map(|hop| hop.map_or_else(|| "*".to_owned(), |address| address.to_string()))
        .collect();
    hops.join(" ")
}

/// How long the way back from the target seems to be.
fn way_back(discovery: &Discovery, arrived: Ttl) -> Option<u8> {
    let mut hops = discovery.hops().iter();
    let reply = hops.find(|hop| hop.ttl == arrived)?.reply.as_ref()?;
    reply.hop_limit.map(reverse_hops)
}

/// How many TTLs at either end of a path are shown in a summary.
const END: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_ends_of_a_path() {
        check(Shown::All, 1, 5, &[1, 2, 3, 4, 5]);
        check(Shown::Summary, 1, 15, &[1, 2, 14, 15]);
        check(Shown::Summary, 4, 9, &[4, 5, 8, 9]);
        check(Shown::Summary, 1, 3, &[1, 2, 3]);
        check(Shown::Summary, 7, 7, &[7]);
        check(Shown::None, 1, 15, &[]);
    }

    /// What is shown of a path from TTL `first` to `last`.
    fn check(shown: Shown, first: u8, last: u8, expected: &[u8]) {
        let ttls = (first..=last).filter(|ttl| shown.shows(*ttl, first, last));
        assert_eq!(ttls.collect::<Vec<_>>(), expected);
        assert!(expected.len() <= shown.at_most((last - first + 1).into()));
    }
}
