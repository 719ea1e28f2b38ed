//! How does the program say what happens to it?
//!
//! One line for each event on standard error. What probes say of their runs is not logged here; it
//! is kept with the run.

use std::io;

use tracing::Level;
use tracing_subscriber::fmt;

use crate::cli::{LogFormat, LogLevel};

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
