//! How are runs carried out that start at the same moment?
//!
//! As one task, if they are of one plugin. A task for each would wake a worker for each, which
//! costs more than most runs do; and one task for all would let whatever a probe computes hold up
//! every other one. As it is, it holds up at most the few that started with it, and no start. A
//! run that panics takes nobody with it.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use leadsman_core::{Order, Stop, perform};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::crowd::Crowd;
use super::ear::Ear;
use super::held::Held;
use super::plan::{Aimed, Key};
use crate::history::{Entry, Scheduled};
use crate::schedule::{Due, Slot};
use crate::services::Services;

/// Gathers runs, and starts them together.
pub(super) struct Batches {
    services: Arc<Services>,
    reports: mpsc::UnboundedSender<Report>,
    gathered: Vec<Vec<Start>>,
    /// How many runs the largest batch had at the last launch: the next one will have about as many.
    usual: usize,
    /// Tasks that wait for a batch, with the memory of the one before.
    idle: Vec<Crew>,
}

/// A task that carries out one batch after the other, for as long as somebody keeps this.
pub(super) struct Crew(mpsc::UnboundedSender<(Self, Vec<Start>)>);

/// What a crew has done.
pub(super) struct Report {
    /// Runs that have ended, in whatever way.
    pub(super) ended: Vec<Ended>,
    /// The crew itself, once there is nothing more to do.
    pub(super) idle: Option<Crew>,
}

/// A run that is to start.
pub(super) struct Start {
    pub(super) due: Due,
    /// Its [`Cut`](super::cut::Cut) ends the run.
    pub(super) aimed: Arc<Aimed>,
    pub(super) probe: Held,
}

/// A run has ended, and its probe comes back unless it panicked or was cut.
pub(super) struct Ended {
    pub(super) slot: Slot,
    pub(super) probe: Option<Held>,
}

/// Results of runs that have ended and were not cut. To move one costs more than to lock this.
type Results = Mutex<Vec<Scheduled>>;

impl Batches {
    /// Each run that is started is reported to `reports`, however it ends.
    pub(super) fn new(services: Arc<Services>, reports: mpsc::UnboundedSender<Report>) -> Self {
        Self {
            services,
            reports,
            gathered: Vec::new(),
            usual: 1,
            idle: Vec::new(),
        }
    }

    /// Adds a run to those that start at the next [`launch`](Self::launch).
    pub(super) fn add(&mut self, start: Start) {
        let plugin = start.aimed.fleet.plugin;
        let open = self.gathered.iter_mut().rev().find(|batch| {
            let alike = |other: &Start| std::ptr::eq(other.aimed.fleet.plugin, plugin);
            batch.len() < MOST_RUNS && batch.first().is_some_and(alike)
        });
        if let Some(batch) = open {
            batch.push(start);
        } else {
            let mut batch = Vec::with_capacity(self.usual + self.usual / 4);
            batch.push(start);
            self.gathered.push(batch);
        }
    }

    /// Starts what was gathered.
    pub(super) fn launch(&mut self) {
        if let Some(most) = self.gathered.iter().map(Vec::len).max() {
            self.usual = most;
        }
        for batch in self.gathered.drain(..) {
            let Crew(orders) = self.idle.pop().unwrap_or_else(|| {
                let (orders, received) = mpsc::unbounded_channel();
                let (services, reports) = (Arc::clone(&self.services), self.reports.clone());
                tokio::spawn(serve(received, services, reports));
                Crew(orders)
            });
            // A crew waits until its sender is dropped.
            _ = orders.clone().send((Crew(orders), batch));
        }
    }

    /// Takes a crew back.
    pub(super) fn rest(&mut self, crew: Crew) {
        if self.idle.len() < MOST_IDLE {
            self.idle.push(crew);
        }
    }
}

impl Start {
    async fn carry_out(self, services: &Services, results: &Results) -> Ended {
        let Self { due, aimed, probe } = self;
        // Caught, for to drop what was cut may panic. The probe's own panics are caught before.
        let run = AssertUnwindSafe(async {
            let run = pin!(run(due, &aimed, probe, services, results));
            aimed.cut.or(run).await
        });
        Ended {
            slot: due.slot,
            probe: run.catch_unwind().await.ok().flatten().flatten(),
        }
    }
}

/// Carries out a run, and returns the probe unless it panicked.
async fn run(
    due: Due,
    aimed: &Aimed,
    mut probe: Held,
    services: &Services,
    results: &Results,
) -> Option<Held> {
    let now = Instant::now();
    services
        .own
        .started(now.saturating_duration_since(due.planned));
    let fleet = &*aimed.fleet;
    // Measured from the plan, or a target that never answers would push each run further back.
    let left = (due.planned + fleet.every.duration()).saturating_duration_since(now);
    let ear = Ear::new(aimed);
    let order = Order {
        plugin: fleet.plugin,
        target: &aimed.target,
        layout: fleet.layout,
        timeout: fleet.timeout.min(left),
        stop: &Stop::never(),
        resolver: &*services.resolver,
        sink: &ear,
        compatible: false,
        fence: None,
    };
    let run = perform(probe.probe(), order).await;
    let panicked = run.has_panicked();
    lock(results).push(Scheduled {
        probe: Arc::clone(&fleet.name),
        options: Arc::clone(&fleet.options),
        run,
        noted: ear.noted(),
    });
    (!panicked).then_some(probe)
}

/// Carries out one batch after the other, and reports together what ends together.
async fn serve(
    mut orders: mpsc::UnboundedReceiver<(Crew, Vec<Start>)>,
    services: Arc<Services>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let results = Results::default();
    let mut under_way = Crowd::new();
    while let Some((myself, batch)) = orders.recv().await {
        // All of one plugin, and most of one layout.
        if let Some(first) = batch.first() {
            first.aimed.fleet.layout.touch(batch.len());
        }
        for start in batch {
            under_way.add(start.carry_out(&services, &results));
        }
        let mut myself = Some(myself);
        while !under_way.is_empty() {
            let ended = poll_fn(|cx| under_way.poll_some(cx)).await;
            for entry in services.history.scheduled(lock(&results).drain(..)) {
                let Entry { asked, run, .. } = &*entry;
                let key = Key(asked.name().into(), run.target.address.clone());
                services.follow_ups.failed(key);
            }
            let idle = myself.take_if(|_| under_way.is_empty());
            // The driver has ended only when the whole program has.
            _ = reports.send(Report { ended, idle });
        }
    }
}

fn lock(results: &Results) -> MutexGuard<'_, Vec<Scheduled>> {
    results.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs of a batch: as many as a crowd holds. A second batch has another thread woken for it, which
/// then waits for the sockets that the first one uses.
const MOST_RUNS: usize = 63;
/// Crews that wait: enough for what ends in a few milliseconds, at 50,000 runs a second.
const MOST_IDLE: usize = 32;
