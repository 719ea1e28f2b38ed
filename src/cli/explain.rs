//! What does the manual of a probe or responder say?

use leadsman_core::{Registry, manual};

use super::markdown;
use crate::terminal::Terminal;

/// The manual of whatever bears this name: set for reading on a screen, else plain Markdown.
pub(super) fn manual(registry: &Registry, name: &str, terminal: &Terminal) -> String {
    let page = text(registry, name);
    if terminal.is_screen() {
        markdown::set(&page, terminal.width().min(WIDEST), terminal.color())
    } else {
        page
    }
}

fn text(registry: &Registry, name: &str) -> String {
    let by_command = || {
        let mut probes = registry.probes().iter().copied();
        probes.find(|plugin| plugin.by_hand().is_some_and(|command| command.name == name))
    };
    let probe = registry.probe(name).or_else(by_command).map(|plugin| {
        if plugin.manual().is_empty() {
            let (options, metrics) = (manual::options(plugin), manual::metrics(plugin));
            format!(
                "# {}\n\n{}.\n\n## Options\n\n{options}\n## Metrics\n\n{metrics}",
                plugin.name(),
                plugin.summary()
            )
        } else {
            manual::filled(plugin)
        }
    });
    let responder = registry
        .responder(name)
        .map(|responder| match responder.manual() {
            "" => format!("# {}\n\n{}.\n", responder.name(), responder.summary()),
            manual => manual.to_owned(),
        });
    let pages: Vec<_> = probe.into_iter().chain(responder).collect();
    pages.join("\n")
}

/// Columns beyond which prose is hard to read; tables profit from every one.
const WIDEST: usize = 100;
