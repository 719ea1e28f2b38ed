//! How are very many targets asked because a person wants to know now who answers?
//!
//! A page with a line for each is of no use for a whole network, and a run for each costs more than
//! its packets. So the plugin asks all of them in one call, on the calling thread, and the targets
//! are listed as their answers come. All that needs a runtime are names, which are looked up before.
//! The way of a sweep, file by file:
//!
//! ```text
//! targets ──▶ look_up ──▶ the plugin's sweep ──▶ report ──▶ writer
//!  range                    until the end         words      standard output and error
//! ```
//!
//! Which packets are sent, and when a target has answered, is the plugin's affair.

mod end;
mod look_up;
mod range;
mod report;
mod targets;
mod writer;

use std::fmt;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::{Fault, Plugin, Resolve, Sweep, SweepOrder};

use self::end::End;
use self::look_up::look_up;
use self::report::Report;
use self::targets::FileError;
use self::writer::Writer;
use super::{ByHandError, Outcome};
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
/// `out`, and what else there is to say on `err`. A second signal ends the program. Blocks the
/// calling thread, which must not be that of a runtime.
pub(crate) fn sweep_by_hand(
    request: SweepByHand,
    resolver: impl FnOnce() -> Arc<dyn Resolve>,
    out: Terminal,
    err: Terminal,
) -> Result<Outcome, ByHandError> {
    let end = End::after(request.timeout);
    end.at_signals().map_err(ByHandError::Signals)?;
    carry_out(request, resolver, out, err, &end)
}

/// The same, ended by `end` alone.
fn carry_out(
    request: SweepByHand,
    resolver: impl FnOnce() -> Arc<dyn Resolve>,
    out: Terminal,
    err: Terminal,
    end: &End,
) -> Result<Outcome, ByHandError> {
    let SweepByHand {
        plugin,
        sweep,
        mut targets,
        rate,
        ..
    } = request;
    let writer = Writer::new(out, err, end.stopper());
    let mut report = Report::new(plugin, request.shown, request.json, targets.len(), writer);
    look_up(&mut targets, resolver, end, &mut report).map_err(ByHandError::LookUp)?;
    let swept = catch_unwind(AssertUnwindSafe(move || {
        let swept = carry_on(sweep, &targets, rate, end, &mut report);
        if let Err(fault) = &swept {
            report.failed(fault);
        }
        report.close()
    }));
    swept
        .map_err(|_| ByHandError::Sweeping(plugin.name()))?
        .map_err(ByHandError::Output)
}

/// Sweeps those whose address is known.
fn carry_on(
    sweep: Box<dyn Sweep>,
    targets: &Targets,
    rate: Option<NonZeroU32>,
    end: &End,
    report: &mut Report,
) -> Result<(), Fault> {
    if targets.addresses.is_empty() {
        return Ok(());
    }
    sweep.sweep(SweepOrder {
        addresses: &targets.addresses,
        rate,
        stop: end.stop(),
        watcher: &mut report.watch(targets, end),
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
