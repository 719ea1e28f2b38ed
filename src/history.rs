//! What were the last results, and who fails at this moment?
//!
//! Results asked for over the web and results of the schedule are kept apart, so that a thousand
//! scheduled runs a second push out none that a person asked for. A failure that falls out of its
//! ring moves on to a second one of the same size, so that successes push out no failure either; so
//! does a scheduled run that noted something.
//!
//! A result is kept as it came; whoever looks at it renders it. Nothing is written to disk.

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use leadsman_core::{Aim, Event, Fault, Run};

use crate::config::{Config, Module};

/// The last results, and the targets whose last scheduled run failed.
#[derive(Debug)]
pub(crate) struct History(Mutex<Kept>);

/// One finished run with what is needed to explain it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Counts every result from 0 upward, over both kinds.
    pub(crate) id: u64,
    /// Who asked for it.
    pub(crate) asked: Asked,
    /// The run itself.
    pub(crate) run: Run,
    /// What the run said while it ran; of a scheduled run, which nobody listens to, what it noted
    /// as worth keeping.
    pub(crate) events: Vec<Event>,
}

/// Who asked for a run, and with which options.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// A request to `/probe` that named this module.
    Module(Arc<Module>),
    /// The schedule.
    Schedule {
        /// The probe's name in the configuration.
        probe: Arc<str>,
        /// Its options.
        options: Arc<dyn Aim>,
    },
}

/// Why and since when there is no success at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    /// The reason of the last failure.
    pub(crate) reason: &'static str,
    /// Whether that failure was our own, so that nothing is known about the target.
    pub(crate) ours: bool,
    /// Whether any failure since the last success was the target's.
    was_its_fault: bool,
    /// The start of the first run without success since the last one with it.
    pub(crate) since: SystemTime,
}

#[derive(Debug, Default)]
struct Kept {
    most: usize,
    next_id: u64,
    asked: Ring,
    scheduled: Ring,
    failing: HashMap<Arc<str>, HashMap<Box<str>, Failing>>,
}

#[derive(Debug, Default)]
struct Ring {
    last: VecDeque<Arc<Entry>>,
    /// Only what fell out of `last`, so no entry is in both.
    failures: VecDeque<Arc<Entry>>,
}

/// The result of a scheduled run.
#[derive(Debug)]
pub(crate) struct Scheduled {
    pub(crate) probe: Arc<str>,
    pub(crate) options: Arc<dyn Aim>,
    pub(crate) run: Run,
    /// What it noted as worth keeping.
    pub(crate) noted: Vec<Event>,
}

impl Asked {
    /// The module's or the probe's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Module(module) => &module.name,
            Self::Schedule { probe, .. } => probe,
        }
    }
}

impl Entry {
    fn is_remarkable(&self) -> bool {
        let is_scheduled = matches!(self.asked, Asked::Schedule { .. });
        self.run.result.is_err() || (is_scheduled && !self.events.is_empty())
    }
}

impl History {
    /// An empty history that keeps the last `most` results of each kind, and as many failures.
    pub(crate) fn new(most: usize) -> Self {
        Self(Mutex::new(Kept {
            most,
            ..Kept::default()
        }))
    }

    /// Follows a new configuration: keeps as many results as it says, and forgets that targets
    /// failed which it does not have.
    pub(crate) fn adopt(&self, config: &Config) {
        let mut kept = self.kept();
        kept.most = config.web.history;
        let most = kept.most;
        kept.asked.shrink(most);
        kept.scheduled.shrink(most);
        let mut before = std::mem::take(&mut kept.failing);
        for probe in &config.probes {
            let Some(mut failing) = before.remove(&probe.name) else {
                continue;
            };
            let still = probe
                .targets
                .iter()
                .filter_map(|target| failing.remove_entry(&target.address));
            kept.failing
                .insert(Arc::clone(&probe.name), still.collect());
        }
    }

    /// Takes in the result of a request to `/probe`.
    pub(crate) fn asked(&self, module: &Arc<Module>, run: Run, events: Vec<Event>) -> Arc<Entry> {
        let mut kept = self.kept();
        let entry = kept.entry(Asked::Module(Arc::clone(module)), run, events);
        let most = kept.most;
        kept.asked.push(Arc::clone(&entry), most);
        entry
    }

