//! Which flags does the daemon take?
//!
//! Its own are few, for the rest stands in the configuration. Those of `blackbox_exporter` are
//! accepted so that its service file needs a new program and nothing else. What of them cannot be
//! honoured is refused with the reason: ignored, it would look as if it worked.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{Ask, path};
use crate::config::{Address, Compatibility};

/// What the daemon is told by its flags. What is `None` or empty is left to the configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunArgs {
    /// The configuration; without it, `leadsman.yml` here, else the demonstration.
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, in place of what the configuration says.
    pub(crate) listen: Vec<Address>,
    /// What is subtracted from the scraper's timeout.
    pub(crate) timeout_offset: Option<Duration>,
    /// How many results are kept to look at.
    pub(crate) history_limit: Option<usize>,
    /// Whose answers `/probe` gives.
    pub(crate) compatibility: Option<Compatibility>,
    /// The least severe messages that are logged.
    pub(crate) log_level: LogLevel,
    /// How they are written.
    pub(crate) log_format: LogFormat,
    /// The severity at which is logged what probes say that are asked for over the web; `None` if
    /// it is not.
    pub(crate) log_prober: Option<LogLevel>,
}

/// How severe a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// For whoever looks for a fault in leadsman itself.
    Debug,
    /// What happens in the normal course of things.
    Info,
    /// What somebody should look at some day.
    Warn,
    /// What did not work.
    Error,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// `key=value` pairs, for people.
    Logfmt,
    /// An object a line, for programs.
    Json,
}

/// The flags of `run`, which are also those of the program without a command.
pub(super) fn flags() -> Vec<Arg> {
    let own = [
        path("config", "FILE")
            .short('c')
            .long("config")
            .help("Configuration [default: leadsman.yml here, else a demonstration on loopback]"),
        listen("listen", "HOST:PORT")
            .help("Address to serve on, in place of the configuration's; may be repeated"),
        Arg::new("web.compatibility")
            .long("web.compatibility")
            .value_name("WHOSE")
            .value_parser(compatibility())
            .help("Whose answers /probe gives to the letter, oddities included [default: none]"),
    ];
    let shared = [
        path("config.file", "FILE")
            .conflicts_with("config")
            .help("The same as --config"),
        Arg::new("config.check")
            .action(ArgAction::SetTrue)
            .help("Check the configuration and exit, as `leadsman check` does"),
        listen("web.listen-address", "[HOST]:PORT")
            .help("The same as --listen; without a host, all interfaces"),
        Arg::new("timeout-offset")
            .value_name("SECONDS")
            .value_parser(seconds)
            .help("Subtracted from the scraper's timeout, to answer in time [default: 0.5]"),
        Arg::new("history.limit")
            .value_name("COUNT")
            .value_parser(value_parser!(usize))
            .help("Results that are kept to look at [default: 100]"),
        Arg::new("log.level")
            .value_name("LEVEL")
            .value_parser(level())
            .default_value("info")
            .help("Least severe messages that are logged"),
        Arg::new("log.format")
            .value_name("FORMAT")
            .value_parser(format())
            .default_value("logfmt")
            .help("How messages are written"),
        Arg::new("log.prober")
            .value_name("LEVEL")
            .value_parser(prober_level())
            .default_value("none")
            .help("Severity at which to log what probes say that are asked for over the web"),
    ];
    let shared = shared.map(accepted);
    let refused = REFUSED.iter().map(Refused::flag);
    own.into_iter().chain(shared).chain(refused).collect()
}

/// Reads what was given of [`flags`]; `command` is whose flags they are, for its errors.
pub(super) fn read(command: &mut Command, given: &ArgMatches) -> Result<Ask, clap::Error> {
    for refused in &REFUSED {
        if let Some(sentence) = refused.complaint(given) {
            return Err(command.error(ErrorKind::ArgumentConflict, sentence));
        }
    }
    let one = |ids: [&str; 2]| ids.iter().find_map(|id| given.get_one::<PathBuf>(id));
    let config = one(["config", "config.file"]).cloned();
    if given.get_flag("config.check") {
        return Ok(Ask::Check(config));
    }
    let listen = ["listen", "web.listen-address"]
        .into_iter()
        .flat_map(|id| given.get_many::<Address>(id).into_iter().flatten());
    Ok(Ask::Run(RunArgs {
        config,
        listen: listen.cloned().collect(),
        timeout_offset: given.get_one("timeout-offset").copied(),
        history_limit: given.get_one("history.limit").copied(),
        compatibility: given.get_one("web.compatibility").copied(),
        log_level: super::required(given, "log.level"),
        log_format: super::required(given, "log.format"),
        log_prober: super::required(given, "log.prober"),
    }))
}

