//! How are all paths to a target found, once one of them is known?
//!
//! What to ask is decided by [`crate::multipath`]; here it is carried out, and what came of it
//! recorded. One that is cut short by a stop or the run's deadline leaves no numbers: they would look
//! as if branches had gone.

use std::pin::pin;
use std::time::Duration;

use leadsman_core::{Context, Fault};
use leadsman_wire::{Arrived, Heard, Refusal};
use tokio::time::{Instant, sleep_until};

use crate::answer::reply;
use crate::discovery::{Discovery, Limits, Verdict};
use crate::events::branching::{Branch, Branches, Enumerated};
use crate::line::Line;
use crate::metrics::{DIAMONDS, HOP_ADDRESSES, PATHS, SENT, ttl};
use crate::multipath::{Confidence, Multipath, Scope, Spread};
use crate::step::{Flow, Machine, Probe, Step};
use crate::toll::Toll;

/// One enumeration under way.
pub(crate) struct Enumeration<'a> {
    cx: &'a Context<'a>,
    scope: Scope,
    line: &'a mut Line,
    multipath: Multipath,
    toll: Toll,
    begin: Instant,
    packets: u64,
}

impl<'a> Enumeration<'a> {
    /// Prepares to go on from what `discovery` has heard with `flow`.
    pub(crate) fn new(
        cx: &'a Context<'a>,
        scope: Scope,
        line: &'a mut Line,
        (discovery, flow): (&Discovery, Flow),
        toll: Toll,
    ) -> Self {
        line.begin();
        let mut multipath = Multipath::new(line.address(), scope);
        for hop in discovery.hops() {
            if let Some(reply) = &hop.reply {
                multipath.know(hop.ttl, flow, reply.from);
            }
        }
        Self {
            cx,
            scope,
            multipath,
            line,
            toll,
            begin: Instant::now(),
            packets: 0,
        }
    }

    /// Sends and hears until all paths are known, or until a stop.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        let mut stopped = pin!(self.cx.stopped());
        // The target has answered by now: a run that was over only at its deadline would deny it.
        let end = self.cx.deadline().checked_sub(MARGIN);
        let end = end.unwrap_or(self.begin);
        let complete = loop {
            match self.multipath.poll(self.begin.elapsed()) {
                Step::Send(probe) => self.ask(probe)?,
                Step::Done => break true,
                Step::Wait(until) => tokio::select! {
                    biased;
                    () = stopped.as_mut() => break false,
                    () = sleep_until(end) => break false,
                    (probe, heard) = self.line.heard() => {
                        self.hear(probe, &heard)?;
                        self.hear_all()?;
                    }
                    () = sleep_until(self.begin + until) => {
                        self.line.settle();
                        self.hear_all()?;
                    }
                },
            }
        };
        self.close(complete);
        Ok(())
    }

    fn ask(&mut self, probe: Probe) -> Result<(), Fault> {
        self.line.send(probe, self.scope.wait)?;
        self.packets += 1;
        self.cx.add(&SENT, 1);
        Ok(())
    }

    /// Hears all that was read, so that no silence is this program's own, however late it is.
    fn hear_all(&mut self) -> Result<(), Fault> {
        while let Some((probe, heard)) = self.line.heard_already() {
            self.hear(probe, &heard)?;
        }
        Ok(())
    }

    fn hear(&mut self, probe: Probe, heard: &Heard) -> Result<(), Fault> {
        match heard {
            Heard::Answer(answer) if answer.arrived == Arrived::Again => {}
            Heard::Answer(answer) => {
                if let Some(reply) = reply(answer) {
                    self.toll.note(reply.from, self.line.address());
                    self.multipath.hear(probe, reply, self.begin.elapsed());
                }
            }
            Heard::Silence(_) => {}
            // As if it were lost, for this host is too busy: another flow is asked.
            Heard::NotSent(refused) if refused.refusal == Refusal::TooLate => {}
            Heard::NotSent(refused) => return Err(self.line.not_sent(refused.refusal)),
        }
        Ok(())
    }

    /// Makes the accounts.
    fn close(&self, complete: bool) {
        let (cx, multipath) = (self.cx, &self.multipath);
        let links = multipath.links();
        for found in multipath.branches() {
            if let Some(ttl) = ttl(found.ttl.hops()).filter(|_| complete) {
                cx.set_for(&HOP_ADDRESSES, ttl, found.addresses.len() as f64);
            }
            cx.event(Branches::NAME, || Branches {
                ttl: found.ttl.hops(),
                spread: spread(found.spread).into(),
                flows: found.flows,
                routers: found
                    .addresses
                    .iter()
                    .map(|address| Branch {
                        address: *address,
                        next: links
                            .iter()
                            .filter(|(ttl, near, _)| (ttl, near) == (&found.ttl, address))
                            .map(|(_, _, far)| *far)
                            .collect(),
                    })
                    .collect(),
            });
        }
        let (paths, diamonds) = (multipath.count_paths(), multipath.diamonds());
        if complete {
            cx.set(&PATHS, paths as f64);
            cx.set(&DIAMONDS, diamonds as f64);
        }
        cx.event(Enumerated::NAME, || Enumerated {
            paths,
            diamonds,
            packets: self.packets,
            complete,
            confidence: (complete && multipath.is_sure()).then(|| self.scope.confidence.percent()),
            most_flows: (complete && multipath.lacks_flows()).then_some(self.scope.flows),
        });
    }
}

/// What to enumerate after a discovery; nothing if that found nothing, or a circle.
pub(crate) fn scope(
    discovery: &Discovery,
    limits: Limits,
    confidence: Confidence,
    flows: u16,
) -> Option<Scope> {
    if let None | Some(Verdict::Loop { .. }) = discovery.verdict() {
        return None;
    }
    let farthest = discovery.hops().iter().rfind(|hop| hop.reply.is_some())?;
    Some(Scope {
        first: limits.first,
        reach: discovery.arrived().unwrap_or(farthest.ttl),
        max: limits.max,
        confidence,
        flows,
        window: WINDOW,
        burst: limits.burst,
        pace: limits.pace,
        wait: patience(discovery, limits)?,
    })
}

/// How long to wait for those that have just answered; nothing if nobody has.
pub(crate) fn patience(discovery: &Discovery, limits: Limits) -> Option<Duration> {
    let replies = discovery.hops().iter().filter_map(|hop| hop.reply.as_ref());
    let slowest = replies.map(|reply| reply.rtt).max()?;
    Some((slowest * 3).max(LEAST_WAIT).min(limits.wait))
}

fn spread(spread: Spread) -> &'static str {
    match spread {
        Spread::Silent => "silent",
        Spread::Single => "single",
        Spread::PerFlow => "per_flow",
        Spread::PerPacket => "per_packet",
    }
}

/// So long before the deadline it makes its accounts.
pub(crate) const MARGIN: Duration = Duration::from_millis(100);

/// So many packets may be under way.
const WINDOW: usize = 64;

/// Routers that have just answered are not waited for much longer than their slowest answer took,
/// but for as long as one needs that is busy.
const LEAST_WAIT: Duration = Duration::from_millis(200);
