//! How does what a sweep says reach its readers without holding it up?
//!
//! Whoever sweeps passes notes, which hold no more lines than there are targets; a thread writes
//! them, as slowly as its readers wish. A sweep that is over before its first note costs no thread.
//! How far the sweep is stands on standard error, in one line that is written anew, if that is a
//! screen. It gives way to what is written to standard output, for both may be the same screen.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use leadsman_core::Stopper;

use crate::by_hand::page::EndsRuns;
use crate::terminal::Terminal;

/// What is written at once.
#[derive(Debug, Default)]
pub(super) struct Note {
    /// Whole lines for the standard output.
    pub(super) found: String,
    /// Whole lines for the standard error.
    pub(super) told: String,
    /// How far it is, in one line.
    pub(super) progress: String,
}

/// Where a sweep leaves its notes.
#[derive(Debug)]
pub(super) struct Writer {
    notes: Sender<Note>,
    /// Whether anybody sees how far it is.
    shows_progress: bool,
    /// Whoever will write them, until a thread does.
    idle: Option<Scribe>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    /// Writes what is found to `out` and all else to `err`; asks `runs` to stop as soon as `out` takes
    /// no more.
    pub(super) fn new(out: Terminal, err: Terminal, runs: Arc<Stopper>) -> Self {
        let (notes, inbox) = channel();
        let end = EndsRuns(runs);
        Self {
            notes,
            shows_progress: err.is_screen(),
            idle: Some(Scribe {
                inbox,
                out,
                err,
                _end: end,
            }),
            thread: None,
        }
    }

    /// Has a note written, without waiting for that.
    ///
    /// One in which there is nothing to be seen wakes nobody.
    pub(super) fn pass_on(&mut self, note: Note) {
        if note.found.is_empty() && note.told.is_empty() && !self.shows_progress {
            return;
        }
        self.send(note);
        if let Some(scribe) = self.idle.take() {
            self.thread = Some(thread::spawn(|| scribe.write()));
        }
    }

    /// Has the last note written, and waits until all are. That the reader has left is no error.
    pub(super) fn finish(self, last: Note) -> io::Result<()> {
        self.send(last);
        drop(self.notes);
        let written = match (self.idle, self.thread) {
            (Some(scribe), _) => scribe.write(),
            (None, Some(thread)) => thread.join().expect("the writer does not panic"),
            (None, None) => Ok(()),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    fn send(&self, note: Note) {
        // A writer that has ended has asked the sweep to stop; nobody is left to be told.
        drop(self.notes.send(note));
    }
}

/// Takes notes to both outputs.
#[derive(Debug)]
struct Scribe {
    inbox: Receiver<Note>,
    out: Terminal,
    err: Terminal,
    _end: EndsRuns,
}

impl Scribe {
    /// Writes until nobody can send any more, or the standard output takes no more.
    fn write(mut self) -> io::Result<()> {
        for note in self.inbox {
            // Where standard error is closed there is nobody left to tell.
            if !note.found.is_empty() {
                _ = self.err.frame("", "", "");
                self.out.print(&note.found)?;
            }
            _ = self.err.frame(&note.told, &note.progress, "");
        }
        Ok(())
    }
}
