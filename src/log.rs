//! How does the program say what happens to it?
//!
//! One line for each event on standard error. What probes say of their runs is kept with the run,
//! and logged only where somebody asked for it.

use std::io;

use leadsman_core::Event;
use tracing::{Level, debug, error, info, warn};
use tracing_subscriber::fmt;

use crate::cli::{LogFormat, LogLevel};

/// Logs at `level` what a probe said of `target` that was asked for by way of `module`.
pub(crate) fn said(level: LogLevel, module: &str, target: &str, event: &Event) {
    match level {
        LogLevel::Debug => debug!(module, target, "{event}"),
        LogLevel::Info => info!(module, target, "{event}"),
        LogLevel::Warn => warn!(module, target, "{event}"),
        LogLevel::Error => error!(module, target, "{event}"),
    }
}

/// Starts logging from `level` up. Only the first call of a process has an effect.
pub(crate) fn start(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warn => Level::WARN,
        LogLevel::Error => Level::ERROR,
    };
    let lines = fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_target(false);
    // A second start, as in tests, keeps the first one's settings.
    _ = match format {
        LogFormat::Logfmt => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}
