//! Which labels may a person give to the series of a target?
//!
//! Not those that leadsman gives itself, and not those that would be lost or confused on their way
//! through Prometheus. Values are free.

use std::collections::BTreeMap;

use leadsman_core::Plugin;
use leadsman_core::options::Node;

use super::reading::Reading;

/// Reads `labels:`, and reports names that cannot be used beside the metrics of `plugin`.
pub(super) fn read(
    reading: &mut Reading<'_>,
    node: &Node,
    plugin: Option<&'static Plugin>,
) -> BTreeMap<Box<str>, Box<str>> {
    let mut labels = BTreeMap::new();
    for (key, value) in reading.entries("`labels`", node) {
        let name = key.text().unwrap_or_default();
        if let Some((why, help)) = objection(name, plugin) {
            reading.error(key, format!("the label `{name}` {why}"), help);
        }
        if let Some(value) = reading.value(name, value) {
            labels.insert(name.into(), value);
        }
    }
    labels
}

/// Why a name is not for the person to give, and what to do.
fn objection(name: &str, plugin: Option<&'static Plugin>) -> Option<(String, &'static str)> {
    const RENAME: &str = "choose another name";
    let mut letters = name.chars();
    let first_fits = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first_fits || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let why = "is not a name that Prometheus accepts";
        return Some((
            why.into(),
            "use letters, digits and `_`, and do not start with a digit",
        ));
    }
    let why = match name {
        "probe" | "target" => "is set by leadsman itself".into(),
        "job" | "instance" => "is set by Prometheus when it scrapes".into(),
        "le" | "quantile" => "belongs to histograms and summaries".into(),
        "reason" => "is used by leadsman's own metrics".into(),
        _ if name.starts_with("__") => "starts with `__`, which Prometheus keeps to itself".into(),
        _ => {
            let plugin = plugin?;
            let metrics = plugin.layout().places().iter().map(|place| place.metric);
            let taken = metrics
                .into_iter()
                .find(|metric| metric.labels.contains(&name))?;
            format!("is used by the metric `{}`", taken.name)
        }
    };
    Some((why, RENAME))
}
