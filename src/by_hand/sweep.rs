//! How are very many targets asked because a person wants to know now who answers?
//!
//! A page with a line for each is of no use for a whole network, and a run for each costs more than
//! its packets. So the plugin asks all of them in one call, on a thread that it has to itself, and
//! the targets are listed as their answers come. Names are looked up before, on this thread, which
//! then only waits for signals. The way of a sweep, file by file:
//!
//! ```text
//! targets ──▶ look_up ──▶ the plugin's sweep ──▶ report ──▶ writer
//!  range                                          words      standard output and error
//! ```
//!
//! Which packets are sent, and when a target has answered, is the plugin's affair.

mod look_up;
mod range;
mod report;
mod targets;
mod writer;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::{Fault, Plugin, Resolve, Stop, Stopper, Sweep, SweepOrder};
use tokio::task::spawn_blocking;

use self::look_up::look_up;
use self::report::Report;
use self::targets::FileError;
use self::writer::Writer;
use super::{ByHandError, Outcome, interruptible};
use crate::terminal::Terminal;

pub(crate) use self::range::Range;
pub(crate) use self::report::Shown;
pub(crate) use self::targets::Targets;

/// Whom to sweep, and how that is shown.
pub(crate) struct SweepByHand {
    /// The kind of probe.
    pub(crate) plugin: &'static Plugin,
    /// Its offer, with the options in it.
    pub(crate) sweep: Box<dyn Sweep>,
    /// Those given as arguments.
    pub(crate) targets: Targets,
    /// Files that list more of them; `-` is the standard input.
    pub(crate) files: Vec<PathBuf>,
    /// Packets per second at most.
    pub(crate) rate: Option<NonZeroU32>,
    /// When to end although not all have been asked.
    pub(crate) timeout: Option<Duration>,
    /// Which targets are listed.
    pub(crate) shown: Shown,
    /// Whether a program reads the output.
    pub(crate) json: bool,
}

impl SweepByHand {
    /// Reads the files. Blocks until the standard input ends, if that is one of them.
    pub(crate) fn read_files(&mut self) -> Result<(), FileError> {
        let mut files = self.files.drain(..);
        files.try_for_each(|file| self.targets.read(&file))
    }
}

/// Asks all targets, or as many as there are until SIGINT or SIGTERM, and says what came of it on
/// `out`, and what else there is to say on `err`. A second signal returns at once.
pub(crate) async fn sweep_by_hand(
    request: SweepByHand,
    resolver: Arc<dyn Resolve>,
    out: Terminal,
    err: Terminal,
) -> Result<Outcome, ByHandError> {
    let (stopper, stop) = Stopper::new();
    let stopper = Arc::new(stopper);
    let swept = carry_out(request, resolver, out, err, Arc::clone(&stopper), stop);
    interruptible(swept, &stopper).await
}

/// The same, ended by `stop` alone; `stopper` is for readers who leave and for the timeout.
async fn carry_out(
    request: SweepByHand,
    resolver: Arc<dyn Resolve>,
    out: Terminal,
    err: Terminal,
    stopper: Arc<Stopper>,
    stop: Stop,
) -> Result<Outcome, ByHandError> {
    let SweepByHand {
        plugin,
        sweep,
        mut targets,
        rate,
        ..
    } = request;
    let writer = Writer::new(out, err, Arc::clone(&stopper));
    if let Some(timeout) = request.timeout {
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            stopper.stop();
        });
    }
    let mut report = Report::new(plugin, request.shown, request.json, targets.len(), writer);
    look_up(&mut targets, resolver, &stop, &mut report).await;
    let swept = spawn_blocking(move || {
        let swept = carry_on(sweep, &targets, rate, &stop, &mut report);
        if let Err(fault) = &swept {
            report.failed(fault);
        }
        report.close()
    });
    let outcome = swept.await;
    outcome
        .map_err(|_| ByHandError::Sweeping(plugin.name()))?
        .map_err(ByHandError::Output)
}

/// Sweeps those whose address is known.
fn carry_on(
    sweep: Box<dyn Sweep>,
    targets: &Targets,
    rate: Option<NonZeroU32>,
    stop: &Stop,
    report: &mut Report,
) -> Result<(), Fault> {
    if targets.addresses.is_empty() {
        return Ok(());
    }
    sweep.sweep(SweepOrder {
        addresses: &targets.addresses,
        rate,
        stop,
        watcher: &mut report.watch(targets),
    })
}

impl fmt::Debug for SweepByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SweepByHand")
            .field("plugin", &self.plugin)
            .field("targets", &self.targets.len())
            .field("files", &self.files)
            .field("rate", &self.rate)
            .field("timeout", &self.timeout)
            .field("shown", &self.shown)
            .field("json", &self.json)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
