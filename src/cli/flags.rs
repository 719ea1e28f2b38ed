//! How does a plugin's command look, and what was meant by it?
//!
//! An option that is one word is a flag of its own; anything deeper is set with `-o`. Both ways lead
//! through the same reader as the configuration, so a mistake is told in the same words, beside the
//! flag that made it.

use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};
use leadsman_core::options::{OptionsError, Period, Step};
use leadsman_core::{Aim, Plugin, Target};

use super::properties::{Properties, Wording};
use super::word::in_seconds;
use super::{Ask, Audience, json, sweep};
use crate::by_hand::{Aimed, ByHand, SweepByHand};

/// The subcommand of a plugin that has one.
pub(super) fn command(
    plugin: &'static Plugin,
    offer: &'static leadsman_core::Command,
    properties: &Properties,
    wording: Wording,
) -> Command {
    let is_taken = |letter| {
        let mut shorts = offer.shorts.iter().map(|(short, _)| *short);
        let mut words = offer.words.iter().map(|(short, ..)| *short);
        shorts.any(|short| short == letter) || words.any(|short| short == letter)
    };
    let timeout = Arg::new("timeout")
        .short(Some('w').filter(|letter| offer.open_ended && !is_taken(*letter)))
        .long("timeout")
        .value_name("DURATION")
        .value_parser(if offer.open_ended {
            |text: &str| in_seconds(text).parse::<Period>()
        } else {
            str::parse::<Period>
        })
        .help(if offer.open_ended {
            "End after this time [default: when interrupted]"
        } else {
            "Give up after this time [default: 10s]"
        });
    let target = Arg::new("target").value_name(offer.target).num_args(1..);
    let (target, sweep) = if properties.sweeps {
        let target = target
            .required_unless_present("file")
            .help("What to probe: hosts, or ranges such as 192.0.2.0/24 or 192.0.2.1-192.0.2.9");
        let quiet = Arg::new("quiet")
            .short(Some('q').filter(|letter| !is_taken(*letter)))
            .long("quiet")
            .action(ArgAction::SetTrue)
            .help("Show nothing until the end but what -a or -u list");
        let flags = [quiet].into_iter().chain(sweep::flags(is_taken));
        (target, flags.collect())
    } else {
        let target = target.required(offer.subject.is_none());
        let target = target.help(if offer.subject.is_some() {
            "What to probe, else what this host would ask; several are probed at the same time"
        } else {
            "What to probe; several are probed at the same time"
        });
        (target, Vec::new())
    };
    let subject = offer.subject.map(|subject| {
        let argument = Arg::new("subject").value_name(subject.argument);
        argument
            .required(true)
            .help(properties.meaning(subject.option))
    });
    Command::new(offer.name)
        .about(plugin.summary())
        .args(subject)
        .arg(target)
        .arg(timeout)
        .arg(json(if properties.sweeps {
            "Print one JSON object a line: every event, then every run; in a sweep, every target"
        } else {
            "Print one JSON object a line: every event, then every run"
        }))
        .args(sweep)
        .next_help_heading(format!("Options of {}", plugin.name()))
        .args(properties.flags(wording))
        .after_help(STATUS)
}

/// Reads the options given and aims at every target, or says what is wrong; `command` is the
/// plugin's, for its errors.
pub(super) fn read(
    plugin: &'static Plugin,
    offer: &'static leadsman_core::Command,
    properties: Properties,
    command: &mut Command,
    given: &ArgMatches,
    audience: Audience,
) -> Result<Ask, clap::Error> {
    let properties = match audience {
        Audience::Watching => properties,
        Audience::Absent => properties.unwatched(),
    };
    let asked = if properties.sweeps && sweep::is_asked_for(given) {
        to_sweep(plugin, &properties, given).map(Ask::Sweep)
    } else {
        to_probe(plugin, offer, &properties, given).map(Ask::ByHand)
    };
    asked.map_err(|mut complaints| {
        // A mistake in an option is the same for every target.
        complaints.dedup();
        command.error(ErrorKind::ValueValidation, complaints.join("\n       "))
    })
}

fn to_probe(
    plugin: &'static Plugin,
    offer: &'static leadsman_core::Command,
    properties: &Properties,
    given: &ArgMatches,
) -> Result<ByHand, Vec<String>> {
    let aim = parse(plugin, properties, given)?;
    let (mut aimed, mut complaints) = (Vec::new(), Vec::new());
    let named = given.get_many::<String>("target");
    let addresses = match (named, offer.subject) {
        (None, Some(subject)) => (subject.targets)(),
        (named, _) => named.into_iter().flatten().cloned().collect(),
    };
    for address in addresses {
        let target = Arc::new(Target::new(address.as_str()));
        match aim.aim(&target) {
            Ok(probe) => aimed.push(Aimed { target, probe }),
            Err(error) if error.path.is_empty() => complaints.push(format!("{address}: {error}")),
            Err(error) => complaints.push(spoken(properties, &error)),
        }
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let usual = if offer.open_ended {
        Duration::MAX
    } else {
        TIMEOUT
    };
    let timeout = given.get_one::<Period>("timeout");
    Ok(ByHand {
        plugin,
        aimed,
        timeout: timeout.map_or(usual, |period| period.0),
        quiet: properties.sweeps && given.get_flag("quiet"),
        json: given.get_flag("json"),
    })
}

fn to_sweep(
    plugin: &'static Plugin,
    properties: &Properties,
    given: &ArgMatches,
) -> Result<SweepByHand, Vec<String>> {
    let aim = parse(plugin, properties, given)?;
    // Some mistakes in options show only where they are aimed, and then at any target.
    if let Err(error) = aim.aim(&Target::new("localhost"))
        && !error.path.is_empty()
    {
        return Err(vec![spoken(properties, &error)]);
    }
    sweep::read(plugin, &aim, Properties::preference(&aim.shown()), given)
}

fn parse(
    plugin: &'static Plugin,
    properties: &Properties,
    given: &ArgMatches,
) -> Result<Arc<dyn Aim>, Vec<String>> {
    let aim = plugin.parse(&properties.options(given));
    aim.map_err(|errors| {
        let errors = errors.iter();
        errors.map(|error| spoken(properties, error)).collect()
    })
}

/// A mistake, beginning with the flag that made it.
pub(super) fn spoken(properties: &Properties, error: &OptionsError) -> String {
    let flag = match error.path.as_slice() {
        [] => return error.to_string(),
        [Step::Key(option)] => properties.written(option),
        _ => None,
    };
    match flag {
        Some(flag) => {
            let unplaced = OptionsError {
                path: Vec::new(),
                ..error.clone()
            };
            format!("{flag}: {unplaced}")
        }
        None => format!("-o {error}"),
    }
}

/// What scripts go by.
const STATUS: &str = "Exit status: 0 every target answered, 1 one did not, 2 one was not asked";

/// How long a run by hand may take if nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);
