//! What does the person ask for?
//!
//! The command line is made from the registry: each plugin with a command is a subcommand, and its
//! options are flags made from its schema. [`ask`] turns arguments into an [`Ask`] that needs no
//! more checking, or into an error that is fit to be printed. It reads no file, opens no socket
//! and runs nothing.

mod about;
mod assign;
mod explain;
mod flags;
mod list;
mod markdown;
mod needs;
mod properties;
mod run;
mod serve;
mod sweep;
mod word;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use leadsman_core::{Plugin, Registry, ResponderPlugin, ServeCommand};

use crate::by_hand::{ByHand, SweepByHand};
use crate::responders::Wanted;

use self::properties::{Properties, Wording};

pub(crate) use self::about::About;
pub(crate) use self::run::{LogFormat, LogLevel, RunArgs};

/// What the person asks for.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Probe on a schedule and serve the results.
    Run(RunArgs),
    /// Report every error of a configuration; without a file, of the one that `run` would take.
    Check(CheckArgs),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Probe now and show it.
    ByHand(ByHand),
    /// Probe very many targets now and list them.
    Sweep(SweepByHand),
    /// Run a responder until a person ends it.
    Serve(Wanted),
    /// Tell something about this program.
    About(About),
}

/// What is to be checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckArgs {
    /// The configuration; without it, the one that `run` would take.
    pub(crate) file: Option<PathBuf>,
    /// Whether to tell what is different from `blackbox_exporter`.
    pub(crate) explain: bool,
}

/// Whether a person sees what happens while it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The output is a screen.
    Watching,
    /// It is a file or a program.
    Absent,
}

/// Reads the arguments, the program's own name first.
///
/// The error is also how clap hands out help and version: print it, and exit with its code.
pub(crate) fn ask(
    registry: &Registry,
    arguments: impl IntoIterator<Item = OsString>,
    audience: Audience,
) -> Result<Ask, clap::Error> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let alone = wanted(registry, arguments.get(1));
    let properties = alone.map(|(plugin, offer)| Properties::new(plugin, offer));
    let part = |wording| {
        let ((plugin, offer), properties) = alone.zip(properties.as_ref())?;
        Some(branch(plugin, offer, properties, wording))
    };
    let mut tree = part(Wording::Bare).unwrap_or_else(trunk);
    let understood = tree.try_get_matches_from_mut(&arguments);
    // Else somebody wants help, has made a mistake or means one of the others.
    let matches = understood.or_else(|error| {
        if error.kind() == ErrorKind::DisplayVersion {
            return Err(error);
        }
        tree = part(Wording::Full).unwrap_or_else(|| self::tree(registry));
        tree.try_get_matches_from_mut(&arguments)
    })?;
    let Some((name, given)) = matches.subcommand() else {
        return run::read(&mut tree, &matches);
    };
    Ok(match name {
        "run" => return run::read(subcommand(&mut tree, name), given),
        "check" => Ask::Check(CheckArgs {
            file: given.get_one("file").cloned(),
            explain: given.get_flag("explain"),
        }),
        "schema" => Ask::Schema,
        "list" => Ask::About(About::List {
            json: given.get_flag("json"),
        }),
        "explain" => Ask::About(About::Explain(required(given, "name"))),
        "completions" => Ask::About(About::Completions(required::<Shell>(given, "shell"))),
        "man" => Ask::About(About::Man(given.get_one("directory").cloned())),
        verb => {
            let command = subcommand(&mut tree, verb);
            if let Some((plugin, offer)) = offered(registry).find(|(_, offer)| offer.name == verb) {
                let properties = properties.unwrap_or_else(|| Properties::new(plugin, offer));
                return flags::read(plugin, offer, properties, command, given, audience);
            }
            let (responder, offer) = served(registry)
                .find(|(_, offer)| offer.name == verb)
                .expect("every other subcommand was made from a probe or a responder");
            return serve::read(responder, offer, command, given);
        }
    })
}

/// The plugin whose command the first argument names, with the command.
fn wanted(
    registry: &Registry,
    first: Option<&OsString>,
) -> Option<(&'static Plugin, &'static leadsman_core::Command)> {
    offered(registry).find(|(_, offer)| first.is_some_and(|first| first == offer.name))
}

