//! What is the same in every answer that tells of one run of a plugin?
//!
//! All but the numbers and the free texts: the lines that introduce a family, and each sample up to
//! its value. They are written once for each layout and then copied. Which of them an answer has is
//! decided where it is made.

use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use leadsman_core::metric::{Metric, MetricKind};
use leadsman_core::{Layout, Place};

use crate::Format;
use crate::text::{push_head, push_label};

/// The texts of one layout, in the text format 0.0.4.
#[derive(Debug)]
pub(crate) struct Form(Box<[Family]>);

/// The texts of one metric.
#[derive(Debug)]
pub(crate) struct Family {
    /// What introduces it.
    pub(crate) head: Box<str>,
    /// One for each value of a gauge, and none for anything else.
    pub(crate) samples: Box<[Sample]>,
}

/// What comes before a value.
#[derive(Debug)]
pub(crate) struct Sample {
    /// With the head before it, so that the first of a family is one copy.
    led: Box<str>,
    /// Where the head ends.
    begin: usize,
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

    /// The texts of the metrics, in the order of their places in the layout.
    pub(crate) fn families(&self) -> &[Family] {
        &self.0
    }

    fn written(layout: &Layout) -> Self {
        Self(layout.places().iter().map(Family::of).collect())
    }
}

impl Family {
    fn of(place: &Place) -> Self {
        let metric = place.metric;
        let mut head = String::new();
        let (name, help) = (metric.name, metric.help);
        push_head(&mut head, Format::Text, name, help, metric.kind);
        let values = match metric.kind {
            MetricKind::Gauge => 0..place.len,
            MetricKind::Counter | MetricKind::Histogram | MetricKind::Info => 0..0,
        };
        let sample = |index| {
            let mut led = head.clone();
            push_sample_of(&mut led, metric, index);
            Sample {
                led: led.into(),
                begin: head.len(),
            }
        };
        let samples = values.map(sample).collect();
        Self {
            samples,
            head: head.into(),
        }
    }
}

impl Sample {
    /// What comes before the value, the head of the family first if it is the first of it.
    pub(crate) fn text(&self, is_first: bool) -> &str {
        if is_first {
            &self.led
        } else {
            &self.led[self.begin..]
        }
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

/// As many as there are plugins.
static FORMS: Mutex<Vec<(&'static Layout, Arc<Form>)>> = Mutex::new(Vec::new());
