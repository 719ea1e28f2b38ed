//! How far did a run get, when, and with which status?
//!
//! It is recorded when the course is dropped, so that a run which ends in the middle leaves the
//! phases until then, the one it ended in included.

use leadsman_core::{Context, Fault};
use leadsman_dial::{Laps, Phase as _, Phases, Witness, metrics as dial};

use super::health::{Health, NAMES};
use super::metrics::{CHECK, DURATION, HEALTH, SSL, STATUS};
use super::status::Code;

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
    /// Until the end of the answer.
    Transfer,
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
        }
    }
}

/// One run on its way.
#[derive(Debug)]
pub(crate) struct Course<'a, 'c> {
    pub(crate) cx: &'a Context<'c>,
    pub(crate) witness: Witness,
    laps: Laps<Phase>,
    code: Option<Code>,
    serving: Option<Health>,
    /// Whether the run failed for a reason of ours.
    own: bool,
}

impl<'a, 'c> Course<'a, 'c> {
    /// Begins with what there is to do before the target is asked.
    pub(crate) fn begin(cx: &'a Context<'c>) -> Self {
        cx.set(&SSL, 0.0);
        if cx.is_compatible() {
            cx.set(&STATUS, 0.0);
        }
        Self {
            cx,
            witness: Witness::default(),
            laps: Laps::begin(Phase::Own),
            code: None,
            serving: None,
            own: false,
        }
    }

    /// Goes on to another phase, now.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.laps.enter(phase);
        self.cx.enter(phase.label());
    }

    /// Says with which status the call ended, and what the service said.
    pub(crate) fn answered(&mut self, code: Code, serving: Option<Health>) {
        self.code = Some(code);
        self.serving = serving;
    }

    /// Says that the run failed; gRPC has a status for what has none yet.
    pub(crate) fn failed(&mut self, fault: &Fault) {
        self.own = matches!(fault, Fault::Own(..)) && !self.cx.is_compatible();
        if !self.own {
            self.code = self.code.or(Some(Code::UNAVAILABLE));
        }
    }

    fn record(&self) {
        let seconds = |phase| self.laps.of(phase).map(|took| took.as_secs_f64());
        let cx = self.cx;
        if let Some(resolve) = seconds(Phase::Resolve) {
            cx.set_for(&DURATION, "resolve", resolve);
        }
        if self.laps.of(Phase::Connect).is_none() {
            return;
        }
        let parts = [
            Phase::Connect,
            Phase::Tls,
            Phase::Processing,
            Phase::Transfer,
        ];
        let mut check = 0.0;
        for phase in parts {
            if let Some(part) = seconds(phase) {
                cx.set_for(&CHECK, phase.label(), part);
                check += part;
            }
        }
        cx.set_for(&DURATION, "check", check);
        // Who ends a run in the middle is whoever keeps its deadline.
        let code = match self.code {
            None if !self.own => Some(Code::DEADLINE_EXCEEDED),
            code => code,
        };
        if let Some(code) = code {
            cx.set(&STATUS, f64::from(code.0));
        }
        let said = self.serving.and_then(Health::name);
        for name in NAMES {
            cx.set_for(&HEALTH, name, f64::from(u8::from(said == Some(name))));
        }
        if let Some(info) = self.witness.connection() {
            dial::record_connection(cx, &info);
        }
    }
}

impl Drop for Course<'_, '_> {
    fn drop(&mut self) {
        self.laps.stop();
        self.record();
        self.cx.event(Phases::NAME, || Phases::of(&self.laps));
    }
}
