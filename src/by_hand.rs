//! How is a probe run because a person asked for it now?
//!
//! Every target is measured at the same time, each in a task of its own. What they say goes
//! over one desk to one page, which draws: a person who holds the output still, or a slow
//! pipe, never delays a measurement. A first signal or a key ends the runs, a second signal does not wait for
//! what they have to say. When to probe again, and what that means for anybody else, is not decided
//! here: a run by hand is over when it is over.

mod desk;
mod json;
mod page;
mod plain;
mod quiet;
mod serve;
mod sweep;

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::draw::{Draw, Stage};
use leadsman_core::{
    Cause, Event, Fault, Order, Plugin, Probe, Resolve, Run, Sink, Stop, Stopper, Target, perform,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use self::desk::Desk;
use self::json::Json;
use self::page::{Note, Page};
use self::plain::Plain;
use self::quiet::Quiet;
use crate::terminal::{self, Keys, Terminal};

pub(crate) use self::serve::serve_by_hand;
pub(crate) use self::sweep::{Range, Shown, SweepByHand, Targets, sweep_by_hand};

/// What is to be probed, and how that is shown.
pub(crate) struct ByHand {
    /// The kind of probe; it has a command.
    pub(crate) plugin: &'static Plugin,
    /// The probes, at least one.
    pub(crate) aimed: Vec<Aimed>,
    /// How long each run may take.
    pub(crate) timeout: Duration,
    /// Whether only the end is of interest.
    pub(crate) quiet: bool,
    /// Whether a program reads the output.
    pub(crate) json: bool,
}

/// A probe and what it is aimed at.
pub(crate) struct Aimed {
    pub(crate) target: Arc<Target>,
    pub(crate) probe: Box<dyn Probe>,
}

/// What came of it, the worse the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Every target answered as it should.
    Answered,
    /// A target did not.
    Unanswered,
    /// We could not ask.
    NotAsked,
}

