//! When is what written to the terminal?
//!
//! The page belongs to one thread. Lines are written as they come; with a table that is drawn anew
//! in its place, they wait for the next frame, of which there are at most five a second. What the
//! lines say is the drawing's affair.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use leadsman_core::draw::Draw;
use leadsman_core::{Event, Run};
use tokio::time::Instant;

use crate::terminal::Terminal;

/// What a run has to say.
#[derive(Debug)]
pub(super) enum Note {
    /// Something happened at the target of this index.
    Event(usize, Event),
    /// The run of this target is over.
    Finished(usize, Box<Run>),
}

/// A drawing on its terminal.
pub(super) struct Page {
    draw: Box<dyn Draw>,
    terminal: Terminal,
    /// Lines that are not written yet.
    text: String,
}

impl Page {
    pub(super) fn new(draw: Box<dyn Draw>, terminal: Terminal) -> Self {
        Self {
            draw,
            terminal,
            text: String::new(),
        }
    }

    /// Draws until nobody can send any more, then says the last words. Calls `unread` as soon as
    /// nothing can be written; that the reader has left is no error.
    pub(super) fn keep(mut self, notes: &Receiver<Note>, unread: impl FnOnce()) -> io::Result<()> {
        let result = self.draw_all(notes).and_then(|()| self.conclude());
        if result.is_err() {
            unread();
        }
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    fn draw_all(&mut self, notes: &Receiver<Note>) -> io::Result<()> {
        let mut stale = false;
        // When the table may be drawn anew; `None` while there is none.
        let mut next_frame: Option<Instant> = None;
        loop {
            let patience = match next_frame {
                Some(at) if stale => at.saturating_duration_since(Instant::now()),
                _ => Duration::MAX,
            };
            match notes.recv_timeout(patience) {
                Ok(note) => {
                    self.take(note);
                    for note in notes.try_iter().take(BATCH) {
                        self.take(note);
                    }
                    stale = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if stale && next_frame.is_none_or(|at| at <= Instant::now()) {
                let has_table = self.frame()?;
                next_frame = has_table.then(|| Instant::now() + FRAME);
                stale = false;
            }
        }
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Event(target, event) => self.draw.event(target, &event, &mut self.text),
            Note::Finished(target, run) => self.draw.finished(target, &run, &mut self.text),
        }
    }

    /// Writes what has come in, and tells whether there is a table that others will replace.
    fn frame(&mut self) -> io::Result<bool> {
        let table = self
            .terminal
            .is_screen()
            .then(|| self.draw.table())
            .flatten();
        self.terminal
            .frame(&self.text, table.as_deref().unwrap_or_default())?;
        self.text.clear();
        Ok(table.is_some())
    }

    /// Leaves the last table where it stands, and the last words below.
    fn conclude(&mut self) -> io::Result<()> {
        self.frame()?;
        let mut words = String::new();
        if !self.terminal.is_screen() {
            words.extend(self.draw.table());
        }
        self.draw.summary(&mut words);
        self.terminal.last(&words)
    }
}

/// The shortest time from one table to the next.
const FRAME: Duration = Duration::from_millis(200);

/// Notes that may be drawn between two writes, so that a flood of them is still seen.
const BATCH: usize = 1000;
