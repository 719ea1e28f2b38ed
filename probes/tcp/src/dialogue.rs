//! What is to be done next in a dialogue, given what the peer has said so far?
//!
//! Pure: it is told what came, and says what to send. It never waits and knows no socket. In words for
//! people its state is told by [`super::words`].
//!
//! Bytes that have come and were not asked for yet are kept for the steps that follow. Only
//! `blackbox_exporter` does otherwise: its `expect_bytes` is one read past whatever lines were read
//! with, which is done in the same way where that is wanted.

use std::ops::Range;

use leadsman_dial::Step;

use crate::received::{Differs, Received, TooLong};

/// A dialogue on its way.
#[derive(Debug)]
pub(crate) struct Dialogue<'s> {
    steps: &'s [Step],
    /// Index of the step that is under way.
    at: usize,
    stage: Stage,
    received: Received,
    /// Whether to read as `blackbox_exporter` does.
    compatible: bool,
    /// What to send in this step.
    out: Option<Vec<u8>>,
    line: Range<usize>,
    heard: Heard,
    labels: Vec<(&'s str, String)>,
}

/// What has come in a step.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// How many lines did not match.
    pub(crate) lines: usize,
    /// The beginning of the last one.
    pub(crate) last: Vec<u8>,
    /// What was sent last before, or in this step.
    pub(crate) sent: Option<Vec<u8>>,
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Wait,
    Send,
    Upgrade,
    End,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Do {
    /// Read into [`Dialogue::room`], or tell that it is [`Dialogue::over`].
    Read,
    /// Read at most so many bytes once, and give them to [`Dialogue::aside`].
    ReadAside(usize),
    /// Take note of a line, [`Dialogue::line`], that was what was waited for or not.
    Heard { matched: bool },
    /// Take note that the bytes were what was waited for.
    Matched,
    /// Send this.
    Write(Vec<u8>),
    /// Agree on TLS.
    Upgrade,
    /// Nothing more: all has been said.
    Finish,
}

/// Why a dialogue cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing more will come, and no line matched.
    Unmatched,
    /// Nothing more will come, and bytes are missing.
    Short,
    /// Other bytes have come.
    Differs(Vec<u8>),
    /// A line is too long.
    TooLong,
}

impl<'s> Dialogue<'s> {
    pub(crate) fn new(steps: &'s [Step], compatible: bool) -> Self {
        Self {
            steps,
            at: 0,
            stage: Stage::Wait,
            received: Received::default(),
            compatible,
            out: None,
            line: 0..0,
            heard: Heard::default(),
            labels: Vec::new(),
        }
    }

    /// What is to be done next. What was to be done before counts as done.
    pub(crate) fn next(&mut self) -> Result<Do, Flaw> {
        while let Some(step) = self.steps.get(self.at) {
            let todo = match self.stage {
                Stage::Wait => self.wait(step)?,
                Stage::Send => {
                    self.stage = Stage::Upgrade;
                    let bytes = step.send_bytes().map(<[u8]>::to_vec);
                    let out = self.out.take().or(bytes);
                    self.heard.sent = out.clone().or_else(|| self.heard.sent.take());
                    out.map(Do::Write)
                }
                Stage::Upgrade => {
                    self.stage = Stage::End;
                    step.starts_tls().then(|| {
                        // What came in the clear is no part of what is said over TLS
                        // (RFC 3207, section 4.2).
                        self.received = Received::default();
                        Do::Upgrade
                    })
                }
                Stage::End => {
                    self.at += 1;
                    self.stage = Stage::Wait;
                    let sent = self.heard.sent.take();
                    self.heard = Heard {
                        sent,
                        ..Heard::default()
                    };
                    None
                }
            };
            if let Some(todo) = todo {
                return Ok(todo);
            }
        }
        Ok(Do::Finish)
    }

    fn wait(&mut self, step: &'s Step) -> Result<Option<Do>, Flaw> {
        if let Some(pattern) = step.expect() {
            let Some(line) = self.received.line()? else {
                return self.read(Flaw::Unmatched).map(Some);
            };
            self.line = line.clone();
            let text = self.received.text(line);
            let Some(found) = pattern.find(text) else {
                self.heard.lines += 1;
                self.heard.last.clear();
                self.heard.last.extend(&text[..text.len().min(KEPT)]);
                return Ok(Some(Do::Heard { matched: false }));
            };
            for (name, value) in step.labels(&found) {
                self.labels.retain(|(other, _)| *other != name);
                self.labels.push((name, value));
            }
            self.out = step.send(Some(&found)).map(ended);
            self.stage = Stage::Send;
            return Ok(Some(Do::Heard { matched: true }));
        }
        let matched = match step.expect_bytes() {
            Some(wanted) if self.compatible => return Ok(Some(Do::ReadAside(wanted.len()))),
            Some(wanted) => match self.received.bytes(wanted) {
                Ok(true) => Some(Do::Matched),
                Ok(false) => return self.read(Flaw::Short).map(Some),
                Err(Differs) => {
                    let came = self.received.rest();
                    return Err(Flaw::Differs(came[..came.len().min(KEPT)].to_vec()));
                }
            },
            None => None,
        };
        self.out = step.send(None).map(ended);
        self.stage = Stage::Send;
        Ok(matched)
    }

    fn read(&self, over: Flaw) -> Result<Do, Flaw> {
        if self.received.is_over() {
            return Err(over);
        }
        Ok(Do::Read)
    }

    /// Where to put what comes.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.received.room()
    }

    /// Nothing more will come.
    pub(crate) fn over(&mut self) {
        self.received.end();
    }

    /// What one read of at most as many bytes as are wanted has brought.
    pub(crate) fn aside(&mut self, came: &[u8]) -> Result<(), Flaw> {
        let step = &self.steps[self.at];
        let wanted = step.expect_bytes().unwrap_or_default();
        if came.len() < wanted.len() {
            return Err(Flaw::Short);
        }
        if came != wanted {
            return Err(Flaw::Differs(came[..came.len().min(KEPT)].to_vec()));
        }
        self.out = step.send(None).map(ended);
        self.stage = Stage::Send;
        Ok(())
    }

    /// The step that is under way, counted from 0.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// All steps.
    pub(crate) fn steps(&self) -> &'s [Step] {
        self.steps
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// The line that was taken last.
    pub(crate) fn line(&self) -> &[u8] {
        self.received.text(self.line.clone())
    }

    /// What came in this step, but for the rest.
    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// What has come and was not taken.
    pub(crate) fn rest(&self) -> &[u8] {
        self.received.rest()
    }

    /// What the matches so far have captured for labels; a name that is given again has its last
    /// value.
    pub(crate) fn labels(&self) -> &[(&'s str, String)] {
        &self.labels
    }
}

/// A text with the end of line that follows each.
fn ended(mut text: Vec<u8>) -> Vec<u8> {
    text.push(b'\n');
    text
}

impl From<TooLong> for Flaw {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}

/// How much of what came is kept to be told.
const KEPT: usize = 512;

#[cfg(test)]
mod tests;
