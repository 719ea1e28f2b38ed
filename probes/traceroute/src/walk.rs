//! How does one run go, and what is made of it in the end?
//!
//! What to send and when to stop waiting is decided by the discovery; here it is carried out. The
//! run's future may be dropped at any time, so the accounts are made in `Drop`. Silence is only
//! believed after all that had arrived was read: a program that was stopped invents none.

use std::net::IpAddr;
use std::pin::pin;

use leadsman_core::{Blocker, Cause, Context, Fault};
use leadsman_wire::{Answer, Arrived, Heard, RttSource};
use tokio::time::{Instant, sleep_until};

use crate::account::Account;
use crate::answer::reply;
use crate::discovery::{Discovery, Limits, Verdict};
use crate::events::{DISCOVERY, Hop, Other, Sent, label};
use crate::line::Line;
use crate::metrics::{REVERSE_HOPS, RTT, RTT_SOURCE, SENT, SPARED};
use crate::reply::Says;
use crate::reverse::reverse_hops;
use crate::routers::Routers;
use crate::step::{Flow, Machine, Probe, Step};

/// One run under way.
pub(crate) struct Walk<'a> {
    cx: &'a Context<'a>,
    limits: Limits,
    line: &'a mut Line,
    account: Account<'a>,
    discovery: Discovery,
    begin: Instant,
    /// Whether this host may have dropped answers, or was late to ask.
    suspect: bool,
    has_arrived: bool,
    /// That of the least exact round trip.
    source: Option<RttSource>,
    /// Who turned packets away, with which code, in ping(8)'s words.
    refusals: Vec<(IpAddr, u8, String)>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        cx: &'a Context<'a>,
        limits: Limits,
        flow: Flow,
        line: &'a mut Line,
        account: Account<'a>,
    ) -> Self {
        line.begin();
        Self {
            cx,
            limits,
            account,
            discovery: Discovery::new(line.address(), flow, limits),
            line,
            begin: Instant::now(),
            suspect: false,
            has_arrived: false,
            source: None,
            refusals: Vec::new(),
        }
    }

    /// Sends and hears until the path is known, or until a stop. Who answers is met by `routers`, who
    /// go on when there is nothing else to do.
    pub(crate) async fn run(&mut self, routers: &mut Routers<'_>) -> Result<(), Fault> {
        let mut stopped = pin!(self.cx.stopped());
        loop {
            match self.discovery.poll(self.begin.elapsed()) {
                Step::Send(probe) => self.ask(probe)?,
                Step::Done => break,
                Step::Wait(until) => tokio::select! {
                    biased;
                    () = stopped.as_mut() => break,
                    (probe, heard) = self.line.heard() => {
                        self.hear(probe, &heard, routers)?;
                        self.hear_all(routers)?;
                    }
                    () = sleep_until(self.begin + until) => {
                        self.line.settle();
                        self.hear_all(routers)?;
                    }
                    () = routers.learn() => {}
                },
            }
        }
        if let Some(Verdict::Unreached { .. }) = self.discovery.verdict() {
            // The last of them ends some milliseconds later, and may tell of this host's fault.
            while self.line.in_flight() > 0 {
                let (probe, heard) = self.line.heard().await;
                self.hear(probe, &heard, routers)?;
            }
        }
        self.outcome()
    }

    /// Makes the accounts of the run, and hands out what was found.
    pub(crate) fn end(self) -> Discovery {
        self.discovery.clone()
    }

    fn ask(&mut self, probe: Probe) -> Result<(), Fault> {
        if !self.cx.is_watched() && !self.account.may_ask(probe.ttl) {
            self.discovery.spare(probe);
            self.cx.add(&SPARED, 1);
            return Ok(());
        }
        self.line.send(probe, self.limits.wait)?;
        self.cx.add(&SENT, 1);
        self.cx
            .event(Sent::NAME, || Sent::new(probe, DISCOVERY, self.line));
        Ok(())
    }

    /// Hears all that was read, so that no silence is this program's own, however late it is.
    fn hear_all(&mut self, routers: &mut Routers<'_>) -> Result<(), Fault> {
        while let Some((probe, heard)) = self.line.heard_already() {
            self.hear(probe, &heard, routers)?;
        }
        Ok(())
    }

    fn hear(
        &mut self,
        probe: Probe,
        heard: &Heard,
        routers: &mut Routers<'_>,
    ) -> Result<(), Fault> {
        match heard {
            Heard::Answer(answer) if answer.arrived == Arrived::Again => {}
            Heard::Answer(answer) => self.answer(probe, answer, routers),
            Heard::Silence(silence) => self.suspect |= silence.suspect,
            Heard::NotSent(refused) => return Err(self.line.not_sent(refused.refusal)),
        }
        Ok(())
    }

    fn answer(&mut self, probe: Probe, answer: &Answer, routers: &mut Routers<'_>) {
        let Some(reply) = reply(answer) else {
            self.cx.event(Other::NAME, || Other {
                ttl: probe.ttl.hops(),
                from: answer.from,
                what: answer.to_string(),
            });
            return;
        };
        let source = self
            .source
            .map_or(answer.rtt_source, |source| source.min(answer.rtt_source));
        self.source = Some(source);
        self.cx.inform(&RTT_SOURCE, &[label(source)]);
        if let Says::Unreachable { code } = reply.says {
            self.refusals.push((reply.from, code, answer.to_string()));
        }
        let arrived = reply.arrived_at(self.line.address());
        if arrived && !self.has_arrived {
            self.has_arrived = true;
            self.cx.set(&RTT, reply.rtt.as_secs_f64());
            if let Some(hop_limit) = reply.hop_limit {
                self.cx.set(&REVERSE_HOPS, reverse_hops(hop_limit).into());
            }
        }
        self.cx.event(Hop::NAME, || {
            Hop::new(probe, DISCOVERY, answer, &reply, self.line)
        });
        routers.meet(reply.from);
        self.discovery.hear(probe, reply, self.begin.elapsed());
    }

    /// How it ended, if that is not this host's fault.
    fn verdict(&self) -> Option<Verdict> {
        let verdict = self.discovery.verdict();
        verdict.filter(|verdict| !(self.suspect && matches!(verdict, Verdict::Unreached { .. })))
    }

    fn outcome(&self) -> Result<(), Fault> {
        let target = self.line.address();
        let (cause, detail) = match self.discovery.verdict() {
            Some(Verdict::Reached { .. } | Verdict::ReachedBeyond { .. }) => return Ok(()),
            Some(Verdict::Unreached { .. }) if self.suspect => {
                return Err(Fault::Own(Blocker::Resources, DROPPED.into()));
            }
            Some(Verdict::Unreached { farthest }) => {
                let farthest = farthest.and_then(|farthest| self.heard_from(farthest));
                return Err(unanswered(target, farthest));
            }
            Some(Verdict::Blocked { hops, by, code }) => {
                let mut refusals = self.refusals.iter();
                let refusal = refusals.find(|(from, said, _)| (*from, *said) == (by, code));
                let words = refusal.map_or("", |(_, _, words)| words);
                let hop = hops.map_or_else(String::new, |hops| format!("hop {hops}, "));
                (Cause::Unreachable, format!("from {hop}{by}: {words}"))
            }
            Some(Verdict::Loop { from, length }) => {
                let last = from.saturating_add(length - 1);
                let detail = format!("packets go round in circles between hops {from} and {last}");
                (Cause::TtlExceeded, detail)
            }
            None => {
                let detail = "stopped before the path was known".to_owned();
                (Cause::Timeout, detail)
            }
        };
        Err(Fault::target(cause, detail))
    }

    fn heard_from(&self, hops: u8) -> Option<(u8, IpAddr)> {
        let mut known = self.discovery.hops().iter();
        let hop = known.find(|hop| hop.ttl.hops() == hops)?;
        Some((hops, hop.reply.as_ref()?.from))
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.account.close(&self.discovery, self.verdict());
    }
}

