//! How does a scrape reach its reader?
//!
//! In chunks that are written when they are asked for, from numbers that were taken before: a
//! reader that stalls keeps some memory and nothing else. Each family stands together, the
//! families are sorted by name, and one without a sample is left out.

use std::iter;
use std::mem;
use std::sync::Arc;

use crate::column::Column;
use crate::family::Family;
use crate::own::Reader;
use crate::totals::Totals;
use crate::{Format, Own};

/// An exposition of one moment as chunks of UTF-8, most of them a little over 64 KiB.
#[derive(Debug)]
pub struct Scrape {
    families: Arc<[Family]>,
    /// The targets of each shape.
    targets: Vec<Vec<Row>>,
    parts: std::vec::IntoIter<Part>,
    /// Where the family that the last chunk broke off goes on.
    rest: Option<Position>,
    end: &'static str,
    _reader: Reader,
}

/// One target as it was when the scrape began.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) labels: Arc<str>,
    pub(crate) totals: Arc<Totals>,
}

/// One family.
#[derive(Debug)]
enum Part {
    /// The program's own: head and samples.
    Own(String),
    /// The targets': index of the family.
    Targets(usize),
}

/// The next target to write in a family.
#[derive(Clone, Copy, Debug)]
struct Position {
    family: usize,
    shape: usize,
    row: usize,
}

impl Scrape {
    pub(crate) fn new(
        format: Format,
        families: Arc<[Family]>,
        targets: Vec<Vec<Row>>,
        own: &Own,
    ) -> Self {
        let reader = own.reader();
        let own = own.written(format);
        let mut parts: Vec<(String, Part)> = iter::empty()
            .chain(own.map(|(name, text)| (name, Part::Own(text))))
            .chain(families.iter().enumerate().map(|(index, family)| {
                let name = family.name.to_owned();
                (name, Part::Targets(index))
            }))
            .collect();
        parts.sort_by(|(one, _), (other, _)| one.cmp(other));
        let parts: Vec<Part> = parts.into_iter().map(|(_, part)| part).collect();
        Self {
            families,
            targets,
            parts: parts.into_iter(),
            rest: None,
            end: match format {
                Format::Text => "",
                Format::OpenMetrics => "# EOF\n",
            },
            _reader: reader,
        }
    }

    /// Writes a family on from `at` until it ends, or returns where the chunk was full.
    fn write(&self, out: &mut String, mut at: Position) -> Option<Position> {
        let family = &self.families[at.family];
        let start = out.len();
        let is_new = (at.shape, at.row) == (0, 0);
        if is_new {
            out.push_str(&family.head);
        }
        let headed = out.len();
        for (column, rows) in iter::zip(&family.columns, &self.targets).skip(at.shape) {
            if let Some(column) = column {
                for row in at_hand(column, &rows[at.row..]) {
                    // Never right behind the head: it would stand alone if nothing follows.
                    if out.len() >= CHUNK && out.len() > headed {
                        return Some(at);
                    }
                    column.write(out, &row.labels, &row.totals);
                    at.row += 1;
                }
            }
            at.shape += 1;
            at.row = 0;
        }
        if is_new && out.len() == headed {
            out.truncate(start);
        }
        None
    }
}

impl Iterator for Scrape {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut out = String::with_capacity(CHUNK + CHUNK / 16);
        while out.len() < CHUNK {
            if let Some(at) = self.rest {
                self.rest = self.write(&mut out, at);
                continue;
            }
            match self.parts.next() {
                Some(Part::Own(text)) => out.push_str(&text),
                Some(Part::Targets(family)) => {
                    self.rest = Some(Position {
                        family,
                        shape: 0,
                        row: 0,
                    });
                }
                None => {
                    out.push_str(mem::take(&mut self.end));
                    break;
                }
            }
        }
        (!out.is_empty()).then(|| out.into_bytes())
    }
}

/// The same rows, each with its numbers fetched from memory before it is given out.
fn at_hand<'a>(column: &Column, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
    rows.chunks(AT_ONCE).flat_map(|rows| {
        for row in rows {
            column.touch(&row.labels, &row.totals);
        }
        rows
    })
}

/// Targets whose numbers are fetched from memory together: about as much as a processor waits for
/// at a time.
const AT_ONCE: usize = 16;

/// Bytes after which a chunk is given out.
const CHUNK: usize = 64 * 1024;
