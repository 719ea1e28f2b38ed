//! Which services are to run beside the probes?

use leadsman_core::options::{Kind, Node};

use super::reading::{Reading, listed, suggestion};
use crate::responders::Wanted;

/// Reads `responders:`, a list in which each element names one responder with its options.
pub(super) fn read(reading: &mut Reading<'_>, node: &Node) -> Vec<Wanted> {
    let elements = reading.elements("`responders`", node);
    elements
        .iter()
        .filter_map(|element| responder(reading, element))
        .collect()
}

fn responder(reading: &mut Reading<'_>, node: &Node) -> Option<Wanted> {
    let names = reading.registry.responders().iter().map(|r| r.name());
    let names: Vec<_> = names.collect();
    let Kind::Map(entries) = &node.kind else {
        let help = format!(
            "write `- NAME: {{ … }}`; {}",
            listed("accepted here", &names)
        );
        reading.error(
            node,
            "a responder must be a name with its options under it",
            help,
        );
        return None;
    };
    if let Some((second, _)) = entries.get(1) {
        reading.error(
            second,
            "a responder has one name, and this is a second one",
            "start another element with `- `, or indent this as an option",
        );
        return None;
    }
    let (key, options) = entries.first()?;
    let name = key.text().unwrap_or_default();
    let Some(plugin) = reading.registry.responder(name) else {
        let help = suggestion(name, &names);
        reading.error(key, format!("there is no responder `{name}`"), help);
        return None;
    };
    let options = reading.accept(name, options, plugin.parse(options))?;
    Some(Wanted { plugin, options })
}
