//! Which named options are there for those who ask for a run over the web?
//!
//! The shape is `blackbox_exporter`'s: a prober, a timeout, and a section of options for each
//! prober, of which only the one that is named counts. It loads a prober that it does not know and
//! refuses the run; so does this, with a warning, as long as the name is not a slip.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::options::{Kind, Node, Period, Secret};
use leadsman_core::{Aim, Difference, Plugin};
use serde_json::{Map, Value, json};

use super::reading::{Reading, listed, suggestion};

/// Named options, as they are asked for over the web.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// Its name.
    pub(crate) name: String,
    /// The name of its prober, as written.
    pub(crate) prober: String,
    /// How long a run may take at most, if it says so.
    pub(crate) timeout: Option<Duration>,
    /// The prober and its options; `None` if it is not linked into this program.
    pub(crate) options: Option<(&'static Plugin, Arc<dyn Aim>)>,
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

/// A module that runs can be made of.
pub(super) struct Usable<'m, 'n> {
    pub(super) module: &'m Arc<Module>,
    pub(super) plugin: &'static Plugin,
    pub(super) options: &'m Arc<dyn Aim>,
    /// Its options as written.
    pub(super) written: &'n Node,
}

impl<'n> Modules<'n> {
    /// Finds the module that the value of `key` names, or reports why it is of no use.
    pub(super) fn usable(
        &self,
        reading: &mut Reading<'_>,
        key: &str,
        node: &Node,
    ) -> Option<Usable<'_, 'n>> {
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
        let module = written.module.as_ref()?;
        let Some((plugin, options)) = &module.options else {
            reading.error(
                node,
                format!(
                    "the module `{name}` cannot be used: there is no prober `{}`",
                    module.prober
                ),
                "use a module whose prober is linked into this program",
            );
            return None;
        };
        Some(Usable {
            module,
            plugin,
            options,
            written: written.options,
        })
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
    let linked = reading.registry.probe(&prober);
    let mut module = Module {
        name: name.to_owned(),
        timeout: None,
        options: None,
        differences: Vec::new(),
        shown: Value::Null,
        prober,
    };
    let mut written = &NOTHING;
    for (key, value) in entries {
        match key.text().unwrap_or_default() {
            "prober" => {}
            "timeout" => {
                let timeout = reading.value::<Period>("timeout", value);
                // As in `blackbox_exporter`, none at all is written as 0 too.
                module.timeout = timeout.map(|period| *period).filter(|t| !t.is_zero());
            }
            section if section == module.prober => written = value,
            section => match reading.registry.probe(section) {
                Some(plugin) => {
                    // The section of another prober has no effect, but must be right.
                    reading.accept(section, value, plugin.parse(value));
                }
                None => unknown_section(reading, key),
            },
        }
    }
    if let Some(plugin) = linked {
        let options = reading.accept(plugin.name(), written, plugin.parse(written));
        module.options = options.map(|options| (plugin, options));
        let differences = plugin.differences().iter();
        module.differences = differences.filter(|d| d.concerns(written)).collect();
    }
    module.shown = shown(&module, written);
    let usable = !reading.errors_since(found);
    Written {
        module: usable.then(|| Arc::new(module)),
        options: written,
    }
}

/// Reads the prober's name, and tells of one that is not linked.
fn prober(reading: &mut Reading<'_>, key: &Node, node: Option<&Node>) -> String {
    let names: Vec<_> = reading.registry.probes().iter().map(|p| p.name()).collect();
    let linked = listed("linked into it", &names);
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
    match reading.registry.probe_like(&name) {
        Some(near) => reading.error(
            node,
            format!("there is no prober `{name}`"),
            format!("did you mean `{near}`?"),
        ),
        None => reading.warning(
            node,
            format!("this program has no prober `{name}`, so the module cannot be used"),
            linked,
        ),
    }
    name
}

fn unknown_section(reading: &mut Reading<'_>, key: &Node) {
    let plugins = reading.registry.probes().iter().map(|plugin| plugin.name());
    let accepted: Vec<_> = ["prober", "timeout"].into_iter().chain(plugins).collect();
    reading.unknown_key(key, &accepted);
}

fn shown(module: &Module, written: &Node) -> Value {
    let mut shown = Map::new();
    shown.insert("prober".into(), json!(module.prober));
    if let Some(timeout) = module.timeout {
        shown.insert("timeout".into(), json!(Period(timeout)));
    }
    match &module.options {
        Some((plugin, options)) => {
            shown.insert(plugin.name().into(), options.shown());
        }
        None if written.kind != Kind::Null => {
            shown.insert(module.prober.clone(), masked(written));
        }
        None => {}
    }
    Value::Object(shown)
}

/// The shape of options that nobody could read: any value in them may be a secret.
fn masked(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Scalar { .. } | Kind::Bytes(_) => Secret::MASK.into(),
        Kind::List(elements) => elements.iter().map(masked).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|(key, value)| (key.text().unwrap_or_default().to_owned(), masked(value)))
            .collect(),
    }
}

/// The section of a prober for which there is none.
static NOTHING: Node = Node::new(Kind::Null);
