//! What is to be probed from now on, and what of it was so before?

use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::Secret;
use leadsman_core::{Aim, Plugin, Target};
use leadsman_metrics::{Series, Store};
use tracing::error;

use super::held::Held;
use crate::config::{Config, Scheduled};
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
}

/// One target of a fleet, and where its results go.
#[derive(Clone, Debug)]
pub(crate) struct Aimed {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) target: Arc<Target>,
    pub(crate) series: Series,
}

impl Plan {
    /// Plans what `config` asks for, with the series that the store already keeps for it.
    pub(crate) fn new(config: &Config, store: &Store) -> Self {
        let aimed = config
            .probes
            .iter()
            .flat_map(|scheduled| Aimed::all(scheduled, store));
        Self {
            aimed: aimed.collect(),
        }
    }
}

impl Aimed {
    fn all<'a>(scheduled: &'a Scheduled, store: &'a Store) -> impl Iterator<Item = Self> + 'a {
        let fleet = Arc::new(Fleet {
            name: Arc::clone(&scheduled.name),
            every: scheduled.every,
            timeout: scheduled.timeout,
            plugin: scheduled.plugin,
            options: Arc::clone(&scheduled.options),
        });
        scheduled.targets.iter().map(move |target| Self {
            fleet: Arc::clone(&fleet),
            target: Arc::clone(target),
            series: store.track(&fleet.name, fleet.plugin, target),
        })
    }

    /// Who this is over all reloads.
    pub(crate) fn key(&self) -> Key {
        Key(Arc::clone(&self.fleet.name), self.target.address.clone())
    }

    /// What its phase follows from.
    pub(crate) fn identity(&self) -> Identity {
        Identity::of([&*self.fleet.name, &*self.target.address])
    }

    /// Whether `next` is this same job, so that its probe keeps its state.
    ///
    /// Options are compared as they are shown. A secret is not shown and may have changed, so
    /// options that hold one never count as the same.
    pub(crate) fn goes_on_as(&self, next: &Self) -> bool {
        let (ours, theirs) = (&self.fleet, &next.fleet);
        let same = ours.every == theirs.every
            && ours.timeout == theirs.timeout
            && std::ptr::eq(ours.plugin, theirs.plugin)
            && self.target == next.target;
        same && (Arc::ptr_eq(&ours.options, &theirs.options) || {
            let shown = ours.options.shown();
            shown == theirs.options.shown() && !shown.to_string().contains(Secret::MASK)
        })
    }

    /// Aims a probe. The configuration was checked by aiming at every target, so this fails only
    /// where a plugin contradicts itself; that is logged and the target is left alone.
    pub(super) fn aim(&self) -> Option<Held> {
        self.fleet
            .options
            .aim(&self.target)
            .inspect_err(|why| error!(probe = &*self.fleet.name, target = &*self.target.address, %why, "cannot aim"))
            .ok()
            .map(Held::new)
    }
}
