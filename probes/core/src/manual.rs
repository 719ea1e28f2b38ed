//! Which parts of a plugin's manual follow from its declarations?
//!
//! Options and metrics are declared once, in code, and their tables are made from there, so that a
//! manual cannot fall behind. A manual marks where each table stands:
//!
//! ```text
//! <!-- generated: options -->
//! <!-- end -->
//! ```
//!
//! This module neither reads nor writes files: a test of each plugin compares its README with
//! [`filled`] and rewrites it when asked to.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::Plugin;
use crate::metric::{Metric, MetricKind};
use crate::options::Period;

/// The plugin's manual with its tables made anew; all other text stays as it is.
pub fn filled(plugin: &'static Plugin) -> String {
    let mut page = String::new();
    let mut rest = plugin.manual();
    while let Some((before, name, after)) = next_mark(rest) {
        let table = match name {
            "options" => options(plugin),
            "metrics" => metrics(plugin),
            _ => format!("There is no table called `{name}`.\n"),
        };
        page += before;
        page += &table;
        rest = after;
    }
    page + rest
}

/// A Markdown table of every option: name, type, default and meaning.
///
/// An option inside another is named by its path, `tls_config.server_name`.
pub fn options(plugin: &Plugin) -> String {
    let schema = plugin.schema();
    let mut table = String::from("| Option | Type | Default | Meaning |\n|---|---|---|---|\n");
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let reader = Schemas { definitions };
    reader.rows(schema.as_value(), "", &mut Vec::new(), &mut table);
    table
}

/// A Markdown table of everything that is recorded, the core's metrics included, the buckets of the
/// histograms, and the reasons for which a run can fail through the target's fault.
pub fn metrics(plugin: &'static Plugin) -> String {
    let mut table = String::from("| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n");
    for place in plugin.layout().places() {
        let Metric { name, help, .. } = place.metric;
        let kind = match place.metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Info => "info",
        };
        let labels = labels(place.metric);
        writeln!(table, "| `{name}` | {kind} | {labels} | {help} |").expect(INFALLIBLE);
    }
    for place in plugin.layout().places() {
        if place.metric.takes_buckets() {
            let bounds = place.buckets.iter();
            let bounds = bounds.map(|s| Period(Duration::from_secs_f64(*s)).to_string());
            let bounds: Vec<_> = bounds.collect();
            writeln!(
                table,
                "\nThe upper bounds of `{}` are {}; `buckets: [1ms, 10ms]` beside the probe's name \
                 in the configuration takes their place.",
                place.metric.name,
                bounds.join(", ")
            )
            .expect(INFALLIBLE);
        }
    }
    let causes = plugin.possible_causes().iter();
    let causes: Vec<_> = causes.map(|cause| format!("`{}`", cause.label())).collect();
    writeln!(
        table,
        "\nA run that fails through the target's fault counts in `probe_failures_total` under one \
         of these reasons: {}.",
        causes.join(", ")
    )
    .expect(INFALLIBLE);
    table
}

/// Splits at the next generated part: up to and with its opening mark, its name, and from its
/// closing mark on.
fn next_mark(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find(OPENING)?;
    let (name, body) = text[start + OPENING.len()..].split_once(" -->\n")?;
    let end = body.find(CLOSING)?;
    let before = &text[..text.len() - body.len()];
    Some((before, name, &body[end..]))
}

fn labels(metric: &Metric) -> String {
    let values: Vec<_> = metric.values.iter().map(|v| format!("`{v}`")).collect();
    match metric.labels {
        _ if metric.open => "as configured".to_owned(),
        [label] if !values.is_empty() => format!("`{label}`: {}", values.join(", ")),
        labels => labels.join(", "),
    }
}

/// Reads options out of a JSON Schema as `schemars` writes it.
struct Schemas<'a> {
    definitions: Option<&'a Map<String, Value>>,
}

