//! How does a program read a run by hand?
//!
//! As JSON Lines: every event is an object, and the last one of each target is the run itself. The
//! names in an event are those of the plugin; the four in front (`time`, `probe`, `target`,
//! `event`) are ours and are never overwritten by them. Where objects are missing because they were
//! not read in time, one that is about no target says how many. What the events come to, the plugin's
//! drawing for people knows; its figures are in the last object as `statistics`.

use std::iter;
use std::time::SystemTime;

use jiff::Timestamp;
use leadsman_core::draw::{Draw, Stage};
use leadsman_core::metric::{Metric, MetricKind};
use leadsman_core::{Event, Fault, Place, Plugin, Recording, Run};
use serde_json::{Map, Value, json};

/// Lines for a program.
pub(super) struct Json {
    plugin: &'static Plugin,
    stage: Stage,
    /// Reads along for its figures; nobody sees what it draws.
    reader: Option<Box<dyn Draw>>,
}

impl Json {
    pub(super) fn new(
        plugin: &'static Plugin,
        stage: Stage,
        reader: Option<Box<dyn Draw>>,
    ) -> Self {
        Self {
            plugin,
            stage,
            reader,
        }
    }

    fn line(
        &self,
        at: SystemTime,
        target: usize,
        event: &str,
        fields: impl IntoIterator<Item = (String, Value)>,
        page: &mut String,
    ) {
        let target = Some(&*self.stage.targets[target].address);
        line(at, self.plugin.name(), target, event, fields, page);
    }
}

impl Draw for Json {
    fn event(&mut self, target: usize, event: &Event, page: &mut String) {
        if let Some(reader) = &mut self.reader {
            reader.event(target, event, &mut String::new());
        }
        self.line(event.at, target, event.name, event.fields(), page);
    }

    fn finished(&mut self, target: usize, run: &Run, page: &mut String) {
        let fault = run.result.as_ref().err();
        let fields = [
            ("success", run.result.is_ok().into()),
            ("reason", fault.map(Fault::reason).into()),
            ("error", fault.map(ToString::to_string).into()),
            ("duration_seconds", run.duration.as_secs_f64().into()),
            ("metrics", metrics(&run.recording)),
        ];
        let figures = self.reader.as_ref().map(|reader| reader.figures(target));
        let figures = figures.filter(|figures| !figures.is_empty());
        let fields = fields.into_iter();
        let fields = fields.chain(figures.map(|figures| ("statistics", figures.into())));
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        self.line(run.started + run.duration, target, "run", fields, page);
    }

    fn summary(&mut self, _: &mut String) {}
}

/// Adds a line of what every object has, and then `fields`; an object may be about no target.
pub(super) fn line(
    at: SystemTime,
    probe: &str,
    target: Option<&str>,
    event: &str,
    fields: impl IntoIterator<Item = (String, Value)>,
    page: &mut String,
) {
    let mut object = Map::new();
    object.insert("time".into(), time(at));
    object.insert("probe".into(), probe.into());
    if let Some(target) = target {
        object.insert("target".into(), target.into());
    }
    object.insert("event".into(), event.into());
    for (name, value) in fields {
        object.entry(name).or_insert(value);
    }
    page.push_str(&Value::Object(object).to_string());
    page.push('\n');
}

/// Says that so many objects are missing.
pub(super) fn left_out(lines: usize) -> String {
    let time = time(SystemTime::now());
    format!(
        "{}\n",
        json!({ "time": time, "event": "left_out", "lines": lines })
    )
}

/// RFC 3339, in UTC.
fn time(at: SystemTime) -> Value {
    Timestamp::try_from(at).map_or(Value::Null, |time| time.to_string().into())
}

/// Everything that was recorded, by the name of its metric.
fn metrics(recording: &Recording) -> Value {
    let places = recording.layout().places().iter();
    let metrics = places.filter_map(|place| {
        let values: Vec<_> = recording.values(place).collect();
        let metric = place.metric;
        let value = match metric.kind {
            MetricKind::Histogram => Some(histogram(place, &values)),
            MetricKind::Info => recording.labels(place).map(Iterator::collect::<Value>),
            MetricKind::Counter | MetricKind::Gauge => match values.as_slice() {
                [value] if metric.values.is_empty() => value.map(Value::from),
                values => by_label(metric, values),
            },
        };
        Some((metric.name.to_owned(), value?))
    });
    Value::Object(metrics.collect())
}

/// The series that were set, by the value of their label.
fn by_label(metric: &Metric, values: &[Option<f64>]) -> Option<Value> {
    let series = iter::zip(metric.values, values);
    let set: Map<_, _> = series
        .filter_map(|(label, value)| Some(((*label).to_owned(), Value::from((*value)?))))
        .collect();
    (!set.is_empty()).then_some(Value::Object(set))
}

/// Counts as the exposition has them: each bucket holds those below it too.
fn histogram(place: &Place, values: &[Option<f64>]) -> Value {
    let mut values: Vec<f64> = values.iter().copied().flatten().collect();
    let sum = values.pop().unwrap_or_default();
    let mut count = 0.0;
    let cumulative: Vec<f64> = values
        .iter()
        .map(|value| {
            count += value;
            count
        })
        .collect();
    let buckets: Map<_, _> = iter::zip(place.buckets, cumulative)
        .map(|(bound, count)| (bound.to_string(), count.into()))
        .collect();
    json!({ "count": count, "sum": sum, "buckets": buckets })
}
