//! Where are the series of all targets kept?
//!
//! Each target has its totals behind a lock of its own, held for one addition or one copy of a
//! pointer. A scrape copies the pointers; a run that ends while a scrape is still being read gives
//! its target fresh totals and leaves the old ones to that scrape. So neither ever waits for the
//! other, and each target's numbers in a scrape are from one moment.
//!
//! The store does not expire anything: series live as long as someone holds their [`Series`].

use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use leadsman_core::{Layout, Plugin, Run, Sink, Target};

use crate::family::{Families, Family, Shape};
use crate::scrape::Row;
use crate::text::push_label;
use crate::totals::Totals;
use crate::{Format, NameError, Own, Scrape};

/// The series of all targets.
pub struct Store {
    own: Own,
    tracked: Mutex<Known>,
}

/// All series that somebody holds, and some that nobody holds any more.
struct Known {
    /// The plugins as they declare themselves, then with other buckets as these are asked for.
    shapes: Vec<Shape>,
    text: Arc<[Family]>,
    open_metrics: Arc<[Family]>,
    /// By their labels as written, which is also their order in a scrape.
    by_labels: BTreeMap<Arc<str>, Weak<Tracked>>,
    /// How many there may be before those that nobody holds are removed.
    most: usize,
}

/// The series of one target: a sink that adds its runs up.
///
/// Clones are the same series. When the last is dropped, they are gone from the next scrape on; a
/// run in flight that holds one keeps them until it ends.
#[derive(Clone)]
pub struct Series(Arc<Tracked>);

struct Tracked {
    /// Index of the shape.
    shape: usize,
    labels: Arc<str>,
    totals: Mutex<Arc<Totals>>,
}

impl Store {
    /// Makes a store for targets of `plugins`, whose scrapes also show the program's own metrics.
    ///
    /// Fails if two plugins, or a plugin and the program, mean different things by one name.
    pub fn new(
        plugins: impl IntoIterator<Item = &'static Plugin>,
        own: Own,
    ) -> Result<Self, NameError> {
        let shapes: Vec<_> = plugins.into_iter().map(Shape::of).collect();
        Families::new(&shapes)?.reserve(&own)?;
        Ok(Self {
            own,
            tracked: Mutex::new(Known::new(shapes)?),
        })
    }

    /// Gives out the series of `target` as probed by the probe called `probe`, whose runs record in
    /// `layout`.
    ///
    /// If someone still holds those of the same probe, target, labels and plugin, they are the same
    /// and go on counting, as over a reload of the configuration. If they are in another layout,
    /// all go on but the histograms whose buckets differ: these start anew, as after a restart, so
    /// that no series mixes old buckets and new ones. The names of the target's labels must be such
    /// that Prometheus accepts them and none of the plugin's metrics uses them.
    ///
    /// # Panics
    /// If the store was not made for `plugin`.
    pub fn track(
        &self,
        probe: &str,
        plugin: &'static Plugin,
        layout: &'static Layout,
        target: &Target,
    ) -> Series {
        let labels: Arc<str> = labels(probe, target).into();
        let mut tracked = self.lock();
        let shape = tracked.shape(Shape { plugin, layout });
        let kept = tracked.by_labels.get(&labels).and_then(Weak::upgrade);
        let totals = match kept {
            Some(kept) if kept.shape == shape => return Series(kept),
            Some(kept) if ptr::eq(tracked.shapes[kept.shape].plugin, plugin) => {
                kept.lock().laid_out(layout)
            }
            _ => Totals::new(layout),
        };
        let new = Arc::new(Tracked {
            shape,
            labels: Arc::clone(&labels),
            totals: Mutex::new(Arc::new(totals)),
        });
        tracked.insert(labels, Arc::downgrade(&new));
        Series(new)
    }

    /// Takes the numbers of this moment, to be written as their reader takes them.
    ///
    /// Costs some 100 ns a target before it returns, so with very many of them do not call it on
    /// the thread that runs probes.
    pub fn scrape(&self, format: Format) -> Scrape {
        let mut known = self.lock();
        let mut rows: Vec<Vec<Row>> = known.shapes.iter().map(|_| Vec::new()).collect();
        known.by_labels.retain(|_, tracked| {
            let tracked = tracked.upgrade();
            if let Some(tracked) = &tracked {
                rows[tracked.shape].push(Row {
                    labels: Arc::clone(&tracked.labels),
                    totals: Arc::clone(&tracked.lock()),
                });
            }
            tracked.is_some()
        });
        let series = rows
            .iter()
            .zip(&known.shapes)
            .map(|(rows, shape)| rows.len() * shape.series(|_| None));
        self.own.series(series.sum());
        let families = Arc::clone(match format {
            Format::Text => &known.text,
            Format::OpenMetrics => &known.open_metrics,
        });
        drop(known);
        Scrape::new(format, families, rows, &self.own)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.tracked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.lock();
        f.debug_struct("Store")
            .field("shapes", &known.shapes)
            .field("targets", &known.by_labels.len())
            .finish_non_exhaustive()
    }
}

impl Known {
    fn new(shapes: Vec<Shape>) -> Result<Self, NameError> {
        let families = Families::new(&shapes)?;
        Ok(Self {
            text: families.written(Format::Text).collect(),
            open_metrics: families.written(Format::OpenMetrics).collect(),
            shapes,
            by_labels: BTreeMap::new(),
            most: 0,
        })
    }

    /// The index of a shape. One with buckets that were never asked for is added.
    fn shape(&mut self, wanted: Shape) -> usize {
        if let Some(index) = self.shapes.iter().position(|shape| *shape == wanted) {
            return index;
        }
        let mut plugins = self.shapes.iter().map(|shape| shape.plugin);
        let is_known = plugins.any(|plugin| ptr::eq(plugin, wanted.plugin));
        assert!(is_known, "this store was not made for {:?}", wanted.plugin);
        self.shapes.push(wanted);
        let families = Families::new(&self.shapes).expect("no metric is new");
        self.text = families.written(Format::Text).collect();
        self.open_metrics = families.written(Format::OpenMetrics).collect();
        self.shapes.len() - 1
    }

    /// Adds a series. Those that nobody holds are at most as many as the others and one, even if
    /// nobody ever scrapes: to remove them costs each addition no more than a look at two.
    fn insert(&mut self, labels: Arc<str>, tracked: Weak<Tracked>) {
        if self.by_labels.len() > self.most {
            self.by_labels.retain(|_, kept| kept.strong_count() > 0);
            self.most = 2 * self.by_labels.len();
        }
        self.by_labels.insert(labels, tracked);
    }
}

impl Tracked {
    fn lock(&self) -> MutexGuard<'_, Arc<Totals>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    /// Reads a little of what it takes to add a run up, for who is about to add up many.
    pub fn touch(&self) {
        black_box(self.0.shape);
    }
}

impl Sink for Series {
    fn finished(&self, run: &Run) {
        // Copies the totals only while a scrape is holding them.
        Arc::make_mut(&mut self.0.lock()).take_in(run);
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Series({})", self.0.labels)
    }
}

/// The labels of a target's series as written, without braces.
fn labels(probe: &str, target: &Target) -> String {
    let mut out = String::new();
    push_label(&mut out, "probe", probe);
    out.push(',');
    push_label(&mut out, "target", &target.address);
    for (name, value) in &target.labels {
        out.push(',');
        push_label(&mut out, name, value);
    }
    out
}

#[cfg(test)]
mod tests;
