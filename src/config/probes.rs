//! What is probed on a schedule, how, and how often?

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::{Node, Period, closest};
use leadsman_core::{Aim, Layout, Plugin, Target};

use super::buckets;
use super::diagnose::Problem;
use super::follow_up::{self, FollowUp};
use super::modules::Modules;
use super::reading::{Reading, listed};
use super::{labels, targets};
use crate::schedule::Interval;

/// One probe with the targets that it measures again and again.
#[derive(Clone, Debug)]
pub(crate) struct Scheduled {
    /// Its name, unique among all; the value of the label `probe`.
    pub(crate) name: Arc<str>,
    /// The time from one run to the next.
    pub(crate) every: Interval,
    /// The deadline of a run; never longer than the time to the next.
    pub(crate) timeout: Duration,
    /// How it measures.
    pub(crate) plugin: &'static Plugin,
    /// With which options.
    pub(crate) options: Arc<dyn Aim>,
    /// Upper bounds of its histograms of round trips, if others than the plugin's were asked for.
    pub(crate) buckets: Option<Vec<Period>>,
    /// Whom it measures. Each has been aimed at, so that is known to work.
    pub(crate) targets: Vec<Arc<Target>>,
    /// What is run when one of them starts to fail.
    pub(crate) trace_on_failure: Option<FollowUp>,
}

impl Scheduled {
    /// Where its runs record.
    pub(crate) fn layout(&self) -> &'static Layout {
        let Some(buckets) = &self.buckets else {
            return self.plugin.layout();
        };
        // As whole nanoseconds, so that 2.3s is the number nearest to 2.3 and is written so.
        let bounds = buckets.iter().map(|bound| bound.as_nanos() as f64 / 1e9);
        let bounds: Vec<_> = bounds.collect();
        self.plugin.layout_with(&bounds)
    }
}

/// Reads `probes:`.
pub(super) fn read(
    reading: &mut Reading<'_>,
    node: &Node,
    modules: &Modules<'_>,
) -> Vec<Scheduled> {
    let mut named = HashMap::new();
    let elements = reading.elements("`probes`", node);
    let probes = elements.iter().filter_map(|element| {
        let fields = Fields::sort(reading, element)?;
        fields.check_name(reading, &mut named);
        fields.scheduled(reading, modules)
    });
    probes.collect()
}

/// The values of one element, by what they are about.
struct Fields<'n> {
    whole: &'n Node,
    name: Option<&'n Node>,
    every: Option<&'n Node>,
    timeout: Option<&'n Node>,
    labels: Option<&'n Node>,
    buckets: Option<&'n Node>,
    targets: Option<&'n Node>,
    trace_on_failure: Option<&'n Node>,
    /// What says how to measure: a plugin's name or `module`, and what stands under it.
    how: Vec<(&'n Node, &'n Node)>,
    /// Keys that nobody knows. One may be a misspelt plugin, or a key that is missed.
    strange: Vec<&'n Node>,
}

/// How to measure: with which plugin and options.
struct How<'n> {
    plugin: &'static Plugin,
    options: Arc<dyn Aim>,
    /// The options as written.
    written: &'n Node,
    /// The module's timeout, if there is one.
    timeout: Option<Duration>,
}

impl<'n> Fields<'n> {
    fn sort(reading: &mut Reading<'_>, whole: &'n Node) -> Option<Self> {
        let entries = reading.entries("a probe", whole);
        let mut fields = Self {
            whole,
            name: None,
            every: None,
            timeout: None,
            labels: None,
            buckets: None,
            targets: None,
            trace_on_failure: None,
            how: Vec::new(),
            strange: Vec::new(),
        };
        for (key, value) in entries {
            match key.text().unwrap_or_default() {
                "name" => fields.name = Some(value),
                "every" => fields.every = Some(value),
                "timeout" => fields.timeout = Some(value),
                "labels" => fields.labels = Some(value),
                "buckets" => fields.buckets = Some(value),
                "targets" => fields.targets = Some(value),
                "trace_on_failure" => fields.trace_on_failure = Some(value),
                "module" => fields.how.push((key, value)),
                name if reading.registry.probe(name).is_some() => fields.how.push((key, value)),
                _ => {
                    fields.strange.push(key);
                    let plugins = reading.registry.probes().iter().map(|p| p.name());
                    let accepted: Vec<_> = KEYS.iter().copied().chain(plugins).collect();
                    reading.unknown_key(key, &accepted);
                }
            }
        }
        (!entries.is_empty()).then_some(fields)
    }

    fn check_name(&self, reading: &mut Reading<'_>, named: &mut HashMap<&'n str, &'n Node>) {
        let Some(node) = self.name else {
            let help = "its series carry it as the label `probe`";
            return self.missing_key(reading, "name", help);
        };
        let Some(name) = reading.value::<Box<str>>("name", node) else {
            return;
        };
        if name.is_empty() {
            return reading.error(node, "the name of a probe is empty", "choose one");
        }
        if let Some(before) = named.insert(node.text().unwrap_or_default(), node) {
            let line = reading.line(before);
            reading.error(
                node,
                format!("two probes are called `{name}`"),
                format!("the first is on line {line}: choose another name"),
            );
        }
    }

