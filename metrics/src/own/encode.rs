//! How are the program's own metrics written?
//!
//! The `prometheus` crate's encoder writes infinity as `inf` and knows no `OpenMetrics`, so its
//! data are written here. There are a few dozen of them: this need not be fast.

use std::iter;

use leadsman_core::metric::MetricKind;
use prometheus::proto::{MetricFamily, MetricType};

use crate::Format;
use crate::text::{push_bound, push_head, push_sample};

/// Writes one family, and returns its name with the text.
pub(super) fn family(family: &MetricFamily, format: Format) -> (String, String) {
    let name = family.name();
    let kind = match family.get_field_type() {
        MetricType::COUNTER => MetricKind::Counter,
        MetricType::HISTOGRAM => MetricKind::Histogram,
        // Nothing else is ever registered.
        _ => MetricKind::Gauge,
    };
    let mut out = String::new();
    push_head(&mut out, format, name, family.help(), kind);
    for metric in family.get_metric() {
        let labels = metric.get_label().iter();
        let labels: Vec<_> = labels.map(|label| (label.name(), label.value())).collect();
        let labels = labels.iter().copied();
        if kind != MetricKind::Histogram {
            let value = match kind {
                MetricKind::Counter => metric.get_counter().get_value(),
                _ => metric.get_gauge().get_value(),
            };
            push_sample(&mut out, name, labels, value);
            continue;
        }
        let histogram = metric.get_histogram();
        let count = histogram.get_sample_count();
        let buckets = histogram.get_bucket().iter();
        let buckets = buckets.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        for (bound, count) in buckets.chain([(f64::INFINITY, count)]) {
            let mut le = String::new();
            push_bound(&mut le, format, bound);
            let labels = labels.clone().chain(iter::once(("le", &*le)));
            push_sample(&mut out, &format!("{name}_bucket"), labels, count as f64);
        }
        let sum = histogram.get_sample_sum();
        push_sample(&mut out, &format!("{name}_sum"), labels.clone(), sum);
        push_sample(&mut out, &format!("{name}_count"), labels, count as f64);
    }
    (name.to_owned(), out)
}
