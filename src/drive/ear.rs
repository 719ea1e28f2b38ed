//! Who listens to a scheduled run?
//!
//! Its series, and for the few things that are worth keeping a log and the history. Everything else
//! that a run could say is not even made.

use std::sync::{Mutex, PoisonError};

use leadsman_core::{Event, Run, Sink};

use super::plan::Aimed;
use crate::log;

/// Hears one run.
pub(super) struct Ear<'a> {
    aimed: &'a Aimed,
    noted: Mutex<Vec<Event>>,
}

impl<'a> Ear<'a> {
    pub(super) fn new(aimed: &'a Aimed) -> Self {
        let noted = Mutex::default();
        Self { aimed, noted }
    }

    /// What was worth keeping.
    pub(super) fn noted(self) -> Vec<Event> {
        self.noted
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Ear<'_> {
    fn noted(&self, event: Event) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < MOST_NOTED {
            log::noted(&self.aimed.fleet.name, &self.aimed.target.address, &event);
            noted.push(event);
        }
    }

    fn finished(&self, run: &Run) {
        self.aimed.series.finished(run);
    }
}

/// How much of what one run notes is kept and logged.
const MOST_NOTED: usize = 10;
