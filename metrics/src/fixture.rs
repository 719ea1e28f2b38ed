//! What do the tests of this crate measure?
//!
//! A plugin with a metric of every kind, which never runs: tests make its runs by hand.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leadsman_core::metric::{Counter, Gauge, Histogram, Info, RTT_BUCKETS};
use leadsman_core::options::OptionsError;
use leadsman_core::schemars::JsonSchema;
use leadsman_core::{
    Cause, Context, Fault, Options, Plugin, Probe, Recording, Run, Target, async_trait,
};
use serde::{Deserialize, Serialize};

use crate::{Format, Own, Store};

pub(crate) static SENT: Counter = Counter::new("probe_test_sent_total", "Packets sent.");
pub(crate) static PACKETS: Counter =
    Counter::new("probe_test_packets_total", "Packets by fate.").by(&["fate"], &["ok", "lost"]);
pub(crate) static PHASE: Gauge =
    Gauge::new("probe_test_duration_seconds", "Time by phase.").by(&["phase"], &["resolve", "rtt"]);
pub(crate) static RTT: Histogram =
    Histogram::new("probe_test_rtt_seconds", "Round \"trips\".", &[0.1, 1.0]);
pub(crate) static WAIT: Histogram =
    Histogram::new("probe_test_wait_seconds", "Waits.", RTT_BUCKETS);
pub(crate) static PEER: Info = Info::new(
    "probe_test_peer_info",
    "Who answered.",
    &["address", "name"],
);

pub(crate) static PLUGIN: Plugin = Plugin::new::<NoOptions>("test", "Nothing")
    .metrics(&[&SENT, &PACKETS, &PHASE, &RTT, &WAIT, &PEER])
    .causes(&[Cause::Timeout, Cause::Refused]);

/// A run of half a second that began at 1000 s and recorded what `record` records.
pub(crate) fn run(result: Result<(), Fault>, record: impl FnOnce(&mut Recording)) -> Run {
    let mut recording = Recording::new(PLUGIN.layout());
    record(&mut recording);
    Run {
        plugin: &PLUGIN,
        target: Arc::new(Target::new("192.0.2.1")),
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
        duration: Duration::from_millis(500),
        timeout: Duration::from_millis(1500),
        result,
        recording,
    }
}

pub(crate) fn failure(cause: Cause) -> Result<(), Fault> {
    Err(Fault::target(cause, "it failed"))
}

/// A store for the test plugin.
pub(crate) fn store() -> Store {
    Store::new([&PLUGIN], Own::new("1")).unwrap()
}

/// The whole of a scrape.
pub(crate) fn scraped(store: &Store, format: Format) -> String {
    String::from_utf8(store.scrape(format).flatten().collect()).unwrap()
}

#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "leadsman_core::schemars")]
pub(crate) struct NoOptions {}

pub(crate) struct Never;

impl Options for NoOptions {
    type Probe = Never;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Never, OptionsError> {
        Ok(Never)
    }
}

#[async_trait]
impl Probe for Never {
    async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }
}
