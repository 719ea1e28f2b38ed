//! Can a plugin's options be shown, mistyped and looked up?

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::Plugin;
use crate::options::{Kind, Node, OptionsError, closest};
use crate::testing::Bench;
use crate::testing::written::written;

/// What is shown of the options in force must read back as the same options: the defaults, which are
/// those of a section that is not written at all, and those of the bench.
pub(super) fn round_trip(bench: &Bench) -> Vec<String> {
    let plugin = bench.plugin();
    let own = bench.written();
    let own = (own != Node::empty()).then_some(("the kit's options", own));
    [("the defaults", Node::new(Kind::Null))]
        .into_iter()
        .chain(own)
        .filter_map(|(what, options)| {
            let shown = match plugin.parse(&options) {
                Ok(options) => options.shown(),
                Err(mistakes) => return Some(format!("{what} are refused: {}", told(&mistakes))),
            };
            if !shown.is_object() {
                return Some(format!("{what} cannot be shown: their `Serialize` fails"));
            }
            let again = match plugin.parse(&written(shown.clone())) {
                Ok(options) => options.shown(),
                Err(mistakes) => {
                    let mistakes = told(&mistakes);
                    return Some(format!(
                        "{what} are shown as {shown}, which is refused: {mistakes}"
                    ));
                }
            };
            (again != shown).then(|| format!("{what} are shown as {shown}, then as {again}"))
        })
        .collect()
}

/// A key that nobody knows is refused, with its name and the name that may have been meant.
pub(super) fn unknown(plugin: &Plugin) -> Vec<String> {
    let schema = plugin.schema();
    let known = schema.get("properties").and_then(Value::as_object);
    let known = known.into_iter().flat_map(|known| known.keys());
    let known: Vec<_> = known.map(String::as_str).collect();
    let slips = known.iter().map(|name| format!("{name}x"));
    slips
        .chain([NOBODYS.to_owned()])
        .filter(|slip| !known.contains(&slip.as_str()))
        .filter_map(|slip| {
            let entry = (Node::word(&slip), Node::new(Kind::Null));
            let told = match plugin.parse(&Node::new(Kind::Map(vec![entry]))) {
                Ok(_) => return Some(format!("the unknown key `{slip}` is accepted")),
                Err(mistakes) => told(&mistakes),
            };
            let meant = closest(&slip, known.iter().copied());
            [Some(slip.as_str()), meant]
                .into_iter()
                .flatten()
                .find_map(|word| {
                    let quoted = format!("`{word}`");
                    let lacking = !told.contains(&quoted);
                    lacking.then(|| format!("`{slip}` is refused without naming {quoted}: {told}"))
                })
        })
        .collect()
}

/// Every property in the schema has a description, and none but those are allowed.
pub(super) fn described(plugin: &Plugin) -> Vec<String> {
    let schema = plugin.schema();
    let mut mistakes = Vec::new();
    if schema.get("properties").is_none() {
        closed(schema.as_value(), "", &mut mistakes);
    }
    walk(schema.as_value(), "", &mut mistakes);
    mistakes
}

fn walk(schema: &Value, path: &str, mistakes: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        closed(schema, path, mistakes);
        for (name, property) in properties {
            let path = format!("{path}{name}");
            // A variant of an enum is an object with its name as the only key.
            let variant = properties.len() == 1 && is_described(schema);
            if !is_described(property) && !variant {
                mistakes.push(format!(
                    "{path} has no description: give the field a doc comment"
                ));
            }
            walk(property, &format!("{path}."), mistakes);
        }
    }
    let choices = ["oneOf", "anyOf", "allOf"].map(|key| schema[key].as_array());
    for choice in choices.into_iter().flatten().flatten() {
        walk(choice, path, mistakes);
    }
    for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
        walk(definition, &format!("{name}."), mistakes);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(inner) {
            walk(inner, &format!("{path}[]."), mistakes);
        }
    }
}

fn closed(schema: &Value, path: &str, mistakes: &mut Vec<String>) {
    if schema["additionalProperties"] != Value::Bool(false) {
        let path = if path.is_empty() {
            "the options"
        } else {
            path.trim_end_matches('.')
        };
        mistakes.push(format!(
            "{path}: the schema allows unknown keys: add #[serde(deny_unknown_fields)]"
        ));
    }
}

fn is_described(schema: &Value) -> bool {
    let description = schema["description"].as_str();
    description.is_some_and(|text| !text.trim().is_empty())
}

fn told(mistakes: &[OptionsError]) -> String {
    let words: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    words.join("; ")
}

/// Far from every name there is.
const NOBODYS: &str = "conformance_kit_unknown_key";
