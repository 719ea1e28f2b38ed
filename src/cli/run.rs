//! Which flags does the daemon take?
//!
//! Its own are few, for the rest stands in the configuration. Those of `blackbox_exporter` are
//! accepted so that its service file needs a new program and nothing else.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use leadsman_core::options::Period;

use super::{Ask, CheckArgs, path};
use crate::config::{Address, Compatibility};
use crate::web::Prefix;

/// What the daemon is told by its flags. What is `None` or empty is left to the configuration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunArgs {
    /// The configuration; without it, `leadsman.yml` here, else the demonstration.
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, in place of what the configuration says.
    pub(crate) listen: Vec<Address>,
    /// How the program is reached.
    pub(crate) door: DoorArgs,
    /// How often to look whether the configuration has changed; `None` if it is reloaded only when
    /// somebody says so.
    pub(crate) auto_reload: Option<Duration>,
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

/// How the program is reached over the web, beside what the configuration says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DoorArgs {
    /// The file that says who is let in.
    pub(crate) access: Option<PathBuf>,
    /// Below which path everything lies.
    pub(crate) prefix: Prefix,
    /// Whether systemd has opened the sockets to serve on.
    pub(crate) systemd: bool,
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
        Arg::new("web.config.file").value_name("FILE").help(
            "Who is let in, with TLS and passwords, in the format that Prometheus's exporters share",
        ),
        Arg::new("web.external-url").value_name("URL").help(
            "Where people find this program, if that is behind a reverse proxy",
        ),
        Arg::new("web.route-prefix")
            .value_name("PATH")
            .help("Path below which all lies [default: that of --web.external-url]"),
        Arg::new("web.systemd-socket")
            .action(ArgAction::SetTrue)
            .conflicts_with_all(["listen", "web.listen-address"])
            .help("Serve on the sockets that systemd opened, in place of the configuration's"),
        Arg::new("config.enable-auto-reload")
            .action(ArgAction::SetTrue)
            .help("Reload when the configuration has changed, without being told to"),
        Arg::new("config.auto-reload-interval")
            .value_name("DURATION")
            .value_parser(interval)
            .default_value("30s")
            .help("How often to look whether it has changed"),
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
    own.into_iter().chain(shared).collect()
}

/// Reads what was given of [`flags`]; `command` is whose flags they are, for its errors.
pub(super) fn read(command: &mut Command, given: &ArgMatches) -> Result<Ask, clap::Error> {
    let one = |ids: [&str; 2]| ids.iter().find_map(|id| given.get_one::<PathBuf>(id));
    let config = one(["config", "config.file"]).cloned();
    if given.get_flag("config.check") {
        return Ok(Ask::Check(CheckArgs {
            file: config,
            explain: false,
        }));
    }
    let listen = ["listen", "web.listen-address"]
        .into_iter()
        .flat_map(|id| given.get_many::<Address>(id).into_iter().flatten());
    let text = |id: &str| given.get_one::<String>(id).map_or("", String::as_str);
    let prefix = Prefix::of(text("web.external-url"), text("web.route-prefix"));
    let access = Some(text("web.config.file")).filter(|path| !path.is_empty());
    let interval: Duration = super::required(given, "config.auto-reload-interval");
    Ok(Ask::Run(RunArgs {
        config,
        listen: listen.cloned().collect(),
        door: DoorArgs {
            access: access.map(PathBuf::from),
            prefix: prefix.map_err(|why| {
                let message = format!("--web.external-url: {why}");
                command.error(ErrorKind::ValueValidation, message)
            })?,
            systemd: given.get_flag("web.systemd-socket"),
        },
        auto_reload: given
            .get_flag("config.enable-auto-reload")
            .then_some(interval),
        timeout_offset: given.get_one("timeout-offset").copied(),
        history_limit: given.get_one("history.limit").copied(),
        compatibility: given.get_one("web.compatibility").copied(),
        log_level: super::required(given, "log.level"),
        log_format: super::required(given, "log.format"),
        log_prober: super::required(given, "log.prober"),
    }))
}

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

/// A duration with its unit, or a number of seconds.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = match text.parse::<Period>() {
        Ok(period) => *period,
        Err(why) => seconds(text).map_err(|_| why.to_string())?,
    };
    if interval.is_zero() {
        return Err("it must be longer than 0".to_owned());
    }
    Ok(interval)
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
