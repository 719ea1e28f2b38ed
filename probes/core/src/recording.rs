//! What did one run record?
//!
//! A recording has a fixed place for every series that its plugin can have, so recording a number is
//! an index and an addition, never an allocation, however long the run. The exporter adds a finished
//! recording to the target's totals place by place.
//!
//! A layout keeps the memory of some recordings that were dropped, for the next: runs come by the
//! thousand a second, and an allocator has no room for so many of a kind at hand.

use std::hint::black_box;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::metric::{Counter, Declared, Gauge, Histogram, Info, Metric, MetricKind};

/// The places of a plugin's series in a recording.
#[derive(Debug)]
pub struct Layout {
    places: Box<[Place]>,
    index: Index,
    /// The values of an empty recording: 0 where a value is added up over runs, and [`UNSET`] where
    /// it is that of the last one, or of a passing counter.
    blank: Box<[f64]>,
    /// Where passing counters stand.
    passing: Box<[Range<usize>]>,
    /// Where values stand that are added up over runs, passing counters aside.
    sums: Box<[Range<usize>]>,
    /// Where values stand that are those of the last run.
    lasts: Box<[Range<usize>]>,
    texts: usize,
    spare: Mutex<Vec<Content>>,
}

/// Where one metric's values stand.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The metric.
    pub metric: &'static Metric,
    /// Index of its first value; for an info, of its text.
    pub first: usize,
    /// How many values it has: one for each label value, for a histogram one for each bucket, the
    /// infinite one included, and then the sum; none for an info.
    pub len: usize,
    /// Upper bounds of a histogram, in seconds and without the infinite one: those in force.
    pub buckets: &'static [f64],
}

impl Place {
    fn range(&self) -> Range<usize> {
        self.first..self.first + self.len
    }
}

impl Layout {
    /// Lays out `metrics` one behind the other, each with the buckets that it declares.
    pub fn new(metrics: impl IntoIterator<Item = &'static dyn Declared>) -> Self {
        Self::with_buckets(metrics, None)
    }

