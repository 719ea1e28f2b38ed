//! How is a path measured in rounds once it is known?
//!
//! What to send is decided by [`crate::rounds`]; here it is carried out, and every answer and every
//! silence becomes an event. What they come to is for whoever reads the events: nothing is counted
//! here but whether the target answered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use leadsman_core::{Cause, Context, Fault};
use leadsman_wire::{Answer, Heard, Ttl};
use tokio::time::{Instant, sleep_until};

use crate::answer::reply;
use crate::budget::{Turn, may_ask};
use crate::discovery::{Discovery, Verdict};
use crate::events::{Hop, Lost, NotSent, Other, Round, Sent};
use crate::line::Line;
use crate::metrics::{SENT, SPARED};
use crate::options::TraceOptions;
use crate::rounds::{Plan, Rounds};
use crate::routers::Routers;
use crate::step::{Flow, Machine, Probe, Step};
use crate::walk::unanswered;

/// A path under observation.
pub(crate) struct Observation<'a> {
    cx: &'a Context<'a>,
    line: &'a mut Line,
    routers: Routers<'a>,
    rounds: Rounds,
    wait: Duration,
    begin: Instant,
    /// The last round whose begin was told.
    told: Option<u32>,
    reached: bool,
    /// The highest TTL at which anybody has answered, and who did last.
    farthest: Option<(u8, IpAddr)>,
    /// Who last answered at each TTL, but for the target, and the claim to ask them.
    asked: BTreeMap<u8, (IpAddr, Turn)>,
}

impl<'a> Observation<'a> {
    /// Prepares to observe what `discovery` has found; `known` are those who answer at TTL 1 and on,
    /// whom it may have spared.
    pub(crate) fn new(
        cx: &'a Context<'a>,
        line: &'a mut Line,
        routers: Routers<'a>,
        options: &TraceOptions,
        (discovery, known): (&Discovery, &[Option<IpAddr>]),
    ) -> Self {
        line.begin();
        let target = line.address();
        let limits = discovery.limits();
        let plan = Plan {
            first: limits.first,
            max: limits.max,
            interval: *options.interval,
            rounds: Some(options.report).filter(|rounds| *rounds > 0),
            flows: (0..options.flows).map(Flow).collect(),
        };
        let replies = discovery.hops().iter();
        let replies = replies.filter_map(|hop| hop.reply.as_ref());
        let slowest = replies.map(|reply| reply.rtt).max().unwrap_or_default();
        let mut observation = Self {
            cx,
            routers,
            rounds: Rounds::new(line.address(), reach(discovery), plan),
            line,
            wait: limits.wait.max(slowest * 2),
            begin: Instant::now(),
            told: None,
            reached: discovery.arrived().is_some(),
            farthest: farthest(discovery),
            asked: BTreeMap::new(),
        };
        let known = (1..).map_while(Ttl::new).zip(known);
        let known = known.filter_map(|(ttl, from)| Some((ttl, (*from)?)));
        let hops = discovery.hops().iter();
        let heard = hops.filter_map(|hop| Some((hop.ttl, hop.reply.as_ref()?.from)));
        for (ttl, from) in known.chain(heard).filter(|(_, from)| *from != target) {
            observation.meet(ttl, from);
        }
        observation
    }

    /// Takes in who answers at a TTL.
    fn meet(&mut self, ttl: Ttl, from: IpAddr) {
        let new = || (from, Turn::new());
        self.asked.entry(ttl.hops()).or_insert_with(new).0 = from;
    }

    /// Whether a router is to be spared that all traces together ask too often: its turn comes in
    /// another round.
    fn is_spared(&mut self, probe: Probe) -> bool {
        let known = self.asked.get_mut(&probe.ttl.hops());
        let known = known.filter(|_| !self.cx.is_watched());
        known.is_some_and(|(router, turn)| !may_ask(*router, turn))
    }

