//! What is recorded of requests in the order in which they were sent, over all runs?
//!
//! With one request a run, neighbours are in different runs, so this is kept for as long as the
//! flow. Figures that grow are counters, so that whoever reads them chooses over what time.

use std::time::Duration;

use leadsman_core::Context;

use crate::exchange::Outcome;
use crate::metrics::{IPDV, IPDV_PAIRS, JITTER, LOSS_PERIODS};
use crate::statistics::{Course, Fate};

/// The requests of one flow.
#[derive(Debug, Default)]
pub(crate) struct Account(Course);

impl Account {
    /// A request was sent; they are told in ascending order.
    pub(crate) fn sent(&mut self, sequence: u64) {
        self.0.sent(sequence);
    }

    /// A request that was sent has ended; `rtt` is its round trip if that may be compared to others.
    pub(crate) fn ended(
        &mut self,
        cx: &Context<'_>,
        sequence: u64,
        outcome: Outcome,
        rtt: Option<Duration>,
    ) {
        self.0.ended(sequence, fate(outcome, rtt));
        self.take_steps(cx);
    }

    /// Ends whatever has not ended with `outcome`, and records what every run records anew.
    pub(crate) fn close(&mut self, cx: &Context<'_>, outcome: Outcome) {
        self.0.end_all(fate(outcome, None));
        self.take_steps(cx);
        if let Some(jitter) = self.0.jitter() {
            cx.set(&JITTER, jitter);
        }
    }

    fn take_steps(&mut self, cx: &Context<'_>) {
        while let Some(step) = self.0.step() {
            if let Some(variation) = step.variation {
                cx.record(|run| {
                    run.add(&IPDV, None, variation.abs());
                    run.add(&IPDV_PAIRS, None, 1.0);
                });
            }
            if step.loss_begins {
                cx.add(&LOSS_PERIODS, 1);
            }
        }
    }
}

fn fate(outcome: Outcome, rtt: Option<Duration>) -> Fate {
    match outcome {
        Outcome::Ok => Fate::Received(rtt),
        Outcome::SendError | Outcome::LocalSuspect | Outcome::Abandoned => Fate::Unknown,
        _ => Fate::Lost,
    }
}
