//! When does a sweep end before all have been asked?
//!
//! When a person interrupts it, when its time is over, or when nobody reads what it finds. A signal
//! only sets a flag, which whoever works looks at now and then: so a sweep needs neither a runtime
//! nor a thread that waits for signals. A second signal does not wait: it ends the program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leadsman_core::{Stop, Stopper};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tokio::time::Instant;

use crate::by_hand::Outcome;

/// Whatever ends a sweep early.
#[derive(Debug)]
pub(super) struct End {
    interrupted: Arc<AtomicBool>,
    deadline: Option<Instant>,
    stopper: Arc<Stopper>,
    stop: Stop,
}

impl End {
    /// An end after that time, if there is one.
    pub(super) fn after(timeout: Option<Duration>) -> Self {
        let (stopper, stop) = Stopper::new();
        Self {
            interrupted: Arc::default(),
            // A time that never comes is no end.
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            stopper: Arc::new(stopper),
            stop,
        }
    }

    /// From now on also at SIGINT and SIGTERM, the second of which ends the program.
    pub(super) fn at_signals(&self) -> io::Result<()> {
        for signal in [SIGINT, SIGTERM] {
            let interrupted = || Arc::clone(&self.interrupted);
            // They are done in this order: the first signal does not see what it sets itself.
            let status = Outcome::NotAsked.status().into();
            flag::register_conditional_shutdown(signal, status, interrupted())?;
            flag::register(signal, interrupted())?;
        }
        Ok(())
    }

    /// Asks for the end if it is time, and says whether somebody did.
    pub(super) fn is_reached(&self, now: Instant) -> bool {
        let is_over = self.deadline.is_some_and(|deadline| now >= deadline);
        if is_over || self.interrupted.load(Ordering::Relaxed) {
            self.stopper.stop();
        }
        self.stop.is_requested()
    }

    /// For whoever sees that the rest is of no use.
    pub(super) fn stopper(&self) -> Arc<Stopper> {
        Arc::clone(&self.stopper)
    }

    /// For whoever works and does not know what it may be.
    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }
}
