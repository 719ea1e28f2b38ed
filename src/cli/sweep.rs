//! When are the targets of a command swept, and how?
//!
//! A command has these flags if its plugin offers a sweep at all. Any of them asks for one, and so
//! does a range of addresses or a list that is too long for a page that is drawn anew in its place.
//! The files that list targets are not read here.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use leadsman_core::options::{Node, Period};
use leadsman_core::{Aim, Plugin, Preference};

use super::path;
use crate::by_hand::{Range, Shown, SweepByHand, Targets};

/// Whether a plugin can sweep, with its options as they are if nobody says otherwise.
pub(super) fn is_offered(plugin: &'static Plugin) -> bool {
    let usual = plugin.parse(&Node::empty());
    usual.is_ok_and(|aim| aim.sweep().is_some())
}

/// The flags of a sweep. A letter that `is_taken` by the plugin is left to it.
pub(super) fn flags(is_taken: impl Fn(char) -> bool) -> Vec<Arg> {
    let switch = |name: &'static str, help| {
        let flag = Arg::new(name).long(name).action(ArgAction::SetTrue);
        flag.help(help)
    };
    let flags = [
        (
            Some('f'),
            path("file", "FILE")
                .long("file")
                .action(ArgAction::Append)
                .help("Read targets from a file, one a line; `-` is the standard input"),
        ),
        (
            Some('a'),
            switch("alive", "List the targets that answered, and no others"),
        ),
        (
            Some('u'),
            switch(
                "unreachable",
                "List the targets that did not answer or could not be asked, and no others",
            )
            .conflicts_with("alive"),
        ),
        (
            None,
            Arg::new("rate")
                .long("rate")
                .value_name("NUMBER")
                .value_parser(value_parser!(NonZeroU32))
                .help("Packets per second at most, over all targets"),
        ),
        (None, switch("sweep", "Sweep, although the targets are few")),
    ];
    let lettered = flags.map(|(letter, flag)| match letter {
        Some(letter) if !is_taken(letter) => flag.short(letter),
        _ => flag,
    });
    lettered.map(|flag| flag.help_heading(HEADING)).into()
}

/// Whether the person asks for a sweep. To be quiet is no question of how many there are.
pub(super) fn is_asked_for(given: &ArgMatches) -> bool {
    let switches = ["alive", "unreachable", "sweep"];
    let ranged = |word: &String| Range::read(word).is_some();
    let words = || given.get_many::<String>("target").into_iter().flatten();
    given.contains_id("file")
        || given.contains_id("rate")
        || switches.iter().any(|switch| given.get_flag(switch))
        || words().count() > MOST_DRAWN
        || words().any(ranged)
}

/// Reads the flags and the arguments, or says which of these are no targets, or why there is no
/// sweep after all.
pub(super) fn read(
    plugin: &'static Plugin,
    aim: &Arc<dyn Aim>,
    preference: Preference,
    given: &ArgMatches,
) -> Result<SweepByHand, Vec<String>> {
    let sweep = aim.sweep();
    let sweep = sweep.ok_or_else(|| vec!["these options leave no room for a sweep".to_owned()])?;
    let mut targets = Targets::new(preference);
    let words = given.get_many::<String>("target").into_iter().flatten();
    let mistakes: Vec<_> = words
        .filter_map(|word| {
            let error = targets.add(word).err()?;
            Some(format!("{word}: {error}"))
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let files = given.get_many::<PathBuf>("file").into_iter().flatten();
    let timeout = given.get_one::<Period>("timeout");
    Ok(SweepByHand {
        plugin,
        sweep,
        targets,
        files: files.cloned().collect(),
        rate: given.get_one("rate").copied(),
        timeout: timeout.map(|period| period.0),
        shown: if given.get_flag("alive") {
            Shown::Answered
        } else if given.get_flag("unreachable") {
            Shown::Unanswered
        } else if given.get_flag("quiet") {
            Shown::Nothing
        } else {
            Shown::All
        },
        json: given.get_flag("json"),
    })
}

/// The long names of these flags, so that an option of that name has only its letter, or `-o`.
pub(super) const NAMES: [&str; 6] = ["alive", "file", "quiet", "rate", "sweep", "unreachable"];

/// Says when there is a sweep: [`MOST_DRAWN`] is in it.
const HEADING: &str = "Sweep, with any of these, a range of addresses or more than 50 targets";

/// Targets of which a page that is drawn anew in its place can show each.
const MOST_DRAWN: usize = 50;
