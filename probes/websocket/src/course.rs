//! How far did a run get, and when?
//!
//! It is recorded when the course is dropped, so that a run which ends in the middle leaves the
//! phases until then, the one it ended in included.

use leadsman_core::Context;
use leadsman_dial::{Laps, Phase as _, Phases, Witness, metrics as dial};

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

impl leadsman_dial::Phase for Phase {
    fn label(self) -> &'static str {
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
        self.cx.event(Phases::NAME, || Phases::of(&self.laps));
    }
}