/// Of all that can be asked for the command of a plugin alone, with its options: to make the flags
/// of all plugins from their schemas takes longer than many a probe, and brings much of the program
/// into memory that a daemon never needs again.
fn branch(
    plugin: &'static Plugin,
    offer: &'static leadsman_core::Command,
    properties: &Properties,
    wording: Wording,
) -> Command {
    root().subcommand(flags::command(plugin, offer, properties, wording))
}

/// Of all that can be asked for the daemon alone.
fn trunk() -> Command {
    let run = Command::new("run")
        .about("Probe on a schedule and serve the results")
        .args(run::flags());
    root()
        .version(env!("CARGO_PKG_VERSION"))
        .about("Sounds networks: probes on a schedule, measures every phase, exports to Prometheus")
        .after_help("Without a command, `run` is meant.")
        .args_conflicts_with_subcommands(true)
        .infer_long_args(false)
        .args(run::flags())
        .subcommand(run)
}

/// All that can be asked for.
fn tree(registry: &Registry) -> Command {
    let check = Command::new("check")
        .about("Report every error of a configuration, else what it will cost")
        .arg(file())
        .arg(explain());
    let by_hand = offered(registry).map(|(plugin, offer)| {
        let properties = Properties::new(plugin, offer);
        flags::command(plugin, offer, &properties, Wording::Full)
    });
    let served = served(registry).map(|(responder, offer)| serve::command(responder, offer));
    let about = [
        Command::new("list")
            .about("Show what this program can probe, and whether it may do so here")
            .arg(json("Print one JSON array instead of a table")),
        Command::new("explain")
            .about("Show the manual of a probe or responder")
            .arg(name(registry)),
        Command::new("schema").about("Print the JSON Schema of the configuration"),
        Command::new("completions")
            .about("Print the completion script of a shell")
            .arg(
                Arg::new("shell")
                    .value_name("SHELL")
                    .required(true)
                    .value_parser(value_parser!(Shell)),
            ),
        Command::new("man")
            .about("Print the manual page, or write those of all commands into a directory")
            .arg(path("directory", "DIR")),
    ];
    trunk()
        .subcommand(check)
        .subcommands(by_hand)
        .subcommands(served)
        .subcommands(about)
}

fn root() -> Command {
    Command::new("leadsman").max_term_width(WIDEST)
}

/// The plugins that have a command, with it.
fn offered(
    registry: &Registry,
) -> impl Iterator<Item = (&'static Plugin, &'static leadsman_core::Command)> {
    let probes = registry.probes().iter().copied();
    probes.filter_map(|plugin| Some((plugin, plugin.by_hand()?)))
}

/// The responders that have a command, with it.
fn served(
    registry: &Registry,
) -> impl Iterator<Item = (&'static ResponderPlugin, &'static ServeCommand)> {
    let responders = registry.responders().iter().copied();
    responders.filter_map(|responder| Some((responder, responder.by_hand()?)))
}

fn file() -> Arg {
    path("file", "FILE").help("Configuration to check [default: the one that `run` would take]")
}

fn explain() -> Arg {
    Arg::new("explain")
        .long("explain")
        .action(ArgAction::SetTrue)
        .help("Tell, module by module, what is different here from blackbox_exporter")
}

fn path(id: &'static str, value: &'static str) -> Arg {
    Arg::new(id)
        .value_name(value)
        .value_parser(value_parser!(PathBuf))
}

fn json(help: &'static str) -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help(help)
}

/// A probe or responder by its name, or a probe by its command.
fn name(registry: &Registry) -> Arg {
    let responders = registry.responders().iter().map(|r| r.name());
    let responders = responders.filter(|name| registry.probe(name).is_none());
    let probes = registry.probes().iter().map(|plugin| {
        let verb = plugin.by_hand().map(|command| command.name);
        PossibleValue::new(plugin.name()).aliases(verb)
    });
    let names = probes.chain(responders.map(PossibleValue::new));
    Arg::new("name")
        .value_name("NAME")
        .required(true)
        .value_parser(PossibleValuesParser::new(names))
        .help("Name of a probe or responder, or a probe's command")
}

fn subcommand<'a>(tree: &'a mut Command, name: &str) -> &'a mut Command {
    tree.find_subcommand_mut(name)
        .expect("clap matched this subcommand")
}

fn required<T: Clone + Send + Sync + 'static>(given: &ArgMatches, id: &str) -> T {
    given.get_one::<T>(id).cloned().expect("clap demands it")
}

/// Columns beyond which help is hard to read.
const WIDEST: usize = 100;

#[cfg(test)]
mod tests;
