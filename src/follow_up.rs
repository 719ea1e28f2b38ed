//! Where did it break, when a target starts to fail?
//!
//! For each target with `trace_on_failure` there is a second probe, of the module's, aimed at the
//! target's host. It runs once at the start and now and then while all is well, so that it knows
//! what was, and once when the target starts to fail through its own fault. That run is logged, and
//! kept as if somebody had asked for it. What it compares is the probe's own affair. One that goes
//! and comes all the time is followed once in a while only.
//!
//! All this is beside the schedule: it has no series, and of many failures at once most are left
//! alone, for they have the same cause.

mod round;

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leadsman_core::options::Secret;
use leadsman_core::{Event, Order, Run, Sink, Stop, Target, perform};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{error, warn};

use self::round::Round;
use crate::config::{Config, Module};
use crate::drive::{Held, Key};
use crate::log;
use crate::services::Services;

/// Tells the follower what happens.
#[derive(Clone, Debug)]
pub(crate) struct FollowUps(UnboundedSender<Word>);

/// Carries out the runs that follow failures.
pub(crate) struct Follower {
    words: UnboundedReceiver<Word>,
    jobs: HashMap<Key, Job>,
    round: Round,
    /// Failures that wait for others to be followed.
    waiting: VecDeque<Key>,
    /// When the last failures were followed.
    followed: VecDeque<Instant>,
    running: JoinSet<(Followed, Option<Held>)>,
}

#[derive(Debug)]
enum Word {
    Adopt(Vec<Followed>),
    Failed(Key),
}

/// A target whose failures are followed.
#[derive(Clone, Debug)]
struct Followed {
    key: Key,
    module: Arc<Module>,
    /// Its host.
    target: Arc<Target>,
}

struct Job {
    followed: Followed,
    /// Kept from run to run, for what it remembers.
    probe: Option<Held>,
    is_running: bool,
    /// When a failure was last followed.
    followed_at: Option<Instant>,
}

/// Why a run is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Routine,
    Failure,
}

impl FollowUps {
    /// A follower without targets, and what tells it of them.
    pub(crate) fn new() -> (Self, Follower) {
        let (tell, words) = unbounded_channel();
        let follower = Follower {
            words,
            jobs: HashMap::new(),
            round: Round::default(),
            waiting: VecDeque::new(),
            followed: VecDeque::new(),
            running: JoinSet::new(),
        };
        (Self(tell), follower)
    }

    /// Follows a new configuration.
    pub(crate) fn adopt(&self, config: &Config) {
        let followed = config.probes.iter().flat_map(|probe| {
            let follow_up = probe.trace_on_failure.iter();
            follow_up.flat_map(|follow_up| {
                let pairs = probe.targets.iter().zip(&follow_up.hosts);
                pairs.map(|(target, host)| Followed {
                    key: Key(Arc::clone(&probe.name), target.address.clone()),
                    module: Arc::clone(&follow_up.module),
                    target: Arc::clone(host),
                })
            })
        });
        self.tell(Word::Adopt(followed.collect()));
    }

    /// Notes that a target has just started to fail.
    pub(crate) fn failed(&self, key: Key) {
        self.tell(Word::Failed(key));
    }

    fn tell(&self, word: Word) {
        // The follower has ended only when the whole program has.
        _ = self.0.send(word);
    }
}

