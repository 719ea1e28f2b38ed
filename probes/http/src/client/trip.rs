//! How far did a run get, and when?
//!
//! Hop by hop, in the order in which they were made. It is recorded when the trip is dropped, so
//! that a run which ends in the middle leaves the phases until then, the one it ended in included.

use std::net::IpAddr;

use leadsman_core::Context;
use leadsman_dial::{Laps, Phase as _, metrics};

use super::events::Hop;
use super::metrics::{ATTEMPTS, record_phases};
use super::watch::{Phase, Watch};

/// One run on its way.
#[derive(Debug)]
pub(crate) struct Trip<'a, 'c> {
    pub(crate) cx: &'a Context<'c>,
    pub(crate) watch: Watch,
    /// The host that was looked up last, and its addresses.
    pub(crate) known: Option<(String, Vec<IpAddr>)>,
    hops: Vec<Laps<Phase>>,
    attempts: usize,
}

impl<'a, 'c> Trip<'a, 'c> {
    /// Begins with what there is to do before the first hop.
    pub(crate) fn begin(cx: &'a Context<'c>) -> Self {
        Self {
            cx,
            watch: Watch::begin(Phase::Own),
            known: None,
            hops: Vec::new(),
            attempts: 0,
        }
    }

    /// Ends a hop and begins the next.
    pub(crate) fn hop(&mut self, phase: Phase) {
        self.end();
        self.watch = Watch::begin(phase);
    }

    /// Counts addresses that a connection was tried with.
    pub(crate) fn attempted(&mut self, attempts: usize) {
        self.attempts += attempts;
        self.cx.set(&ATTEMPTS, self.attempts as f64);
    }

    fn end(&mut self) {
        let phase = self.watch.phase();
        let laps = self.watch.stop();
        if let Some(phase) = phase {
            // The answer is there, so what fails now is what it is worth.
            let judged = phase == Phase::Own && laps.of(Phase::Transfer).is_some();
            self.cx.enter(if judged { "judge" } else { phase.label() });
        }
        if let Some(info) = self.watch.connection() {
            metrics::record_connection(self.cx, &info);
        }
        // What goes before the first hop is none.
        if !self.hops.is_empty() {
            self.cx.event(Hop::NAME, || Hop::new(&laps));
        }
        self.hops.push(laps);
    }
}

impl Drop for Trip<'_, '_> {
    fn drop(&mut self) {
        self.end();
        record_phases(self.cx, &self.hops);
    }
}
