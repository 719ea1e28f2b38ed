//! Where do a run's results go?
//!
//! One way: what a run says while it runs is an [`Event`], a finished run is a [`Run`], and every
//! reader (exposition, `/probe`, command line, history) is a [`Sink`] of the same two.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Fault, Plugin, Recording, Target};

/// Something that a run says while it runs: a reply, a redirect, a name that was resolved.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, for people.
    pub at: SystemTime,
    /// What happened, in lower case: `reply`, `timeout`, `resolved`.
    pub name: &'static str,
    /// Its details.
    pub fields: Map<String, Value>,
}

impl Event {
    /// Reads the details back into the type that the probe wrote them from; `None` if it is
    /// another event's type.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(&Value::Object(self.fields.clone())).ok()
    }
}

impl fmt::Display for Event {
    /// Writes one line: the name, then `key=value` for each detail.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (key, value) in &self.fields {
            match value {
                Value::String(text) if !text.contains([' ', '"', '=', '\n']) => {
                    write!(f, " {key}={text}")?;
                }
                value => write!(f, " {key}={value}")?,
            }
        }
        Ok(())
    }
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
    /// How it ended.
    pub result: Result<(), Fault>,
    /// What it recorded.
    pub recording: Recording,
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

    /// Takes a finished run.
    fn finished(&self, run: &Run);
}
