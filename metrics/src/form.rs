//! What is the same in every answer that tells of one run of a plugin?
//!
//! All but the numbers and the free texts: the lines that introduce a family, and each sample up to
//! its value. They are written once for each layout and then copied. Which of them an answer has is
//! decided where it is made.

use std::ops::Range;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use leadsman_core::metric::{Metric, MetricKind};
use leadsman_core::{Layout, Place};

use crate::Format;
use crate::text::{push_head, push_label};

/// The texts of one layout, in the text format 0.0.4.
#[derive(Debug)]
pub(crate) struct Form {
    text: String,
    families: Box<[Family]>,
}

/// Where the texts of one metric stand.
#[derive(Debug)]
struct Family {
    head: Range<usize>,
    /// One for each value of a gauge, and none for anything else.
    samples: Box<[Range<usize>]>,
}

impl Form {
    /// The texts of a layout, which are written when they are first asked for.
    pub(crate) fn of(layout: &'static Layout) -> Arc<Self> {
        let mut known = FORMS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, form)) = known.iter().find(|(of, _)| ptr::eq(*of, layout)) {
            return Arc::clone(form);
        }
        let form = Arc::new(Self::written(layout));
        known.push((layout, Arc::clone(&form)));
        form
    }

    /// The texts of the metric at this place of the layout: its head, and what comes before each of
    /// its values.
    pub(crate) fn family(&self, index: usize) -> (&str, impl Iterator<Item = &str>) {
        let Family { head, samples } = &self.families[index];
        let samples = samples.iter().map(|sample| &self.text[sample.clone()]);
        (&self.text[head.clone()], samples)
    }

    fn written(layout: &Layout) -> Self {
        let mut text = String::new();
        let places = layout.places().iter();
        let families = places
            .map(|place| Family::write(&mut text, place))
            .collect();
        Self { text, families }
    }
}

impl Family {
    fn write(text: &mut String, place: &Place) -> Self {
        let metric = place.metric;
        let head = written(text, |text| {
            push_head(text, Format::Text, metric.name, metric.help, metric.kind);
        });
        let values = match metric.kind {
            MetricKind::Gauge => 0..place.len,
            MetricKind::Counter | MetricKind::Histogram | MetricKind::Info => 0..0,
        };
        let sample = |index| written(text, |text| push_sample_of(text, metric, index));
        let samples = values.map(sample).collect();
        Self { head, samples }
    }
}

/// Appends a gauge's sample of this value up to the number.
fn push_sample_of(text: &mut String, metric: &Metric, index: usize) {
    text.push_str(metric.name);
    if let (Some(label), Some(value)) = (metric.labels.first(), metric.values.get(index)) {
        text.push('{');
        push_label(text, label, value);
        text.push('}');
    }
    text.push(' ');
}

/// Where that stands which `write` appends.
fn written(text: &mut String, write: impl FnOnce(&mut String)) -> Range<usize> {
    let begin = text.len();
    write(text);
    begin..text.len()
}

/// As many as there are plugins.
static FORMS: Mutex<Vec<(&'static Layout, Arc<Form>)>> = Mutex::new(Vec::new());
