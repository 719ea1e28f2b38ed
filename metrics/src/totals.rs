//! What is known of one target?
//!
//! Two recordings: what every probe's runs come to, whatever the protocol, and what its plugin
//! measured. They change together when a run is taken in, so a copy of both is always consistent:
//! as many observations as runs, and every run a success, a failure or an internal error.

use std::sync::LazyLock;
use std::time::SystemTime;

use leadsman_core::metric::{Counter, Declared, Gauge, Histogram};
use leadsman_core::{Blocker, Cause, Fault, Layout, Recording, Run};

/// All runs of one target, added up.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    runs: Recording,
    measured: Recording,
}

/// Which of the two recordings a metric is in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Runs,
    Measured,
}

impl Totals {
    /// Nothing has run: counts are 0, everything else is absent.
    pub(crate) fn new(layout: &'static Layout) -> Self {
        Self {
            runs: Recording::new(&RUNS_LAYOUT),
            measured: Recording::new(layout),
        }
    }

    /// The same runs in another layout; histograms whose buckets differ start anew.
    pub(crate) fn laid_out(&self, layout: &'static Layout) -> Self {
        Self {
            runs: self.runs.clone(),
            measured: self.measured.laid_out(layout),
        }
    }

    /// Takes in a finished run.
    ///
    /// A cause that the plugin did not declare is a bug of the plugin, for the conformance kit to
    /// find. Here it is counted all the same: its series appears with its first failure.
    pub(crate) fn take_in(&mut self, run: &Run) {
        self.measured.absorb(&run.recording);
        let runs = &mut self.runs;
        runs.forget_last_run();
        runs.add(&RUNS, None, 1.0);
        runs.observe(&RUN_DURATION, run.duration.as_secs_f64());
        runs.set(&DURATION, None, run.duration.as_secs_f64());
        runs.set(&LAST_RUN, None, unix_seconds(run.started + run.duration));
        match &run.result {
            Ok(()) => runs.set(&SUCCESS, None, 1.0),
            Err(Fault::Target(cause, _)) => {
                runs.set(&SUCCESS, None, 0.0);
                runs.add(&FAILURES, Some(cause.label()), 1.0);
            }
            // Nothing was learnt about the target, so its success is left absent.
            Err(Fault::Own(blocker, _)) => {
                runs.add(&INTERNAL_ERRORS, Some(blocker.label()), 1.0);
            }
        }
    }

    /// One of the two recordings.
    pub(crate) fn recording(&self, source: Source) -> &Recording {
        match source {
            Source::Runs => &self.runs,
            Source::Measured => &self.measured,
        }
    }
}

impl Source {
    /// Where the metrics of this recording stand if those of the plugin stand in `measured`.
    pub(crate) fn layout(self, measured: &'static Layout) -> &'static Layout {
        match self {
            Self::Runs => &RUNS_LAYOUT,
            Self::Measured => measured,
        }
    }
}

/// To the millisecond: more digits would only make every line longer.
fn unix_seconds(time: SystemTime) -> f64 {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.unwrap_or_default().as_millis() as f64 / 1e3
}

/// Whether the last run succeeded.
pub(crate) static SUCCESS: Gauge = Gauge::new(
    "probe_success",
    "Whether the last run succeeded: 1 or 0; absent while nothing is known about the target.",
);

/// How long the last run took.
pub(crate) static DURATION: Gauge = Gauge::new(
    "probe_duration_seconds",
    "How long the last run took, in seconds.",
);

/// When the last run ended; what a dead man's switch watches.
static LAST_RUN: Gauge = Gauge::new(
    "probe_last_run_timestamp_seconds",
    "When the last run ended, in seconds since the Unix epoch.",
);

/// Successes, failures and internal errors together.
static RUNS: Counter = Counter::new("probe_runs_total", "Runs that have ended.");

/// Failures that were the target's fault.
pub(crate) static FAILURES: Counter = Counter::new(
    "probe_failures_total",
    "Runs that failed because of the target, by reason.",
)
.by(&["reason"], &CAUSES);

/// Failures that were our own.
static INTERNAL_ERRORS: Counter = Counter::new(
    "probe_internal_errors_total",
    "Runs that could not measure because of this side; they say nothing about the target.",
)
.by(&["reason"], &BLOCKERS);

/// Every run, own faults included, so that its count is the number of runs.
static RUN_DURATION: Histogram = Histogram::new(
    "probe_run_duration_seconds",
    "How long runs took, in seconds.",
    &[
        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
    ],
);

static RUNS_LAYOUT: LazyLock<Layout> = LazyLock::new(|| {
    Layout::new([
        &SUCCESS as &dyn Declared,
        &DURATION,
        &LAST_RUN,
        &RUNS,
        &FAILURES,
        &INTERNAL_ERRORS,
        &RUN_DURATION,
    ])
});

/// A place for every cause, declared or not.
const CAUSES: [&str; Cause::ALL.len()] = {
    let mut labels = [""; Cause::ALL.len()];
    let mut at = 0;
    while at < labels.len() {
        labels[at] = Cause::ALL[at].label();
        at += 1;
    }
    labels
};

const BLOCKERS: [&str; Blocker::ALL.len()] = {
    let mut labels = [""; Blocker::ALL.len()];
    let mut at = 0;
    while at < labels.len() {
        labels[at] = Blocker::ALL[at].label();
        at += 1;
    }
    labels
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{PLUGIN, failure, run};

    #[test]
    fn success_is_absent_while_nothing_is_known() {
        let own = || Err(Fault::own(std::io::Error::from_raw_os_error(1)));
        for (results, expected) in [
            (vec![], None),
            (vec![Ok(())], Some(1.0)),
            (vec![Ok(()), failure(Cause::Timeout)], Some(0.0)),
            (vec![Ok(()), own()], None),
            (vec![own(), Ok(())], Some(1.0)),
        ] {
            let mut totals = Totals::new(PLUGIN.layout());
            for result in results {
                totals.take_in(&run(result, |_| {}));
            }
            let success = &RUNS_LAYOUT.places()[0];
            assert_eq!(totals.runs.values(success).next(), Some(expected));
        }
    }
}
