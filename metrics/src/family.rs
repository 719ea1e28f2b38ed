//! Which families does the exposition have, and do they fit together?
//!
//! A scrape is grouped by family, so the metrics of all plugins are merged by name beforehand. Two
//! plugins may share a name only if a reader could not tell the difference; anything else would
//! make Prometheus refuse the scrape, so it is refused at the start instead.

use std::collections::BTreeMap;
use std::error::Error;
use std::ptr;

use leadsman_core::metric::{Declared, Metric, MetricKind};
use leadsman_core::{Layout, Place, Plugin};

use crate::column::Column;
use crate::text::{push_head, suffix};
use crate::totals::{FAILURES, Source};
use crate::{Format, Own};

/// Why the metrics of the linked plugins cannot be exported together.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// The name does not end as its kind demands.
    #[error("cannot export {name} of the probe {plugin}: the name must end in {suffix}")]
    Suffix {
        /// The plugin that declares it.
        plugin: &'static str,
        /// The metric.
        name: &'static str,
        /// `_total` or `_info`.
        suffix: &'static str,
    },
    /// One plugin declares a name twice, or one that every probe has already.
    #[error("cannot export {name} of the probe {plugin}: it has a metric of that name already")]
    Twice {
        /// The plugin that declares it.
        plugin: &'static str,
        /// The metric.
        name: &'static str,
    },
    /// Two plugins mean different things by one name.
    #[error(
        "cannot export {name} of the probes {first} and {second}: give both the same kind, help, \
         labels and buckets, or rename one"
    )]
    Disagreement {
        /// The plugin that was looked at first.
        first: &'static str,
        /// The other one.
        second: &'static str,
        /// The metric.
        name: &'static str,
    },
    /// The name is malformed or belongs to the program itself or to another family's samples.
    #[error("cannot export {name} of the probe {plugin}: choose another name or other labels")]
    Refused {
        /// The plugin that declares it.
        plugin: &'static str,
        /// The metric.
        name: &'static str,
        /// What the authority on names says.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// One family in one format.
#[derive(Debug)]
pub(crate) struct Family {
    /// The name in the older format; families are sorted by it.
    pub(crate) name: &'static str,
    /// Its `HELP` and `TYPE` lines.
    pub(crate) head: String,
    /// By index of the shape; `None` where it has no such metric.
    pub(crate) columns: Box<[Option<Column>]>,
}

/// A plugin whose metrics stand in some layout; with other buckets it is another shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) plugin: &'static Plugin,
    pub(crate) layout: &'static Layout,
}

impl Shape {
    /// As the plugin declares it.
    pub(crate) fn of(plugin: &'static Plugin) -> Self {
        Self {
            plugin,
            layout: plugin.layout(),
        }
    }

    /// How many series a target has once every gauge and info was set, but for those of which
    /// `most` says that there are fewer.
    pub(crate) fn series(self, most: impl Fn(&Metric) -> Option<usize>) -> usize {
        let lines = |place: Place| match place.metric.kind {
            MetricKind::Info => 1,
            // The sum stands among the values; the count is made from the buckets.
            MetricKind::Histogram => place.len + 1,
            MetricKind::Counter | MetricKind::Gauge if place.metric.values.is_empty() => 1,
            MetricKind::Counter | MetricKind::Gauge => {
                let values = place.metric.values.iter();
                values
                    .filter(|value| is_declared(self.plugin, place.metric, value))
                    .count()
            }
        };
        let places = self.places().map(|(_, place)| place);
        places
            .map(|place| lines(place).min(most(place.metric).unwrap_or(usize::MAX)))
            .sum()
    }

    /// Where everything that is known of a target stands, and in which of its recordings.
    fn places(self) -> impl Iterator<Item = (Source, Place)> {
        let sources = [Source::Runs, Source::Measured].into_iter();
        sources.flat_map(move |source| {
            let places = source.layout(self.layout).places().iter();
            places.map(move |place| (source, *place))
        })
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.plugin, other.plugin) && ptr::eq(self.layout, other.layout)
    }
}

/// The families of some shapes, not yet in any format.
pub(crate) struct Families<'a> {
    shapes: &'a [Shape],
    by_name: BTreeMap<&'static str, Merged>,
}

/// A metric with the places that it has in the recordings of each shape.
struct Merged {
    metric: &'static Metric,
    plugin: &'static str,
    places: Vec<Option<(Source, Place)>>,
}

impl<'a> Families<'a> {
    /// Merges the metrics of `shapes`.
    pub(crate) fn new(shapes: &'a [Shape]) -> Result<Self, NameError> {
        let mut families = Self {
            shapes,
            by_name: BTreeMap::new(),
        };
        for (index, shape) in shapes.iter().enumerate() {
            for (source, place) in shape.places() {
                families.merge(index, source, place)?;
            }
        }
        Ok(families)
    }

    /// Reserves the names of all families.
    pub(crate) fn reserve(&self, own: &Own) -> Result<(), NameError> {
        for (name, merged) in &self.by_name {
            own.reserve(merged.metric)
                .map_err(|source| NameError::Refused {
                    plugin: merged.plugin,
                    name,
                    source,
                })?;
        }
        Ok(())
    }

    /// Prepares the families in one format, sorted by name.
    pub(crate) fn written(&self, format: Format) -> impl Iterator<Item = Family> {
        self.by_name.iter().map(move |(name, merged)| {
            let metric = merged.metric;
            let mut head = String::new();
            push_head(&mut head, format, name, metric.help, metric.kind);
            let columns = merged.places.iter().zip(self.shapes).map(|(at, shape)| {
                at.map(|(source, place)| {
                    Column::new(source, place, format, |value| {
                        is_declared(shape.plugin, metric, value)
                    })
                })
            });
            Family {
                name,
                head,
                columns: columns.collect(),
            }
        })
    }

    fn merge(&mut self, index: usize, source: Source, place: Place) -> Result<(), NameError> {
        let metric = place.metric;
        let (name, plugin) = (metric.name, self.shapes[index].plugin.name());
        if let Some(suffix) = suffix(metric.kind).filter(|suffix| !name.ends_with(suffix)) {
            return Err(NameError::Suffix {
                plugin,
                name,
                suffix,
            });
        }
        let merged = self.by_name.entry(name).or_insert_with(|| Merged {
            metric,
            plugin,
            places: vec![None; self.shapes.len()],
        });
        if merged.places[index].replace((source, place)).is_some() {
            return Err(NameError::Twice { plugin, name });
        }
        if !means_the_same(merged.metric, metric) {
            return Err(NameError::Disagreement {
                first: merged.plugin,
                second: plugin,
                name,
            });
        }
        Ok(())
    }
}

/// How many series a target of `plugin` has in this layout once every gauge and info was set, but for the metrics of which `most` says that there are fewer.
pub fn series_per_target(
    plugin: &'static Plugin,
    layout: &'static Layout,
    most: impl Fn(&Metric) -> Option<usize>,
) -> usize {
    Shape { plugin, layout }.series(most)
}

/// Whether `plugin` may ever use this label value. All values of a metric are declared with it;
/// only which causes a plugin can end with is its own choice.
fn is_declared(plugin: &Plugin, metric: &Metric, value: &str) -> bool {
    let causes = plugin.possible_causes();
    !ptr::eq(metric, FAILURES.metric()) || causes.iter().any(|cause| cause.label() == value)
}

fn means_the_same(one: &Metric, other: &Metric) -> bool {
    one.kind == other.kind
        && one.help == other.help
        && one.labels == other.labels
        && one.open == other.open
        && one.buckets == other.buckets
}
