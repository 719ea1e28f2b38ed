//! How does text reach a person, and how is a table drawn anew in its place?
//!
//! One [`Terminal`] stands for the standard output or error, whatever that is. On a screen, lines
//! scroll by above a table that is overwritten in place, each frame in one write, so that nothing
//! flickers. Elsewhere text is written as it is. How wide things are is asked for at every frame,
//! for a window can change its size.
//!
//! What to write is not decided here, nor is the screen left in any state that would have to be
//! restored; what has to be, for keys to be heard, is put back by [`Keys`].

mod keys;
mod layout;

use std::env;
use std::fmt;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};

pub(crate) use self::keys::Keys;
pub(crate) use self::layout::{clip, columns, visible_width, wrap};

/// The standard output or error, or what stands for it in a test.
pub(crate) struct Terminal {
    out: Box<dyn Write + Send>,
    screen: Option<Screen>,
    color: bool,
    takes: fn(usize) -> bool,
    /// Width of each line of the table that stands above the cursor.
    drawn: Vec<usize>,
}

/// Of a screen, in cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

/// Knows how large a screen is at any moment.
#[derive(Clone)]
pub(crate) struct Screen(Arc<dyn Fn() -> Size + Send + Sync>);

impl Screen {
    fn size(&self) -> Size {
        (self.0)()
    }

    /// Columns at this moment.
    pub(crate) fn width(&self) -> usize {
        self.size().columns
    }
}

impl Terminal {
    /// The process's standard output.
    pub(crate) fn stdout() -> Self {
        Self::on(
            io::stdout(),
            || size(io::stdout()),
            |bytes| takes(&io::stdout(), bytes),
        )
    }

    /// The process's standard error.
    pub(crate) fn stderr() -> Self {
        Self::on(
            io::stderr(),
            || size(io::stderr()),
            |bytes| takes(&io::stderr(), bytes),
        )
    }

    fn on(
        out: impl Write + IsTerminal + Send + 'static,
        size: fn() -> Size,
        takes: fn(usize) -> bool,
    ) -> Self {
        Self {
            color: color_on(&out),
            takes,
            screen: is_screen(&out).then(|| Screen(Arc::new(size))),
            out: Box::new(out),
            drawn: Vec::new(),
        }
    }

    /// Writes to `out`, which is a screen if it has a size.
    #[cfg(test)]
    pub(crate) fn test(
        out: impl Write + Send + 'static,
        size: Option<impl Fn() -> Size + Send + Sync + 'static>,
    ) -> Self {
        Self {
            out: Box::new(out),
            screen: size.map(|size| Screen(Arc::new(size))),
            color: false,
            takes: |_| false,
            drawn: Vec::new(),
        }
    }

    /// The screen, where a table can be drawn anew in its place.
    pub(crate) fn screen(&self) -> Option<&Screen> {
        self.screen.as_ref()
    }

    /// Whether there is one.
    pub(crate) fn is_screen(&self) -> bool {
        self.screen.is_some()
    }

    /// Whether colour is wanted.
    pub(crate) fn color(&self) -> bool {
        self.color
    }

    /// Columns at this moment; 80 where there is no screen.
    pub(crate) fn width(&self) -> usize {
        self.screen.as_ref().map_or(80, Screen::width)
    }

    /// Whether so many bytes can be written at once and without waiting for a reader, as far as
    /// that is known.
    pub(crate) fn takes(&self, bytes: usize) -> bool {
        (self.takes)(bytes)
    }

