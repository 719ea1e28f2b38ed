//! What can this program probe and serve, and may it do so here?

use leadsman_core::{Need, Registry};
use serde_json::{Value, json};

use super::needs;
use crate::terminal::columns;

/// A table for people, at most `width` columns wide where that is possible.
pub(super) fn table(registry: &Registry, met: impl Fn(Need) -> bool, width: usize) -> String {
    let head = ["PROBE", "MEASURES", "COMMAND", "NEEDS", "HERE"];
    let probes = registry.probes().iter().map(|plugin| {
        let names: Vec<_> = plugin
            .needed()
            .iter()
            .map(|need| needs::name(*need))
            .collect();
        let here = plugin.needed().iter().all(|need| met(*need));
        let command = plugin.by_hand().map_or("", |command| command.name);
        let needs = names.join(", ");
        let here = if here { "yes" } else { "no" };
        row([plugin.name(), plugin.summary(), command, &needs, here])
    });
    let rows: Vec<_> = std::iter::once(row(head)).chain(probes).collect();
    let mut page = columns(&rows, width);
    let responders = registry.responders();
    if !responders.is_empty() {
        let head = std::iter::once(row(["RESPONDER", "SERVES", "COMMAND"]));
        let rows = head.chain(responders.iter().map(|r| {
            let command = r.by_hand().map_or("", |command| command.name);
            row([r.name(), r.summary(), command])
        }));
        page.push('\n');
        page.push_str(&columns(&rows.collect::<Vec<_>>(), width));
    }
    let mut missing: Vec<Need> = Vec::new();
    for need in registry.probes().iter().flat_map(|plugin| plugin.needed()) {
        if !met(*need) && !missing.contains(need) {
            missing.push(*need);
        }
    }
    for need in missing {
        let hint = [row([
            &format!("{}:", needs::name(need)),
            needs::remedy(need),
        ])];
        page.push('\n');
        page.push_str(&columns(&hint, width));
    }
    page
}

/// The same for programs, as one JSON array.
pub(super) fn json(registry: &Registry, met: impl Fn(Need) -> bool) -> String {
    let probes = registry.probes().iter().map(|plugin| {
        let needs: Vec<_> = plugin
            .needed()
            .iter()
            .map(|need| needs::name(*need))
            .collect();
        let metrics = plugin
            .layout()
            .places()
            .iter()
            .map(|place| place.metric.name);
        json!({
            "kind": "probe",
            "name": plugin.name(),
            "summary": plugin.summary(),
            "command": plugin.by_hand().map(|command| command.name),
            "needs": needs,
            "available": plugin.needed().iter().all(|need| met(*need)),
            "metrics": metrics.collect::<Vec<_>>(),
        })
    });
    let responders = registry.responders().iter().map(|responder| {
        json!({
            "kind": "responder",
            "name": responder.name(),
            "summary": responder.summary(),
            "command": responder.by_hand().map(|command| command.name),
        })
    });
    let all: Value = probes.chain(responders).collect();
    format!("{all:#}\n")
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
