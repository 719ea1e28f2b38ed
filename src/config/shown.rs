//! What is in force, with every default, for somebody who may see everything but the secrets?
//!
//! The order is `blackbox_exporter`'s as far as it goes: modules first.

use leadsman_core::Target;
use leadsman_core::options::Period;
use serde_json::{Map, Value, json};

use super::{Config, Scheduled};

impl Config {
    /// The configuration as YAML. It reads back as one that does the same, but for the secrets.
    pub(crate) fn shown(&self) -> String {
        let mut shown = Map::new();
        let modules = self.modules.iter();
        let modules: Map<_, _> = modules
            .map(|(name, module)| (name.clone(), module.shown.clone()))
            .collect();
        shown.insert("modules".into(), modules.into());
        shown.insert("probes".into(), self.probes.iter().map(scheduled).collect());
        let responders = self.responders.iter();
        let responders =
            responders.map(|wanted| json!({ wanted.plugin.name(): wanted.options.shown() }));
        shown.insert("responders".into(), responders.collect());
        shown.insert("web".into(), json!(self.web));
        shown.retain(|_, part| *part != json!([]));
        let text = serde_saphyr::to_string(&shown)
            .expect("a tree of texts, numbers, lists and maps can be written as YAML");
        // What was substituted is text by now, and must not be substituted again.
        text.replace("${env:", "$${env:")
    }
}

fn scheduled(probe: &Scheduled) -> Value {
    let mut shown = json!({
        "name": &*probe.name,
        "every": Period(probe.every.duration()),
        "timeout": Period(probe.timeout),
        probe.plugin.name(): probe.options.shown(),
        "targets": probe.targets.iter().map(|t| target(t)).collect::<Vec<_>>(),
    });
    if let Some(buckets) = &probe.buckets {
        shown["buckets"] = json!(buckets);
    }
    if let Some(follow_up) = &probe.trace_on_failure {
        shown["trace_on_failure"] = json!(follow_up.module.name);
    }
    shown
}

fn target(target: &Target) -> Value {
    if target.hostname.is_none() && target.labels.is_empty() {
        return json!(&*target.address);
    }
    let mut shown = Map::new();
    shown.insert("address".into(), json!(&*target.address));
    if let Some(hostname) = &target.hostname {
        shown.insert("hostname".into(), json!(&**hostname));
    }
    let labels = target.labels.iter();
    let labels: Map<_, _> = labels
        .map(|(name, value)| (name.to_string(), json!(&**value)))
        .collect();
    if !labels.is_empty() {
        shown.insert("labels".into(), labels.into());
    }
    shown.into()
}
