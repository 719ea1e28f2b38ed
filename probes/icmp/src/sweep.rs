//! How are very many hosts pinged at once?
//!
//! The engine does it on the calling thread; this keeps a [`Tally`] for each address and tells of
//! an address as soon as nothing more will be asked of it. Without a count, an address is asked
//! until it answers, at most [`ATTEMPTS`] times: that is enough to know who is there.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::{Ending, Fault, Finding, Progress, Sweep, SweepOrder, Watcher};
use leadsman_wire::{Heard, Plan};

use crate::options::PingOptions;
use crate::ping::not_opened;
use crate::round::not_sent;
use crate::tally::{Found, Tally};

/// Pings whole networks.
#[derive(Debug)]
pub(crate) struct PingSweep(pub(crate) Arc<PingOptions>);

impl Sweep for PingSweep {
    fn sweep(self: Box<Self>, order: SweepOrder<'_>) -> Result<(), Fault> {
        let options = &self.0;
        let mut addresses = order.addresses.iter();
        addresses.try_for_each(|address| options.fit(*address))?;
        let plan = Plan {
            count: match options.count {
                0 => ATTEMPTS,
                count => count,
            },
            until_answered: options.count == 0,
            interval: *options.interval,
            wait: options.wait.map_or(WAIT, |wait| *wait),
            rate: order.rate,
        };
        let mut engine = leadsman_wire::Sweep::new(options.echo());
        let listener = RefCell::new(Listener {
            // Another one, for it can say why something was not sent while the first is sending.
            explains: leadsman_wire::Sweep::new(options.echo()),
            plan,
            addresses: order.addresses,
            tallies: vec![Tally::default(); order.addresses.len()],
            progress: Progress::default(),
            watcher: order.watcher,
        });
        let stop = || {
            listener.borrow_mut().tell_progress();
            order.stop.is_requested()
        };
        let swept = engine.run(order.addresses, &plan, stop, &mut |index, heard| {
            listener.borrow_mut().hear(index, &heard);
        });
        listener.borrow_mut().tell_progress();
        swept.map_err(not_opened)
    }
}

/// What is known so far, and who is told.
struct Listener<'a> {
    explains: leadsman_wire::Sweep,
    plan: Plan,
    addresses: &'a [IpAddr],
    tallies: Vec<Tally>,
    progress: Progress,
    watcher: &'a mut dyn Watcher,
}

impl Listener<'_> {
    fn hear(&mut self, index: usize, heard: &Heard) {
        let tally = &mut self.tallies[index];
        let was_open = is_open(tally, &self.plan);
        tally.hear(heard);
        let left = heard.is_end() && !matches!(heard, Heard::NotSent(_));
        self.progress.sent += u64::from(left);
        if was_open && !is_open(tally, &self.plan) {
            self.tell(index);
        }
    }

    fn tell(&mut self, index: usize) {
        let tally = &self.tallies[index];
        let refused = tally
            .refused()
            .map(|refusal| not_sent(self.explains.explain(self.addresses[index], refusal)));
        let ending = match (tally.ending(), &refused) {
            (Ending::NotAsked(_), Some(Fault::Own(blocker, _))) => Ending::NotAsked(*blocker),
            (ending, _) => ending,
        };
        let refused = refused.map(|fault| fault.to_string());
        let found = Found {
            tally,
            refused: refused.as_deref(),
        };
        self.progress.done += 1;
        self.progress.answered += usize::from(ending == Ending::Answered);
        self.watcher.found(&Finding {
            index,
            ending,
            summary: &found,
            fields: &|| found.fields(),
        });
    }

    fn tell_progress(&mut self) {
        self.watcher.progress(self.progress);
    }
}

/// Whether an address will be asked again, or an answer is still awaited.
fn is_open(tally: &Tally, plan: &Plan) -> bool {
    let enough = plan.until_answered && tally.is_answered();
    !enough && tally.ended() < plan.count
}

/// Requests to an address of which only is asked whether it is there.
const ATTEMPTS: u32 = 3;

/// How long to wait for a reply if nobody says.
const WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use leadsman_core::options::Period;
    use leadsman_core::{Cause, Stopper};

    use super::*;

    #[derive(Default)]
    struct Notes {
        found: Vec<(usize, Ending)>,
        last: Progress,
    }

    impl Watcher for Notes {
        fn found(&mut self, finding: &Finding<'_>) {
            self.found.push((finding.index, finding.ending));
        }

        fn progress(&mut self, progress: Progress) {
            self.last = progress;
        }
    }

    /// Requests to the broadcast address are ignored on loopback: that is the silent one.
    #[test]
    fn each_address_is_told_of_once() {
        if crate::tests::skips("127.0.0.1") {
            return;
        }
        let mut addresses: Vec<_> = (1..=250).map(|n| IpAddr::from([127, 0, 1, n])).collect();
        addresses.push(IpAddr::from([127, 255, 255, 255]));
        addresses.push(addresses[0]);
        let options = PingOptions {
            count: 2,
            interval: Period(Duration::from_millis(2)),
            wait: Some(Period(Duration::from_millis(500))),
            ..PingOptions::default()
        };
        let mut notes = Notes::default();
        let (_stopper, stop) = Stopper::new();
        let order = SweepOrder {
            addresses: &addresses,
            rate: None,
            stop: &stop,
            watcher: &mut notes,
        };
        Box::new(PingSweep(Arc::new(options))).sweep(order).unwrap();
        notes.found.sort_by_key(|(index, _)| *index);
        let expected = |index| match index {
            250 => Ending::Unanswered(Cause::Timeout),
            _ => Ending::Answered,
        };
        let expected: Vec<_> = (0..252).map(|index| (index, expected(index))).collect();
        assert_eq!(notes.found, expected);
        let all = Progress {
            sent: 504,
            done: 252,
            answered: 251,
        };
        assert_eq!(notes.last, all);
    }
}
