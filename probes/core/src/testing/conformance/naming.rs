//! Do the declared metrics follow Prometheus' rules, and ours on top?
//!
//! See <https://prometheus.io/docs/practices/naming/>. Ours: the prefix `probe_`, a help that is a
//! sentence, and no label that the host sets itself.

use std::collections::HashSet;

use crate::Plugin;
use crate::metric::{Metric, MetricKind};

/// Checks every metric of the plugin, and that no two bear one name.
pub(super) fn check(plugin: &'static Plugin) -> Vec<String> {
    let metrics = plugin.layout().places().iter().map(|place| place.metric);
    let mut names = HashSet::new();
    metrics
        .flat_map(|metric| {
            let twice = (!names.insert(metric.name)).then(|| "is declared twice".to_owned());
            let mistakes = mistakes(metric).into_iter().chain(twice);
            mistakes.map(|mistake| format!("{} {mistake}", metric.name))
        })
        .collect()
}

/// What is wrong with one metric, each in words that follow its name.
fn mistakes(metric: &Metric) -> Vec<String> {
    let mut mistakes = name(metric);
    if metric.help.trim().is_empty() || !metric.help.ends_with('.') {
        mistakes.push(format!(
            "has the help {:?}, which is not a sentence",
            metric.help
        ));
    }
    mistakes.extend(metric.labels.iter().filter_map(|label| self::label(label)));
    if metric.kind == MetricKind::Info {
        if metric.labels.is_empty() && !metric.open {
            mistakes.push("is an info without a label".to_owned());
        }
    } else if metric.labels.is_empty() != metric.values.is_empty() {
        mistakes.push("has a label without values".to_owned());
    }
    let distinct: HashSet<_> = metric.values.iter().collect();
    if distinct.len() < metric.values.len() || distinct.contains(&"") {
        mistakes.push("has a label value that is empty or stands there twice".to_owned());
    }
    if metric.kind == MetricKind::Histogram {
        let finite = metric.buckets.iter().all(|bound| bound.is_finite());
        let ascending = metric.buckets.is_sorted_by(|a, b| a < b);
        if metric.buckets.is_empty() || !finite || !ascending {
            mistakes.push("has bounds that are not ascending and finite".to_owned());
        }
    }
    mistakes
}

fn name(metric: &Metric) -> Vec<String> {
    let name = metric.name;
    let mut mistakes = Vec::new();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if !name.starts_with("probe_") || !name.chars().all(allowed) {
        mistakes.push("is not `probe_` and letters, digits and underscores".to_owned());
    }
    if HOSTS_OWN.contains(&name) {
        mistakes.push("is a name that the host gives to a metric of its own".to_owned());
    }
    let suffix = name.rsplit('_').next().unwrap_or_default();
    let wrong = match metric.kind {
        MetricKind::Counter => (suffix != "total").then_some("is a counter: end it in `_total`"),
        MetricKind::Info => (suffix != "info").then_some("is an info: end it in `_info`"),
        MetricKind::Gauge | MetricKind::Histogram => TAKEN_SUFFIXES
            .contains(&suffix)
            .then_some("is a gauge or histogram with another kind's suffix"),
    };
    mistakes.extend(wrong.map(str::to_owned));
    let unit = name.split('_').find(|word| DERIVED_UNITS.contains(word));
    mistakes.extend(unit.map(|unit| {
        format!("is counted in `{unit}`: use the base unit, such as seconds, bytes or ratio")
    }));
    mistakes
}

fn label(label: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if label.is_empty()
        || label.starts_with(|c: char| c.is_ascii_digit())
        || !label.chars().all(allowed)
    {
        return Some(format!("has the label {label:?}, which is not a word"));
    }
    (label.starts_with("__") || RESERVED_LABELS.contains(&label))
        .then(|| format!("has the label `{label}`, which is reserved"))
}

