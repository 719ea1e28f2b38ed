//! What does a person read who wants to know how a run went?
//!
//! What the run said, then what it measured, then the options it ran with, in the order and under
//! the headings that `blackbox_exporter`'s users know. Rendered when somebody looks, not before.

use std::fmt::Write;
use std::time::SystemTime;

use jiff::Timestamp;
use leadsman_core::{Event, Run};
use leadsman_metrics::render_run;
use serde_json::json;

use crate::history::{Asked, Entry};

/// All that is known about a run. Secrets among its options are hidden.
pub(super) fn transcript(entry: &Entry) -> String {
    let options = match &entry.asked {
        Asked::Module(module) => module.shown.clone(),
        Asked::Schedule { options, .. } => json!({ entry.run.plugin.name(): options.shown() }),
    };
    let heading = match &entry.asked {
        Asked::Module(_) => "Module configuration",
        Asked::Schedule { .. } => "Probe configuration",
    };
    let options = serde_saphyr::to_string(&options)
        .expect("a tree of texts, numbers, lists and maps can be written as YAML");
    format!(
        "Logs for the probe:\n{}\n\nMetrics that would have been returned:\n{}\n\n{heading}:\n{}\n",
        log(entry).trim_end(),
        render_run(&entry.run).trim_end(),
        options.trim_end(),
    )
}

/// One line for each event, and a last one that says how the run ended.
fn log(entry: &Entry) -> String {
    let mut log = String::new();
    for event in &entry.events {
        line(&mut log, event, "info");
    }
    line(&mut log, &ending(&entry.run), level(&entry.run));
    log
}

fn level(run: &Run) -> &'static str {
    if run.result.is_ok() { "info" } else { "error" }
}

/// The end of a run, told as its last event.
fn ending(run: &Run) -> Event {
    let seconds = run.duration.as_secs_f64();
    let (name, fields) = match &run.result {
        Ok(()) => ("succeeded", json!({ "duration_seconds": seconds })),
        Err(fault) => (
            "failed",
            json!({
                "phase": run.recording.phase(),
                "reason": fault.reason(),
                "detail": fault.to_string(),
                "duration_seconds": seconds,
            }),
        ),
    };
    Event::new(run.started + run.duration, name, fields)
}

/// Writes an event as one line of logfmt.
fn line(log: &mut String, event: &Event, level: &str) {
    let time = timestamp(event.at);
    writeln!(log, "time={time} level={level} event={event}").expect("a String takes all");
}

/// A time for people, in UTC and to the millisecond.
fn timestamp(at: SystemTime) -> String {
    // Only a clock that is off by millennia has no timestamp.
    let at = Timestamp::try_from(at).unwrap_or_default();
    format!("{at:.3}")
}