impl<'a> Schemas<'a> {
    /// Adds a row for each property of `schema`; `within` are the structs around it, for a type
    /// that contains itself has no end.
    fn rows(&self, schema: &'a Value, path: &str, within: &mut Vec<&'a Value>, table: &mut String) {
        within.push(schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}{name}");
            let whole = self.whole(property);
            let seen = within.iter().any(|outer| std::ptr::eq(*outer, whole));
            if whole["properties"].is_object() && !seen {
                self.rows(whole, &format!("{path}."), within, table);
                continue;
            }
            let described = [property, whole].map(|schema| schema["description"].as_str());
            let meaning = described.into_iter().flatten().next().unwrap_or_default();
            let meaning = meaning
                .replace("\n\n", " ")
                .replace('\n', " ")
                .replace('|', "\\|");
            let (kind, default) = (self.kind(whole), default(&property["default"]));
            writeln!(table, "| `{path}` | {kind} | {default} | {meaning} |").expect(INFALLIBLE);
        }
        within.pop();
    }

    /// The schema behind a reference, or behind "this or nothing".
    fn whole(&self, schema: &'a Value) -> &'a Value {
        let referred = schema["$ref"].as_str().and_then(|reference| {
            let name = reference.strip_prefix("#/$defs/")?;
            self.definitions?.get(name)
        });
        let optional = || {
            let mut choices = schema["anyOf"].as_array()?.iter();
            choices.find(|choice| choice["type"] != "null")
        };
        referred
            .or_else(optional)
            .map_or(schema, |schema| self.whole(schema))
    }

    /// What to write for such a value.
    fn kind(&self, schema: &'a Value) -> String {
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<_> = values.iter().map(|v| format!("`{}`", plain(v))).collect();
            return values.join(", ");
        }
        let name = match &schema["type"] {
            Value::Array(names) => names
                .iter()
                .find_map(|name| name.as_str().filter(|n| *n != "null")),
            name => name.as_str(),
        };
        match (name, schema["format"].as_str()) {
            (Some("string"), Some("duration")) => "duration".to_owned(),
            (Some("string"), Some("ip")) => "address".to_owned(),
            (Some("string"), _) => "text".to_owned(),
            (Some("integer"), _) => match (&schema["minimum"], &schema["maximum"]) {
                (Value::Number(least), Value::Number(most)) => format!("{least} to {most}"),
                _ => "number".to_owned(),
            },
            (Some("array"), _) => format!("list of {}", self.kind(self.whole(&schema["items"]))),
            (Some("object"), _) => "map".to_owned(),
            (name, _) => name.unwrap_or("any").to_owned(),
        }
    }
}

fn default(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => String::new(),
        value => format!("`{}`", plain(value)),
    }
}

/// A value as a person writes it: text without quotes.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

const OPENING: &str = "<!-- generated: ";
const CLOSING: &str = "<!-- end -->";
const INFALLIBLE: &str = "writing to a String cannot fail";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::metric::{Counter, Histogram, RTT_BUCKETS};
    use crate::options::OptionsError;
    use crate::{Cause, Context, Fault, Options, Probe, Target};

    /// Options with one of each shape.
    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Shapes {
        /// How long,
        /// at most.
        wait: Period,
        /// Either a | b.
        source: Option<std::net::IpAddr>,
        ttl: u8,
        names: Vec<String>,
        inner: Option<Inner>,
    }

    /// A part.
    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Inner {
        /// Which one.
        choice: Choice,
        /// More of the same.
        again: Option<Box<Self>>,
    }

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        #[default]
        Left,
        Right,
    }

    struct Never;

    #[async_trait]
    impl Probe for Never {
        async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
            Ok(())
        }
    }

    impl Options for Shapes {
        type Probe = Never;

        fn aim(self: &Arc<Self>, _: &Target) -> Result<Never, OptionsError> {
            Ok(Never)
        }
    }

    static RTT: Histogram = Histogram::new("probe_test_rtt_seconds", "Time.", RTT_BUCKETS);

    static SENT: Counter =
        Counter::new("probe_test_sent_total", "Packets sent.").by(&["way"], &["up", "down"]);

    static PLUGIN: Plugin = Plugin::new::<Shapes>("test", "Nothing")
        .metrics(&[&SENT, &RTT])
        .causes(&[Cause::Timeout, Cause::Refused])
        .docs(
            "# Test\n<!-- generated: options -->\nold\n<!-- end -->\nkept\n\
             <!-- generated: metrics -->\n<!-- end -->\nlast <!-- generated: open -->\n",
        );

    #[test]
    fn tables_are_made_anew_and_all_else_is_kept() {
        let page = filled(&PLUGIN);
        let expected = [
            "# Test\n<!-- generated: options -->\n| Option | Type | Default | Meaning |\n|---|",
            "\n| `wait` | duration | `0s` | How long, at most. |\n",
            "\n| `source` | address |  | Either a \\| b. |\n",
            "\n| `ttl` | 0 to 255 | `0` |  |\n",
            "\n| `names` | list of text | `[]` |  |\n",
            "\n| `inner.choice` | `left`, `right` | `left` | Which one. |\n",
            "\n| `inner.again` | map |  | More of the same. |\n<!-- end -->\nkept\n",
            "\n| `probe_target_info` | info | address | ",
            "\n| `probe_test_sent_total` | counter | `way`: `up`, `down` | Packets sent. |\n",
            "\nThe upper bounds of `probe_test_rtt_seconds` are 100us, 250us, 500us, 1ms, 2500us, ",
            "under one of these reasons: `timeout`, `refused`.\n<!-- end -->\nlast <!-- generated",
        ];
        let mut rest = page.as_str();
        for part in expected {
            let at = rest.find(part);
            let at = at.unwrap_or_else(|| panic!("no {part:?} in order in\n{page}"));
            // Parts may share the line break between them.
            rest = &rest[at + part.len() - 1..];
        }
        assert!(!page.contains("old"));
    }
}