    /// Reports a key that is missing, unless it was misspelt, which is reported already.
    fn missing_key(&self, reading: &mut Reading<'_>, key: &str, what_it_says: &str) {
        let mut strange = self.strange.iter().filter_map(|strange| strange.text());
        if !strange.any(|strange| closest(strange, [key]).is_some()) {
            reading.missing_key(self.whole, key, what_it_says);
        }
    }

    fn scheduled(&self, reading: &mut Reading<'_>, modules: &Modules<'n>) -> Option<Scheduled> {
        let how = self.how(reading, modules);
        let plugin = how.as_ref().map(|how| how.plugin);
        let every = self.every(reading);
        let timeout = self.timeout(reading, every, how.as_ref().and_then(|how| how.timeout));
        let labels = match self.labels {
            Some(node) => labels::read(reading, node, plugin),
            None => BTreeMap::new(),
        };
        let buckets = self
            .buckets
            .map(|node| buckets::read(reading, node, plugin));
        let Some(node) = self.targets else {
            self.missing_key(reading, "targets", "it lists whom to probe");
            return None;
        };
        let targets = targets::read(reading, node, &labels, plugin);
        let trace_on_failure = self
            .trace_on_failure
            .map(|node| follow_up::read(reading, node, modules, &targets));
        let how = how?;
        for target in &targets {
            how.check(reading, target);
        }
        Some(Scheduled {
            name: self.name.and_then(Node::text)?.into(),
            every: Interval::new(every?)?,
            timeout: timeout?,
            plugin: how.plugin,
            options: how.options,
            buckets: match buckets {
                Some(read) => Some(read?),
                None => None,
            },
            targets: targets.into_iter().map(|written| written.target).collect(),
            trace_on_failure: match trace_on_failure {
                Some(read) => Some(read?),
                None => None,
            },
        })
    }

    fn how(&self, reading: &mut Reading<'_>, modules: &Modules<'n>) -> Option<How<'n>> {
        let Some((key, value)) = self.how.first() else {
            if self.strange.is_empty() {
                let plugins = reading.registry.probes().iter().map(|p| p.name());
                let ways: Vec<_> = plugins.chain(["module"]).collect();
                let help = listed("write one of", &ways);
                reading.error(self.whole, "this probe does not say how to probe", help);
            }
            return None;
        };
        let name = key.text().unwrap_or_default();
        if let Some((second, _)) = self.how.get(1) {
            reading.error(
                second,
                format!("this probe already has `{name}`, and it measures one way only"),
                "make it a probe of its own",
            );
        }
        if let Some(plugin) = reading.registry.probe(name) {
            let options = reading.accept(name, value, plugin.parse(value))?;
            return Some(How {
                plugin,
                options,
                written: value,
                timeout: None,
            });
        }
        module(reading, value, modules)
    }

    fn every(&self, reading: &mut Reading<'_>) -> Option<Duration> {
        let Some(node) = self.every else {
            return Some(DEFAULT_EVERY);
        };
        let every = *reading.value::<Period>("every", node)?;
        if Interval::new(every).is_none() {
            let help = "write how long it is from one run to the next, such as 15s";
            reading.error(
                node,
                "every: must be longer than 0s and shorter than 100 years",
                help,
            );
            return None;
        }
        Some(every)
    }

    fn timeout(
        &self,
        reading: &mut Reading<'_>,
        every: Option<Duration>,
        module: Option<Duration>,
    ) -> Option<Duration> {
        let Some(node) = self.timeout else {
            return Some(every?.min(module.unwrap_or(DEFAULT_TIMEOUT)));
        };
        let timeout = *reading.value::<Period>("timeout", node)?;
        if timeout.is_zero() {
            reading.error(
                node,
                "timeout: must be longer than 0s",
                "leave it out for the default",
            );
            return None;
        }
        let every = every?;
        if timeout > every {
            let (timeout, every) = (Period(timeout), Period(every));
            reading.error(
                node,
                format!("timeout: {timeout} is longer than the {every} to the next run"),
                format!("write at most {every}, or a longer `every`"),
            );
            return None;
        }
        Some(timeout)
    }
}

/// Takes how to measure from the module that is named.
fn module<'n>(reading: &mut Reading<'_>, node: &Node, modules: &Modules<'n>) -> Option<How<'n>> {
    let (module, written) = modules.usable(reading, "module", node)?;
    Some(How {
        plugin: module.plugin,
        options: Arc::clone(&module.options),
        written,
        timeout: module.timeout,
    })
}

impl How<'_> {
    /// Aims at a target to see whether that works, and reports where it does not.
    fn check(&self, reading: &mut Reading<'_>, written: &targets::Written<'_>) {
        let Err(error) = self.options.aim(&written.target) else {
            return;
        };
        if error.path.is_empty() {
            let address = &written.target.address;
            let message = format!("cannot probe {address:?}: {}", error.message);
            let problem = Problem::error(error.span.or(written.address.span), message);
            reading.problems.push(Problem {
                help: error.help,
                ..problem
            });
        } else {
            reading.accept(self.plugin.name(), self.written, Err::<(), _>(vec![error]));
        }
    }
}

/// What a probe has beside the plugins' names.
const KEYS: &[&str] = &[
    "name",
    "every",
    "timeout",
    "labels",
    "buckets",
    "targets",
    "module",
    "trace_on_failure",
];

const DEFAULT_EVERY: Duration = Duration::from_secs(15);

/// Shortened to the interval where that is shorter.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