/// What the host says of every run; a second series of the name could not be exported.
const HOSTS_OWN: [&str; 7] = [
    "probe_success",
    "probe_duration_seconds",
    "probe_timeout_seconds",
    "probe_run_duration_seconds",
    "probe_runs_total",
    "probe_failures_total",
    "probe_internal_errors_total",
];
/// Suffixes that say what kind of sample stands behind a name.
const TAKEN_SUFFIXES: [&str; 5] = ["total", "count", "sum", "bucket", "info"];
/// Labels that the host, Prometheus or the exposition format set.
const RESERVED_LABELS: [&str; 6] = ["le", "quantile", "job", "instance", "probe", "target"];
/// Units that have a base unit in Prometheus' rules.
const DERIVED_UNITS: [&str; 26] = [
    "ns",
    "nanos",
    "nanoseconds",
    "us",
    "micros",
    "microseconds",
    "ms",
    "millis",
    "milliseconds",
    "sec",
    "secs",
    "minutes",
    "hours",
    "days",
    "percent",
    "percentage",
    "bits",
    "kb",
    "kib",
    "kilobytes",
    "mb",
    "mib",
    "megabytes",
    "gb",
    "gib",
    "gigabytes",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Counter, Declared, Gauge, Histogram, Info};
    use crate::testing::conformance::tests::idle::Idle;

    fn check(metric: &'static dyn Declared, expected: &[&str]) {
        assert_eq!(mistakes(metric.metric()), expected, "{metric:?}");
    }

    /// Makes a static of a declaration.
    fn declared<D: Declared + 'static>(metric: D) -> &'static dyn Declared {
        Box::leak(Box::new(metric))
    }

    #[test]
    fn names_that_are_right_pass() {
        for metric in [
            declared(Counter::new("probe_icmp_packets_sent_total", "Sent.")),
            declared(Gauge::new("probe_ssl_earliest_cert_expiry", "Expiry.")),
            declared(Gauge::new("probe_http_duration_seconds", "Time.").by(&["phase"], &["a"])),
            declared(Histogram::new(
                "probe_icmp_rtt_seconds",
                "Times.",
                &[0.1, 1.0],
            )),
            declared(Info::new(
                "probe_tls_version_info",
                "Version.",
                &["version"],
            )),
        ] {
            check(metric, &[]);
        }
    }

    #[test]
    fn each_broken_rule_is_told() {
        let prefix = "is not `probe_` and letters, digits and underscores";
        let sentence = |help| format!("has the help {help:?}, which is not a sentence");
        let unit = |unit| {
            format!("is counted in `{unit}`: use the base unit, such as seconds, bytes or ratio")
        };
        let suffix = "is a gauge or histogram with another kind's suffix";
        let values = "has a label value that is empty or stands there twice";
        let bounds = "has bounds that are not ascending and finite";
        let gauge = |name| declared(Gauge::new(name, "A."));
        let of = |label, values| declared(Gauge::new("probe_a", "A.").by(label, values));
        let bounded = |bounds| declared(Histogram::new("probe_a", "A.", bounds));
        for (metric, expected) in [
            (gauge("icmp_a"), prefix.to_owned()),
            (gauge("probe_a-b"), prefix.to_owned()),
            (
                gauge("probe_success"),
                "is a name that the host gives to a metric of its own".into(),
            ),
            (gauge("probe_a_total"), suffix.to_owned()),
            (gauge("probe_a_count"), suffix.to_owned()),
            (gauge("probe_a_info"), suffix.to_owned()),
            (bounded_name("probe_a_bucket"), suffix.to_owned()),
            (gauge("probe_a_ms"), unit("ms")),
            (gauge("probe_loss_percent"), unit("percent")),
            (declared(Counter::new("probe_a_kb_total", "A.")), unit("kb")),
            (
                declared(Counter::new("probe_a", "A.")),
                "is a counter: end it in `_total`".into(),
            ),
            (
                declared(Info::new("probe_a", "A.", &["b"])),
                "is an info: end it in `_info`".into(),
            ),
            (
                declared(Info::new("probe_a_info", "A.", &[])),
                "is an info without a label".into(),
            ),
            (declared(Gauge::new("probe_a", "")), sentence("")),
            (declared(Gauge::new("probe_a", "A")), sentence("A")),
            (
                of(&["le"], &["a"]),
                "has the label `le`, which is reserved".into(),
            ),
            (
                of(&["target"], &["a"]),
                "has the label `target`, which is reserved".into(),
            ),
            (
                of(&["__a"], &["a"]),
                "has the label `__a`, which is reserved".into(),
            ),
            (
                of(&["a-b"], &["a"]),
                "has the label \"a-b\", which is not a word".into(),
            ),
            (
                of(&["1a"], &["a"]),
                "has the label \"1a\", which is not a word".into(),
            ),
            (of(&["a"], &[]), "has a label without values".into()),
            (of(&["a"], &["b", "b"]), values.to_owned()),
            (of(&["a"], &["b", ""]), values.to_owned()),
            (bounded(&[]), bounds.to_owned()),
            (bounded(&[1.0, 1.0]), bounds.to_owned()),
            (bounded(&[1.0, f64::INFINITY]), bounds.to_owned()),
        ] {
            check(metric, &[&expected]);
        }
    }

    #[test]
    fn a_name_that_is_declared_twice_is_told() {
        static LOOKUP: Gauge = Gauge::new("probe_dns_lookup_time_seconds", "As the core's.");
        static PLUGIN: Plugin = Plugin::new::<Idle>("idle", "Nothing").metrics(&[&LOOKUP]);
        let expected = ["probe_dns_lookup_time_seconds is declared twice"];
        assert_eq!(super::check(&PLUGIN), expected);
    }

    fn bounded_name(name: &'static str) -> &'static dyn Declared {
        declared(Histogram::new(name, "A.", &[1.0]))
    }
}
