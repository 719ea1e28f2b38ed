//! What does the person want to be probed, how, and how often?
//!
//! One YAML file becomes a [`Config`] in which nothing can be wrong any more: every option is read
//! by the plugin it belongs to, and every scheduled target has been aimed at once. Else it becomes
//! [`Problems`]: all of them, each with its place. A file written for `blackbox_exporter` is valid
//! as it is.
//!
//! Plugins are known here by the registry alone. Nothing here probes, listens, or watches the file
//! for changes, and nothing is looked up in the network.

mod access;
mod allow;
mod buckets;
mod diagnose;
mod follow_up;
mod labels;
mod modules;
mod probes;
mod rate;
mod reading;
mod responders;
mod schema;
mod shown;
mod targets;
mod web;
mod yaml;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use leadsman_core::Registry;
use leadsman_core::options::Node;
use ring::digest::{SHA256, digest};

pub(crate) use access::AccessOptions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use allow::Allow;
pub(crate) use diagnose::Problems;
pub(crate) use modules::Module;
pub(crate) use probes::Scheduled;
pub(crate) use rate::Rate;
pub(crate) use schema::schema;
pub(crate) use web::{Address, Compatibility, Listen, Web};

use crate::responders::Wanted;
use diagnose::Problem;
use reading::Reading;

/// Tells a file from what it was before (SHA-256).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest(Vec<u8>);

impl Digest {
    fn of(text: &[u8]) -> Self {
        Self(digest(&SHA256, text).as_ref().to_vec())
    }

    /// The digest of a file as it is now.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&std::fs::read(path)?))
    }
}

/// Everything that a configuration asks for.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Where to listen, and how to answer.
    pub(crate) web: Web,
    /// What is probed on a schedule, in the order written.
    pub(crate) probes: Vec<Scheduled>,
    /// Named options for whoever asks for a run over the web.
    pub(crate) modules: BTreeMap<String, Arc<Module>>,
    /// The services that run beside the probes.
    pub(crate) responders: Vec<Wanted>,
    /// The file that it was read from, as it was; empty where there was none.
    pub(crate) digest: Digest,
}

impl Config {
    /// Reads a file. Beside the configuration come the warnings, if there are any.
    pub(crate) fn load(path: &Path, registry: &Registry) -> Result<(Self, Problems), Problems> {
        let name = path.display().to_string();
        let unreadable = |message| Problems::unreadable(&name, Problem::error(None, message));
        let cannot = |why| unreadable(format!("the file cannot be read: {why}"));
        // A pipe can be read once at most, and a reload would wait for somebody to fill it.
        if !std::fs::metadata(path).map_err(cannot)?.is_file() {
            return Err(unreadable(
                "this is not a regular file; a configuration has to be one, to be read again at \
                 each reload"
                    .to_owned(),
            ));
        }
        let bytes = std::fs::read(path).map_err(cannot)?;
        let text = String::from_utf8(bytes).map_err(|why| {
            let valid = &why.as_bytes()[..why.utf8_error().valid_up_to()];
            let line = String::from_utf8_lossy(valid).matches('\n').count() + 1;
            unreadable(format!("line {line} is not UTF-8 text"))
        })?;
        let (mut config, warnings) = Self::parse(&name, &text, registry)?;
        config.digest = Digest::of(text.as_bytes());
        Ok((config, warnings))
    }

    /// Reads a text; `name` stands for it in messages. Takes `${env:NAME}` from the environment.
    pub(crate) fn parse(
        name: &str,
        text: &str,
        registry: &Registry,
    ) -> Result<(Self, Problems), Problems> {
        Self::parse_with(name, text, registry, &|variable| {
            std::env::var(variable).ok()
        })
    }

    fn parse_with(
        name: &str,
        text: &str,
        registry: &Registry,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Problems), Problems> {
        let mut reading = Reading {
            registry,
            text,
            problems: Vec::new(),
        };
        let config = match yaml::parse(text, variables, &mut reading.problems) {
            Ok(root) => {
                let told = reading.problems.clone();
                let config = Self::from_tree(&mut reading, &root);
                // What follows from a word that is known to be wrong is not another mistake.
                let anew = |problem: &Problem| !told.iter().any(|other| problem.follows(other));
                reading
                    .problems
                    .retain(|problem| told.contains(problem) || anew(problem));
                config
            }
            Err(problem) => {
                reading.problems.push(problem);
                Self::default()
            }
        };
        let problems = Problems::new(name, text, reading.problems);
        if problems.are_fatal() {
            Err(problems)
        } else {
            Ok((config, problems))
        }
    }

    fn from_tree(reading: &mut Reading<'_>, root: &Node) -> Self {
        let mut config = Self::default();
        let mut probes = None;
        let mut modules = modules::Modules::default();
        for (key, value) in reading.entries("a configuration", root) {
            match key.text().unwrap_or_default() {
                "web" => config.web = reading.value("web", value).unwrap_or_default(),
                "modules" => modules = modules::read(reading, value),
                "probes" => probes = Some(value),
                "responders" => config.responders = responders::read(reading, value),
                _ => reading.unknown_key(key, &["probes", "modules", "responders", "web"]),
            }
        }
        // A probe may name a module that stands below it.
        if let Some(node) = probes {
            config.probes = probes::read(reading, node, &modules);
        }
        config.modules = modules.into_usable();
        config
    }
}

#[cfg(test)]
mod tests;
