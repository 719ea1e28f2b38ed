//! Which named options are there for those who ask for a run over the web?
//!
//! The shape is `blackbox_exporter`'s: a prober, a timeout, and a section of options for each
//! prober, of which only the one that is named counts. A prober that is not linked is a mistake, as
//! it is there after 0.28: what is known while the file is read should not wait for a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::{Kind, Node, Period};
use leadsman_core::{Aim, Difference, Plugin};
use serde_json::{Map, Value, json};

use super::reading::{Reading, listed, suggestion};

/// Named options, as they are asked for over the web.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// Its name.
    pub(crate) name: String,
    /// Its prober.
    pub(crate) plugin: &'static Plugin,
    /// The options of that.
    pub(crate) options: Arc<dyn Aim>,
    /// How long a run may take at most, if it says so.
    pub(crate) timeout: Option<Duration>,
    /// What is different in it from what `blackbox_exporter` would do.
    pub(crate) differences: Vec<&'static Difference>,
    /// The module in force, with defaults, and secrets hidden.
    pub(crate) shown: Value,
}

/// The modules of a file, and what is needed to point into them.
#[derive(Default)]
pub(super) struct Modules<'n>(BTreeMap<&'n str, Written<'n>>);

/// A module beside what it was made from.
pub(super) struct Written<'n> {
    /// The module; `None` if something in it is wrong.
    pub(super) module: Option<Arc<Module>>,
    /// Its options as written.
    pub(super) options: &'n Node,
}

impl<'n> Modules<'n> {
    /// Finds the module that the value of `key` names, with its options as written, or reports that
    /// there is none.
    pub(super) fn usable(
        &self,
        reading: &mut Reading<'_>,
        key: &str,
        node: &Node,
    ) -> Option<(&Arc<Module>, &'n Node)> {
        let name: String = reading.value(key, node)?;
        let Some(written) = self.0.get(&*name) else {
            let names: Vec<_> = self.0.keys().copied().collect();
            let help = match names.as_slice() {
                [] => "give it under `modules`".to_owned(),
                names => suggestion(&name, names),
            };
            reading.error(node, format!("there is no module `{name}`"), help);
            return None;
        };
        // What is wrong inside the module is reported there.
        Some((written.module.as_ref()?, written.options))
    }

    pub(super) fn into_usable(self) -> BTreeMap<String, Arc<Module>> {
        let modules = self.0.into_values().filter_map(|written| written.module);
        modules
            .map(|module| (module.name.clone(), module))
            .collect()
    }
}

/// Reads `modules:`.
pub(super) fn read<'n>(reading: &mut Reading<'_>, node: &'n Node) -> Modules<'n> {
    let mut modules = Modules::default();
    for (key, value) in reading.entries("`modules`", node) {
        let name = key.text().unwrap_or_default();
        modules.0.insert(name, module(reading, key, value));
    }
    modules
}

fn module<'n>(reading: &mut Reading<'_>, key: &'n Node, node: &'n Node) -> Written<'n> {
    let found = reading.problems.len();
    let name = key.text().unwrap_or_default();
    let entries = reading.entries(&format!("the module `{name}`"), node);
    let prober = prober(reading, key, node.field("prober"));
    let (mut timeout, mut written) = (None, &NOTHING);
    for (key, value) in entries {
        match key.text().unwrap_or_default() {
            "prober" => {}
            "timeout" => {
                let given = reading.value::<Period>("timeout", value);
                // As in `blackbox_exporter`, none at all is written as 0 too.
                timeout = given.map(|period| *period).filter(|t| !t.is_zero());
            }
            section if section == prober => written = value,
            section => match reading.registry.probe(section) {
                Some(plugin) => {
                    // The section of another prober has no effect, but must be right.
                    reading.accept(section, value, plugin.parse(value));
                }
                None => unknown_section(reading, key),
            },
        }
    }
    let linked = reading.registry.probe(&prober);
    let read = linked.and_then(|plugin| {
        let options = reading.accept(plugin.name(), written, plugin.parse(written))?;
        Some((plugin, options))
    });
    let usable = read.filter(|_| !reading.errors_since(found));
    let module = usable.map(|(plugin, options)| {
        let differences = plugin.differences().iter();
        Arc::new(Module {
            name: name.to_owned(),
            shown: shown(plugin, timeout, &*options),
            plugin,
            options,
            timeout,
            differences: differences.filter(|d| d.concerns(written)).collect(),
        })
    });
    Written {
        module,
        options: written,
    }
}

/// Reads the prober's name, and tells of one that is not linked.
fn prober(reading: &mut Reading<'_>, key: &Node, node: Option<&Node>) -> String {
    let names: Vec<_> = reading.registry.probes().iter().map(|p| p.name()).collect();
    let Some(node) = node else {
        reading.missing_key(
            key,
            "prober",
            &format!("it says how to probe; {}", listed("it can be", &names)),
        );
        return String::new();
    };
    let name: String = reading.value("prober", node).unwrap_or_default();
    if reading.registry.probe(&name).is_some() || name.is_empty() {
        return name;
    }
    let help = match reading.registry.probe_like(&name) {
        Some(near) => format!("did you mean `{near}`?"),
        None => listed("linked into this program", &names),
    };
    reading.error(node, format!("there is no prober `{name}`"), help);
    name
}

fn unknown_section(reading: &mut Reading<'_>, key: &Node) {
    let plugins = reading.registry.probes().iter().map(|plugin| plugin.name());
    let accepted: Vec<_> = ["prober", "timeout"].into_iter().chain(plugins).collect();
    reading.unknown_key(key, &accepted);
}

fn shown(plugin: &Plugin, timeout: Option<Duration>, options: &dyn Aim) -> Value {
    let mut shown = Map::new();
    shown.insert("prober".into(), json!(plugin.name()));
    if let Some(timeout) = timeout {
        shown.insert("timeout".into(), json!(Period(timeout)));
    }
    shown.insert(plugin.name().into(), options.shown());
    Value::Object(shown)
}

/// The section of a prober for which there is none.
static NOTHING: Node = Node::new(Kind::Null);
