//! Has what was sent arrived, and how long did it take?
//!
//! Every message that leaves this process is expected somewhere: at a sink of this process, or in a
//! mailbox that it watches. Whoever sees one says so here, on whatever thread, and the probe that
//! sent it records at its next run what has become of it. What is not seen in time has failed; if it
//! comes after all, it is counted as late. Nothing is sent again, and nothing of this is kept beyond
//! the process.

mod register;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leadsman_core::metric::Declared;
use leadsman_core::{Context, Counter, Gauge};
use tokio::time::Instant;

use crate::message::Token;

pub(crate) use register::Taken;
#[cfg(test)]
pub(crate) use register::Tally;
use register::{AccountId, Register};

/// What one probe has sent, and what has become of it.
#[derive(Debug)]
pub(crate) struct Account {
    id: AccountId,
    patience: Duration,
}

/// A message on its way out, which is expected for as long as this is there, and beyond that once it
/// was sent.
#[derive(Debug)]
#[must_use = "a message that was not sent is no longer expected once this is dropped"]
pub(crate) struct Expected {
    id: AccountId,
    token: Token,
    is_sent: bool,
}

/// Says that a message was seen.
pub(crate) fn taken(token: Token, now: Instant) -> Taken {
    register().taken(token, now)
}

impl Account {
    /// An account of messages that have to arrive within `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            id: AccountId::next(),
            patience,
        }
    }

    /// Expects a message whose content is about to be sent: it may be seen before its sender knows
    /// that the last octet has left.
    pub(crate) fn expect(&self, token: Token, now: Instant) -> Expected {
        register().expect(self.id, self.patience, token, now);
        Expected {
            id: self.id,
            token,
            is_sent: false,
        }
    }

    /// What has become of the messages so far.
    #[cfg(test)]
    pub(crate) fn tally(&self, now: Instant) -> Tally {
        register().tally(self.id, now)
    }

    /// Records what has become of the messages so far. To be done at each run, whether it sends or
    /// not, for time alone changes it.
    pub(crate) fn record(&self, cx: &Context<'_>, now: Instant) {
        let tally = register().tally(self.id, now);
        cx.set(&PENDING, tally.pending as f64);
        cx.add(&LATE, tally.late);
        if let Some(in_time) = tally.last {
            cx.set(&SUCCESS, f64::from(u8::from(in_time)));
        }
        if let Some(took) = tally.took {
            cx.set(&DURATION, took.as_secs_f64());
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        register().close(self.id);
    }
}

impl Expected {
    /// The last octet has left: from now on the message may arrive, whether or not its sender is
    /// ever told that it was accepted, and its time runs.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.is_sent = true;
        register().sent(self.id, self.token, now);
    }

    /// The server has said that it does not take it, so that it will not arrive.
    pub(crate) fn refused(mut self) {
        self.is_sent = false;
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        if !self.is_sent {
            register().withdraw(self.id, self.token);
        }
    }
}

fn register() -> MutexGuard<'static, Register> {
    // Whatever panicked while it held this left a count that is at worst one off.
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

static REGISTER: Mutex<Register> = Mutex::new(Register::new());

/// What is recorded of deliveries.
pub(crate) static METRICS: [&(dyn Declared + Sync); 4] = [&SUCCESS, &DURATION, &PENDING, &LATE];

static SUCCESS: Gauge = Gauge::new(
    "probe_smtp_delivery_success",
    "Whether the last message that was expected has arrived in time; absent until one has or has not.",
);
static DURATION: Gauge = Gauge::new(
    "probe_smtp_delivery_duration_seconds",
    "Time from the last octet of the last message that has arrived in time until it was seen.",
);
static PENDING: Gauge = Gauge::new(
    "probe_smtp_delivery_pending",
    "Messages that were sent, have not been seen yet and may still arrive in time.",
);
static LATE: Counter = Counter::new(
    "probe_smtp_late_messages_total",
    "Messages that have arrived after their time was over.",
);
