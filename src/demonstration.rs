//! What does a person see who starts the program with nothing?
//!
//! Every linked responder that takes part, in a directory that is gone at the end, and every linked
//! probe, mostly once a second: aimed at the responder of its name, or at the targets on loopback
//! that its descriptor names. Three addresses worth opening, and soon a line that says what was
//! measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::{fs, io};

use leadsman_core::{Registry, Stage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::history::{Entry, History};

/// The demonstration, ready to begin.
#[derive(Debug)]
pub(crate) struct Demonstration {
    configuration: String,
    _directory: TempDir,
}

impl Demonstration {
    /// Prepares whatever the linked responders want to serve.
    pub(crate) fn prepare(registry: &Registry) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("leadsman-").tempdir()?;
        let mut responders = String::new();
        let mut probes = String::new();
        let mut modules = String::new();
        let mut has_targets = BTreeMap::new();
        for plugin in registry.probes() {
            let (name, targets) = (plugin.name(), plugin.demonstration_targets());
            has_targets.insert(name, !targets.is_empty());
            if !targets.is_empty() {
                let targets = format!("{targets:?}");
                probes.push_str(&entry(name, name, "1s", &json!({}), &targets));
            }
            writeln!(modules, "  {name}: {{ prober: {name} }}").expect(NEVER_FAILS);
        }
        for responder in registry.responders() {
            let name = responder.name();
            let own = directory.path().join(name);
            fs::create_dir(&own)?;
            let staged = responder.stage(&Stage {
                directory: &own,
                listen: free_address()?,
            })?;
            let Some(staged) = staged else { continue };
            writeln!(responders, "- {name}: {}", staged.options).expect(NEVER_FAILS);
            if let Some(has_targets) = has_targets.get(name) {
                // Two probes cannot be told apart by one name.
                let suffix = if *has_targets { "-responder" } else { "" };
                let probe = format!("{name}{suffix}");
                let every = format!("{}ms", staged.every.as_millis());
                let targets = format!("[{:?}]", staged.target);
                probes.push_str(&entry(&probe, name, &every, &staged.probe, &targets));
            }
        }
        Ok(Self {
            configuration: [
                section("responders", &responders),
                section("probes", &probes),
                section("modules", &modules),
            ]
            .concat(),
            _directory: directory,
        })
    }

    /// Its configuration, the same at each reading.
    pub(crate) fn configuration(&self) -> &str {
        &self.configuration
    }
}

/// What is probed in one way.
fn entry(probe: &str, name: &str, every: &str, options: &Value, targets: &str) -> String {
    format!(
        "- name: {probe}\n  every: {every}\n  timeout: 1s\n  {name}: {options}\n  targets: {targets}\n"
    )
}

/// A part of the configuration, unless there is nothing in it.
fn section(name: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("{name}:\n{content}")
}

/// An address of this host that nobody listens on. Somebody else may take it before a responder
/// does, which then says so.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
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
