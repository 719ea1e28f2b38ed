//! How does the command of a responder look, and what was meant by it?
//!
//! The argument is one of its options; the others are flags, as they are for a probe.

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};
use leadsman_core::{ResponderPlugin, ServeCommand};

use super::assign::Assignment;
use super::flags::spoken;
use super::properties::{Properties, Wording};
use super::{Ask, required};
use crate::responders::Wanted;

/// The subcommand of a responder that has one.
pub(super) fn command(
    responder: &'static ResponderPlugin,
    offer: &'static ServeCommand,
) -> Command {
    let argument = Arg::new("argument").value_name(offer.argument);
    Command::new(offer.name)
        .about(format!("Serve: {}", responder.summary()))
        .arg(argument.required(true).help("What to serve"))
        .next_help_heading(format!("Options of {}", responder.name()))
        .args(Properties::of_responder(responder, offer).flags(Wording::Full))
        .after_help(STATUS)
}

/// Reads the argument and the options given, or says what is wrong; `command` is the responder's,
/// for its errors.
pub(super) fn read(
    responder: &'static ResponderPlugin,
    offer: &'static ServeCommand,
    command: &mut Command,
    given: &ArgMatches,
) -> Result<Ask, clap::Error> {
    let properties = Properties::of_responder(responder, offer);
    let mut tree = properties.options(given);
    Assignment::word(offer.option, &required::<String>(given, "argument")).plant(&mut tree);
    match responder.parse(&tree) {
        Ok(options) => Ok(Ask::Serve(Wanted {
            plugin: responder,
            options,
        })),
        Err(errors) => {
            let complaints = errors.iter().map(|error| spoken(&properties, error));
            let complaints = complaints.collect::<Vec<_>>().join("\n       ");
            Err(command.error(ErrorKind::ValueValidation, complaints))
        }
    }
}

/// What scripts go by.
const STATUS: &str = "Exit status: 0 it served until a signal ended it, 2 it could not serve";