    /// Asks all rounds, or until the deadline or a stop. `outcome` is that of the discovery: its
    /// failure stands unless the target has answered since.
    pub(crate) async fn run(mut self, outcome: Result<(), Fault>) -> Result<(), Fault> {
        let cx = self.cx;
        let mut ended = pin!(async {
            tokio::select! {
                () = cx.stopped() => {}
                () = sleep_until(cx.deadline()) => {}
            }
        });
        loop {
            let next = match self.rounds.poll(self.begin.elapsed()) {
                Step::Send(probe) => {
                    self.ask(probe)?;
                    continue;
                }
                Step::Done if self.line.in_flight() == 0 => break,
                // Whatever was asked ends by itself.
                Step::Done => Instant::now() + self.wait,
                Step::Wait(until) => self.begin + until,
            };
            tokio::select! {
                biased;
                () = ended.as_mut() => break,
                (probe, heard) = self.line.heard() => self.hear(probe, &heard),
                () = self.routers.learn() => {}
                () = sleep_until(next) => {}
            }
        }
        match outcome {
            Err(_) if self.reached => Ok(()),
            Err(Fault::Target(Cause::Timeout, _)) => {
                Err(unanswered(self.line.address(), self.farthest))
            }
            outcome => outcome,
        }
    }

    fn ask(&mut self, probe: Probe) -> Result<(), Fault> {
        if self.is_spared(probe) {
            self.rounds.spare(probe);
            self.cx.add(&SPARED, 1);
            return Ok(());
        }
        let round = number(probe);
        if self.told != Some(round) {
            self.told = Some(round);
            let reach = self.rounds.reach().hops();
            self.cx.event(Round::NAME, || Round { round, reach });
        }
        self.line.send(probe, self.wait)?;
        self.cx.add(&SENT, 1);
        self.cx
            .event(Sent::NAME, || Sent::new(probe, round, self.line));
        Ok(())
    }

    fn hear(&mut self, probe: Probe, heard: &Heard) {
        let (round, ttl) = (number(probe), probe.ttl.hops());
        match heard {
            Heard::Answer(answer) => self.answer(probe, answer),
            Heard::Silence(silence) => self.cx.event(Lost::NAME, || Lost {
                round,
                ttl,
                local_suspect: silence.suspect,
            }),
            // What cannot be sent now may well be sent again in the next round.
            Heard::NotSent(refused) => self.cx.event(NotSent::NAME, || NotSent {
                round,
                ttl,
                error: self.line.not_sent(refused.refusal).to_string(),
            }),
        }
    }

    fn answer(&mut self, probe: Probe, answer: &Answer) {
        let Some(reply) = reply(answer) else {
            self.cx.event(Other::NAME, || Other {
                ttl: probe.ttl.hops(),
                from: answer.from,
                what: answer.to_string(),
            });
            return;
        };
        self.reached |= reply.arrived_at(self.line.address());
        self.routers.meet(reply.from);
        if reply.from != self.line.address() {
            self.meet(probe.ttl, reply.from);
        }
        let hops = probe.ttl.hops();
        if self.farthest.is_none_or(|(farthest, _)| farthest <= hops) {
            self.farthest = Some((hops, reply.from));
        }
        self.cx.event(Hop::NAME, || {
            Hop::new(probe, number(probe), answer, &reply, self.line)
        });
        self.rounds.hear(probe, reply, self.begin.elapsed());
    }
}

/// The TTL at which the target is, or would be if it answered.
fn reach(discovery: &Discovery) -> Ttl {
    let limits = discovery.limits();
    let reach = match (discovery.arrived(), discovery.verdict()) {
        (Some(arrived), _) => Some(arrived),
        (None, Some(Verdict::Blocked { hops, .. })) if hops.is_some() => hops.and_then(Ttl::new),
        (None, _) => Ttl::new(discovery.path().hops().len() as u8 + 1),
    };
    reach.unwrap_or(limits.max).clamp(limits.first, limits.max)
}

fn farthest(discovery: &Discovery) -> Option<(u8, IpAddr)> {
    let mut hops = discovery.hops().iter().rev();
    hops.find_map(|hop| Some((hop.ttl.hops(), hop.reply.as_ref()?.from)))
}

/// As people count, the discovery being before the first.
fn number(probe: Probe) -> u32 {
    probe.round + 1
}
