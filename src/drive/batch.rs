//! How are runs carried out that start at the same moment?
//!
//! As one task, if they are of one plugin. A task for each would wake a worker for each, which
//! costs more than most runs do; and one task for all would let whatever a probe computes hold up
//! every other one. As it is, it holds up at most the few that started with it, and no start. A
//! run that panics takes nobody with it.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, AbortRegistration, Abortable};
use leadsman_core::{Blocker, Fault, Order, Stop, perform};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::crowd::Crowd;
use super::held::Held;
use super::plan::Aimed;
use crate::schedule::{Due, Slot};
use crate::services::Services;

/// Gathers runs, and starts them together.
pub(super) struct Batches {
    services: Arc<Services>,
    end: mpsc::UnboundedSender<Vec<Ended>>,
    gathered: Vec<Vec<Start>>,
}

/// A run that is to start.
pub(super) struct Start {
    due: Due,
    aimed: Aimed,
    probe: Held,
    abort: AbortRegistration,
}

/// A run has ended, and its probe comes back unless it panicked or was aborted.
pub(super) struct Ended {
    pub(super) slot: Slot,
    pub(super) probe: Option<Held>,
}

impl Batches {
    /// Each run that is started is reported to `end`, however it ends.
    pub(super) fn new(services: Arc<Services>, end: mpsc::UnboundedSender<Vec<Ended>>) -> Self {
        Self {
            services,
            end,
            gathered: Vec::new(),
        }
    }

    /// Adds a run to those that start at the next [`launch`](Self::launch).
    pub(super) fn add(&mut self, start: Start) {
        let plugin = start.aimed.fleet.plugin;
        let open = self.gathered.iter_mut().rev().find(|batch| {
            let alike = |other: &Start| std::ptr::eq(other.aimed.fleet.plugin, plugin);
            batch.len() < MOST_RUNS && batch.first().is_some_and(alike)
        });
        match open {
            Some(batch) => batch.push(start),
            None => self.gathered.push(vec![start]),
        }
    }

    /// Starts what was gathered.
    pub(super) fn launch(&mut self) {
        for batch in self.gathered.drain(..) {
            let (services, end) = (Arc::clone(&self.services), self.end.clone());
            tokio::spawn(carry_out(batch, services, end));
        }
    }
}

impl Start {
    /// Prepares a run, and returns what aborts it.
    pub(super) fn new(due: Due, aimed: Aimed, probe: Held) -> (Self, AbortHandle) {
        let (handle, abort) = AbortHandle::new_pair();
        let start = Self {
            due,
            aimed,
            probe,
            abort,
        };
        (start, handle)
    }

    async fn carry_out(self, services: &Services) -> Ended {
        let slot = self.due.slot;
        // In a block of its own, for to drop what was aborted may panic, as may whatever is done
        // about a finished run. The probe's own panics are caught before.
        let run = async move {
            let run = run(self.due, self.aimed, self.probe, services);
            Abortable::new(run, self.abort).await.ok().flatten()
        };
        let ended = AssertUnwindSafe(run).catch_unwind().await;
        Ended {
            slot,
            probe: ended.ok().flatten(),
        }
    }
}

async fn run(due: Due, aimed: Aimed, mut probe: Held, services: &Services) -> Option<Held> {
    let now = Instant::now();
    services
        .own
        .started(now.saturating_duration_since(due.planned));
    let fleet = &*aimed.fleet;
    // Measured from the plan, or a target that never answers would push each run further back.
    let left = (due.planned + fleet.every.duration()).saturating_duration_since(now);
    let order = Order {
        plugin: fleet.plugin,
        target: &aimed.target,
        timeout: fleet.timeout.min(left),
        stop: &Stop::never(),
        resolver: &*services.resolver,
        sink: &aimed.series,
    };
    let run = perform(probe.probe(), order).await;
    let panicked = matches!(run.result, Err(Fault::Own(Blocker::Panic, _)));
    services.history.scheduled(&fleet.name, &fleet.options, run);
    (!panicked).then_some(probe)
}

/// Carries out all runs of a batch, and reports together what ends together.
async fn carry_out(
    batch: Vec<Start>,
    services: Arc<Services>,
    end: mpsc::UnboundedSender<Vec<Ended>>,
) {
    let runs = batch.into_iter().map(|start| start.carry_out(&services));
    let mut under_way: Crowd<_> = runs.collect();
    while !under_way.is_empty() {
        let ended = poll_fn(|cx| under_way.poll_some(cx)).await;
        // The driver has ended only when the whole program has.
        _ = end.send(ended);
    }
}

/// Runs of a batch: enough to be worth a task, and few enough to share a core with others.
const MOST_RUNS: usize = 32;
