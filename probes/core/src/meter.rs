//! What does a responder tell of itself?
//!
//! It counts as it likes, where it costs least; the host reads the counts when somebody scrapes it.
//! How they look to Prometheus, and which responder they are of, is not decided here.

use std::borrow::Cow;
use std::fmt;

use crate::metric::{Metric, MetricKind};

/// What a responder has counted, readable while it serves.
pub trait Meter: fmt::Debug + Send + Sync {
    /// The samples at this moment, of metrics that the responder's descriptor declares. Called at
    /// each scrape; it must not block.
    fn read(&self) -> Vec<Sample>;
}

/// One series of a responder.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it is a sample of.
    pub metric: &'static Metric,
    /// Values of the metric's labels, in their order.
    pub labels: Vec<Cow<'static, str>>,
    /// What was counted.
    pub count: Count,
}

/// What a series stands at.
#[derive(Clone, Debug, PartialEq)]
pub enum Count {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Observed {
        /// How many observations were in each bucket alone, the infinite one last.
        buckets: Vec<u64>,
        /// The sum of all observations.
        sum: f64,
    },
}

impl Metric {
    /// Declares a metric of a responder, named `leadsman_…`, with labels whose values the responder
    /// chooses from a closed set.
    pub const fn of_responder(
        name: &'static str,
        help: &'static str,
        kind: MetricKind,
        labels: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            help,
            kind,
            labels,
            values: &[],
            buckets: &[],
            passing: false,
            open: false,
        }
    }
}
