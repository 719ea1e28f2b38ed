//! Which bytes reach a screen, and which a file?

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;

/// What was written, for all who hold a copy.
#[derive(Clone, Default)]
pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    /// What was written since it was last taken.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn screen(columns: &Arc<AtomicUsize>) -> (Paper, Terminal) {
    let (paper, columns) = (Paper::default(), Arc::clone(columns));
    let size = move || Size {
        columns: columns.load(Ordering::Relaxed),
        rows: 4,
    };
    (paper.clone(), Terminal::test(paper, Some(size)))
}

#[test]
fn a_table_takes_the_place_of_the_one_before() {
    let (paper, mut terminal) = screen(&Arc::new(AtomicUsize::new(10)));
    for (text, table, expected) in [
        ("", "one\ntwo\n", "\rone\x1b[K\ntwo\x1b[K\n\x1b[J"),
        ("said\n", "1\n", "\r\x1b[2A\x1b[Jsaid\n1\x1b[K\n\x1b[J"),
        ("", "", "\r\x1b[1A\x1b[J"),
        ("", "0123456789abc\n", "\r0123456789\n\x1b[J"),
    ] {
        terminal.frame(text, table, "").unwrap();
        assert_eq!(paper.take(), expected, "{text:?} {table:?}");
    }
    terminal.last("end\n").unwrap();
    assert_eq!(paper.take(), "\r\x1b[Jend\n");
}

#[test]
fn a_window_made_narrower_has_wrapped_what_was_drawn() {
    let columns = Arc::new(AtomicUsize::new(10));
    let (paper, mut terminal) = screen(&columns);
    terminal.frame("", "01234567\nx\n", "").unwrap();
    columns.store(4, Ordering::Relaxed);
    paper.take();
    terminal.frame("", "ab\n", "").unwrap();
    assert_eq!(paper.take(), "\r\x1b[3Aab\x1b[K\n\x1b[J");
}

#[test]
fn a_table_higher_than_the_window_says_what_is_missing() {
    let (paper, mut terminal) = screen(&Arc::new(AtomicUsize::new(30)));
    terminal.frame("", "1\n2\n3\n4\n5\n", "").unwrap();
    assert_eq!(
        paper.take(),
        "\r1\x1b[K\n2\x1b[K\n… and 3 more\x1b[K\n\x1b[J"
    );
    terminal.frame("", "1\n2\n", "q quits").unwrap();
    let expected = "\r\x1b[3A1\x1b[K\n2\x1b[K\nq quits\x1b[K\n\x1b[J";
    assert_eq!(paper.take(), expected);
    terminal.frame("", "1\n2\n3\n", "q quits").unwrap();
    let expected = "\r\x1b[3A1\x1b[K\n2\x1b[K\n… and 1 more, q quits\x1b[K\n\x1b[J";
    assert_eq!(paper.take(), expected);
}

#[test]
fn a_file_gets_plain_text_and_no_table() {
    let paper = Paper::default();
    let mut terminal = Terminal::test(paper.clone(), None::<fn() -> Size>);
    terminal.frame("text\n", "table\n", "").unwrap();
    terminal.last("end\n").unwrap();
    assert_eq!(paper.take(), "text\nend\n");
    assert_eq!(terminal.width(), 80);
}

#[test]
fn the_first_variable_of_the_locale_that_is_set_decides() {
    for (all, ctype, lang, expected) in [
        ("", "", "en_US.UTF-8", true),
        ("", "C.utf8", "C", true),
        ("C", "", "en_US.UTF-8", false),
        ("", "", "", false),
    ] {
        let variables = [all, ctype, lang].map(str::to_owned);
        assert_eq!(is_utf8(variables), expected, "{all:?} {ctype:?} {lang:?}");
    }
}

#[test]
fn colour_is_for_screens_unless_the_environment_says_otherwise() {
    for (screen, no_color, force, expected) in [
        (true, "", "", true),
        (false, "", "", false),
        (true, "1", "1", false),
        (false, "", "1", true),
        (false, "", "0", false),
    ] {
        assert_eq!(
            wants_color(screen, no_color, force),
            expected,
            "{no_color:?} {force:?}"
        );
    }
}

#[test]
fn a_file_takes_whatever_is_written_and_a_pipe_what_it_has_room_for() {
    let file = tempfile::tempfile().unwrap();
    assert!(takes(&file, 1 << 30));
    let nothing = File::options().write(true).open("/dev/null").unwrap();
    assert!(takes(&nothing, 1 << 30));
    let (mut reader, writer) = io::pipe().unwrap();
    let mut writer = File::from(OwnedFd::from(writer));
    assert!(!takes(&writer, PIPE_BUF + 1));
    // If it were wrong, this would wait for ever.
    while takes(&writer, PIPE_BUF) {
        writer.write_all(&[0; PIPE_BUF]).unwrap();
    }
    reader.read_exact(&mut [0; PIPE_BUF]).unwrap();
    assert!(takes(&writer, PIPE_BUF));
}
