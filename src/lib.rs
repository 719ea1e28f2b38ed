//! The host: decides when to probe, and tells the world.
//!
//! A program of your own is `use your_probe as _;` and a `main` that calls [`main`]. Inside, from
//! the arguments to the answer:
//!
//! - `cli` reads the command line, which is made from the linked plugins; `by_hand` probes some
//!   targets, sweeps very many or serves for a person, `terminal` is where they look.
//! - `config` reads the configuration, `source` knows where it lies, `check` says what it costs,
//!   `demonstration` stands in for it.
//! - `daemon` starts and ends everything; `host` is what is in force, and reloads it; `services` are
//!   what every run needs.
//! - `schedule` decides when, `drive` carries it out, `responders` are there to be probed.
//! - `access` says who is let in over the web, and speaks TLS with them.
//! - `resolver` looks up names; `history` keeps the last runs; `listen` opens the addresses at which
//!   `web` shows it all; `log` logs.
//!
//! No protocol is named here, save in the link lines below.

#![forbid(unsafe_code)]

mod access;
mod by_hand;
mod check;
mod cli;
mod config;
mod daemon;
mod demonstration;
mod descriptors;
mod drive;
mod follow_up;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod history;
mod host;
mod listen;
mod log;
mod resolver;
mod responders;
mod schedule;
mod services;
mod source;
mod terminal;
mod web;

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use leadsman_core::{Registry, Resolve};

#[cfg(feature = "dns")]
use leadsman_dns as _;
#[cfg(feature = "grpc")]
use leadsman_grpc as _;
#[cfg(feature = "http")]
use leadsman_http as _;
#[cfg(feature = "icmp")]
use leadsman_icmp as _;
#[cfg(feature = "smtp")]
use leadsman_smtp as _;
#[cfg(feature = "tcp")]
use leadsman_tcp as _;
#[cfg(feature = "traceroute")]
use leadsman_traceroute as _;
#[cfg(feature = "websocket")]
use leadsman_websocket as _;

use crate::by_hand::{
    ByHand, ByHandError, Outcome, SweepByHand, by_hand, serve_by_hand, sweep_by_hand,
};
use crate::cli::{Ask, Audience, CheckArgs, LogFormat, LogLevel};
use crate::resolver::Resolver;
use crate::responders::Wanted;
use crate::source::Source;
use crate::terminal::{Terminal, color_on};

/// Runs leadsman with the process's arguments and returns its exit status.
///
/// Every plugin that is linked into the program takes part. Exit status 0 means that all went well
/// and every target answered, 1 that a target did not answer or the daemon could not start, 2 that
/// we could not ask.
pub fn main() -> ExitCode {
    match obey() {
        Ok(status) => status,
        // Whoever read the output has seen enough, as `head` does.
        Err(why) if is_broken_pipe(&*why) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&format!("leadsman: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn obey() -> Result<ExitCode, Box<dyn Error>> {
    let registry = Registry::linked()?;
    prepare(&registry);
    let audience = if Terminal::stdout().is_screen() {
        Audience::Watching
    } else {
        Audience::Absent
    };
    match cli::ask(&registry, env::args_os(), audience) {
        Ok(ask) => carry_out(registry, ask),
        Err(error) => {
            error.print()?;
            Ok(ExitCode::from(u8::try_from(error.exit_code())?))
        }
    }
}

// Apart, or all that can be asked for would have its place on the stack already while the command
// line is read: those are pages that the kernel has to find.
#[inline(never)]
fn carry_out(registry: Registry, ask: Ask) -> Result<ExitCode, Box<dyn Error>> {
    match ask {
        Ask::Run(args) => Ok(daemon::run(registry, args)?),
        Ask::Check(CheckArgs { file, explain }) => {
            let source = Source::choose(file, &registry)?;
            Ok(check(&source, &registry, explain)?)
        }
        Ask::Schema => {
            let schema = serde_json::to_string_pretty(&config::schema(&registry))?;
            Terminal::stdout().print(&format!("{schema}\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        Ask::ByHand(request) => Ok(measure(request)?),
        Ask::Sweep(request) => Ok(sweep(request)),
        Ask::Serve(wanted) => Ok(serve(wanted)?),
        Ask::About(about) => {
            about.tell(&registry, &mut Terminal::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Has the command that is wanted begin what takes a while, while the command line is read.
fn prepare(registry: &Registry) {
    let Some(wanted) = env::args_os().nth(1) else {
        return;
    };
    let commands = registry.probes().iter().filter_map(|probe| probe.by_hand());
    let prepare = commands
        .filter(|command| wanted == command.name)
        .find_map(|command| command.prepare);
    if let Some(prepare) = prepare {
        prepare();
    }
}

fn check(source: &Source, registry: &Registry, explain: bool) -> io::Result<ExitCode> {
    let colour = color_on(&io::stderr());
    match check::check(source, registry, explain) {
        Ok((report, warnings)) => {
            complain(&warnings.render(colour));
            Terminal::stdout().print(&report)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            complain(&problems.render(colour));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn measure(request: ByHand) -> Result<ExitCode, Box<dyn Error>> {
    // The page and packets have threads of their own; a run that waits needs no further ones.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let resolver = Arc::new(Resolver::system());
    let measured = runtime.block_on(by_hand(request, resolver, Terminal::stdout()));
    // A page that nobody reads may never come to its end.
    runtime.shutdown_background();
    Ok(status(measured))
}

fn sweep(mut request: SweepByHand) -> ExitCode {
    if let Err(why) = request.read_files() {
        complain(&format!("leadsman: {}", chain(&why)));
        return Outcome::NotAsked.into();
    }
    let resolver = || Arc::new(Resolver::system()) as Arc<dyn Resolve>;
    let (out, err) = (Terminal::stdout(), Terminal::stderr());
    status(sweep_by_hand(request, resolver, out, err))
}

fn serve(wanted: Wanted) -> Result<ExitCode, Box<dyn Error>> {
    log::start(LogLevel::Warn, LogFormat::Logfmt);
    descriptors::raise();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve_by_hand(wanted, Terminal::stdout()));
    runtime.shutdown_background();
    Ok(status(served))
}

fn status(measured: Result<Outcome, ByHandError>) -> ExitCode {
    let outcome = measured.unwrap_or_else(|why| {
        complain(&format!("leadsman: {}", chain(&why)));
        Outcome::NotAsked
    });
    outcome.into()
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An error with all that led to it.
fn chain(error: &dyn Error) -> impl Display + use<> {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// Prints to a person; where standard error is closed there is nobody left to tell.
fn complain(text: &str) {
    let text = text.trim_end();
    if !text.is_empty() {
        _ = writeln!(io::stderr().lock(), "{text}");
    }
}
