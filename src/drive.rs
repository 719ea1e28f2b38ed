//! How are the planned runs carried out, and how does a new plan take the place of the old?
//!
//! One task owns the [`Schedule`] and every aimed probe. It sleeps until there is work, gives the
//! due probes to tasks that carry out a batch of runs each, and takes a probe back when its run
//! has ended, so a probe is never used twice at once and needs no lock. It decides neither when
//! (the schedule does) nor how a run is carried out (`perform` does), and it formats nothing.

mod batch;
mod crowd;
mod cut;
mod ear;
mod held;
mod plan;

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;

use leadsman_core::Stop;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use self::batch::{Batches, Ended, Report, Start};
pub(crate) use self::crowd::Crowd;
pub(crate) use self::held::Held;
pub(crate) use self::plan::{Aimed, Alike, Key, Plan};
use crate::schedule::{Anchor, Due, Schedule, Slot};
use crate::services::Services;

/// Hands plans to the driver.
#[derive(Clone, Debug)]
pub(crate) struct Helm {
    plans: mpsc::Sender<(Plan, oneshot::Sender<()>)>,
    seed: u64,
}

impl Helm {
    /// What the phases of the schedule follow from, beside who is probed.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Puts `plan` in force: what it shares with the plan before goes on undisturbed. Returns once
    /// it is in force; `false` if the driver has ended.
    pub(crate) async fn steer(&self, plan: Plan) -> bool {
        let (done, in_force) = oneshot::channel();
        self.plans.send((plan, done)).await.is_ok() && in_force.await.is_ok()
    }
}

/// Carries out the runs of the plan in force.
pub(crate) struct Driver {
    services: Arc<Services>,
    schedule: Schedule,
    jobs: Jobs,
    slots: HashMap<Key, Slot>,
    plans: mpsc::Receiver<(Plan, oneshot::Sender<()>)>,
    batches: Batches,
    reports: mpsc::UnboundedReceiver<Report>,
    in_flight: usize,
}

/// Every job, at the index of its slot: they are looked up for each run.
#[derive(Default)]
struct Jobs {
    places: Vec<Option<Job>>,
    taken: usize,
}

/// One probe aimed at one target, and its place in the schedule.
struct Job {
    slot: Slot,
    aimed: Arc<Aimed>,
    /// Away while a run is in flight, and after a panic until it was aimed anew.
    probe: Option<Held>,
    /// As what the run in flight was started: a reload may have replaced it.
    run: Option<Arc<Aimed>>,
}

impl Job {
    fn new(slot: Slot, aimed: Aimed) -> Self {
        let probe = aimed.aim();
        Self {
            slot,
            aimed: Arc::new(aimed),
            probe,
            run: None,
        }
    }
}

impl Jobs {
    fn insert(&mut self, job: Job) {
        let index = job.slot.index();
        if self.places.len() <= index {
            self.places.resize_with(index + 1, || None);
        }
        self.places[index] = Some(job);
        self.taken += 1;
    }

    fn at(&mut self, slot: Slot) -> Option<&mut Job> {
        let job = self.places.get_mut(slot.index())?.as_mut()?;
        (job.slot == slot).then_some(job)
    }

