//! What can a probe record, and what will it be called?
//!
//! A metric is a static that the plugin declares, so exporter, documentation and conformance kit
//! know it beforehand and an undeclared series cannot exist. A label has its values declared too:
//! series that exist from the start can be alerted on, and no answer from the network can invent
//! one. Only [`Info`] carries free text, one set of values at a time, and where the configuration
//! chooses them, free names too.

use std::fmt;

/// How a metric's samples are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows; starts at 0.
    Counter,
    /// The last run's value; absent until there is one.
    Gauge,
    /// Counts of observations by upper bound, with their sum.
    Histogram,
    /// The constant 1, with text of the last run as labels.
    Info,
}

/// A metric as the exporter sees it.
#[derive(Debug)]
pub struct Metric {
    /// Full name: `probe_…`, base unit, `_total` for counters, `_info` for infos.
    pub name: &'static str,
    /// One sentence for the person who reads the dashboard.
    pub help: &'static str,
    /// How its samples are to be read.
    pub kind: MetricKind,
    /// Label names beside `probe`, `target` and the user's.
    pub labels: &'static [&'static str],
    /// The closed set of values of the one label; empty for no label and for an info.
    pub values: &'static [&'static str],
    /// Upper bounds of a histogram in ascending order, without the infinite one, as declared: see
    /// [`Self::takes_buckets`].
    pub buckets: &'static [f64],
    /// Whether a counter's series come and go: see [`Counter::passing`].
    pub passing: bool,
    /// Whether an info's labels have names that the configuration chooses: see [`Info::open`].
    pub open: bool,
}

impl Metric {
    const fn new(name: &'static str, help: &'static str, kind: MetricKind) -> Self {
        Self {
            name,
            help,
            kind,
            labels: &[],
            values: &[],
            buckets: &[],
            passing: false,
            open: false,
        }
    }

    /// Whether the configuration may choose other buckets: so for a histogram that is declared with
    /// [`RTT_BUCKETS`], for what is a good choice depends on how far away the targets are.
    pub fn takes_buckets(&self) -> bool {
        let bits = |bounds: &[f64]| {
            bounds
                .iter()
                .map(|bound| bound.to_bits())
                .collect::<Vec<_>>()
        };
        bits(self.buckets) == bits(RTT_BUCKETS)
    }
}

/// Anything that can stand in a plugin's list of metrics.
pub trait Declared: fmt::Debug + Sync {
    /// The metric as the exporter sees it.
    fn metric(&'static self) -> &'static Metric;
}

/// A count that only grows, such as packets sent.
#[derive(Debug)]
pub struct Counter(Metric);

/// The last run's value, such as a status code or the time of a phase.
#[derive(Debug)]
pub struct Gauge(Metric);

/// Observations of one quantity, such as round trips.
#[derive(Debug)]
pub struct Histogram(Metric);

/// Text worth reading beside the numbers, such as the address that a name led to.
#[derive(Debug)]
pub struct Info(Metric);

impl Counter {
    /// Declares a counter; the name must end in `_total`.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self(Metric::new(name, help, MetricKind::Counter))
    }

    /// Gives it one label with a closed set of values.
    #[must_use]
    pub const fn by(
        mut self,
        label: &'static [&'static str; 1],
        values: &'static [&'static str],
    ) -> Self {
        self.0.labels = label;
        self.0.values = values;
        self
    }

    /// Has only the series that the last run counted, if it was with 0, for labels that come and go
    /// such as the hops of a path. A run that counts none of them leaves all as they are. A series
    /// that comes back starts at 0, as after a restart.
    #[must_use]
    pub const fn passing(mut self) -> Self {
        self.0.passing = true;
        self
    }
}

impl Gauge {
    /// Declares a gauge; the name must end in its base unit, if it has one.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self(Metric::new(name, help, MetricKind::Gauge))
    }

    /// Gives it one label with a closed set of values.
    #[must_use]
    pub const fn by(
        mut self,
        label: &'static [&'static str; 1],
        values: &'static [&'static str],
    ) -> Self {
        self.0.labels = label;
        self.0.values = values;
        self
    }
}

impl Histogram {
    /// Declares a histogram with these upper bounds, ascending and finite.
    pub const fn new(name: &'static str, help: &'static str, buckets: &'static [f64]) -> Self {
        let mut metric = Metric::new(name, help, MetricKind::Histogram);
        metric.buckets = buckets;
        Self(metric)
    }
}

impl Info {
    /// Declares an info with these label names; the name must end in `_info`.
    pub const fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Self {
        let mut metric = Metric::new(name, help, MetricKind::Info);
        metric.labels = labels;
        Self(metric)
    }

    /// Declares an info whose labels the configuration names, each run as it finds them: see
    /// [`crate::Context::inform_as`]. A name that one of the target's own labels has is left out of
    /// its series.
    pub const fn open(name: &'static str, help: &'static str) -> Self {
        let mut metric = Metric::new(name, help, MetricKind::Info);
        metric.open = true;
        Self(metric)
    }
}

impl Declared for Counter {
    fn metric(&'static self) -> &'static Metric {
        &self.0
    }
}

impl Declared for Gauge {
    fn metric(&'static self) -> &'static Metric {
        &self.0
    }
}

impl Declared for Histogram {
    fn metric(&'static self) -> &'static Metric {
        &self.0
    }
}

impl Declared for Info {
    fn metric(&'static self) -> &'static Metric {
        &self.0
    }
}

/// Upper bounds for round trips and other waits, in seconds: from 100 µs to 2.5 s.
///
/// In histograms that are declared with these, `buckets` in the configuration takes their place.
pub const RTT_BUCKETS: &[f64] = &[
    1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// What the core records for every probe, whatever its protocol.
pub mod common {
    use super::{Declared, Gauge, Info};

    /// Time that the look-up of the target's name took; near 0 for an address.
    pub static LOOKUP: Gauge = Gauge::new(
        "probe_dns_lookup_time_seconds",
        "Time that the look-up of the target's name took, in seconds.",
    );
    /// The protocol that was chosen: 4 or 6, and 0 if the name led nowhere.
    pub static PROTOCOL: Gauge = Gauge::new(
        "probe_ip_protocol",
        "IP version that the probe used: 4 or 6; 0 if the name led nowhere.",
    );
    /// FNV-1a hash of the address, so that a change of address can be seen as a change of value.
    pub static ADDRESS_HASH: Gauge = Gauge::new(
        "probe_ip_addr_hash",
        "Hash of the address that the probe used, to see when it changes; 0 if there was none.",
    );
    /// The address itself.
    pub static TARGET_INFO: Info = Info::new(
        "probe_target_info",
        "Address that the last run used.",
        &["address"],
    );

    /// All of them, in the order of their names in the exposition.
    pub static ALL: [&(dyn Declared + Sync); 4] = [&LOOKUP, &PROTOCOL, &ADDRESS_HASH, &TARGET_INFO];
}
