//! How far did a run get, and when?
//!
//! It is recorded when the course is dropped, so that a run which ends in the middle leaves the
//! phases until then, the one it ended in included.

use std::net::SocketAddr;

use leadsman_core::Context;
use leadsman_dial::{Laps, Phases};

use crate::events::{Asked, Ignored};
use crate::metrics;
use crate::question::Question;

/// What a run does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The server's address is looked up.
    Resolve,
    /// The socket is made, and the connection over TCP.
    Connect,
    /// TLS is agreed on.
    Tls,
    /// The question is sent, and the answer has not begun.
    Wait,
    /// The answer has begun, over a stream.
    Transfer,
    /// All that is done over TCP after a truncated answer over UDP.
    Retry,
    /// This program reads files, and the answer.
    Own,
}

/// One run on its way.
#[derive(Debug)]
pub(crate) struct Course<'a, 'c> {
    cx: &'a Context<'c>,
    laps: Laps<Phase>,
    is_retry: bool,
    sent: u32,
    ignored: u32,
}

impl<'a, 'c> Course<'a, 'c> {
    /// Begins to look up the server.
    pub(crate) fn begin(cx: &'a Context<'c>) -> Self {
        Self {
            cx,
            laps: Laps::begin(Phase::Resolve),
            is_retry: false,
            sent: 0,
            ignored: 0,
        }
    }

    pub(crate) fn cx(&self) -> &'a Context<'c> {
        self.cx
    }

    /// Ends the running phase and begins another.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if let Some(broad) = phase.broadly() {
            self.cx.enter(broad);
        }
        let retry = self.is_retry && phase != Phase::Own;
        self.laps.enter(if retry { Phase::Retry } else { phase });
    }

    /// From now on all is done over TCP because an answer was truncated.
    pub(crate) fn retry(&mut self) {
        self.is_retry = true;
        self.laps.enter(Phase::Retry);
    }

    /// Says what is asked, and of whom.
    pub(crate) fn asked(&self, question: &Question, peer: SocketAddr, over: &'static str) {
        self.cx.event(Asked::NAME, || Asked {
            question: question.to_string(),
            server: peer,
            over: over.into(),
        });
    }

    /// Counts a question that is being sent.
    pub(crate) fn sent(&mut self) {
        self.sent += 1;
        self.cx.set(&metrics::QUERIES, f64::from(self.sent));
    }

    /// Counts a message that is no answer to the question, and says why the first ones are none.
    pub(crate) fn ignored(&mut self, why: &'static str) {
        self.ignored += 1;
        self.cx.add(&metrics::IGNORED, 1);
        if self.ignored <= MOST_TOLD {
            self.cx.event(Ignored::NAME, || Ignored { why: why.into() });
        }
    }
}

impl Drop for Course<'_, '_> {
    fn drop(&mut self) {
        self.laps.stop();
        metrics::record_phases(self.cx, &self.laps);
        self.cx.event(Phases::NAME, || Phases::of(&self.laps));
    }
}

impl leadsman_dial::Phase for Phase {
    fn label(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Wait => "wait",
            Self::Transfer => "transfer",
            Self::Retry => "retry",
            Self::Own => "own",
        }
    }
}

impl Phase {
    /// As `blackbox_exporter` divides a run; what this program does for itself belongs to whatever
    /// it is done for.
    const fn broadly(self) -> Option<&'static str> {
        match self {
            Self::Resolve => Some("resolve"),
            Self::Connect | Self::Tls => Some("connect"),
            Self::Wait | Self::Transfer | Self::Retry => Some("request"),
            Self::Own => None,
        }
    }
}

/// How many ignored messages are told: a flood of them says no more than a few.
const MOST_TOLD: u32 = 5;
