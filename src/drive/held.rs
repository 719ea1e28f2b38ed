//! How is a probe kept so that it can take nobody with it?

use std::panic::{AssertUnwindSafe, catch_unwind};

use leadsman_core::Probe;
use tracing::error;

/// A probe that is dropped with care: one that panics then ends neither the driver nor a run.
pub(crate) struct Held(Option<Box<dyn Probe>>);

impl Held {
    /// Takes hold of a probe.
    pub(crate) fn new(probe: Box<dyn Probe>) -> Self {
        Self(Some(probe))
    }

    /// The probe.
    pub(crate) fn probe(&mut self) -> &mut dyn Probe {
        &mut **self
            .0
            .as_mut()
            .expect("it is let go only when this is dropped")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let probe = self.0.take();
        if catch_unwind(AssertUnwindSafe(|| drop(probe))).is_err() {
            error!("a probe panicked while it was dropped; please report it");
        }
    }
}
