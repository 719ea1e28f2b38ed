//! How is one metric of one target written?
//!
//! A column is a metric of a plugin in one format. Everything in its lines but the target's labels
//! and the value is spelt out beforehand, so that a line costs three copies and a number.

use std::hint::black_box;

use leadsman_core::Place;
use leadsman_core::metric::MetricKind;

use crate::Format;
use crate::text::{has_label, push_bound, push_label, push_number};
use crate::totals::{Source, Totals};

/// One metric, as the targets of one plugin have it.
#[derive(Debug)]
pub(crate) struct Column {
    source: Source,
    place: Place,
    /// One for each label value; for a histogram one for each bucket, then sum and count.
    rows: Box<[Row]>,
}

/// One line around the target's labels.
#[derive(Debug)]
struct Row {
    before: Box<str>,
    after: Box<str>,
    /// Whether it is written while its value is 0.
    at_zero: bool,
}

impl Column {
    /// Prepares the lines of a metric. A label value that `declared` refuses is not written before
    /// it has counted something.
    pub(crate) fn new(
        source: Source,
        place: Place,
        format: Format,
        declared: impl Fn(&str) -> bool,
    ) -> Self {
        let metric = place.metric;
        let labels = metric.labels.iter().flat_map(|label| {
            let values = metric.values.iter();
            values.map(move |value| (*label, *value))
        });
        let rows = match metric.kind {
            MetricKind::Info => vec![Row::new(metric.name, "", |_| {})],
            MetricKind::Histogram => {
                let bounds = place.buckets.iter().copied().chain([f64::INFINITY]);
                let buckets = bounds.map(|bound| {
                    Row::new(metric.name, "_bucket", |after| {
                        after.push_str(",le=\"");
                        push_bound(after, format, bound);
                        after.push('"');
                    })
                });
                let rest = ["_sum", "_count"].map(|s| Row::new(metric.name, s, |_| {}));
                buckets.chain(rest).collect()
            }
            MetricKind::Counter | MetricKind::Gauge if metric.values.is_empty() => {
                vec![Row::new(metric.name, "", |_| {})]
            }
            MetricKind::Counter | MetricKind::Gauge => labels
                .map(|(label, value)| Row {
                    at_zero: declared(value),
                    ..Row::new(metric.name, "", |after| {
                        after.push(',');
                        push_label(after, label, value);
                    })
                })
                .collect(),
        };
        Self {
            source,
            place,
            rows: rows.into(),
        }
    }

    /// Reads a little of what [`write`](Self::write) will. The numbers of many targets are in no
    /// cache, and a processor that is shown many of them at once waits once for all.
    pub(crate) fn touch(&self, labels: &str, totals: &Totals) {
        let recording = totals.recording(self.source);
        black_box(labels.as_bytes().first());
        match self.place.metric.kind {
            MetricKind::Info => _ = black_box(recording.text(&self.place).map(|own| own.len())),
            _ => _ = black_box(recording.values(&self.place).next()),
        }
    }

    /// Appends the lines of one target; none for what is absent.
    pub(crate) fn write(&self, out: &mut String, labels: &str, totals: &Totals) {
        let recording = totals.recording(self.source);
        let values = recording.values(&self.place);
        match self.place.metric.kind {
            MetricKind::Counter | MetricKind::Gauge => {
                for (row, value) in self.rows.iter().zip(values) {
                    if let Some(value) = value.filter(|value| row.at_zero || *value != 0.0) {
                        row.write(out, labels, value);
                    }
                }
            }
            MetricKind::Histogram => {
                let (count, rows) = self.rows.split_last().expect("a histogram has a count");
                let (sum, buckets) = rows.split_last().expect("a histogram has a sum");
                let mut values = values.map(Option::unwrap_or_default);
                let mut total = 0.0;
                // The buckets first: a zip asks its first side first, and the sum is to be left.
                for (row, value) in buckets.iter().zip(&mut values) {
                    total += value;
                    row.write(out, labels, total);
                }
                sum.write(out, labels, values.next().unwrap_or_default());
                count.write(out, labels, total);
            }
            MetricKind::Info => {
                let Some(own) = recording.labels(&self.place) else {
                    return;
                };
                out.push_str(&self.rows[0].before);
                out.push_str(labels);
                let open = self.place.metric.open;
                for (name, value) in own.filter(|(name, _)| !open || !has_label(labels, name)) {
                    out.push(',');
                    push_label(out, name, value);
                }
                out.push_str("} 1\n");
            }
        }
    }
}

impl Row {
    fn new(name: &str, suffix: &str, label: impl FnOnce(&mut String)) -> Self {
        let mut after = String::new();
        label(&mut after);
        after.push_str("} ");
        Self {
            before: format!("{name}{suffix}{{").into(),
            after: after.into(),
            at_zero: true,
        }
    }

    fn write(&self, out: &mut String, labels: &str, value: f64) {
        out.push_str(&self.before);
        out.push_str(labels);
        out.push_str(&self.after);
        push_number(out, value);
        out.push('\n');
    }
}
