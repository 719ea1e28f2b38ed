//! How are the planned runs carried out, and how does a new plan take the place of the old?
//!
//! One task owns the [`Schedule`] and every aimed probe. It sleeps until the next grid point, gives
//! each due probe to a task of its own, and takes it back when the run has ended, so a probe is
//! never used twice at once and needs no lock. It decides neither when (the schedule does) nor how
//! a run is carried out ([`perform`] does), and it formats nothing.

mod held;
mod plan;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leadsman_core::{Blocker, Fault, Order, Stop, perform};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use self::held::Held;
pub(crate) use self::plan::{Aimed, Alike, Key, Plan};
use crate::schedule::{Anchor, Due, Schedule, Slot};
use crate::services::Services;

/// Hands plans to the driver.
#[derive(Clone, Debug)]
pub(crate) struct Helm(mpsc::Sender<(Plan, oneshot::Sender<()>)>);

impl Helm {
    /// Puts `plan` in force: what it shares with the plan before goes on undisturbed. Returns once
    /// it is in force; `false` if the driver has ended.
    pub(crate) async fn steer(&self, plan: Plan) -> bool {
        let (done, in_force) = oneshot::channel();
        self.0.send((plan, done)).await.is_ok() && in_force.await.is_ok()
    }
}

/// Carries out the runs of the plan in force.
pub(crate) struct Driver {
    services: Arc<Services>,
    schedule: Schedule,
    jobs: HashMap<Slot, Job>,
    slots: HashMap<Key, Slot>,
    plans: mpsc::Receiver<(Plan, oneshot::Sender<()>)>,
    ended: mpsc::UnboundedReceiver<Ended>,
    end: mpsc::UnboundedSender<Ended>,
    in_flight: usize,
}

/// One probe aimed at one target, and its place in the schedule.
struct Job {
    aimed: Aimed,
    /// Away while a run is in flight, and after a panic until it was aimed anew.
    probe: Option<Held>,
    /// Ends the last run started, if it is still in flight.
    run: Option<AbortHandle>,
}

impl Job {
    fn new(aimed: Aimed) -> Self {
        let probe = aimed.aim();
        Self {
            aimed,
            probe,
            run: None,
        }
    }
}

/// A run has ended, and its probe comes back unless it panicked.
struct Ended {
    slot: Slot,
    probe: Option<Held>,
}

impl Driver {
    /// Makes a driver without a plan, and the helm to give it one.
    ///
    /// Replicas that probe the same targets are given different seeds, so that their runs
    /// interleave.
    pub(crate) fn new(services: Arc<Services>, seed: u64) -> (Self, Helm) {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let anchor = Anchor {
            instant: Instant::now(),
            since_epoch: since_epoch.unwrap_or_default(),
        };
        let (helm, plans) = mpsc::channel(1);
        let (end, ended) = mpsc::unbounded_channel();
        let driver = Self {
            services,
            schedule: Schedule::new(anchor, seed),
            jobs: HashMap::new(),
            slots: HashMap::new(),
            plans,
            ended,
            end,
            in_flight: 0,
        };
        (driver, Helm(helm))
    }

    /// Runs until `stop` is requested and the runs in flight have ended, each by its deadline.
    pub(crate) async fn run(mut self, stop: Stop) {
        let mut due = Vec::new();
        let mut ended = Vec::new();
        loop {
            let next = self.schedule.next();
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some((plan, done)) = self.plans.recv() => {
                    self.adopt(plan);
                    // Whoever asked may have gone; the plan is in force all the same.
                    _ = done.send(());
                }
                _ = self.ended.recv_many(&mut ended, BATCH) => {
                    for ended in ended.drain(..) {
                        self.take_back(ended);
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    self.schedule.due(Instant::now(), &mut due);
                    for due in due.drain(..) {
                        self.start(due);
                    }
                    let missed = self.schedule.missed();
                    self.services.own.missed(missed.overrun, missed.overload);
                }
            }
        }
        while self.in_flight > 0 && self.ended.recv().await.is_some() {
            self.in_flight -= 1;
            self.services.own.ended();
        }
    }