impl Follower {
    /// Runs until `stop` is requested; what is under way then is dropped.
    pub(crate) async fn run(mut self, services: Arc<Services>, stop: Stop) {
        loop {
            self.follow(&services);
            let routine = self.round.next().filter(|_| self.running.is_empty());
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(word) = self.words.recv() => self.hear(word),
                Some(ended) = self.running.join_next() => match ended {
                    Ok((followed, probe)) => self.take_back(&followed, probe),
                    Err(why) => error!(%why, "a run after a failure ended by itself; please report it"),
                },
                () = sleep_until(routine.unwrap_or_else(Instant::now)), if routine.is_some() => {
                    self.routine(&services);
                }
            }
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Adopt(followed) => self.adopt(followed),
            Word::Failed(key) => self.note_failure(key),
        }
    }

    /// Has a failure followed, unless there were too many of late.
    fn note_failure(&mut self, key: Key) {
        let Some(job) = self.jobs.get_mut(&key) else {
            return;
        };
        let now = Instant::now();
        let is_within = |at: Instant, time| now.saturating_duration_since(at) < time;
        self.followed.retain(|at| is_within(*at, MINUTE));
        let Key(probe, target) = &key;
        if job.followed_at.is_some_and(|at| is_within(at, PAUSE)) {
            warn!(
                %probe,
                %target,
                "fails again, but was not traced: that was done in the last {} minutes",
                PAUSE.as_secs() / 60
            );
        } else if self.followed.len() >= MOST_PER_MINUTE {
            warn!(
                %probe,
                %target,
                "fails, but was not traced: {MOST_PER_MINUTE} were in the last minute"
            );
        } else {
            job.followed_at = Some(now);
            self.followed.push_back(now);
            self.waiting.push_back(key);
        }
    }

    fn adopt(&mut self, followed: Vec<Followed>) {
        let mut before = std::mem::take(&mut self.jobs);
        let mut new = Vec::new();
        for followed in followed {
            let key = followed.key.clone();
            let kept = before.remove(&key);
            let kept = kept.filter(|job| job.followed.is_as(&followed));
            let job = if let Some(job) = kept {
                Job { followed, ..job }
            } else {
                new.push(key.clone());
                Job {
                    followed,
                    probe: None,
                    is_running: false,
                    followed_at: None,
                }
            };
            self.jobs.insert(key, job);
        }
        self.round.adopt(new, |key| self.jobs.contains_key(key));
    }

    /// Follows the failures that wait, as many as may be at once.
    fn follow(&mut self, services: &Arc<Services>) {
        while self.running.len() < MOST_AT_ONCE {
            let mut waiting = self.waiting.iter();
            let is_idle = |key| self.jobs.get(key).is_none_or(|job: &Job| !job.is_running);
            let Some(key) = waiting
                .position(is_idle)
                .and_then(|at| self.waiting.remove(at))
            else {
                return;
            };
            self.start(&key, Occasion::Failure, services);
        }
    }

    /// Looks at the next target of the round, if it does not fail.
    fn routine(&mut self, services: &Arc<Services>) {
        let Some(key) = self.round.turn(Instant::now()) else {
            return;
        };
        if !self.jobs.contains_key(&key) {
            return;
        }
        let Key(probe, address) = &key;
        if !services.history.failing(probe).contains_key(address) {
            self.start(&key, Occasion::Routine, services);
        }
        self.round.again(key);
    }

    fn start(&mut self, key: &Key, occasion: Occasion, services: &Arc<Services>) {
        let Some(job) = self.jobs.get_mut(key).filter(|job| !job.is_running) else {
            return;
        };
        job.is_running = true;
        let (followed, probe) = (job.followed.clone(), job.probe.take());
        let run = carry_out(followed, probe, occasion, Arc::clone(services));
        self.running.spawn(run);
    }

    /// Takes a probe back, unless its target is followed in another way meanwhile.
    fn take_back(&mut self, followed: &Followed, probe: Option<Held>) {
        let job = self.jobs.get_mut(&followed.key);
        if let Some(job) = job.filter(|job| job.followed.is_as(followed)) {
            job.probe = probe;
            job.is_running = false;
        }
    }
}

impl Followed {
    /// Whether a probe of one would do for the other. A secret is not shown and may have changed.
    fn is_as(&self, other: &Self) -> bool {
        let shown = &self.module.shown;
        let same = Arc::ptr_eq(&self.module, &other.module)
            || *shown == other.module.shown && !shown.to_string().contains(Secret::MASK);
        same && self.target == other.target
    }

    /// The configuration was checked by aiming, so this fails only where a plugin contradicts
    /// itself. One that panics is caught, for else its target would never be idle again.
    fn aim(&self) -> Option<Held> {
        let aim = || self.module.options.aim(&self.target);
        let aimed = catch_unwind(AssertUnwindSafe(aim));
        aimed.ok()?.map(Held::new).ok()
    }
}

async fn carry_out(
    followed: Followed,
    probe: Option<Held>,
    occasion: Occasion,
    services: Arc<Services>,
) -> (Followed, Option<Held>) {
    // Here and not before, for it may take its time.
    let Some(mut probe) = probe.or_else(|| followed.aim()) else {
        return (followed, None);
    };
    let Followed {
        key,
        module,
        target,
    } = &followed;
    let ear = Ear {
        key,
        occasion,
        heard: Mutex::default(),
    };
    let order = Order {
        plugin: module.plugin,
        target,
        layout: module.plugin.layout(),
        timeout: module.timeout.unwrap_or(DEFAULT_TIMEOUT),
        stop: &Stop::never(),
        resolver: &*services.resolver,
        sink: &ear,
        compatible: false,
        fence: None,
    };
    let run = perform(probe.probe(), order).await;
    let heard = ear.heard.into_inner();
    let heard = heard.unwrap_or_else(PoisonError::into_inner);
    let probe = (!run.has_panicked()).then_some(probe);
    if occasion == Occasion::Failure {
        let entry = services.history.asked(module, run, heard);
        log::followed(&key.0, &key.1, &module.name, &entry);
    }
    (followed, probe)
}