    /// Writes whole lines.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Writes whole lines above `table`, which takes the place of the one before, with `hint` below
    /// if that is not empty. Lines of the table that do not fit are cut. Where there is no screen,
    /// the table is not shown.
    pub(crate) fn frame(&mut self, text: &str, table: &str, hint: &str) -> io::Result<()> {
        let size = match &self.screen {
            Some(screen) if !(self.drawn.is_empty() && table.is_empty()) => screen.size(),
            _ => return self.print(text),
        };
        let mut frame = to_the_start(&self.drawn, size);
        if !text.is_empty() {
            frame.push_str(ERASE_BELOW);
            frame.push_str(text);
        }
        self.drawn.clear();
        let lines = table.lines().count();
        let room = size.rows.saturating_sub(1).max(1);
        let below = usize::from(!hint.is_empty());
        let (fitting, last) = if lines + below > room {
            let comma = if hint.is_empty() { "" } else { ", " };
            let left = (room - 1).min(lines);
            let more = format!("… and {} more{comma}{hint}", lines - left);
            (left, Some(more))
        } else {
            (lines, Some(hint.to_owned()).filter(|hint| !hint.is_empty()))
        };
        let shown = table.lines().take(fitting).map(ToOwned::to_owned);
        for line in shown.chain(last) {
            let line = clip(&line, size.columns);
            let width = visible_width(&line);
            self.drawn.push(width);
            frame.push_str(&line);
            // Behind the last column the cursor still stands on it, and would erase it.
            frame.push_str(if width < size.columns {
                ERASE_TO_END
            } else {
                ""
            });
            frame.push('\n');
        }
        frame.push_str(ERASE_BELOW);
        self.print(&frame)
    }

    /// Leaves the table where it stands and writes `text` below; whatever was typed meanwhile,
    /// such as the `^C` of an interrupt, goes.
    pub(crate) fn last(&mut self, text: &str) -> io::Result<()> {
        self.drawn.clear();
        if self.is_screen() {
            self.print(&format!("\r{ERASE_BELOW}{text}"))
        } else {
            self.print(text)
        }
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("screen", &self.is_screen())
            .field("color", &self.color)
            .finish_non_exhaustive()
    }
}

/// Moves to the first cell of the table. A window that became narrower has wrapped its lines.
fn to_the_start(drawn: &[usize], size: Size) -> String {
    let rows: usize = drawn
        .iter()
        .map(|width| width.div_ceil(size.columns).max(1))
        .sum();
    let mut moves = String::from("\r");
    let up = rows.min(size.rows.saturating_sub(1));
    if up > 0 {
        write!(moves, "\x1b[{up}A").expect("writing to a String cannot fail");
    }
    moves
}

/// Whether colour is wanted in what is written to `stream`.
pub(crate) fn color_on(stream: &impl IsTerminal) -> bool {
    let force = variable("CLICOLOR_FORCE");
    wants_color(is_screen(stream), &variable("NO_COLOR"), &force)
}

/// Whether whoever reads the output takes it for UTF-8, by POSIX's order of the locale's variables.
pub(crate) fn utf8() -> bool {
    is_utf8(["LC_ALL", "LC_CTYPE", "LANG"].map(variable))
}

fn is_utf8(variables: [String; 3]) -> bool {
    let locale = variables.into_iter().find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

fn is_screen(stream: &impl IsTerminal) -> bool {
    // Such as the shell inside an editor: a terminal that cannot move its cursor.
    stream.is_terminal() && variable("TERM") != "dumb"
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// Follows <https://no-color.org> and <https://bixense.com/clicolors>; values as in the environment.
fn wants_color(screen: bool, no_color: &str, force: &str) -> bool {
    no_color.is_empty() && (screen || !matches!(force, "" | "0"))
}

fn size(stream: impl AsFd) -> Size {
    let known = terminal_size::terminal_size_of(stream);
    // A serial console may report 0 by 0.
    match known {
        Some((columns, rows)) if columns.0 > 0 && rows.0 > 0 => Size {
            columns: columns.0.into(),
            rows: rows.0.into(),
        },
        _ => Size {
            columns: 80,
            rows: 24,
        },
    }
}

/// A file does, as does `/dev/null`, and a pipe that has room and takes them whole (`PIPE_BUF`,
/// pipe(7)).
fn takes(stream: &(impl AsFd + IsTerminal), bytes: usize) -> bool {
    let kind = fstat(stream).map(|stat| FileType::from_raw_mode(stat.st_mode));
    match kind {
        Ok(FileType::RegularFile) => true,
        Ok(FileType::CharacterDevice) => !stream.is_terminal(),
        Ok(FileType::Fifo) if bytes <= PIPE_BUF => {
            let mut pipe = [PollFd::new(stream, PollFlags::OUT)];
            poll(&mut pipe, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
        }
        _ => false,
    }
}

/// On Linux.
const PIPE_BUF: usize = 4_096;

const ERASE_BELOW: &str = "\x1b[J";
const ERASE_TO_END: &str = "\x1b[K";

#[cfg(test)]
pub(crate) mod tests;