    fn remove(&mut self, slot: Slot) -> Option<Job> {
        self.at(slot)?;
        self.taken -= 1;
        self.places[slot.index()].take()
    }
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
        let (sender, plans) = mpsc::channel(1);
        let (report, reports) = mpsc::unbounded_channel();
        let driver = Self {
            batches: Batches::new(Arc::clone(&services), report),
            services,
            schedule: Schedule::new(anchor, seed),
            jobs: Jobs::default(),
            slots: HashMap::new(),
            plans,
            reports,
            in_flight: 0,
        };
        let helm = Helm {
            plans: sender,
            seed,
        };
        (driver, helm)
    }

    /// Runs until `stop` is requested and the runs in flight have ended, each by its deadline.
    pub(crate) async fn run(mut self, stop: Stop) {
        let mut due = Vec::new();
        let mut stopped = pin!(stop.requested());
        let mut sleep = pin!(sleep_until(Instant::now()));
        loop {
            let next = self.schedule.next();
            if let Some(next) = next.filter(|next| *next != sleep.deadline()) {
                sleep.as_mut().reset(next);
            }
            tokio::select! {
                biased;
                () = stopped.as_mut() => break,
                Some((plan, done)) = self.plans.recv() => {
                    self.adopt(plan);
                    // Whoever asked may have gone; the plan is in force all the same.
                    _ = done.send(());
                }
                Some(report) = self.reports.recv() => {
                    let now = Instant::now();
                    for ended in report.ended {
                        self.take_back(ended, now);
                    }
                    if let Some(crew) = report.idle {
                        self.batches.rest(crew);
                    }
                }
                () = sleep.as_mut(), if next.is_some() => {
                    let now = Instant::now();
                    self.schedule.due(now, &mut due);
                    self.touch(&due);
                    for due in due.drain(..) {
                        self.start(due, now);
                    }
                    let missed = self.schedule.missed();
                    self.services.own.missed(missed.overrun, missed.overload);
                }
            }
            self.batches.launch();
            self.services.own.in_flight(self.in_flight);
        }
        while self.in_flight > 0
            && let Some(report) = self.reports.recv().await
        {
            self.in_flight -= report.ended.len();
            self.services.own.in_flight(self.in_flight);
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
            if let Some(job) = before.and_then(|slot| self.jobs.at(*slot))
                && job.aimed.goes_on_as(&aimed, &mut alike)
            {
                job.aimed = Arc::new(aimed);
                continue;
            }
            // What changed is a new job under the same name. Its phase follows from its name and
            // interval alone, and its series from the store, so both stay where they can.
            self.drop_job(&key);
            let slot = self.schedule.add(aimed.identity(), aimed.fleet.every, now);
            self.jobs.insert(Job::new(slot, aimed));
            self.slots.insert(key, slot);
        }
        self.services.own.targets(self.jobs.taken);
    }

    /// Forgets a job. Its run in flight is dropped: what it found would be taken for a result of
    /// the job that comes after it.
    fn drop_job(&mut self, key: &Key) {
        let Some(slot) = self.slots.remove(key) else {
            return;
        };
        self.schedule.remove(slot);
        if let Some(run) = self.jobs.remove(slot).and_then(|job| job.run) {
            run.cut.cut();
        }
    }

    /// Reads a little of what each of these runs will. The jobs of many targets are in no cache, and
    /// to wait for one after the other is a tenth of what a run costs: a processor that is shown
    /// many of them at once waits once for all.
    fn touch(&self, due: &[Due]) {
        for due in due {
            let job = self.jobs.places.get(due.slot.index());
            if let Some(Job { aimed, .. }) = job.and_then(Option::as_ref) {
                black_box(aimed.target.address.as_bytes().first());
                aimed.series.touch();
            }
        }
    }

    /// Starts one run, with the others that start now.
    fn start(&mut self, due: Due, now: Instant) {
        let Some(job) = self.jobs.at(due.slot) else {
            self.schedule.finished(due.slot, now);
            return;
        };
        let Some(probe) = job.probe.take().or_else(|| job.aimed.aim()) else {
            self.schedule.finished(due.slot, now);
            return;
        };
        self.in_flight += 1;
        let aimed = Arc::clone(&job.aimed);
        job.run = Some(Arc::clone(&aimed));
        self.batches.add(Start { due, aimed, probe });
    }

    /// Takes a probe back and starts its next run if that is already due.
    fn take_back(&mut self, ended: Ended, now: Instant) {
        self.in_flight -= 1;
        if let Some(job) = self.jobs.at(ended.slot) {
            job.probe = ended.probe;
            job.run = None;
        }
        if let Some(due) = self.schedule.finished(ended.slot, now) {
            self.start(due, now);
        }
    }
}
