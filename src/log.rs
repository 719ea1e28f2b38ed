//! How does the program say what happens to it?
//!
//! One line for each event on standard error. What probes say of their runs is kept with the run,
//! and logged only where somebody asked for it.

use std::fmt::{self, Debug};
use std::io;

use jiff::Timestamp;
use leadsman_core::{Event, Word};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber, debug, error, info, warn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, fmt};
use tracing_subscriber::registry::LookupSpan;

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
        LogFormat::Logfmt => lines.event_format(Logfmt).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}

/// Lines of `key=value`: the time, the level and the message in front.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        write!(line, "time={:.3} level={level}", Timestamp::now())?;
        let mut pairs = Pairs {
            line: line.by_ref(),
            written: Ok(()),
        };
        event.record(&mut pairs);
        pairs.written?;
        writeln!(line)
    }
}

/// Writes each field that it visits.
struct Pairs<'a> {
    line: Writer<'a>,
    written: fmt::Result,
}

impl Visit for Pairs<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let key = match field.name() {
            "message" => "msg",
            name => name,
        };
        let written = write!(self.line, " {key}={}", Word(value));
        self.written = self.written.and(written);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn line_of_logfmt_consists_of_pairs() {
        let paper = Paper::default();
        let written = paper.clone();
        let lines = fmt()
            .event_format(Logfmt)
            .with_writer(move || paper.clone())
            .finish();
        tracing::subscriber::with_default(lines, || {
            info!(source = %"a file", runs = 7, why = ?Some("x"), "starting\x1b[2J now");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let (time, rest) = text.split_once(' ').unwrap();
        let time = time.strip_prefix("time=").unwrap();
        assert!(time.parse::<Timestamp>().is_ok(), "{time}");
        assert_eq!(
            rest,
            "level=info msg=\"starting\\u{1b}[2J now\" source=\"a file\" runs=7 \
             why=\"Some(\\\"x\\\")\"\n"
        );
    }
}
