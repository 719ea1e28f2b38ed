//! How does an editor know what may be written in a configuration?
//!
//! A JSON Schema (2020-12) of the whole file, made from the registry: what a plugin accepts is what
//! its own schema says. It cannot say everything that reading checks, such as names given twice.

use leadsman_core::Registry;
use leadsman_core::schemars::{Schema, schema_for};
use serde_json::{Map, Value, json};

use super::{Web, buckets};

/// The schema of a configuration for the plugins of `registry`.
pub(crate) fn schema(registry: &Registry) -> Value {
    let mut definitions = Map::new();
    let mut probers = Map::new();
    let mut responders = Map::new();
    for plugin in registry.probes() {
        let schema = define(
            &mut definitions,
            plugin.name(),
            plugin.schema(),
            plugin.summary(),
        );
        probers.insert(plugin.name().into(), schema);
    }
    for plugin in registry.responders() {
        let name = format!("responder.{}", plugin.name());
        let schema = define(&mut definitions, &name, plugin.schema(), plugin.summary());
        responders.insert(plugin.name().into(), schema);
    }
    let web = define(
        &mut definitions,
        "web",
        schema_for!(Web),
        "Where to listen, and how to answer.",
    );
    definitions.insert("duration".into(), duration());
    definitions.insert("labels".into(), labels());
    definitions.insert("target".into(), target());
    definitions.insert("probe".into(), probe(&probers));
    definitions.insert("module".into(), module(&probers));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "leadsman configuration",
        "description": "What leadsman probes, how, and how often.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "probes": {
                "description": "What is probed on a schedule.",
                "type": ["array", "null"],
                "items": { "$ref": "#/$defs/probe" },
            },
            "modules": {
                "description": "Named options for /probe?module=NAME&target=…, in blackbox_exporter's shape.",
                "type": ["object", "null"],
                "additionalProperties": { "$ref": "#/$defs/module" },
            },
            "responders": {
                "description": "Services that run beside the probes, to be probed.",
                "type": ["array", "null"],
                "items": {
                    "description": "One responder: its name, with its options under it.",
                    "type": "object",
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                    "properties": responders,
                },
            },
            "web": web,
        },
        "$defs": definitions,
    })
}

/// Adds a plugin's schema to the definitions, and returns the reference to it.
///
/// Its own definitions move along under its name, for two plugins may use the same one.
fn define(
    definitions: &mut Map<String, Value>,
    name: &str,
    schema: Schema,
    summary: &str,
) -> Value {
    let mut schema = schema.to_value();
    point_into(&mut schema, name);
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        if let Some(Value::Object(inner)) = schema.remove("$defs") {
            let inner = inner.into_iter();
            definitions.extend(inner.map(|(key, value)| (format!("{name}.{key}"), value)));
        }
    }
    definitions.insert(name.to_owned(), schema);
    json!({ "description": summary, "$ref": format!("#/$defs/{name}") })
}

/// Makes every reference to a definition one to the definition that moved under `name`.
fn point_into(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(path) if key == "$ref" => {
                        *path = path.replace("#/$defs/", &format!("#/$defs/{name}."));
                    }
                    value => point_into(value, name),
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                point_into(element, name);
            }
        }
        _ => {}
    }
}

fn duration() -> Value {
    let mut schema = schema_for!(leadsman_core::options::Period).to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        schema.remove("title");
    }
    schema
}

fn labels() -> Value {
    json!({
        "type": ["object", "null"],
        "propertyNames": { "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$" },
        "additionalProperties": { "type": ["string", "number", "boolean"] },
    })
}

fn target() -> Value {
    json!({
        "description": "One target: its address, or its address with more about it.",
        "type": ["string", "object"],
        "additionalProperties": false,
        "required": ["address"],
        "properties": {
            "address": {
                "description": "Whom to probe, in the form that the protocol uses; the label `target`.",
                "type": "string",
            },
            "hostname": {
                "description": "The name to ask for where it differs from the address.",
                "type": "string",
            },
            "labels": {
                "description": "Labels of this target's series; they win over the probe's.",
                "$ref": "#/$defs/labels",
            },
        },
    })
}

fn probe(probers: &Map<String, Value>) -> Value {
    let mut properties = json!({
        "name": {
            "description": "Its name, unique among all probes; the label `probe`.",
            "type": "string",
            "minLength": 1,
        },
        "every": {
            "description": "The time from one run to the next: 15s if not given.",
            "$ref": "#/$defs/duration",
        },
        "timeout": {
            "description": "The deadline of a run, at most `every`: 10s if not given, or `every` if that is shorter.",
            "$ref": "#/$defs/duration",
        },
        "labels": {
            "description": "Labels of all its series.",
            "$ref": "#/$defs/labels",
        },
        "buckets": {
            "description": "Upper bounds of its histograms of round trips, ascending, such as [1ms, 10ms, 100ms]; those that the plugin declares if not given.",
            "type": "array",
            "minItems": 1,
            "maxItems": buckets::MOST,
            "uniqueItems": true,
            "items": { "$ref": "#/$defs/duration" },
        },
        "targets": {
            "description": "Whom to probe.",
            "type": ["array", "null"],
            "items": { "$ref": "#/$defs/target" },
        },
        "trace_on_failure": {
            "description": "The name of a module that is run once, aimed at the target's host, when a target starts to fail.",
            "type": "string",
        },
        "module": {
            "description": "How to probe: the name of one of the modules.",
            "type": "string",
        },
    });
    let ways = probers.keys().map(String::as_str).chain(["module"]);
    let ways: Value = ways.map(|way| json!({ "required": [way] })).collect();
    if let Some(properties) = properties.as_object_mut() {
        properties.extend(probers.clone());
    }
    json!({
        "description": "One probe: how to measure, how often, and whom.",
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "targets"],
        "oneOf": ways,
        "properties": properties,
    })
}

fn module(probers: &Map<String, Value>) -> Value {
    let names: Vec<_> = probers.keys().collect();
    let mut properties = json!({
        "prober": {
            "description": "How to probe.",
            "type": "string",
            "enum": names,
        },
        "timeout": {
            "description": "How long a run may take at most; the scraper's timeout if not given.",
            "$ref": "#/$defs/duration",
        },
    });
    if let Some(properties) = properties.as_object_mut() {
        properties.extend(probers.clone());
    }
    json!({
        "description": "Named options: a prober, and a section of options under its name.",
        "type": "object",
        "additionalProperties": false,
        "required": ["prober"],
        "properties": properties,
    })
}