/// Hears a run: everything after a failure, else what it notes.
struct Ear<'a> {
    key: &'a Key,
    occasion: Occasion,
    heard: Mutex<Vec<Event>>,
}

impl Sink for Ear<'_> {
    fn wants_events(&self) -> bool {
        self.occasion == Occasion::Failure
    }

    fn event(&self, event: Event) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < MOST_EVENTS {
            heard.push(event);
        }
    }

    fn noted(&self, event: Event) {
        log::noted(&self.key.0, &self.key.1, &event);
        self.event(event);
    }

    fn finished(&self, _: &Run) {}
}

/// Runs after failures that are under way at once.
const MOST_AT_ONCE: usize = 4;

/// Runs after failures in a minute: if more targets start to fail, they have a cause in common.
const MOST_PER_MINUTE: usize = 30;
const MINUTE: Duration = Duration::from_mins(1);

/// A target that goes and comes again is followed once in so much time.
const PAUSE: Duration = Duration::from_mins(10);

/// How long a run may take if its module does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of what a run says is kept.
const MOST_EVENTS: usize = 1000;

#[cfg(test)]
mod tests {
    use leadsman_core::options::{Kind, Node, OptionsError};
    use leadsman_core::schemars::{self, JsonSchema};
    use leadsman_core::{Context, Fault, Options, Plugin, Probe, async_trait};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_many_failures_in_a_minute_most_are_left_alone() {
        let mut follower = follower(40);
        for number in 0..40 {
            follower.hear(Word::Failed(key(number)));
        }
        follower.hear(Word::Failed(key(77)));
        let waiting: Vec<_> = follower.waiting.drain(..).collect();
        assert_eq!(waiting, (0..MOST_PER_MINUTE).map(key).collect::<Vec<_>>());
        tokio::time::advance(MINUTE).await;
        follower.hear(Word::Failed(key(35)));
        assert_eq!(follower.waiting, [key(35)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_comes_and_goes_is_followed_once_in_a_while() {
        let mut follower = follower(2);
        let mut fails = |number| {
            follower.hear(Word::Failed(key(number)));
            follower.waiting.drain(..).count()
        };
        assert_eq!((fails(0), fails(0), fails(1)), (1, 0, 1));
        tokio::time::advance(PAUSE / 2).await;
        assert_eq!(fails(0), 0);
        tokio::time::advance(PAUSE / 2).await;
        assert_eq!((fails(0), fails(0)), (1, 0));
    }

    #[test]
    fn a_probe_that_comes_back_after_a_change_is_not_kept() {
        let mut follower = follower(2);
        let [before, other] = [0, 1].map(|number| followed(number, "paths"));
        for job in follower.jobs.values_mut() {
            job.is_running = true;
        }
        follower.adopt(vec![followed(0, "others"), followed(1, "paths")]);
        let anew = &follower.jobs[&before.key];
        assert!(!anew.is_running && follower.jobs[&other.key].is_running);
        follower.jobs.get_mut(&before.key).unwrap().is_running = true;
        follower.take_back(&before, None);
        follower.take_back(&other, None);
        assert!(follower.jobs[&before.key].is_running);
        assert!(!follower.jobs[&other.key].is_running);
    }

    #[test]
    fn a_plugin_that_panics_is_only_not_aimed() {
        assert!(followed(0, "paths").aim().is_none());
    }

    static SINKING: Plugin = Plugin::new::<Sinking>("sinking", "Goes down");

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[schemars(crate = "schemars")]
    struct Sinking {}

    #[async_trait]
    impl Probe for Sinking {
        async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
            Ok(())
        }
    }

    impl Options for Sinking {
        type Probe = Self;

        fn aim(self: &Arc<Self>, _: &Target) -> Result<Self, OptionsError> {
            panic!("it sank")
        }
    }

    /// Follows so many targets.
    fn follower(targets: usize) -> Follower {
        let (_, mut follower) = FollowUps::new();
        follower.adopt(
            (0..targets)
                .map(|number| followed(number, "paths"))
                .collect(),
        );
        follower
    }

    fn followed(number: usize, module: &str) -> Followed {
        Followed {
            key: key(number),
            module: Arc::new(Module {
                name: module.to_owned(),
                plugin: &SINKING,
                options: SINKING.parse(&Node::new(Kind::Map(Vec::new()))).unwrap(),
                timeout: None,
                differences: Vec::new(),
                shown: module.into(),
            }),
            target: Arc::new(Target::new(number.to_string())),
        }
    }

    fn key(number: usize) -> Key {
        Key("p".into(), number.to_string().into())
    }
}