    /// The same, but with `buckets` where the configuration may choose them.
    pub(crate) fn with_buckets(
        metrics: impl IntoIterator<Item = &'static dyn Declared>,
        chosen: Option<&'static [f64]>,
    ) -> Self {
        let mut blank = Vec::new();
        let mut texts = 0;
        let places: Box<[Place]> = metrics
            .into_iter()
            .map(|declared| {
                let metric = declared.metric();
                let buckets = chosen.filter(|_| metric.takes_buckets());
                let buckets = buckets.unwrap_or(metric.buckets);
                let len = match metric.kind {
                    MetricKind::Counter | MetricKind::Gauge => metric.values.len().max(1),
                    MetricKind::Histogram => buckets.len() + 2,
                    MetricKind::Info => 0,
                };
                let first = if len == 0 { texts } else { blank.len() };
                match metric.kind {
                    MetricKind::Info => texts += 1,
                    MetricKind::Gauge => blank.resize(first + len, f64::from_bits(UNSET)),
                    _ if metric.passing => blank.resize(first + len, f64::from_bits(UNSET)),
                    _ => blank.resize(first + len, 0.0),
                }
                Place {
                    metric,
                    first,
                    len,
                    buckets,
                }
            })
            .collect();
        let (mut passing, mut sums, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
        for place in places.iter().filter(|place| place.len > 0) {
            if place.metric.passing {
                passing.push(place.range());
                continue;
            }
            let alike = match place.metric.kind {
                MetricKind::Gauge => &mut lasts,
                _ => &mut sums,
            };
            match alike.last_mut() {
                Some(Range { end, .. }) if *end == place.first => *end += place.len,
                _ => alike.push(place.range()),
            }
        }
        Self {
            index: Index::of(&places),
            places,
            blank: blank.into(),
            passing: passing.into(),
            sums: sums.into(),
            lasts: lasts.into(),
            texts,
            spare: Mutex::default(),
        }
    }

    /// The places in the order of declaration.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Reads the memory of the next `recordings`, for who is about to make so many: the processor
    /// then waits once for all that is in no cache.
    pub fn touch(&self, recordings: usize) {
        for content in self.spare().iter().rev().take(recordings) {
            for values in content.values.chunks(A_LINE) {
                black_box(values[0]);
            }
            for text in &content.texts {
                black_box(text.present);
            }
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Content>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a metric; two handles are the same metric if they are the same static.
    #[inline]
    fn place(&self, metric: &'static Metric) -> &Place {
        let place = self.index.find(&self.places, metric);
        place.unwrap_or_else(|| undeclared(metric))
    }
}

#[cold]
fn undeclared(metric: &Metric) -> ! {
    panic!(
        "{} is recorded but not among the plugin's declared metrics",
        metric.name
    )
}

#[cold]
fn no_series(metric: &Metric, label: Option<&str>) -> ! {
    panic!("{} has no series for the label {label:?}", metric.name)
}

/// Finds the place of a metric by where the metric is in memory.
#[derive(Debug)]
struct Index {
    /// Numbers of places, each at the first free seat from the one that its metric's address
    /// leads to. Half of the seats stay empty, so a search is short.
    seats: Box<[Option<u16>]>,
}

impl Index {
    fn of(places: &[Place]) -> Self {
        let seats = (2 * places.len()).next_power_of_two();
        let mut index = Self {
            seats: vec![None; seats].into(),
        };
        for (number, place) in places.iter().enumerate() {
            let number = u16::try_from(number).expect("no plugin has so many metrics");
            let mut seat = first_seat(place.metric);
            while index.seats[seat & (seats - 1)].is_some() {
                seat += 1;
            }
            index.seats[seat & (seats - 1)] = Some(number);
        }
        index
    }

    #[inline]
    fn find<'a>(&self, places: &'a [Place], metric: &'static Metric) -> Option<&'a Place> {
        let most = self.seats.len() - 1;
        let mut seat = first_seat(metric);
        // It ends, for half of the seats are free.
        loop {
            let place = &places[usize::from(self.seats[seat & most]?)];
            if std::ptr::eq(place.metric, metric) {
                return Some(place);
            }
            seat += 1;
        }
    }
}

/// The seat that is tried first for a metric, once it is taken modulo their number.
fn first_seat(metric: &'static Metric) -> usize {
    // Metrics stand in a row, and so their quotients spread.
    std::ptr::from_ref(metric).addr() / size_of::<Metric>()
}

/// The values that one run recorded, or the totals of many.
#[derive(Clone, Debug)]
pub struct Recording {
    layout: &'static Layout,
    content: Content,
    phase: &'static str,
}

/// What is in a recording.
#[derive(Clone, Debug, Default)]
struct Content {
    values: Box<[f64]>,
    texts: Box<[Text]>,
}

/// The text of an info: absent, or as many values as it has labels; of an open one the names too,
/// each before its value.
///
/// One short label, as most have, is kept right here: what takes the processor longest is to follow
/// a pointer to what has left its caches.
#[derive(Clone, Debug, Default)]
struct Text {
    present: bool,
    /// Kept while the text is absent: a target's is likely to be the same again.
    labels: SmallVec<[SmolStr; 1]>,
}

impl Text {
    /// Takes these values.
    fn become_these<'a>(&mut self, labels: impl Iterator<Item = &'a str> + Clone) {
        self.present = true;
        if !self.labels.iter().map(SmolStr::as_str).eq(labels.clone()) {
            self.labels.clear();
            self.labels.extend(labels.map(SmolStr::new));
        }
    }
}

/// Recordings whose memory a layout keeps at most: more than end at once.
const MOST_SPARE: usize = 256;

/// Values that stand in one line of a cache.
const A_LINE: usize = 8;

/// The phase of a run that has entered none.
pub(crate) const BEFORE_ANY: &str = "start";

/// Stands for a gauge that was not set. A NaN of our own, so that a probe may record NaN itself.
const UNSET: u64 = 0x7ff8_6c65_6164_0000;

impl Recording {
    /// An empty recording: counters at 0, gauges, infos and passing counters absent.
    pub fn new(layout: &'static Layout) -> Self {
        let spare = layout.spare().pop();
        let content = spare.map_or_else(
            || Content {
                values: layout.blank.clone(),
                texts: vec![Text::default(); layout.texts].into(),
            },
            |mut content| {
                content.values.copy_from_slice(&layout.blank);
                for text in &mut content.texts {
                    text.present = false;
                }
                content
            },
        );
        Self {
            layout,
            content,
            phase: BEFORE_ANY,
        }
    }

    /// The phase that the run was in when it ended, in the words of its probe: `connect`; `start`
    /// for a run that entered none.
    pub fn phase(&self) -> &'static str {
        self.phase
    }

    /// Begins a phase.
    pub(crate) fn enter(&mut self, phase: &'static str) {
        self.phase = phase;
    }

    /// Where everything stands.
    pub fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// The values of a place: see [`Place::len`] for their order. `None` where a gauge is not set,
    /// and where a passing counter has counted nothing.
    pub fn values(&self, place: &Place) -> impl Iterator<Item = Option<f64>> {
        self.content.values[place.range()]
            .iter()
            .map(|value| is_set(*value).then_some(*value))
    }

    /// The label values of an info's place, if it was recorded; of an open one the names too, each
    /// before its value.
    pub fn text(&self, place: &Place) -> Option<impl ExactSizeIterator<Item = &str>> {
        let texts = self.texts(place)?;
        Some(texts.iter().map(SmolStr::as_str))
    }

    fn texts(&self, place: &Place) -> Option<&[SmolStr]> {
        let text = &self.content.texts[place.first];
        text.present.then_some(&*text.labels)
    }

    /// Names and values of the labels of an info's place, if it was recorded.
    pub fn labels(&self, place: &Place) -> Option<impl ExactSizeIterator<Item = (&str, &str)>> {
        let Metric { labels, open, .. } = *place.metric;
        let pairs = self.texts(place)?.chunks_exact(if open { 2 } else { 1 });
        Some(pairs.enumerate().map(move |(index, pair)| match pair {
            [name, value] => (name.as_str(), value.as_str()),
            [value] => (labels[index], value.as_str()),
            _ => unreachable!("a chunk is as large as it was asked for"),
        }))
    }

    /// Adds to a counter; with a label, to the series of `label`.
    pub fn add(&mut self, counter: &'static Counter, label: Option<&str>, amount: f64) {
        let at = self.index(counter.metric(), label);
        let count = &mut self.content.values[at];
        *count = if is_set(*count) { *count } else { 0.0 } + amount;
    }

    /// Sets a gauge; with a label, the series of `label`.
    pub fn set(&mut self, gauge: &'static Gauge, label: Option<&str>, value: f64) {
        let at = self.index(gauge.metric(), label);
        self.content.values[at] = value;
    }

    /// Counts one observation.
    pub fn observe(&mut self, histogram: &'static Histogram, value: f64) {
        let place = self.layout.place(histogram.metric());
        let bucket = place.buckets.partition_point(|bound| *bound < value);
        self.content.values[place.first + bucket] += 1.0;
        self.content.values[place.first + place.len - 1] += value;
    }

    /// Replaces the text of an info.
    ///
    /// # Panics
    /// If there are not as many values as the info has labels: a bug in the probe.
    pub fn inform(&mut self, info: &'static Info, labels: &[&str]) {
        let place = self.layout.place(info.metric());
        assert_eq!(
            labels.len(),
            place.metric.labels.len(),
            "label values of {}",
            place.metric.name
        );
        self.content.texts[place.first].become_these(labels.iter().copied());
    }

    /// Replaces the text of an open info, names and all.
    pub fn inform_as(&mut self, info: &'static Info, labels: &[(&str, &str)]) {
        let place = self.layout.place(info.metric());
        let text = |index: usize| {
            let (name, value) = labels[index / 2];
            if index.is_multiple_of(2) { name } else { value }
        };
        self.content.texts[place.first].become_these((0..2 * labels.len()).map(text));
    }

    /// Takes in a finished run: counts are added, gauges and infos become those of that run.
    pub fn absorb(&mut self, run: &Self) {
        for range in &*self.layout.sums {
            let totals = self.content.values[range.clone()].iter_mut();
            for (total, value) in totals.zip(&run.content.values[range.clone()]) {
                *total += value;
            }
        }
        for range in &*self.layout.lasts {
            self.content.values[range.clone()].copy_from_slice(&run.content.values[range.clone()]);
        }
        for range in &*self.layout.passing {
            let counted = &run.content.values[range.clone()];
            if !counted.iter().any(|value| is_set(*value)) {
                continue;
            }
            for (total, value) in self.content.values[range.clone()].iter_mut().zip(counted) {
                *total = if is_set(*total) && is_set(*value) {
                    *total + value
                } else {
                    *value
                };
            }
        }
        for (last, text) in self.content.texts.iter_mut().zip(&run.content.texts) {
            last.present = text.present;
            if text.present && last.labels != text.labels {
                last.labels.clone_from(&text.labels);
            }
        }
    }

    /// The same in another layout of the same metrics. Histograms whose buckets differ start anew:
    /// what was counted in the old ones cannot be told apart by the new ones.
    #[must_use]
    pub fn laid_out(&self, layout: &'static Layout) -> Self {
        let mut anew = Self::new(layout);
        for (old, new) in self.layout.places.iter().zip(&layout.places) {
            match new.metric.kind {
                MetricKind::Info => {
                    anew.content.texts[new.first].clone_from(&self.content.texts[old.first]);
                }
                MetricKind::Histogram if old.buckets != new.buckets => {}
                _ => {
                    let values = &self.content.values[old.first..old.first + old.len];
                    anew.content.values[new.first..new.first + new.len].copy_from_slice(values);
                }
            }
        }
        anew
    }

    /// Makes gauges and infos absent; counts stay.
    pub fn forget_last_run(&mut self) {
        for range in &*self.layout.lasts {
            self.content.values[range.clone()].fill(f64::from_bits(UNSET));
        }
        for text in &mut self.content.texts {
            text.present = false;
        }
    }

    #[inline]
    fn index(&self, metric: &'static Metric, label: Option<&str>) -> usize {
        let first = self.layout.place(metric).first;
        match label {
            None if metric.values.is_empty() => first,
            None => no_series(metric, None),
            Some(label) => first + offset(metric, label),
        }
    }
}

/// Which of its label values a metric has this one as.
fn offset(metric: &Metric, label: &str) -> usize {
    let mut values = metric.values.iter();
    // Most are one and the same text, which is seen without reading it.
    let same = values.position(|value| std::ptr::eq(*value, label));
    let equal = || metric.values.iter().position(|value| *value == label);
    same.or_else(equal)
        .unwrap_or_else(|| no_series(metric, Some(label)))
}

impl Drop for Recording {
    fn drop(&mut self) {
        let mut spare = self.layout.spare();
        if spare.len() < MOST_SPARE {
            spare.push(std::mem::take(&mut self.content));
        }
    }
}

fn is_set(value: f64) -> bool {
    value.to_bits() != UNSET
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::OnceLock;

    static SENT: Counter = Counter::new("probe_test_sent_total", "Packets sent.");
    static PHASE: Gauge =
        Gauge::new("probe_test_duration_seconds", "Time.").by(&["phase"], &["a", "b"]);
    static RTT: Histogram = Histogram::new("probe_test_rtt_seconds", "Round trips.", &[0.1, 1.0]);
    static PEER: Info = Info::new("probe_test_peer_info", "Peer.", &["address"]);

    fn layout() -> &'static Layout {
        static LAYOUT: OnceLock<Layout> = OnceLock::new();
        LAYOUT.get_or_init(|| Layout::new([&SENT as &dyn Declared, &PHASE, &RTT, &PEER]))
    }

