//! How far did a run get, and when?
//!
//! It is recorded when the trip is dropped, so that a run which ends in the middle leaves the phases
//! until then, the one it ended in included.

use leadsman_core::metric::common;
use leadsman_core::{Context, Details, Fault};
use leadsman_dial::Laps;
use tokio::time::Instant;

use super::dialogue::Failure;
use super::events::Phases;
use super::metrics;
use super::phase::{Outcome, Phase};

/// One run on its way.
#[derive(Debug)]
pub(crate) struct Trip<'a, 'c> {
    pub(crate) cx: &'a Context<'c>,
    pub(crate) laps: Laps<Phase>,
    /// How it ended, as soon as that is known.
    pub(crate) outcome: Option<Outcome>,
    /// The phase that failed, where it is not the last.
    failed: Option<Phase>,
    /// Addresses that a connection was tried with.
    attempts: usize,
    begun: Instant,
}

/// Why a run goes no further.
#[derive(Debug)]
pub(crate) struct Stop {
    /// `None` where this program could not do its part.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) fault: Fault,
    /// The phase that failed, where it is not the one under way.
    pub(crate) phase: Option<Phase>,
}

impl<'a, 'c> Trip<'a, 'c> {
    /// Begins with what there is to do before anybody is asked.
    pub(crate) fn begin(cx: &'a Context<'c>) -> Self {
        Self {
            cx,
            laps: Laps::begin(Phase::Own),
            outcome: None,
            failed: None,
            attempts: 0,
            begun: Instant::now(),
        }
    }

    /// Goes on to another phase.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.laps.enter(phase);
    }

    /// Counts an address that a connection is tried with, and tells how many there were before.
    pub(crate) fn attempt(&mut self) -> usize {
        let before = self.attempts;
        self.attempts += 1;
        self.cx.set(&metrics::MX_ATTEMPTS, self.attempts as f64);
        before
    }

    /// Says what has just happened, with the seconds since the run began.
    pub(crate) fn tell<T: Details>(&self, name: &'static str, fields: impl FnOnce(f64) -> T) {
        let at = self.begun.elapsed().as_secs_f64();
        self.cx.event(name, || fields(at));
    }

    /// When it began.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// Keeps how it ended.
    pub(crate) fn ended(&mut self, ended: Result<(), Stop>) -> Result<(), Fault> {
        match ended {
            Ok(()) => {
                self.outcome.get_or_insert(Outcome::Ok);
                Ok(())
            }
            Err(Stop {
                outcome,
                fault,
                phase,
            }) => {
                self.outcome = outcome;
                self.failed = phase;
                Err(fault)
            }
        }
    }
}

impl Drop for Trip<'_, '_> {
    fn drop(&mut self) {
        if let Some(phase) = self.failed.or_else(|| self.laps.running()) {
            self.cx.enter(phase.label());
        }
        self.laps.stop();
        metrics::record_phases(self.cx, &self.laps);
        if let Some(mx) = self.laps.of(Phase::Mx) {
            let lookup = mx + self.laps.of(Phase::Resolve).unwrap_or_default();
            self.cx.set(&common::LOOKUP, lookup.as_secs_f64());
        }
        if let Some(outcome) = self.outcome {
            metrics::record_outcome(self.cx, outcome);
        }
        let outcome = self.outcome.map(Outcome::label);
        let phases = || Phases::new(&self.laps, outcome);
        self.cx.event(Phases::NAME, phases);
    }
}

impl Stop {
    pub(crate) fn new(outcome: impl Into<Option<Outcome>>, fault: Fault) -> Self {
        Self {
            outcome: outcome.into(),
            fault,
            phase: None,
        }
    }
}

impl From<Fault> for Stop {
    /// A fault of ours; one of the target's is told with an outcome.
    fn from(fault: Fault) -> Self {
        Self::new(None, fault)
    }
}

impl From<&Failure> for Stop {
    fn from(failure: &Failure) -> Self {
        let detail = failure.detail.clone();
        let fault = match failure.cause {
            Some(cause) => Fault::target(cause, detail),
            None => Fault::own(detail),
        };
        Self {
            outcome: failure.outcome,
            fault,
            phase: Some(failure.phase),
        }
    }
}
