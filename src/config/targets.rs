//! Whom does a scheduled probe probe?

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use leadsman_core::options::{Kind, Node};
use leadsman_core::{Plugin, Target};

use super::labels;
use super::reading::Reading;

/// A target, and where its address was written.
pub(super) struct Written<'n> {
    pub(super) target: Arc<Target>,
    pub(super) address: &'n Node,
}

/// Reads `targets:`; each gets the labels of its probe, unless it has one of that name itself.
pub(super) fn read<'n>(
    reading: &mut Reading<'_>,
    node: &'n Node,
    common: &BTreeMap<Box<str>, Box<str>>,
    plugin: Option<&'static Plugin>,
) -> Vec<Written<'n>> {
    let elements = reading.elements("`targets`", node);
    if elements.is_empty() && matches!(node.kind, Kind::List(_) | Kind::Null) {
        reading.warning(
            node,
            "there are no targets, so nothing is probed",
            "add one",
        );
    }
    let mut targets = Vec::with_capacity(elements.len());
    let mut first = HashMap::with_capacity(elements.len());
    for element in elements {
        let Some(written) = target(reading, element, common, plugin) else {
            continue;
        };
        let address = written.address.text().unwrap_or_default();
        if let Some(before) = first.insert(address, written.address) {
            let line = reading.line(before);
            reading.error(
                written.address,
                format!("the target `{address}` is given twice in this probe"),
                format!("it is already on line {line}: keep one of the two"),
            );
        }
        targets.push(written);
    }
    targets
}

fn target<'n>(
    reading: &mut Reading<'_>,
    node: &'n Node,
    common: &BTreeMap<Box<str>, Box<str>>,
    plugin: Option<&'static Plugin>,
) -> Option<Written<'n>> {
    let mut address = None;
    let mut hostname = None;
    let mut own = None;
    match &node.kind {
        Kind::Map(entries) => {
            for (key, value) in entries {
                match key.text().unwrap_or_default() {
                    "address" => address = Some(value),
                    "hostname" => hostname = reading.value::<Box<str>>("hostname", value),
                    "labels" => own = Some(labels::read(reading, value, plugin)),
                    _ => reading.unknown_key(key, &["address", "labels", "hostname"]),
                }
            }
        }
        Kind::Scalar { .. } | Kind::Bytes(_) | Kind::Null | Kind::List(_) => address = Some(node),
    }
    let Some(address) = address else {
        reading.missing_key(node, "address", "it says whom to probe");
        return None;
    };
    let text: Box<str> = reading.value("address", address)?;
    let labels = match own {
        Some(mut labels) => {
            for (name, value) in common {
                labels.entry(name.clone()).or_insert_with(|| value.clone());
            }
            labels.into_iter().collect()
        }
        None => common.clone().into_iter().collect(),
    };
    let target = Target {
        address: text,
        hostname,
        foreign: false,
        labels,
    };
    Some(Written {
        target: Arc::new(target),
        address,
    })
}
