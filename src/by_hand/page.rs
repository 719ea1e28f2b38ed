//! When is what written to the terminal?
//!
//! The page belongs to one thread, which draws, and a second one writes what was drawn while runs go
//! on; what there is to say at the end alone takes no second one, nor one to draw: see `desk`. So the
//! drawing hears everything and its counts are right, however slowly the output is read. Lines are
//! written as they come; with a table that is drawn anew in its place, they wait for the next
//! frame, of which there are at most five a second. Lines that nobody reads are left out beyond
//! some number, and the page says so. What the lines say is the drawing's affair.

use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use leadsman_core::draw::Draw;
use leadsman_core::{Event, Run, Stopper};
use tokio::time::Instant;

use crate::terminal::{Screen, Terminal, clip};

/// What a run has to say.
#[derive(Debug)]
pub(super) enum Note {
    /// Something happened at the target of this index.
    Event(usize, Event),
    /// The run of this target is over.
    Finished(usize, Box<Run>),
}

/// A drawing on its way to the terminal.
pub(super) struct Page {
    draw: Box<dyn Draw>,
    /// Says that so many lines were left out, in the form of the others.
    apology: fn(usize) -> String,
    /// Stands below a table until it is the last one.
    hint: &'static str,
    /// Where the table is shown while it is drawn.
    screen: Option<Screen>,
    /// Lines that were not yet given to the writer.
    text: String,
    /// How many more there would be, had they been read.
    left_out: usize,
    output: Output,
    end: EndsRuns,
}

/// Who has the terminal.
enum Output {
    /// The page itself, for nothing was written yet.
    Unused(Terminal),
    Writer(Writer),
}

/// Writes on a thread of its own.
struct Writer {
    /// As many as it takes without waiting for the reader.
    frames: SyncSender<Frame>,
    /// Gives the terminal back when there are no more frames.
    thread: JoinHandle<io::Result<Terminal>>,
}

/// What is written at once.
struct Frame {
    text: String,
    table: String,
    /// What stands below the table.
    hint: &'static str,
}

impl Frame {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.table.is_empty()
    }
}

impl Writer {
    /// Fails if the system has no thread for it.
    fn start(mut terminal: Terminal, end: EndsRuns) -> io::Result<Self> {
        let (frames, drawn) = sync_channel::<Frame>(1);
        let thread = thread::Builder::new().spawn(move || {
            let _end = end;
            for frame in drawn {
                terminal.frame(&frame.text, &frame.table, frame.hint)?;
            }
            Ok(terminal)
        })?;
        Ok(Self { frames, thread })
    }

    /// Writes the last frame and gives the terminal back.
    fn finish(self, last: Frame) -> io::Result<Terminal> {
        // A writer that has ended says below why.
        _ = self.frames.send(last);
        drop(self.frames);
        self.thread.join().expect("the writer does not panic")
    }
}

impl Page {
    /// A page whose end, for whatever reason, ends the runs.
    pub(super) fn new(
        draw: Box<dyn Draw>,
        apology: fn(usize) -> String,
        hint: &'static str,
        terminal: Terminal,
        runs: Arc<Stopper>,
    ) -> Self {
        Self {
            draw,
            apology,
            hint,
            screen: terminal.screen().cloned(),
            text: String::new(),
            left_out: 0,
            output: Output::Unused(terminal),
            end: EndsRuns(runs),
        }
    }

    /// Whether there is something to write before all runs have ended.
    pub(super) fn is_awaited(&self) -> bool {
        self.screen.is_some() || !self.text.is_empty()
    }

    /// Draws until nobody can send any more, then says the last words. Returns as soon as it is
    /// known that nothing can be written; that the reader has left is no error.
    pub(super) fn keep(self, notes: &Receiver<Note>) -> io::Result<()> {
        let drawn = self.draw_all(notes);
        ended(drawn.and_then(|page| page.part().write_all()))
    }

    /// Returns when all is drawn, or the writer has ended. Fails if the system has no thread for one.
    fn draw_all(mut self, notes: &Receiver<Note>) -> io::Result<Self> {
        let mut stale = !self.text.is_empty();
        // When the table may be drawn anew; `None` while there is none.
        let mut next_frame = stale.then(Instant::now);
        loop {
            let patience = match next_frame {
                _ if !stale => Duration::MAX,
                Some(at) => at.saturating_duration_since(Instant::now()),
                // The writer had no room; it does not tell when it has.
                None => FRAME,
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
                Err(RecvTimeoutError::Disconnected) => return Ok(self),
            }
            if stale && next_frame.is_none_or(|at| at <= Instant::now()) {
                let mut frame = self.frame();
                let writer = match self.output {
                    Output::Unused(_) if frame.is_empty() => {
                        stale = false;
                        continue;
                    }
                    Output::Unused(terminal) => Writer::start(terminal, self.end.clone())?,
                    Output::Writer(writer) => writer,
                };
                let has_table = !frame.table.is_empty();
                if has_table {
                    frame.hint = self.hint;
                }
                next_frame = has_table.then(|| Instant::now() + FRAME);
                let sent = writer.frames.try_send(frame);
                self.output = Output::Writer(writer);
                stale = match sent {
                    Ok(()) => false,
                    Err(TrySendError::Full(frame)) => {
                        self.text = frame.text;
                        true
                    }
                    Err(TrySendError::Disconnected(_)) => return Ok(self),
                };
            }
        }
    }

