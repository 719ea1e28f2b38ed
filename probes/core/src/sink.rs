//! Where do a run's results go?
//!
//! One way: what a run says while it runs is an [`Event`], a finished run is a [`Run`], and every
//! reader (exposition, `/probe`, command line, history) is a [`Sink`] of the same two.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Blocker, Fault, Plugin, Recording, Target};

/// Something that a run says while it runs: a reply, a redirect, a name that was resolved.
#[derive(Clone)]
pub struct Event {
    /// When, for people.
    pub at: SystemTime,
    /// What happened, in lower case: `reply`, `timeout`, `resolved`.
    pub name: &'static str,
    /// As they were told: far more events are kept for a while than are ever looked at.
    details: Arc<dyn Told>,
}

impl Event {
    /// Something that happens at this moment. `fields` are its details, which serialize to a map;
    /// anything else becomes the one detail `value`.
    pub fn new(at: SystemTime, name: &'static str, fields: impl Details) -> Self {
        let details = Arc::new(fields);
        Self { at, name, details }
    }

    /// Its details.
    pub fn fields(&self) -> Map<String, Value> {
        match self.details.value() {
            Ok(Value::Object(fields)) => fields,
            Ok(Value::Null) => Map::new(),
            Ok(value) => Map::from_iter([("value".to_owned(), value)]),
            Err(error) => Map::from_iter([("error".to_owned(), error.to_string().into())]),
        }
    }

    /// Reads the details back into the type that the probe wrote them from; `None` if it is
    /// another event's type.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(&Value::Object(self.fields())).ok()
    }
}

impl fmt::Display for Event {
    /// Writes one line: the name, then `key=value` for each detail, whatever the target said, and
    /// `key.inner=value` for those that are inside another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        let fields = self.fields();
        let mut fields = fields.iter();
        fields.try_for_each(|(key, value)| write_pairs(f, key, value))
    }
}

/// What can be told in an event: whatever serializes, and borrows nothing.
pub trait Details: Serialize + Send + Sync + 'static {}

impl<T: Serialize + Send + Sync + 'static> Details for T {}

/// Details of whatever type.
trait Told: Send + Sync {
    fn value(&self) -> serde_json::Result<Value>;
}

impl<T: Details> Told for T {
    fn value(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({self} at {:?})", self.at)
    }
}

fn write_pairs(f: &mut fmt::Formatter<'_>, key: &str, value: &Value) -> fmt::Result {
    match value {
        Value::String(text) => write!(f, " {key}={}", Word(text)),
        Value::Object(inner) if !inner.is_empty() && inner.keys().all(|name| is_plain(name)) => {
            inner
                .iter()
                .try_for_each(|(name, value)| write_pairs(f, &format!("{key}.{name}"), value))
        }
        value => write!(f, " {key}={}", Word(&value.to_string())),
    }
}

/// A text as one word of a line of logfmt: as it is where that is clear, or else in quotes.
///
/// Escapes control characters too: what a target sent must not steer a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a>(pub &'a str);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

/// Whether a text is clear without quotes.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
    !text.is_empty() && text.chars().all(plain)
}

/// One finished measurement.
#[derive(Debug)]
pub struct Run {
    /// Which probe measured.
    pub plugin: &'static Plugin,
    /// What it measured.
    pub target: Arc<Target>,
    /// When it began, for people.
    pub started: SystemTime,
    /// How long it took, by the monotonic clock.
    pub duration: Duration,
    /// How long it might have taken.
    pub timeout: Duration,
    /// How it ended.
    pub result: Result<(), Fault>,
    /// What it recorded.
    pub recording: Recording,
}

impl Run {
    /// Whether the probe panicked, so that its state is not to be trusted.
    pub fn has_panicked(&self) -> bool {
        matches!(self.result, Err(Fault::Own(Blocker::Panic, _)))
    }
}

/// A reader of runs. None may block: a probe waits for it.
pub trait Sink: Send + Sync {
    /// Whether events are wanted; while they are not, probes do not even make them.
    fn wants_events(&self) -> bool {
        false
    }

    /// Takes what a run says while it runs.
    fn event(&self, event: Event) {
        drop(event);
    }

    /// Takes what a run says that is worth keeping, wanted or not; as any other event, unless the
    /// reader has a place for it.
    fn noted(&self, event: Event) {
        if self.wants_events() {
            self.event(event);
        }
    }

    /// Takes a finished run.
    fn finished(&self, run: &Run);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_told_becomes_details_that_read_back_the_same() {
        fn check(told: impl Details, expected: &Value) {
            let event = Event::new(SystemTime::UNIX_EPOCH, "reply", told);
            assert_eq!(Value::Object(event.fields()), *expected);
        }
        check((), &json!({}));
        check(None::<u8>, &json!({}));
        check(7, &json!({ "value": 7 }));
        check("a\"b", &json!({ "value": "a\"b" }));
        check(
            json!({ "b": null, "a": [1, "x"] }),
            &json!({ "b": null, "a": [1, "x"] }),
        );
        check(f64::NAN, &json!({}));
        let unfit = std::collections::HashMap::from([((1, 2), 3)]);
        check(unfit, &json!({ "error": "key must be a string" }));
        for number in [0.1 + 0.2, 1e-7, 123_456.789_012_345_67, 5e-324, f64::MAX] {
            check(json!({ "seconds": number }), &json!({ "seconds": number }));
        }
    }

    #[test]
    fn event_stays_one_line_whatever_the_target_said() {
        fn check(value: impl Serialize, expected: &str) {
            let at = SystemTime::UNIX_EPOCH;
            let event = Event::new(at, "reply", json!({ "said": value }));
            assert_eq!(event.to_string(), format!("reply said={expected}"));
        }
        check(json!("220"), "220");
        check(json!(0.25), "0.25");
        check(json!(null), "null");
        check(json!(""), r#""""#);
        check(json!("220 ready"), r#""220 ready""#);
        check(json!("a\r\nb"), r#""a\r\nb""#);
        check(json!("\u{1b}[2J"), r#""\u{1b}[2J""#);
        check(json!("\u{9b}2J"), r#""\u{9b}2J""#);
        check(json!(r#"say "hi""#), r#""say \"hi\"""#);
        check(json!([1, "a b"]), r#""[1,\"a b\"]""#);
        check(json!({}), "{}");
        check(json!({ "a\nb": 1 }), r#""{\"a\\nb\":1}""#);
    }

    #[test]
    fn details_inside_another_are_pairs_of_their_own() {
        let fields =
            json!({ "seconds": { "connect": 0.25, "tls": { "hello": "a b" } }, "tries": 1 });
        let event = Event::new(SystemTime::UNIX_EPOCH, "hop", fields);
        assert_eq!(
            event.to_string(),
            r#"hop seconds.connect=0.25 seconds.tls.hello="a b" tries=1"#
        );
    }
}
