//! On whose thread is drawn what runs have to say?
//!
//! On that of the runs while nothing comes of it that could be written: so what is there to be said at the
//! end alone, wakes no other thread on the way. From the first line on, or where a table is drawn
//! anew in its place, on one of its own: a person who holds the output still, or a slow pipe, never
//! delays a measurement.

use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::page::{Note, Page};

/// Draws what it is told, and never keeps whoever tells it waiting.
pub(super) struct Desk {
    place: Mutex<Place>,
    runtime: Handle,
}

/// Where the page is.
enum Place {
    Here(Page),
    Away(Sender<Note>, JoinHandle<io::Result<()>>),
    /// Nowhere: the drawing has panicked.
    Gone,
}

/// The drawing has panicked; the panic itself was told when it happened.
#[derive(Debug)]
pub(super) struct Panicked;

impl Desk {
    /// Lays the page where it belongs. To be called from within a runtime.
    pub(super) fn new(page: Page) -> Self {
        let runtime = Handle::current();
        let place = if page.is_awaited() {
            Place::away(page, &runtime)
        } else {
            Place::Here(page)
        };
        Self {
            place: Mutex::new(place),
            runtime,
        }
    }

    /// Has a note drawn.
    pub(super) fn tell(&self, note: Note) {
        let mut place = self.place();
        let page = match &mut *place {
            Place::Here(page) => page,
            Place::Away(notes, _) => {
                // A page that has ended has asked all runs to stop; nobody is left to be told.
                drop(notes.send(note));
                return;
            }
            Place::Gone => return,
        };
        let drawn = catch_unwind(AssertUnwindSafe(|| page.take(note)));
        if drawn.is_ok() && !page.is_awaited() {
            return;
        }
        // A page that is dropped ends the runs.
        if let (Ok(()), Place::Here(page)) = (drawn, mem::replace(&mut *place, Place::Gone)) {
            *place = Place::away(page, &self.runtime);
        }
    }

    /// Has the last words written, and returns when they are.
    pub(super) async fn close(&self) -> Result<io::Result<()>, Panicked> {
        let place = mem::replace(&mut *self.place(), Place::Gone);
        let written = match place {
            Place::Here(page) => {
                let parting = catch_unwind(AssertUnwindSafe(|| page.part()));
                let parting = parting.map_err(|_| Panicked)?;
                if parting.waits_for_nobody() {
                    return Ok(parting.write());
                }
                self.runtime.spawn_blocking(|| parting.write())
            }
            Place::Away(notes, written) => {
                // The page ends when nobody holds a sender any more.
                drop(notes);
                written
            }
            Place::Gone => return Err(Panicked),
        };
        written.await.map_err(|_| Panicked)
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn away(page: Page, runtime: &Handle) -> Self {
        // Without a bound: the page waits for nobody, so what is in here is soon drawn.
        let (notes, inbox) = mpsc::channel();
        let written = runtime.spawn_blocking(move || page.keep(&inbox));
        Self::Away(notes, written)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread::{self, ThreadId};
    use std::time::SystemTime;

    use leadsman_core::draw::Draw;
    use leadsman_core::{Event, Run, Stopper};

    use super::*;
    use crate::terminal::tests::Paper;
    use crate::terminal::{Size, Terminal};

    /// Writes down on which threads it draws.
    struct Sheet {
        /// Whether there is a line for each event, or only the end.
        lines: bool,
        events: usize,
        threads: Arc<Mutex<Vec<ThreadId>>>,
    }

    impl Draw for Sheet {
        fn event(&mut self, _: usize, _: &Event, page: &mut String) {
            self.threads.lock().unwrap().push(thread::current().id());
            self.events += 1;
            if self.lines {
                page.extend([format!("{}\n", self.events)]);
            }
        }

        fn finished(&mut self, _: usize, _: &Run, _: &mut String) {}

        fn summary(&mut self, page: &mut String) {
            page.extend([format!("{} events\n", self.events)]);
        }
    }

    #[tokio::test]
    async fn what_is_told_at_the_end_is_drawn_by_the_runs_and_what_is_told_before_is_not() {
        check(false, false, 3, "3 events\n").await;
        check(false, true, 1, "1\n2\n3\n3 events\n").await;
        check(true, false, 0, "\r\x1b[J3 events\n").await;
    }

    /// Tells three events; so many of them are to be drawn here.
    async fn check(is_screen: bool, lines: bool, drawn_here: usize, expected: &str) {
        let (paper, threads) = (Paper::default(), Arc::<Mutex<Vec<_>>>::default());
        let sheet = Sheet {
            lines,
            events: 0,
            threads: Arc::clone(&threads),
        };
        let size = || Size {
            columns: 80,
            rows: 24,
        };
        let terminal = Terminal::test(paper.clone(), is_screen.then_some(size));
        let runs = Arc::new(Stopper::new().0);
        let page = Page::new(Box::new(sheet), |_| String::new(), "", terminal, runs);
        let desk = Desk::new(page);
        for _ in 0..3 {
            let event = Event::new(SystemTime::UNIX_EPOCH, "said", ());
            desk.tell(Note::Event(0, event));
        }
        desk.close().await.unwrap().unwrap();
        let here = thread::current().id();
        let threads = threads.lock().unwrap();
        let drawn = threads.iter().filter(|thread| **thread == here);
        assert_eq!((drawn.count(), threads.len()), (drawn_here, 3));
        let written = paper.take();
        assert_eq!(written, expected);
    }
}
