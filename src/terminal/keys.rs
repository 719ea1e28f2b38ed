//! How does a person press a key, without the line's end?
//!
//! Only what a terminal of our own sends is read, and only while we are in its foreground: a
//! program in the background that touches the terminal is stopped. Ctrl-C stays the signal that it
//! is. Whatever ends the program in good order, or by a panic, puts the terminal back as it was;
//! Ctrl-\, which would not, is without effect meanwhile.

use std::io::{self, IsTerminal as _, Read as _};
use std::thread;

use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// Keys that are heard one by one, until this is dropped.
#[derive(Debug)]
pub(crate) struct Keys {
    before: Termios,
}

impl Keys {
    /// Calls `quit` when somebody presses q; `None` where there is nobody to press a key.
    pub(crate) fn hear(quit: impl Fn() + Send + 'static) -> Option<Self> {
        let stdin = io::stdin();
        let foreground = stdin.is_terminal() && tcgetpgrp(&stdin) == Ok(getpgrp());
        let before = tcgetattr(&stdin).ok().filter(|_| foreground)?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        modes.special_codes[SpecialCodeIndex::VQUIT] = DISABLED;
        tcsetattr(&stdin, OptionalActions::Now, &modes).ok()?;
        let keys = Self { before };
        // It ends with the process: nothing else ends a read from a terminal.
        let reader = thread::Builder::new().spawn(move || {
            let mut pressed = stdin.lock().bytes().map_while(Result::ok);
            if pressed.any(|key| matches!(key, b'q' | b'Q')) {
                quit();
            }
        });
        reader.ok().map(|_| keys)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// `_POSIX_VDISABLE` on Linux: no key has this function.
const DISABLED: u8 = 0;
