//! What is to be probed from now on, and what of it was so before?

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::Secret;
use leadsman_core::{Aim, Layout, Plugin, Target};
use leadsman_metrics::{Series, Store};
use tracing::error;

use super::cut::Cut;
use super::held::Held;
use crate::config::Config;
use crate::schedule::{Identity, Interval};

/// Who a scheduled probe is over all reloads: the probe's name and the target's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub(crate) Arc<str>, pub(crate) Box<str>);

/// All scheduled probes of one configuration.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) aimed: Vec<Aimed>,
}

/// What all targets of one entry under `probes:` share.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) name: Arc<str>,
    pub(crate) every: Interval,
    pub(crate) timeout: Duration,
    pub(crate) plugin: &'static Plugin,
    pub(crate) options: Arc<dyn Aim>,
    /// Where its runs record, with the buckets that were asked for.
    pub(crate) layout: &'static Layout,
}

/// One target of a fleet, and where its results go.
#[derive(Debug)]
pub(crate) struct Aimed {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) target: Arc<Target>,
    pub(crate) series: Series,
    /// Ends its run when it is no longer to be probed.
    pub(super) cut: Cut,
}

impl Plan {
    /// Plans what `config` asks for, with the series that the store already keeps for it. Phases
    /// follow from `seed`.
    pub(crate) fn new(config: &Config, store: &Store, seed: u64) -> Self {
        let fleets = config.probes.iter().map(|scheduled| {
            let fleet = Arc::new(Fleet {
                name: Arc::clone(&scheduled.name),
                every: scheduled.every,
                timeout: scheduled.timeout,
                plugin: scheduled.plugin,
                options: Arc::clone(&scheduled.options),
                layout: scheduled.layout(),
            });
            (fleet, &scheduled.targets)
        });
        let mut wanted: Vec<_> = fleets
            .flat_map(|(fleet, targets)| {
                let targets = targets.iter();
                targets.map(move |target| (Arc::clone(&fleet), target))
            })
            .collect();
        // In the order in which they run. What is made one after the other lies side by side in
        // memory, and to find what has left the processor's caches costs more than most else.
        wanted.sort_by_cached_key(|(fleet, target)| {
            let identity = Identity::of([&*fleet.name, &*target.address]);
            (fleet.every, identity.phase(seed, fleet.every))
        });
        let aimed = wanted.into_iter().map(|(fleet, target)| Aimed {
            series: store.track(&fleet.name, fleet.plugin, fleet.layout, target),
            target: Arc::clone(target),
            fleet,
            cut: Cut::default(),
        });
        Self {
            aimed: aimed.collect(),
        }
    }
}

impl Aimed {
    /// Who this is over all reloads.
    pub(crate) fn key(&self) -> Key {
        Key(Arc::clone(&self.fleet.name), self.target.address.clone())
    }

    /// What its phase follows from.
    pub(crate) fn identity(&self) -> Identity {
        Identity::of([&*self.fleet.name, &*self.target.address])
    }

    /// Whether `next` is this same job, so that its probe keeps its state.
    pub(crate) fn goes_on_as(&self, next: &Self, alike: &mut Alike) -> bool {
        self.target == next.target && alike.are(&self.fleet, &next.fleet)
    }

    /// Aims a probe. The configuration was checked by aiming at every target, so this fails only
    /// where a plugin contradicts itself; that is logged and the target is left alone.
    pub(super) fn aim(&self) -> Option<Held> {
        let aim = || {
            self.fleet
                .options
                .aim(&self.target)
                .map_err(|why| why.to_string())
        };
        let aimed = catch_unwind(AssertUnwindSafe(aim));
        let aimed = aimed.unwrap_or_else(|_| Err("it panicked, please report it".to_owned()));
        let (probe, target) = (&*self.fleet.name, &*self.target.address);
        let aimed = aimed.inspect_err(|why| error!(probe, target, why, "cannot aim"));
        aimed.ok().map(Held::new)
    }
}

impl Fleet {
    /// Whether `next` measures in the same way, whatever buckets its times are counted in. Options
    /// are compared as they are shown. A secret is not shown and may have changed, so options that
    /// hold one never count as the same.
    fn measures_as(&self, next: &Self) -> bool {
        let same = self.every == next.every
            && self.timeout == next.timeout
            && std::ptr::eq(self.plugin, next.plugin);
        same && (Arc::ptr_eq(&self.options, &next.options) || {
            let shown = self.options.shown();
            shown == next.options.shown() && !shown.to_string().contains(Secret::MASK)
        })
    }
}

/// Which fleets measure in the same way. Each pair is compared once: a fleet has many targets.
#[derive(Debug, Default)]
pub(crate) struct Alike(HashMap<(*const Fleet, *const Fleet), bool>);

impl Alike {
    fn are(&mut self, before: &Arc<Fleet>, next: &Arc<Fleet>) -> bool {
        let pair = (Arc::as_ptr(before), Arc::as_ptr(next));
        *self
            .0
            .entry(pair)
            .or_insert_with(|| before.measures_as(next))
    }
}