    /// Takes in results of scheduled runs. Returns those whose target has just started to fail
    /// through its own fault: once from one success to the next.
    pub(crate) fn scheduled(
        &self,
        results: impl ExactSizeIterator<Item = Scheduled>,
    ) -> Vec<Arc<Entry>> {
        let mut kept = self.kept();
        kept.scheduled.touch(results.len(), kept.most);
        let mut starting = Vec::new();
        for scheduled in results {
            let starts = kept.note(&scheduled.probe, &scheduled.run);
            let asked = Asked::Schedule {
                probe: scheduled.probe,
                options: scheduled.options,
            };
            let entry = kept.entry(asked, scheduled.run, scheduled.noted);
            if starts {
                starting.push(Arc::clone(&entry));
            }
            let most = kept.most;
            kept.scheduled.push(entry, most);
        }
        starting
    }

    /// The result of this number, if it is still kept.
    pub(crate) fn by_id(&self, id: u64) -> Option<Arc<Entry>> {
        self.newest(|entry| entry.id == id)
    }

    /// The newest result that `wanted` accepts.
    pub(crate) fn newest(&self, wanted: impl Fn(&Entry) -> bool) -> Option<Arc<Entry>> {
        let kept = self.kept();
        kept.entries()
            .filter(|entry| wanted(entry))
            .max_by_key(|entry| entry.id)
            .cloned()
    }

    /// All results still kept, newest first.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        let mut entries: Vec<_> = self.kept().entries().cloned().collect();
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.id));
        entries
    }

    /// The targets of a scheduled probe whose last run failed, by address.
    pub(crate) fn failing(&self, probe: &str) -> HashMap<Box<str>, Failing> {
        self.kept().failing.get(probe).cloned().unwrap_or_default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic inside lost at most one result.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn entry(&mut self, asked: Asked, run: Run, events: Vec<Event>) -> Arc<Entry> {
        let id = self.next_id;
        self.next_id += 1;
        Arc::new(Entry {
            id,
            asked,
            run,
            events,
        })
    }

    fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        [&self.asked, &self.scheduled]
            .into_iter()
            .flat_map(|ring| ring.last.iter().chain(&ring.failures))
    }

    /// Notes whether the target of a scheduled run fails now; returns whether it is the first time
    /// since a success that it does so through its own fault.
    fn note(&mut self, probe: &Arc<str>, run: &Run) -> bool {
        let address = &run.target.address;
        let Err(fault) = &run.result else {
            if let Some(failing) = self.failing.get_mut(probe) {
                failing.remove(address);
            }
            return false;
        };
        let failing = self.failing.entry(Arc::clone(probe)).or_default();
        let before = failing.get(address);
        let ours = matches!(fault, Fault::Own(..));
        let was_its_fault = before.is_some_and(|before| before.was_its_fault);
        let now = Failing {
            reason: fault.reason(),
            ours,
            was_its_fault: was_its_fault || !ours,
            since: before.map_or(run.started, |before| before.since),
        };
        match failing.get_mut(address) {
            Some(before) => *before = now,
            None => _ = failing.insert(address.clone(), now),
        }
        !ours && !was_its_fault
    }
}

impl Ring {
    /// Reads a little of the results that fall out when so many come: the processor then waits once
    /// for all that is in no cache.
    fn touch(&self, coming: usize, most: usize) {
        let falling = (self.last.len() + coming).saturating_sub(most);
        for entry in self.last.iter().take(falling) {
            black_box(entry.run.target.foreign);
        }
    }

    fn push(&mut self, entry: Arc<Entry>, most: usize) {
        self.last.push_back(entry);
        self.shrink(most);
    }

    fn shrink(&mut self, most: usize) {
        while self.last.len() > most {
            let fallen = self.last.pop_front();
            self.failures
                .extend(fallen.filter(|entry| entry.is_remarkable()));
        }
        while self.failures.len() > most {
            self.failures.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
