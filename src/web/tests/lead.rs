//! A probe to ask for in tests: the target's address says how the run goes.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use leadsman_core::options::{OptionsError, Secret};
use leadsman_core::schemars::JsonSchema;
use leadsman_core::{Cause, Context, Fault, Options, Plugin, Preference, Probe, Target};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;

/// Runs without targets and with no answer.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
pub(super) struct Lead {
    /// What must not be shown.
    password: Secret,
}

pub(super) struct Heave;

impl Options for Lead {
    type Probe = Heave;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<Heave, OptionsError> {
        if &*target.address == "ashore" || target.address.contains('%') {
            return Err(OptionsError::new("there is no water at this target"));
        }
        Ok(Heave)
    }
}

#[async_trait]
impl Probe for Heave {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let target = cx.target();
        match &*target.address {
            "deep" => {
                cx.event(
                    "depth",
                    || json!({ "fathoms": 12, "hostname": target.hostname }),
                );
                Ok(())
            }
            "twice:7" => Ok(()),
            "silent" => pending().await,
            "mimics" if cx.is_compatible() => Ok(()),
            "198.51.100.7" | "127.0.0.1" => {
                let any = Preference::new("ip4", true);
                let address = cx.resolve(&target.address, any).await?;
                cx.permits(SocketAddr::new(address, 7))
            }
            "released" => {
                RELEASED.begun.notify_one();
                RELEASED.end.notified().await;
                Ok(())
            }
            "endless" => {
                ENDLESS.begun.notify_one();
                pending().await
            }
            "abandoned" => {
                let _abandoned = Abandoned;
                ABANDONED.begun.notify_one();
                pending().await
            }
            _ => Err(Fault::target(Cause::Refused, "nobody is here")),
        }
    }
}

/// Tells when a run that never ends by itself was given up.
struct Abandoned;

impl Drop for Abandoned {
    fn drop(&mut self) {
        ABANDONED.end.notify_one();
    }
}

pub(super) static PLUGIN: Plugin =
    Plugin::new::<Lead>("lead", "Depth of the water").causes(&[Cause::Timeout, Cause::Refused]);
/// The run of the target `released`, which a test ends.
pub(super) static RELEASED: Course = Course::new();
/// The run of the target `abandoned`, whose end is that it is dropped.
pub(super) static ABANDONED: Course = Course::new();
/// The run of the target `endless`, which nothing but its host ends.
pub(super) static ENDLESS: Course = Course::new();

/// What a run and its test tell each other.
pub(super) struct Course {
    pub(super) begun: Notify,
    pub(super) end: Notify,
}

impl Course {
    const fn new() -> Self {
        Self {
            begun: Notify::const_new(),
            end: Notify::const_new(),
        }
    }
}
