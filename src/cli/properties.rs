//! Which flags do a plugin's options become, and which options were meant by the flags given?
//!
//! Made from the plugin's schema and the letters and defaults of its command. Nothing here judges
//! a value: that is for the plugin, which reads the tree that comes out.

use clap::builder::{Resettable, StyledStr};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use leadsman_core::options::Node;
use leadsman_core::schemars::Schema;
use leadsman_core::{Command, Plugin, Preference, ResponderPlugin, ServeCommand};
use serde_json::Value;

use super::assign::{Assignment, assignment};
use super::word::{Word, brief};
use super::{required, sweep};

/// The options of a plugin that has a command, or of a responder.
pub(super) struct Properties {
    /// Whose they are.
    owner: &'static str,
    schema: Schema,
    /// In which ways options can be said besides.
    ways: &'static Command,
    /// The option that is the argument of the command, and so no flag.
    argument: Option<&'static str>,
    /// Whether its command has the flags of a sweep.
    pub(super) sweeps: bool,
    /// What takes the place of the defaults that stand in the help.
    instead: &'static [(&'static str, &'static str)],
}

/// How much the flags say of themselves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wording {
    /// All that stands in the help.
    Full,
    /// Nothing: they are only to be recognized. To put all into words takes as long as to read the
    /// command line.
    Bare,
}

impl Wording {
    fn says(self, text: impl FnOnce() -> String) -> Resettable<StyledStr> {
        match self {
            Self::Full => Resettable::Value(text().into()),
            Self::Bare => Resettable::Reset,
        }
    }
}

impl Properties {
    pub(super) fn new(plugin: &'static Plugin, offer: &'static Command) -> Self {
        Self {
            owner: plugin.name(),
            schema: plugin.schema(),
            ways: offer,
            argument: offer.subject.map(|subject| subject.option),
            sweeps: sweep::is_offered(plugin),
            instead: &[],
        }
    }

    /// The same for a run that nobody watches.
    pub(super) fn unwatched(self) -> Self {
        Self {
            instead: self.ways.unwatched,
            ..self
        }
    }

    /// The same for a responder.
    pub(super) fn of_responder(
        responder: &'static ResponderPlugin,
        offer: &'static ServeCommand,
    ) -> Self {
        Self {
            owner: responder.name(),
            schema: responder.schema(),
            ways: &PLAIN,
            argument: Some(offer.option),
            sweeps: false,
            instead: &[],
        }
    }

    /// A flag for every option that is one word, in the order of their declaration, then those that
    /// stand for several and `-o`, which reaches all.
    pub(super) fn flags(&self, wording: Wording) -> impl Iterator<Item = Arg> {
        let own = self
            .all()
            .filter_map(move |(name, property)| self.flag(name, property, wording));
        let help = wording.says(|| {
            let owner = self.owner;
            format!("Set any option, such as one inside another; see `leadsman explain {owner}`")
        });
        let any = Arg::new("option")
            .short('o')
            .value_name("PATH=VALUE")
            .action(ArgAction::Append)
            .value_parser(assignment)
            .help(help);
        own.chain(self.worded(wording))
            .chain(self.choices(wording))
            .chain(self.phrases(wording))
            .chain(self.families())
            .chain([any])
    }

    /// How the flag of an option is written, `--count`; `None` if it has none.
    pub(super) fn written(&self, option: &str) -> Option<String> {
        let (_, property) = self.all().find(|(name, _)| *name == option)?;
        let flag = self.flag(option, property, Wording::Bare)?;
        let long = flag.get_long().map(|long| format!("--{long}"));
        long.or_else(|| flag.get_short().map(|short| format!("-{short}")))
    }

    /// What an option means, in a line.
    pub(super) fn meaning(&self, option: &str) -> String {
        let property = self.all().find(|(name, _)| *name == option);
        let text = property.and_then(|(_, property)| property["description"].as_str());
        brief(text.unwrap_or_default())
    }

    /// The tree of all that was given, above the command's own defaults.
    pub(super) fn options(&self, given: &ArgMatches) -> Node {
        let mut tree = Node::empty();
        for (name, value) in self.ways.defaults.iter().chain(self.instead) {
            Assignment::word(name, value).plant(&mut tree);
        }
        for (name, _) in self.all() {
            let id = id(name);
            // Defaults are only shown: the plugin has them already. Not every option has a flag.
            let typed = given.try_contains_id(&id).is_ok_and(|given| given)
                && given.value_source(&id) == Some(ValueSource::CommandLine);
            if typed {
                Assignment::word(name, &required::<String>(given, &id)).plant(&mut tree);
            }
        }
        if let Some(subject) = self.ways.subject {
            let said = required::<String>(given, "subject");
            Assignment::word(subject.option, &said).plant(&mut tree);
        }
        for (letter, option, words) in self.ways.words {
            let typed = given.get_one::<String>(&letter.to_string());
            let said = words
                .iter()
                .find(|(word, _)| typed.is_some_and(|typed| typed == word));
            if let Some((_, value)) = said {
                Assignment::word(option, value).plant(&mut tree);
            }
        }
        for (letter, name, value) in self.ways.choices {
            if given.get_flag(&choice(*letter)) {
                Assignment::word(name, value).plant(&mut tree);
            }
        }
        for (long, name, value) in self.ways.phrases {
            if given.get_flag(&phrase(long)) {
                Assignment::word(name, value).plant(&mut tree);
            }
        }
        let families = self
            .families()
            .filter(|flag| given.get_flag(flag.get_id().as_str()));
        for family in families {
            Assignment::word(PREFERRED, family.get_id().as_str()).plant(&mut tree);
            if self.has(FALLBACK) {
                Assignment::word(FALLBACK, "false").plant(&mut tree);
            }
        }
        let any = given.get_many::<Assignment>("option").into_iter().flatten();
        for assignment in any {
            assignment.clone().plant(&mut tree);
        }
        tree
    }