    /// Draws a note; the lines of events are left out while too much waits for the reader.
    pub(super) fn take(&mut self, note: Note) {
        match note {
            Note::Event(target, event) => {
                let mut lines = String::new();
                self.draw.event(target, &event, &mut lines);
                if self.text.len() + lines.len() > MOST_TEXT {
                    self.left_out += lines.lines().count();
                } else if !lines.is_empty() {
                    self.apologize();
                    self.text.push_str(&lines);
                }
            }
            Note::Finished(target, run) => {
                self.apologize();
                self.draw.finished(target, &run, &mut self.text);
            }
        }
    }

    fn apologize(&mut self) {
        if self.left_out > 0 {
            self.text.push_str(&(self.apology)(self.left_out));
            self.left_out = 0;
        }
    }

    /// What has come in, and the table that others will replace if there is one.
    fn frame(&mut self) -> Frame {
        let mut table = None;
        if let Some(screen) = &self.screen {
            self.draw.resized(screen.width());
            table = self.draw.table();
        }
        Frame {
            text: mem::take(&mut self.text),
            table: table.unwrap_or_default(),
            hint: "",
        }
    }

    /// Draws the last table and the last words.
    pub(super) fn part(mut self) -> Parting {
        self.apologize();
        let mut last = self.frame();
        // It need not fit the window: nothing takes its place any more.
        let table = mem::take(&mut last.table);
        let mut words = String::new();
        match &self.screen {
            Some(screen) => {
                let width = screen.width();
                let lines = table
                    .lines()
                    .flat_map(|line| [clip(line, width), "\n".to_owned()]);
                words.extend(lines);
            }
            None => words.extend(self.draw.table()),
        }
        self.draw.summary(&mut words);
        Parting {
            last,
            words,
            output: self.output,
            _end: self.end,
        }
    }
}

/// What is written when all is drawn.
pub(super) struct Parting {
    /// Without a table.
    last: Frame,
    /// The last table, and what stands below.
    words: String,
    output: Output,
    _end: EndsRuns,
}

impl Parting {
    /// Whether writing it takes no longer than the system's call.
    pub(super) fn waits_for_nobody(&self) -> bool {
        let bytes = self.last.text.len() + self.words.len();
        matches!(&self.output, Output::Unused(terminal) if terminal.takes(bytes))
    }

    /// Returns when it is written, or cannot be; that the reader has left is no error.
    pub(super) fn write(self) -> io::Result<()> {
        ended(self.write_all())
    }

    fn write_all(self) -> io::Result<()> {
        let mut terminal = match self.output {
            Output::Unused(mut terminal) => {
                terminal.frame(&self.last.text, &self.last.table, self.last.hint)?;
                terminal
            }
            Output::Writer(writer) => writer.finish(self.last)?,
        };
        terminal.last(&self.words)
    }
}