/// The fault of a target that keeps silent, with the TTL and the address of whoever was the last that
/// did not.
pub(crate) fn unanswered(target: IpAddr, farthest: Option<(u8, IpAddr)>) -> Fault {
    let heard = match farthest {
        Some((hops, from)) => format!("; hop {hops}, {from}, was the last that did"),
        None => String::new(),
    };
    Fault::target(Cause::Timeout, format!("{target} did not answer{heard}"))
}

const DROPPED: &str = "this host was late to send, or dropped packets for want of room to receive \
                       them, so that nothing is known of the answers: give it more time, or allow \
                       more (`sysctl -w net.core.rmem_max=16777216`)";

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};
    use std::time::Duration;

    use leadsman_core::options::OptionsError;
    use leadsman_core::testing::Bench;
    use leadsman_core::{Options, Plugin, Target, async_trait};
    use leadsman_wire::RequestOptions;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::account::{Past, Shown};
    use crate::metrics::{ALL, PATH, RUNS};
    use crate::tests::{SILENT, skips};

    /// Walks towards a silent host from one that drops answers.
    #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
    struct Spoilt {}

    impl Options for Spoilt {
        type Probe = Self;

        fn aim(self: &Arc<Self>, _: &Target) -> Result<Self, OptionsError> {
            Ok(Self {})
        }
    }

    #[async_trait]
    impl leadsman_core::Probe for Spoilt {
        async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
            let address = SILENT.parse().expect("it is an address");
            let mut line = Line::open(address, RequestOptions::default())?;
            let limits = Limits {
                wait: Duration::from_millis(50),
                ..Limits::default()
            };
            let mut past = Past::default();
            let account = Account::new(cx, Shown::All, Flow(0), &mut past);
            let mut walk = Walk::new(cx, limits, Flow(0), &mut line, account);
            walk.suspect = true;
            walk.run(&mut Routers::new(cx, false, None)).await
        }
    }

    #[tokio::test]
    async fn silence_that_this_host_is_at_fault_for_is_no_path() {
        static SPOILT: LazyLock<Plugin> =
            LazyLock::new(|| Plugin::new::<Spoilt>("spoilt", "A walk").metrics(ALL));
        if skips("127.0.0.1") {
            return;
        }
        let found = Bench::of(&SPOILT).run(SILENT).await;
        assert_eq!(found.reason(), Some("resources"));
        assert_eq!(found.counter(&RUNS, Some("unfinished")), 1);
        assert_eq!(found.counter(&RUNS, Some("unreached")), 0);
        assert_eq!(found.text(&PATH), None);
    }
}