/// A flag of `blackbox_exporter` that cannot be honoured.
struct Refused {
    name: &'static str,
    /// The value that asks for nothing; `None` for a flag without a value.
    neutral: Option<&'static str>,
    why: &'static str,
}

impl Refused {
    /// Not shown in the help, for there is nothing to be had from it.
    fn flag(&self) -> Arg {
        let action = match self.neutral {
            Some(_) => ArgAction::Append,
            None => ArgAction::SetTrue,
        };
        Arg::new(self.name)
            .long(self.name)
            .action(action)
            .hide(true)
    }

    fn complaint(&self, given: &ArgMatches) -> Option<String> {
        let asked = match self.neutral {
            Some(neutral) => given
                .get_many::<String>(self.name)
                .is_some_and(|mut values| values.any(|value| value != neutral)),
            None => given.get_flag(self.name),
        };
        asked.then(|| format!("--{} cannot be honoured: {}", self.name, self.why))
    }
}

const REFUSED: [Refused; 6] = [
    Refused {
        name: "web.config.file",
        neutral: Some(""),
        why: "leadsman serves neither TLS nor passwords; put a reverse proxy in front of it",
    },
    Refused {
        name: "web.systemd-socket",
        neutral: None,
        why: "leadsman opens its own sockets; say where with --listen",
    },
    Refused {
        name: "web.external-url",
        neutral: Some(""),
        why: "leadsman serves at the root of its address; let the reverse proxy strip the prefix",
    },
    Refused {
        name: "web.route-prefix",
        neutral: Some("/"),
        why: "leadsman serves at the root of its address; let the reverse proxy strip the prefix",
    },
    Refused {
        name: "config.enable-auto-reload",
        neutral: None,
        why: "leadsman reloads on SIGHUP and on POST /-/reload; send one after a change",
    },
    Refused {
        name: "config.auto-reload-interval",
        neutral: Some(""),
        why: "leadsman reloads on SIGHUP and on POST /-/reload; send one after a change",
    },
];

/// Gives a flag its long name and its place at the end of the help.
fn accepted(flag: Arg) -> Arg {
    let name = flag.get_id().to_string();
    flag.long(name)
        .help_heading("Accepted for blackbox_exporter's sake")
}

fn listen(id: &'static str, value: &'static str) -> Arg {
    Arg::new(id)
        .long(id)
        .value_name(value)
        .action(ArgAction::Append)
        .value_parser(value_parser!(Address))
}

/// A number of seconds, as `blackbox_exporter` takes it.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = f64::from_str(text).map_err(|_| "write a number of seconds, such as 0.5")?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

fn compatibility() -> impl TypedValueParser<Value = Compatibility> {
    PossibleValuesParser::new(["none", "blackbox"]).map(|name| match name.as_str() {
        "blackbox" => Compatibility::Blackbox,
        _ => Compatibility::None,
    })
}

fn level() -> impl TypedValueParser<Value = LogLevel> {
    PossibleValuesParser::new(LEVELS).map(|name| level_of(&name).unwrap_or(LogLevel::Info))
}

/// The same with `none`.
fn prober_level() -> impl TypedValueParser<Value = Option<LogLevel>> {
    let levels = ["none"].into_iter().chain(LEVELS);
    PossibleValuesParser::new(levels).map(|name| level_of(&name))
}

fn level_of(name: &str) -> Option<LogLevel> {
    match name {
        "debug" => Some(LogLevel::Debug),
        "info" => Some(LogLevel::Info),
        "warn" => Some(LogLevel::Warn),
        "error" => Some(LogLevel::Error),
        _ => None,
    }
}

const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];

fn format() -> impl TypedValueParser<Value = LogFormat> {
    PossibleValuesParser::new(["logfmt", "json"]).map(|name| match name.as_str() {
        "json" => LogFormat::Json,
        _ => LogFormat::Logfmt,
    })
}