    /// The family wanted by options, given as they are shown; any will do for a plugin that cannot
    /// be told.
    pub(super) fn preference(shown: &Value) -> Preference {
        let preferred = shown[PREFERRED].as_str().unwrap_or_default();
        Preference::new(preferred, shown[FALLBACK].as_bool().unwrap_or(true))
    }

    /// The flag of one option.
    fn flag(&self, name: &str, property: &Value, wording: Wording) -> Option<Arg> {
        let word = Word::of(&self.schema, property)?;
        if self.argument == Some(name) {
            return None;
        }
        let short = self.ways.shorts.iter().find(|(_, of)| *of == name);
        let long = name.replace('_', "-");
        let of_sweep = self.sweeps && sweep::NAMES.contains(&long.as_str());
        let is_free = !of_sweep && !RESERVED.contains(&long.as_str());
        if !is_free && short.is_none() {
            return None;
        }
        let text = property["description"].as_str().unwrap_or_default();
        let default = match wording {
            Wording::Full => self.usual(name, property),
            Wording::Bare => String::new(),
        };
        let mut flag = Arg::new(id(name))
            .short(short.map(|(letter, _)| *letter))
            .help(wording.says(|| brief(text)))
            .long_help(wording.says(|| text.to_owned()));
        if is_free {
            flag = flag.long(long);
        }
        if !default.is_empty() {
            flag = flag.default_value(default);
        }
        Some(word.taken_by(flag))
    }

    /// What an option is if nobody says.
    fn usual(&self, name: &str, property: &Value) -> String {
        let by_hand = self.ways.defaults.iter().find(|(of, _)| *of == name);
        match (by_hand, &property["default"]) {
            (Some((_, value)), _) => (*value).to_owned(),
            (None, Value::Null) => String::new(),
            (None, Value::String(text)) => text.clone(),
            (None, other) => other.to_string(),
        }
    }

    /// The flags that say options in words of their own.
    fn worded(&self, wording: Wording) -> impl Iterator<Item = Arg> {
        self.ways.words.iter().map(move |(letter, option, words)| {
            let help = wording.says(|| {
                let name = option.replace('_', "-");
                let help = words
                    .iter()
                    .map(|(word, value)| format!("`{word}` is --{name}={value}"));
                help.collect::<Vec<_>>().join(", ")
            });
            let words = words.iter().map(|(word, _)| *word);
            Arg::new(letter.to_string())
                .short(*letter)
                .value_name(words.clone().collect::<Vec<_>>().join("|"))
                .value_parser(words.collect::<Vec<_>>())
                .hide_possible_values(true)
                .help(help)
        })
    }

    /// Those that stand for an option with its value, of which the last given counts.
    fn choices(&self, wording: Wording) -> impl Iterator<Item = Arg> {
        self.ways.choices.iter().map(move |(letter, name, value)| {
            let others = self.ways.choices.iter().filter(|(_, of, _)| of == name);
            let others = others.map(|(other, ..)| choice(*other)).chain([id(name)]);
            Arg::new(choice(*letter))
                .short(*letter)
                .action(ArgAction::SetTrue)
                .overrides_with_all(others)
                .help(wording.says(|| the_same(name, value)))
        })
    }

    /// The same in full words.
    fn phrases(&self, wording: Wording) -> impl Iterator<Item = Arg> {
        self.ways.phrases.iter().map(move |(long, name, value)| {
            Arg::new(phrase(long))
                .long(*long)
                .action(ArgAction::SetTrue)
                .overrides_with(id(name))
                .help(wording.says(|| the_same(name, value)))
        })
    }

    /// `-4` and `-6`, if the plugin can be told which family to use.
    fn families(&self) -> impl Iterator<Item = Arg> {
        let flags = self.has(PREFERRED).then(|| {
            let flag = |letter, family, help| {
                Arg::new(family)
                    .short(letter)
                    .action(ArgAction::SetTrue)
                    .overrides_with_all(["ip4", "ip6"])
                    .help(help)
            };
            [
                flag('4', "ip4", "Use IPv4 only"),
                flag('6', "ip6", "Use IPv6 only"),
            ]
        });
        flags.into_iter().flatten()
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Value)> {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten()
    }

    fn has(&self, name: &str) -> bool {
        self.all().any(|(property, _)| property == name)
    }
}

/// What clap calls the flag of an option, apart from whatever the host's own flags are called.
fn id(option: &str) -> String {
    format!("option {option}")
}

/// What clap calls a flag that stands for an option with its value.
fn choice(letter: char) -> String {
    format!("choice {letter}")
}

/// What the help says of either.
fn the_same(option: &str, value: &str) -> String {
    format!("The same as --{} {value}", option.replace('_', "-"))
}

/// What clap calls one in full words.
fn phrase(long: &str) -> String {
    format!("phrase {long}")
}

/// Options are said by their names alone.
static PLAIN: Command = Command::new("", "");

/// Flags that every command has, so that an option of that name has only its letter, or `-o`.
const RESERVED: [&str; 3] = ["help", "json", "timeout"];

/// The pair of options that `-4` and `-6` stand for; see `Preference::new`.
const PREFERRED: &str = "preferred_ip_protocol";
const FALLBACK: &str = "ip_protocol_fallback";