/// Why there was no outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ByHandError {
    /// The system refused a handler for Ctrl-C.
    #[error("cannot listen for the signals that end a run")]
    Signals(#[source] io::Error),
    /// The standard output cannot be written to, say because the disk is full.
    #[error("cannot write to the standard output")]
    Output(#[source] io::Error),
    /// The plugin's drawing panicked; the panic itself was told when it happened.
    #[error("the drawing of {0} panicked, so its runs were ended; please report it")]
    Drawing(&'static str),
    /// The system refused what look-ups need.
    #[error("cannot look up names")]
    LookUp(#[source] io::Error),
    /// The plugin's sweep panicked; the panic itself was told when it happened.
    #[error("the sweep of {0} panicked; please report it")]
    Sweeping(&'static str),
    /// A responder could not be opened.
    #[error("cannot open the {0} responder: {1}")]
    Open(&'static str, Box<dyn Error + Send + Sync>),
    /// A responder has ended by itself.
    #[error("the {0} responder has ended: {1}")]
    Serve(&'static str, Box<dyn Error + Send + Sync>),
}

/// Probes until all runs have ended or SIGINT or SIGTERM asks them to, and shows it on `terminal`.
///
/// A second signal returns at once, with the page perhaps still waiting for its reader. Nothing is
/// said then: standard error may be the very output that nobody reads.
pub(crate) async fn by_hand(
    request: ByHand,
    resolver: Arc<dyn Resolve>,
    terminal: Terminal,
) -> Result<Outcome, ByHandError> {
    let (stopper, stop) = Stopper::new();
    let stopper = Arc::new(stopper);
    let runs = carry_out(request, resolver, terminal, Arc::clone(&stopper), stop);
    interruptible(runs, &stopper).await
}

/// Asks the work to stop at the first SIGINT or SIGTERM, and does not wait for it after another.
async fn interruptible(
    work: impl Future<Output = Result<Outcome, ByHandError>>,
    stopper: &Stopper,
) -> Result<Outcome, ByHandError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ByHandError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ByHandError::Signals)?;
    tokio::pin!(work);
    tokio::select! {
        outcome = &mut work => return outcome,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stopper.stop();
    tokio::select! {
        outcome = &mut work => outcome,
        _ = interrupt.recv() => Ok(Outcome::NotAsked),
        _ = terminate.recv() => Ok(Outcome::NotAsked),
    }
}

/// The same, ended by `stop` alone; `stopper` is for a page that comes to its end before the runs.
async fn carry_out(
    request: ByHand,
    resolver: Arc<dyn Resolve>,
    terminal: Terminal,
    stopper: Arc<Stopper>,
    stop: Stop,
) -> Result<Outcome, ByHandError> {
    let apology = if request.json {
        json::left_out
    } else {
        plain::left_out
    };
    let drawing = drawing(&request, &terminal);
    let keys = listen(&request, &*drawing, &terminal, &stopper);
    let hint = keys.as_ref().map_or("", |_| "q quits");
    let page = Page::new(drawing, apology, hint, terminal, stopper);
    let desk = Arc::new(Desk::new(page));
    let mut runs = JoinSet::new();
    for (index, mut aimed) in request.aimed.into_iter().enumerate() {
        let (stop, resolver) = (stop.clone(), Arc::clone(&resolver));
        let teller = Teller {
            index,
            desk: Arc::clone(&desk),
        };
        runs.spawn(async move {
            let order = Order {
                plugin: request.plugin,
                layout: request.plugin.layout(),
                target: &aimed.target,
                timeout: request.timeout,
                stop: &stop,
                resolver: &*resolver,
                sink: &teller,
                compatible: false,
                fence: None,
            };
            let run = perform(&mut *aimed.probe, order).await;
            let outcome = Outcome::of(&run);
            teller.desk.tell(Note::Finished(index, Box::new(run)));
            outcome
        });
    }
    let outcomes = runs.join_all().await;
    let written = desk.close().await;
    let written = written.map_err(|_| ByHandError::Drawing(request.plugin.name()))?;
    written.map_err(ByHandError::Output)?;
    Ok(outcomes.into_iter().max().unwrap_or(Outcome::Answered))
}

/// The plugin's own drawing, or the one that serves every plugin.
fn drawing(request: &ByHand, terminal: &Terminal) -> Box<dyn Draw> {
    let targets = request.aimed.iter().map(|aimed| Arc::clone(&aimed.target));
    let stage = Stage {
        targets: targets.collect(),
        width: terminal.width(),
        color: terminal.color(),
        utf8: terminal::utf8(),
    };
    let own = request.plugin.by_hand().and_then(|command| command.draw);
    let drawing = match own {
        _ if request.json => {
            let reader = own.map(|draw| draw(stage.clone()));
            Box::new(Json::new(request.plugin, stage, reader))
        }
        Some(draw) => draw(stage),
        None => Box::new(Plain::new(stage)),
    };
    if request.quiet {
        return Box::new(Quiet(drawing));
    }
    drawing
}

/// Has a key end the runs, where one that a person watches would not end by itself.
fn listen(
    request: &ByHand,
    drawing: &dyn Draw,
    terminal: &Terminal,
    stopper: &Arc<Stopper>,
) -> Option<Keys> {
    let command = request.plugin.by_hand()?;
    let watched = terminal.is_screen() && drawing.table().is_some();
    if !(command.open_ended && watched) {
        return None;
    }
    let stopper = Arc::clone(stopper);
    Keys::hear(move || stopper.stop())
}

impl Outcome {
    fn of(run: &Run) -> Self {
        match run.result {
            Ok(()) => Self::Answered,
            // Without an address there is nobody whom we could have asked.
            Err(Fault::Target(Cause::Resolve, _) | Fault::Own(..)) => Self::NotAsked,
            Err(Fault::Target(..)) => Self::Unanswered,
        }
    }

    /// The exit status that says so.
    fn status(self) -> u8 {
        match self {
            Self::Answered => 0,
            Self::Unanswered => 1,
            Self::NotAsked => 2,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.status())
    }
}

impl std::fmt::Debug for ByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let targets: Vec<_> = self
            .aimed
            .iter()
            .map(|aimed| &aimed.target.address)
            .collect();
        f.debug_struct("ByHand")
            .field("plugin", &self.plugin)
            .field("targets", &targets)
            .field("timeout", &self.timeout)
            .field("quiet", &self.quiet)
            .field("json", &self.json)
            .finish()
    }
}

/// Passes what one run says on to the page.
struct Teller {
    index: usize,
    desk: Arc<Desk>,
}

impl Sink for Teller {
    fn wants_events(&self) -> bool {
        true
    }

    fn event(&self, event: Event) {
        self.desk.tell(Note::Event(self.index, event));
    }

    /// Nothing: the run itself is passed on by whoever performed it.
    fn finished(&self, _: &Run) {}
}

#[cfg(test)]
mod tests;