    /// Changes what differs between the plan in force and `plan`.
    fn adopt(&mut self, plan: Plan) {
        let now = Instant::now();
        let wanted: HashSet<Key> = plan.aimed.iter().map(Aimed::key).collect();
        let gone: Vec<Key> = self
            .slots
            .keys()
            .filter(|key| !wanted.contains(key))
            .cloned()
            .collect();
        for key in gone {
            self.drop_job(&key);
        }
        let mut alike = Alike::default();
        for aimed in plan.aimed {
            let key = aimed.key();
            let before = self.slots.get(&key);
            if let Some(job) = before.and_then(|slot| self.jobs.get_mut(slot))
                && job.aimed.goes_on_as(&aimed, &mut alike)
            {
                job.aimed = aimed;
                continue;
            }
            // What changed is a new job under the same name. Its phase follows from its name and
            // interval alone, and its series from the store, so both stay where they can.
            self.drop_job(&key);
            let slot = self.schedule.add(aimed.identity(), aimed.fleet.every, now);
            self.jobs.insert(slot, Job::new(aimed));
            self.slots.insert(key, slot);
        }
        self.services.own.targets(self.jobs.len());
    }

    /// Forgets a job. Its run in flight is dropped: what it found would be taken for a result of
    /// the job that comes after it.
    fn drop_job(&mut self, key: &Key) {
        let Some(slot) = self.slots.remove(key) else {
            return;
        };
        self.schedule.remove(slot);
        if let Some(run) = self.jobs.remove(&slot).and_then(|job| job.run) {
            run.abort();
        }
    }

    /// Starts one run in a task of its own.
    fn start(&mut self, due: Due) {
        let now = Instant::now();
        let Some(job) = self.jobs.get_mut(&due.slot) else {
            self.schedule.finished(due.slot, now);
            return;
        };
        let Some(probe) = job.probe.take().or_else(|| job.aimed.aim()) else {
            self.schedule.finished(due.slot, now);
            return;
        };
        self.services
            .own
            .started(now.saturating_duration_since(due.planned));
        self.in_flight += 1;
        let fleet = &job.aimed.fleet;
        // Measured from the plan, or a target that never answers would push each run further back.
        let left = (due.planned + fleet.every.duration()).saturating_duration_since(now);
        let task = Task {
            slot: due.slot,
            timeout: fleet.timeout.min(left),
            aimed: job.aimed.clone(),
            services: Arc::clone(&self.services),
            end: self.end.clone(),
            probe: Some(probe),
        };
        job.run = Some(tokio::spawn(task.run()).abort_handle());
    }

    /// Takes a probe back and starts its next run if that is already due.
    fn take_back(&mut self, ended: Ended) {
        self.in_flight -= 1;
        self.services.own.ended();
        if let Some(job) = self.jobs.get_mut(&ended.slot) {
            job.probe = ended.probe;
            job.run = None;
        }
        if let Some(due) = self.schedule.finished(ended.slot, Instant::now()) {
            self.start(due);
        }
    }
}

/// Everything that one run needs, away from the driver. When it is dropped the run has ended, in
/// whatever way.
struct Task {
    slot: Slot,
    timeout: Duration,
    aimed: Aimed,
    services: Arc<Services>,
    end: mpsc::UnboundedSender<Ended>,
    /// Goes back to the driver.
    probe: Option<Held>,
}

impl Task {
    async fn run(mut self) {
        // Away from `self` while it is used, so that after a panic it does not go back.
        let Some(mut probe) = self.probe.take() else {
            return;
        };
        let order = Order {
            plugin: self.aimed.fleet.plugin,
            target: &self.aimed.target,
            layout: self.aimed.fleet.layout,
            timeout: self.timeout,
            stop: &Stop::never(),
            resolver: &*self.services.resolver,
            sink: &self.aimed.series,
        };
        let run = perform(probe.probe(), order).await;
        if !matches!(run.result, Err(Fault::Own(Blocker::Panic, _))) {
            self.probe = Some(probe);
        }
        let fleet = &self.aimed.fleet;
        let history = &self.services.history;
        history.scheduled(&fleet.name, &fleet.options, run);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // The driver has ended only when the whole program has.
        _ = self.end.send(Ended {
            slot: self.slot,
            probe: self.probe.take(),
        });
    }
}

/// How many ended runs are taken back at one wake-up.
const BATCH: usize = 256;
