//! How does what a sweep says reach its readers without holding it up?
//!
//! Whoever sweeps passes notes, which are as many as there are targets at most; one thread writes
//! them, as slowly as its readers wish. How far the sweep is stands on standard error, in one line
//! that is written anew, if that is a screen. It gives way to what is written to standard output,
//! for both may be the same screen.

use std::io;
use std::sync::mpsc::Receiver;

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

/// Writes until nobody can send any more. Fails as soon as the standard output takes no more.
pub(super) fn write(
    notes: &Receiver<Note>,
    mut out: Terminal,
    mut err: Terminal,
) -> io::Result<()> {
    for note in notes {
        // Where standard error is closed there is nobody left to tell.
        if !note.found.is_empty() {
            _ = err.frame("", "");
            out.print(&note.found)?;
        }
        _ = err.frame(&note.told, &note.progress);
    }
    Ok(())
}
