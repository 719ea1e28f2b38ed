//! What does a person see who starts the program with nothing?
//!
//! Every linked probe, aimed at the targets on loopback that its descriptor names, once a second;
//! three addresses worth opening, and soon a line that says what was measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use leadsman_core::Registry;

use crate::history::{Entry, History};

/// Writes the configuration of the demonstration.
pub(crate) fn configuration(registry: &Registry) -> String {
    let mut probes = String::from("probes:\n");
    let mut modules = String::from("modules:\n");
    for plugin in registry.probes() {
        let (name, targets) = (plugin.name(), plugin.demonstration_targets());
        if !targets.is_empty() {
            writeln!(
                probes,
                "- name: {name}\n  every: 1s\n  timeout: 1s\n  {name}: {{}}\n  targets: {targets:?}"
            )
            .expect(NEVER_FAILS);
        }
        writeln!(modules, "  {name}: {{ prober: {name} }}").expect(NEVER_FAILS);
    }
    probes + &modules
}

/// Says where to look; `address` is where the program listens.
pub(crate) fn welcome(address: SocketAddr, registry: &Registry) -> String {
    let mut text = format!(
        "leadsman runs its demonstration, for there is no leadsman.yml here and none was named.\n\n  \
         http://{address}/          who fails, and the last runs\n  \
         http://{address}/metrics   what Prometheus scrapes\n"
    );
    let shown = registry
        .probes()
        .iter()
        .find(|plugin| !plugin.demonstration_targets().is_empty());
    if let Some(plugin) = shown {
        let (module, target) = (plugin.name(), plugin.demonstration_targets()[0]);
        writeln!(
            text,
            "  http://{address}/probe?module={module}&target={target}&debug=true   one run now"
        )
        .expect(NEVER_FAILS);
    }
    text.push_str("\nCtrl-C ends it. A configuration of your own: leadsman run --config FILE\n");
    text
}

/// Says in one line what was measured so far.
pub(crate) fn first_look(history: &History) -> String {
    let entries = history.entries();
    let mut last: BTreeMap<(&str, &str), &Entry> = BTreeMap::new();
    for entry in &entries {
        last.entry((entry.asked.name(), &entry.run.target.address))
            .or_insert(entry);
    }
    let targets = last
        .iter()
        .map(|((probe, target), entry)| match &entry.run.result {
            Ok(()) => {
                let millis = entry.run.duration.as_secs_f64() * 1e3;
                format!("{probe} {target} in {millis:.3} ms")
            }
            Err(fault) => format!("{probe} {target} failed: {fault}"),
        });
    let targets: Vec<_> = targets.collect();
    format!(
        "{} runs so far; the last: {}.\n",
        entries.len(),
        targets.join(", ")
    )
}

const NEVER_FAILS: &str = "writing to a String cannot fail";
