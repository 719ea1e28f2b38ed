//! How far did a run get, and when?
//!
//! It is recorded when the course is dropped, so that a run which ends in the middle leaves the
//! phases until then, the one it ended in included.

use leadsman_core::Context;
use leadsman_dial::{Laps, Witness, metrics as dial};
use serde::Serialize;

use super::metrics::{DURATION, record_nothing};

/// A phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// What this program does by itself: it reads files.
    Own,
    /// Until the addresses of the host are known.
    Resolve,
    /// Until a connection is open.
    Connect,
    /// Until TLS is agreed on.
    Tls,
    /// Until the head of the answer.
    Processing,
    /// Until the last step of the dialogue.
    Transfer,
    /// Until the WebSocket is closed, which is not a part of the result.
    Close,
}

impl Phase {
    const fn label(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Processing => "processing",
            Self::Transfer => "transfer",
            Self::Close => "close",
        }
    }
}

/// One run on its way.
#[derive(Debug)]
pub(crate) struct Course<'a, 'c> {
    pub(crate) cx: &'a Context<'c>,
    pub(crate) witness: Witness,
    laps: Laps<Phase>,
}

impl<'a, 'c> Course<'a, 'c> {
    /// Begins with what there is to do before the target is asked.
    pub(crate) fn begin(cx: &'a Context<'c>) -> Self {
        record_nothing(cx);
        Self {
            cx,
            witness: Witness::default(),
            laps: Laps::begin(Phase::Own),
        }
    }

    /// Goes on to another phase, now.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.laps.enter(phase);
        self.cx.enter(phase.label());
    }
}

impl Drop for Course<'_, '_> {
    fn drop(&mut self) {
        self.laps.stop();
        for phase in [
            Phase::Resolve,
            Phase::Connect,
            Phase::Tls,
            Phase::Processing,
            Phase::Transfer,
        ] {
            if let Some(took) = self.laps.of(phase) {
                self.cx
                    .set_for(&DURATION, phase.label(), took.as_secs_f64());
            }
        }
        if let Some(info) = self.witness.connection() {
            dial::record_connection(self.cx, &info);
        }
        self.cx.event("phases", || Phases::of(&self.laps));
    }
}

/// How long the phases took, in seconds.
#[derive(Debug, Serialize)]
struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    resolve: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processing: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close: Option<f64>,
}

impl Phases {
    fn of(laps: &Laps<Phase>) -> Self {
        let seconds = |phase| laps.of(phase).map(|took| took.as_secs_f64());
        Self {
            resolve: seconds(Phase::Resolve),
            connect: seconds(Phase::Connect),
            tls: seconds(Phase::Tls),
            processing: seconds(Phase::Processing),
            transfer: seconds(Phase::Transfer),
            close: seconds(Phase::Close),
        }
    }
}
