//! How do the counts of responders come among the program's own metrics?
//!
//! Read at each scrape, with two labels in front: what the responder is, and where it listens.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use leadsman_core::metric::{Metric, MetricKind};
use leadsman_core::{Count, Meter, ResponderPlugin, Sample};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric as Row, MetricFamily, MetricType,
};
use prometheus::{Registry, Result};

/// Shows what a responder counts until it is dropped.
#[derive(Debug)]
pub struct Watch {
    registry: Registry,
    collector: Responder,
}

#[derive(Clone, Debug)]
struct Responder {
    metrics: &'static [&'static Metric],
    descs: Vec<Desc>,
    /// Which responder it is, as labels.
    labels: [(&'static str, String); 2],
    meter: Arc<dyn Meter>,
}

impl Watch {
    pub(super) fn new(
        registry: &Registry,
        plugin: &ResponderPlugin,
        listen: SocketAddr,
        meter: Arc<dyn Meter>,
    ) -> Result<Self> {
        let labels = [
            ("responder", plugin.name().to_owned()),
            ("listen", listen.to_string()),
        ];
        let consts = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let consts: HashMap<_, _> = consts.collect();
        let descs = plugin.counted().iter().map(|metric| {
            let names = metric.labels.iter().map(|label| (*label).to_owned());
            let (name, help) = (metric.name.to_owned(), metric.help.to_owned());
            Desc::new(name, help, names.collect(), consts.clone())
        });
        let collector = Responder {
            metrics: plugin.counted(),
            descs: descs.collect::<Result<_>>()?,
            labels,
            meter,
        };
        registry.register(Box::new(collector.clone()))?;
        Ok(Self {
            registry: registry.clone(),
            collector,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.registry
            .unregister(Box::new(self.collector.clone()))
            .expect("it was registered, and nobody else takes it out");
    }
}

impl Collector for Responder {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let samples = self.meter.read();
        let families = self.metrics.iter().map(|metric| {
            let samples = samples.iter().filter(|s| std::ptr::eq(s.metric, *metric));
            let rows = samples.map(|sample| self.row(sample)).collect();
            let mut family = MetricFamily::default();
            family.set_name(metric.name.to_owned());
            family.set_help(metric.help.to_owned());
            family.set_field_type(match metric.kind {
                MetricKind::Counter => MetricType::COUNTER,
                MetricKind::Histogram => MetricType::HISTOGRAM,
                MetricKind::Gauge | MetricKind::Info => MetricType::GAUGE,
            });
            family.set_metric(rows);
            family
        });
        families.collect()
    }
}

impl Responder {
    fn row(&self, sample: &Sample) -> Row {
        let own = self.labels.iter().map(|(name, value)| (*name, &**value));
        let names = sample.metric.labels.iter().copied();
        let pairs = own.chain(names.zip(sample.labels.iter().map(|value| &**value)));
        let pairs = pairs.map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        });
        let mut row = Row::from_label(pairs.collect());
        match &sample.count {
            Count::Number(value) if sample.metric.kind == MetricKind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(*value);
                row.set_counter(counter);
            }
            Count::Number(value) => {
                let mut gauge = Gauge::default();
                gauge.set_value(*value);
                row.set_gauge(gauge);
            }
            Count::Observed { buckets, sum } => {
                row.set_histogram(histogram(sample.metric.buckets, buckets, *sum));
            }
        }
        row
    }
}

fn histogram(bounds: &[f64], counts: &[u64], sum: f64) -> Histogram {
    let mut total = 0;
    let buckets = bounds.iter().zip(counts).map(|(bound, count)| {
        total += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(total);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(counts.iter().sum());
    histogram.set_sample_sum(sum);
    histogram
}