fn ended(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Ends the runs when it is dropped: none shall go on unseen, even if a drawing panics.
#[derive(Clone, Debug)]
pub(super) struct EndsRuns(pub(super) Arc<Stopper>);

impl Drop for EndsRuns {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The shortest time from one table to the next, and how soon to look whether a writer that had no
/// room has some.
const FRAME: Duration = Duration::from_millis(200);

/// Notes that may be drawn between two writes, so that a flood of them is still seen.
const BATCH: usize = 1000;

/// Bytes of lines that may wait for the reader: far more than a batch has.
const MOST_TEXT: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Sender, channel};
    use std::time::SystemTime;

    use super::*;
    use crate::terminal::Size;

    /// Draws a long line for each event, and lets the reader go on at the last one.
    struct Lines {
        expected: usize,
        heard: usize,
        stalled: Option<Sender<()>>,
    }

    impl Draw for Lines {
        fn event(&mut self, _: usize, _: &Event, page: &mut String) {
            self.heard += 1;
            page.extend([format!("{:0>500}\n", self.heard)]);
            if self.heard == self.expected {
                self.stalled = None;
            }
        }

        fn finished(&mut self, _: usize, _: &Run, _: &mut String) {}

        fn summary(&mut self, page: &mut String) {
            page.extend([format!("heard {}\n", self.heard)]);
        }
    }

    /// Takes nothing until the other end of `stalled` is gone.
    struct Pipe {
        stalled: Receiver<()>,
        text: Arc<Mutex<String>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            _ = self.stalled.recv();
            *self.text.lock().unwrap() += str::from_utf8(bytes).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Has the width as its table.
    #[derive(Default)]
    struct Ruler(usize);

    impl Draw for Ruler {
        fn event(&mut self, _: usize, _: &Event, _: &mut String) {}

        fn finished(&mut self, _: usize, _: &Run, _: &mut String) {}

        fn resized(&mut self, width: usize) {
            self.0 = width;
        }

        fn table(&self) -> Option<String> {
            Some(format!("{} columns\n", self.0))
        }

        fn summary(&mut self, _: &mut String) {}
    }

    /// A table of so many lines.
    struct Tower(usize);

    impl Draw for Tower {
        fn event(&mut self, _: usize, _: &Event, _: &mut String) {}

        fn finished(&mut self, _: usize, _: &Run, _: &mut String) {}

        fn table(&self) -> Option<String> {
            Some("a floor too wide for it\n".repeat(self.0))
        }

        fn summary(&mut self, _: &mut String) {}
    }

    #[test]
    fn a_table_is_drawn_for_the_width_that_the_screen_has_then() {
        let columns = Arc::new(AtomicUsize::new(80));
        let shown = Arc::clone(&columns);
        let size = move || Size {
            columns: shown.load(Ordering::Relaxed),
            rows: 24,
        };
        let mut page = Page::new(
            Box::<Ruler>::default(),
            |_| String::new(),
            "",
            Terminal::test(io::sink(), Some(size)),
            Arc::new(Stopper::new().0),
        );
        assert_eq!(page.frame().table, "80 columns\n");
        columns.store(160, Ordering::Relaxed);
        assert_eq!(page.frame().table, "160 columns\n");
    }

    #[test]
    fn the_last_table_is_whole_even_if_it_is_higher_than_the_window() {
        let text = Arc::new(Mutex::new(String::new()));
        let pipe = Pipe {
            stalled: channel().1,
            text: Arc::clone(&text),
        };
        let size = || Size {
            columns: 15,
            rows: 4,
        };
        let page = Page::new(
            Box::new(Tower(9)),
            |_| String::new(),
            "",
            Terminal::test(pipe, Some(size)),
            Arc::new(Stopper::new().0),
        );
        let (notes, inbox) = channel();
        let event = Event::new(SystemTime::UNIX_EPOCH, "said", ());
        notes.send(Note::Event(0, event)).unwrap();
        let kept = thread::spawn(move || page.keep(&inbox));
        // Once a table was drawn that had to fit.
        while !text.lock().unwrap().contains("more") {
            thread::yield_now();
        }
        drop(notes);
        kept.join().unwrap().unwrap();
        let text = text.lock().unwrap();
        let floors = "a floor too wid\n".repeat(9);
        let last = format!("\r\x1b[3A\x1b[J\r\x1b[J{floors}");
        assert!(text.ends_with(&last), "{text:?}");
    }

    #[test]
    fn lines_for_a_reader_that_stalls_are_left_out_and_counted_and_the_drawing_hears_all() {
        let expected = 10_000;
        let text = Arc::new(Mutex::new(String::new()));
        let (sender, stalled) = channel();
        let pipe = Pipe {
            stalled,
            text: Arc::clone(&text),
        };
        let draw = Lines {
            expected,
            heard: 0,
            stalled: Some(sender),
        };
        let page = Page::new(
            Box::new(draw),
            |lines| format!("and {lines}\n"),
            "",
            Terminal::test(pipe, None::<fn() -> Size>),
            Arc::new(Stopper::new().0),
        );
        let (notes, inbox) = channel();
        for _ in 0..expected {
            let event = Event::new(SystemTime::UNIX_EPOCH, "said", ());
            notes.send(Note::Event(0, event)).unwrap();
        }
        drop(notes);
        page.keep(&inbox).unwrap();
        let text = text.lock().unwrap();
        let (said, left_out): (Vec<_>, Vec<_>) = text
            .lines()
            .filter(|line| !line.starts_with("heard"))
            .partition(|line| line.len() == 500);
        let left_out: usize = left_out
            .iter()
            .map(|line| line.strip_prefix("and ").unwrap().parse::<usize>().unwrap())
            .sum();
        assert!(left_out > expected / 4, "{left_out}");
        assert_eq!(said.len() + left_out, expected);
        assert!(text.ends_with("heard 10000\n"));
    }
}
