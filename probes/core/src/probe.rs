//! What does the author of a probe write?
//!
//! Two things: options, which parse themselves into a probe aimed at one target, and the probe,
//! which measures. Schedule, deadline, cancellation, labels, panics and run counters are the core's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::metric::Metric;
use crate::options::OptionsError;
use crate::{Context, Fault, Sweep, Target};

/// One protocol aimed at one target.
///
/// It may keep state between runs: a flow id, the last path, a TLS session. It shares none with
/// other targets, so answers cannot be confused.
#[async_trait]
pub trait Probe: Send {
    /// Measures once: records as it goes, and returns how it ended.
    ///
    /// The core drops this future at the deadline; what was recorded until then counts. It may be
    /// dropped at any `await`, so whatever must be released is released by `Drop`.
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault>;
}

/// A probe's options: the same struct for the configuration file, the command line and `/probe`.
///
/// Put `#[serde(default, deny_unknown_fields)]` on the struct and a doc comment on each field: the
/// command line's help, the JSON Schema and the manual are made from them. `Serialize` shows the
/// options in force; a [`crate::options::Secret`] stays hidden there.
pub trait Options:
    DeserializeOwned + Serialize + JsonSchema + Default + fmt::Debug + Send + Sync + 'static
{
    /// The probe that these options make.
    type Probe: Probe + 'static;

    /// Aims at a target. Parses rather than validates: a probe that exists is usable.
    ///
    /// Pure, for `leadsman check` calls it: sockets and look-ups belong to the first run. A mistake
    /// in the target is an [`OptionsError::new`]; one in an option names it, see
    /// [`OptionsError::field`].
    fn aim(self: &Arc<Self>, target: &Target) -> Result<Self::Probe, OptionsError>;

    /// How many packets one run of at most `timeout` sends, so that `leadsman check` can tell what a
    /// plan costs; `None` if that is up to a transport such as TCP.
    fn packets(&self, timeout: Duration) -> Option<u64> {
        _ = timeout;
        None
    }

    /// How many series of `metric` a target has at most; `None` if as many as the metric declares.
    fn series(&self, metric: &Metric) -> Option<usize> {
        _ = metric;
        None
    }

    /// Offers to ask many targets at once by hand; `None` if a run for each will do, which is so
    /// unless a run costs more than its packets.
    fn sweep(self: &Arc<Self>) -> Option<Box<dyn Sweep>> {
        None
    }
}

/// Options whose type is forgotten, as the host keeps them.
pub trait Aim: fmt::Debug + Send + Sync {
    /// Aims at a target; see [`Options::aim`].
    fn aim(&self, target: &Target) -> Result<Box<dyn Probe>, OptionsError>;

    /// How many packets one run sends; see [`Options::packets`].
    fn packets(&self, timeout: Duration) -> Option<u64>;

    /// How many series of a metric a target has; see [`Options::series`].
    fn series(&self, metric: &Metric) -> Option<usize>;

    /// Offers to ask many targets at once; see [`Options::sweep`].
    fn sweep(&self) -> Option<Box<dyn Sweep>>;

    /// The options in force, defaults included and secrets hidden.
    fn shown(&self) -> serde_json::Value;
}

/// Keeps options behind an `Arc`, so that 100,000 targets share one copy.
#[derive(Debug)]
pub(crate) struct Aimed<O>(pub(crate) Arc<O>);

impl<O: Options> Aim for Aimed<O> {
    fn aim(&self, target: &Target) -> Result<Box<dyn Probe>, OptionsError> {
        self.0
            .aim(target)
            .map(|probe| Box::new(probe) as Box<dyn Probe>)
    }

    fn packets(&self, timeout: Duration) -> Option<u64> {
        self.0.packets(timeout)
    }

    fn series(&self, metric: &Metric) -> Option<usize> {
        self.0.series(metric)
    }

    fn sweep(&self) -> Option<Box<dyn Sweep>> {
        self.0.sweep()
    }

    fn shown(&self) -> serde_json::Value {
        // Options that cannot be shown are a bug that the conformance kit finds; hide them all.
        serde_json::to_value(&*self.0).unwrap_or_default()
    }
}
