//! What did a run in a test leave?

use crate::metric::{Counter, Declared, Gauge, Histogram, Info, Metric};
use crate::{Event, Place, Run};

/// A run that has ended, with the events that it told, in their order.
#[derive(Debug)]
pub struct Finished {
    /// The run as every sink sees it.
    pub run: Run,
    /// What it said while it ran.
    pub events: Vec<Event>,
}

/// Each reading panics on a metric or label value that the plugin does not declare, as recording
/// it would.
impl Finished {
    /// Whether the target answered as it should.
    pub fn succeeded(&self) -> bool {
        self.run.result.is_ok()
    }

    /// The value of the label `reason`, if the run failed.
    pub fn reason(&self) -> Option<&'static str> {
        self.run.result.as_ref().err().map(crate::Fault::reason)
    }

    /// How the run ended: its [`Finished::reason`], or `good`.
    pub fn ending(&self) -> &'static str {
        self.reason().unwrap_or("good")
    }

    /// A counter's value; with a label, that of its series.
    pub fn counter(&self, counter: &'static Counter, label: Option<&str>) -> u64 {
        self.value(counter.metric(), label).unwrap_or_default() as u64
    }

    /// A gauge's value, `None` if it was not set; with a label, that of its series.
    pub fn gauge(&self, gauge: &'static Gauge, label: Option<&str>) -> Option<f64> {
        self.value(gauge.metric(), label)
    }

    /// The value of a gauge that another crate has declared, by its name; `None` if it was not set.
    pub fn named(&self, gauge: &str, label: Option<&str>) -> Option<f64> {
        self.value(
            self.place_where(gauge, |metric| metric.name == gauge)
                .metric,
            label,
        )
    }

    /// How many observations a histogram counted.
    pub fn observations(&self, histogram: &'static Histogram) -> u64 {
        let place = self.place(histogram.metric());
        let buckets = place.len - 1;
        let values = self.run.recording.values(place).take(buckets);
        values.flatten().sum::<f64>() as u64
    }

    /// The label values of an info, `None` if it was not recorded.
    pub fn text(&self, info: &'static Info) -> Option<Vec<&str>> {
        let text = self.run.recording.text(self.place(info.metric()))?;
        Some(text.collect())
    }

    /// The events of this name, in the order in which they were told.
    pub fn said(&self, name: &str) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.name == name)
    }

    fn value(&self, metric: &'static Metric, label: Option<&str>) -> Option<f64> {
        let place = self.place(metric);
        let series = match label {
            None if metric.values.is_empty() => Some(0),
            None => None,
            Some(label) => metric.values.iter().position(|value| *value == label),
        };
        let series = series
            .unwrap_or_else(|| panic!("{} has no series for the label {label:?}", metric.name));
        self.run.recording.values(place).nth(series).flatten()
    }

    fn place(&self, metric: &'static Metric) -> &Place {
        self.place_where(metric.name, |other| std::ptr::eq(other, metric))
    }

    fn place_where(&self, name: &str, is_it: impl Fn(&'static Metric) -> bool) -> &Place {
        let mut places = self.run.recording.layout().places().iter();
        places
            .find(|place| is_it(place.metric))
            .unwrap_or_else(|| panic!("{name} is not among the declared metrics"))
    }
}