    fn shown(recording: &Recording) -> Vec<Vec<Option<f64>>> {
        layout()
            .places()
            .iter()
            .map(|place| recording.values(place).collect())
            .collect()
    }

    #[test]
    fn counts_add_up_and_gauges_are_those_of_the_last_run() {
        let mut total = Recording::new(layout());
        for (round, phase) in [(1.0, "a"), (2.0, "b")] {
            let mut run = Recording::new(layout());
            run.add(&SENT, None, round);
            run.set(&PHASE, Some(phase), round);
            run.observe(&RTT, 0.1);
            run.observe(&RTT, 5.0);
            run.inform(&PEER, &["192.0.2.1"]);
            total.absorb(&run);
        }
        let expected = [
            vec![Some(3.0)],
            vec![None, Some(2.0)],
            vec![Some(2.0), Some(0.0), Some(2.0), Some(10.2)],
            vec![],
        ];
        assert_eq!(shown(&total), expected);
        let peer = &layout().places()[3];
        assert_eq!(total.text(peer).unwrap().collect::<Vec<_>>(), ["192.0.2.1"]);
        total.forget_last_run();
        assert_eq!(shown(&total)[1], [None, None]);
        assert!(total.text(peer).is_none());
    }

    #[test]
    fn passing_series_are_those_of_the_last_run_that_counted_any() {
        static HOPS: Counter = Counter::new("probe_test_hops_total", "Hops.")
            .by(&["ttl"], &["1", "2", "3"])
            .passing();
        let layout = Box::leak(Box::new(Layout::new([&HOPS as &dyn Declared])));
        let mut total = Recording::new(layout);
        for (counted, expected) in [
            (&[][..], [None, None, None]),
            (&[("1", 1.0), ("2", 1.0)], [Some(1.0), Some(1.0), None]),
            (&[("1", 2.0), ("2", 0.0)], [Some(3.0), Some(1.0), None]),
            (&[], [Some(3.0), Some(1.0), None]),
            (&[("1", 1.0), ("3", 1.0)], [Some(4.0), None, Some(1.0)]),
            (&[("1", 1.0), ("2", 1.0)], [Some(5.0), Some(1.0), None]),
        ] {
            let mut run = Recording::new(layout);
            for (label, amount) in counted {
                run.add(&HOPS, Some(label), *amount);
            }
            total.absorb(&run);
            let place = &layout.places()[0];
            assert_eq!(total.values(place).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn an_open_info_has_the_names_that_the_last_run_gave_it() {
        static SAID: Info = Info::open("probe_test_said_info", "What was said.");
        let layout = Box::leak(Box::new(Layout::new([&SAID as &dyn Declared, &PEER])));
        let mut total = Recording::new(layout);
        for labels in [&[("a", "1")][..], &[("b", ""), ("a", "2")], &[]] {
            let mut run = Recording::new(layout);
            run.inform_as(&SAID, labels);
            run.inform(&PEER, &["192.0.2.1"]);
            total.absorb(&run);
            let [said, peer] = layout.places() else {
                panic!("there are two")
            };
            assert_eq!(total.labels(said).unwrap().collect::<Vec<_>>(), labels);
            let peer: Vec<_> = total.labels(peer).unwrap().collect();
            assert_eq!(peer, [("address", "192.0.2.1")]);
        }
    }

    #[test]
    #[should_panic(expected = "probe_test_late_total is recorded but not among")]
    fn an_undeclared_metric_is_a_bug() {
        static LATE: Counter = Counter::new("probe_test_late_total", "Late.");
        Recording::new(layout()).add(&LATE, None, 1.0);
    }

    #[test]
    #[should_panic(expected = "no series for the label Some(\"c\")")]
    fn an_undeclared_label_value_is_a_bug() {
        Recording::new(layout()).set(&PHASE, Some("c"), 1.0);
    }
}
