//! How does a plugin's command look, and what was meant by it?
//!
//! An option that is one word is a flag of its own; anything deeper is set with `-o`. Both ways lead
//! through the same reader as the configuration, so a mistake is told in the same words, beside the
//! flag that made it.

use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};
use leadsman_core::options::{OptionsError, Period, Step};
use leadsman_core::{Plugin, Target};

use super::json;
use super::properties::Properties;
use crate::by_hand::{Aimed, ByHand};

/// The subcommand of a plugin that has one.
pub(super) fn command(plugin: &'static Plugin, offer: &'static leadsman_core::Command) -> Command {
    let timeout = Arg::new("timeout")
        .long("timeout")
        .value_name("DURATION")
        .value_parser(str::parse::<Period>)
        .help(if offer.open_ended {
            "End after this time [default: when interrupted]"
        } else {
            "Give up after this time [default: 10s]"
        });
    let target = Arg::new("target")
        .value_name(offer.target)
        .num_args(1..)
        .required(true)
        .help("What to probe; several are probed at the same time");
    Command::new(offer.name)
        .about(plugin.summary())
        .arg(target)
        .arg(timeout)
        .arg(json(
            "Print one JSON object a line: every event, then every run",
        ))
        .next_help_heading(format!("Options of {}", plugin.name()))
        .args(Properties::new(plugin, offer).flags())
}

/// Aims at every target with the options given, or says what is wrong with them; `command` is the
/// plugin's, for its errors.
pub(super) fn read(
    plugin: &'static Plugin,
    offer: &'static leadsman_core::Command,
    command: &mut Command,
    given: &ArgMatches,
) -> Result<ByHand, clap::Error> {
    let properties = Properties::new(plugin, offer);
    let aimed = aim(plugin, &properties, given).map_err(|mut complaints| {
        // A mistake in an option is the same for every target.
        complaints.dedup();
        command.error(ErrorKind::ValueValidation, complaints.join("\n       "))
    })?;
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
        json: given.get_flag("json"),
    })
}

fn aim(
    plugin: &'static Plugin,
    properties: &Properties,
    given: &ArgMatches,
) -> Result<Vec<Aimed>, Vec<String>> {
    let spoken = |error: &OptionsError| spoken(properties, error);
    let aim = plugin
        .parse(&properties.options(given))
        .map_err(|errors| errors.iter().map(spoken).collect::<Vec<_>>())?;
    let (mut aimed, mut complaints) = (Vec::new(), Vec::new());
    for address in given.get_many::<String>("target").into_iter().flatten() {
        let target = Arc::new(Target::new(address.as_str()));
        match aim.aim(&target) {
            Ok(probe) => aimed.push(Aimed { target, probe }),
            Err(error) if error.path.is_empty() => complaints.push(format!("{address}: {error}")),
            Err(error) => complaints.push(spoken(&error)),
        }
    }
    if complaints.is_empty() {
        Ok(aimed)
    } else {
        Err(complaints)
    }
}

/// A mistake, beginning with the flag that made it.
fn spoken(properties: &Properties, error: &OptionsError) -> String {
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

/// How long a run by hand may take if nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);
