//! How does the program say what happens to it?
//!
//! One line for each event on standard error. What probes say of their runs is kept with the run,
//! and logged only where somebody asked for it.

use std::fmt::{self, Debug};
use std::io;

use jiff::Timestamp;
use leadsman_core::{Event, Word};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber, debug, error, info, warn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, fmt};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::{LogFormat, LogLevel};
use crate::history::Entry;

/// Logs at `level` what a probe said of `target` that was asked for by way of `module`.
pub(crate) fn said(level: LogLevel, module: &str, target: &str, event: &Event) {
    match level {
        LogLevel::Debug => debug!(module, target, "{event}"),
        LogLevel::Info => info!(module, target, "{event}"),
        LogLevel::Warn => warn!(module, target, "{event}"),
        LogLevel::Error => error!(module, target, "{event}"),
    }
}

/// Logs what a scheduled run noted.
pub(crate) fn noted(probe: &str, target: &str, event: &Event) {
    let details = Value::Object(event.fields());
    info!(probe, target, %details, "{}", event.name);
}

/// Logs what a run by `module` came to that followed a failure of `target`: how it ended, the last
/// that it said, and where all of it can be read.
pub(crate) fn followed(probe: &str, target: &str, module: &str, entry: &Entry) {
    let result = match &entry.run.result {
        Ok(()) => "succeeded".to_owned(),
        Err(fault) => fault.to_string(),
    };
    let last = entry.events.last();
    let details = Value::Object(last.map(Event::fields).unwrap_or_default());
    let logs = format!("/logs?id={}", entry.id);
    info!(probe, target, module, result, %details, logs, "traced because it fails");
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
        LogFormat::Json => lines.event_format(Json).try_init(),
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

/// Lines of JSON: the time, the level and the fields, of which `details` is JSON itself.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
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
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let entry = json!({
            "timestamp": format!("{:.3}", Timestamp::now()),
            "level": event.metadata().level().as_str(),
            "fields": fields.0,
        });
        writeln!(line, "{entry}")
    }
}

/// Takes each field that it visits.
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        let details = (field.name() == "details")
            .then(|| serde_json::from_str(&text).ok())
            .flatten();
        let value = details.unwrap_or(Value::String(text));
        self.0.insert(field.name().to_owned(), value);
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
    use std::time::SystemTime;

    use tracing_subscriber::Registry;
    use tracing_subscriber::fmt::format::DefaultFields;

    use super::*;
    use crate::terminal::tests::Paper;

    #[test]
    fn line_of_logfmt_consists_of_pairs() {
        let text = logged(Logfmt, || {
            info!(source = %"a file", runs = 7, why = ?Some("x"), "starting\x1b[2J now");
        });
        let (time, rest) = text.split_once(' ').unwrap();
        let time = time.strip_prefix("time=").unwrap();
        assert!(time.parse::<Timestamp>().is_ok(), "{time}");
        assert_eq!(
            rest,
            "level=info msg=\"starting\\u{1b}[2J now\" source=\"a file\" runs=7 \
             why=\"Some(\\\"x\\\")\"\n"
        );
    }

    #[test]
    fn line_of_json_has_what_a_run_noted_as_it_is() {
        let old = json!({ "old": ["192.0.2.1", null] });
        let event = Event::new(SystemTime::UNIX_EPOCH, "path_changed", old);
        let text = logged(Json, || {
            noted("paths", "example.com", &event);
            info!(runs = 7, late = 0.5, is_new = true, "a \"line\"");
        });
        let lines = text.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let time = line["timestamp"].as_str().unwrap();
            assert!(time.parse::<Timestamp>().is_ok(), "{time}");
            assert_eq!(line["level"], "INFO");
            line["fields"].clone()
        });
        let expected = [
            json!({
                "message": "path_changed",
                "probe": "paths",
                "target": "example.com",
                "details": { "old": ["192.0.2.1", null] },
            }),
            json!({ "message": "a \"line\"", "runs": 7, "late": 0.5, "is_new": true }),
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }

    fn logged(
        format: impl FormatEvent<Registry, DefaultFields> + Send + Sync + 'static,
        log: impl FnOnce(),
    ) -> String {
        let paper = Paper::default();
        let written = paper.clone();
        let lines = fmt()
            .event_format(format)
            .with_writer(move || paper.clone())
            .finish();
        tracing::subscriber::with_default(lines, log);
        written.take()
    }
}
