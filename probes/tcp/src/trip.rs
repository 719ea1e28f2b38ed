//! How far did a run get, and when?
//!
//! It is recorded when the trip is dropped, so that a run which ends in the middle leaves the phases
//! and steps until then, the one it ended in included.

use std::time::Duration;

use leadsman_core::Context;
use leadsman_dial::{self as dial, Laps, Phase as _, Phases};
use tokio::time::Instant;

use crate::metrics::{self, Names};

/// A phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Until the addresses of the host are known.
    Resolve,
    /// Until a connection is there.
    Connect,
    /// Until TLS is agreed on from the first byte.
    Tls,
    /// All that is said.
    Dialogue,
    /// Until TLS is agreed on in the middle.
    StartTls,
}

impl dial::Phase for Phase {
    fn label(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Dialogue => "dialogue",
            Self::StartTls => "starttls",
        }
    }
}

/// One run on its way.
#[derive(Debug)]
pub(crate) struct Trip<'a, 'c> {
    pub(crate) cx: &'a Context<'c>,
    names: &'static Names,
    begin: Instant,
    laps: Laps<Phase>,
    /// The step that is under way, and since when.
    step: Option<(usize, Instant)>,
}

impl<'a, 'c> Trip<'a, 'c> {
    pub(crate) fn begin(cx: &'a Context<'c>, names: &'static Names, phase: Phase) -> Self {
        cx.enter(phase.label());
        let laps = Laps::begin(phase);
        Self {
            cx,
            names,
            begin: Instant::now(),
            laps,
            step: None,
        }
    }

    /// Goes on to another phase, now.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.cx.enter(phase.label());
        self.laps.enter(phase);
    }

    /// How long it has been under way.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Goes on to a step, now, unless it is under way already; `None` when all are over.
    pub(crate) fn step(&mut self, step: Option<usize>) {
        if self.step.map(|(step, _)| step) == step {
            return;
        }
        let now = Instant::now();
        self.end_step(now);
        self.step = step.map(|step| (step, now));
        if self.step.is_none() {
            self.cx.set(self.names.failed, 0.0);
        }
    }

    fn end_step(&mut self, now: Instant) -> Option<usize> {
        let (step, since) = self.step.take()?;
        if let Some(label) = metrics::step(step) {
            let took = now.duration_since(since).as_secs_f64();
            self.cx.set_for(self.names.step, label, took);
        }
        Some(step)
    }
}

impl Drop for Trip<'_, '_> {
    fn drop(&mut self) {
        self.laps.stop();
        if let Some(failed) = self.end_step(Instant::now()) {
            self.cx.set(self.names.failed, (failed + 1) as f64);
        }
        for (phase, took) in self.laps.all() {
            self.cx
                .set_for(self.names.duration, phase.label(), took.as_secs_f64());
        }
        self.cx.event(Phases::NAME, || Phases::of(&self.laps));
    }
}
