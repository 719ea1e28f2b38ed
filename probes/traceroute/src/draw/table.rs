//! How do the figures of all hops fit on one screen?
//!
//! A row for each TTL; beneath it stands what a row cannot say. With more columns there is more to
//! see, and no figure is ever cut: a figure that is cut off reads as another.

use std::fmt::Write as _;

use leadsman_core::draw::Stage;

use super::course::{Course, Station};
use super::notes::{reluctance, told};
use super::{INFALLIBLE, Names, milliseconds, percent, red};
use crate::loss::HopLoss;
use crate::reverse::asymmetry;

/// Adds the table of a course.
pub(super) fn write(course: &Course, names: &Names, stage: &Stage, page: &mut String) {
    let hops = course.hops();
    let figures = figures_shown(stage.width);
    let room = stage.width.saturating_sub(TTL + 1 + figures * FIGURE);
    let table = Table {
        names,
        stage,
        figures,
        room: room.max(LEAST_NAME),
    };
    let who = hops
        .iter()
        .map(|(_, hop, _)| table.who(hop).chars().count());
    let column = who.max().unwrap_or_default().clamp(LEAST_NAME, table.room);
    write!(page, "{:width$}", "", width = TTL + column).expect(INFALLIBLE);
    for figure in &FIGURES[..figures] {
        write!(page, "{figure:>FIGURE$}").expect(INFALLIBLE);
    }
    page.push('\n');
    for (ttl, hop, loss) in hops {
        table.row(ttl, hop, loss, column, page);
        table.notes(hop, loss, page);
    }
}

struct Table<'a> {
    names: &'a Names,
    stage: &'a Stage,
    figures: usize,
    /// Columns that whoever answers may take.
    room: usize,
}

impl Table<'_> {
    fn who(&self, hop: &Station) -> String {
        let from = hop.responder();
        from.map_or_else(|| "*".to_owned(), |from| self.names.shown(from, self.room))
    }

    fn row(&self, ttl: u8, hop: &Station, loss: Option<HopLoss>, column: usize, page: &mut String) {
        let who = shortened(&self.who(hop), column, self.stage.utf8);
        let statistics = &hop.record.statistics;
        let lost = loss.map(|loss| loss.lost);
        let bad = self.stage.color && lost.is_some_and(|lost| lost > 0.0);
        let time = |time: Option<_>| time.map(milliseconds);
        let ttl_left = hop.latest.as_ref().and_then(|latest| latest.ttl_left);
        let figures = [
            lost.map(percent),
            Some(hop.record.sent.to_string()),
            time(hop.last()),
            time(statistics.mean()),
            time(statistics.best()),
            time(statistics.worst()),
            time(statistics.deviation()),
            time(statistics.jitter()),
            loss.map(|loss| percent(loss.missed)),
            ttl_left.map(|left| format!("{:+}", asymmetry(ttl, left))),
        ];
        let figures =
            figures.map(|figure| format!("{:>FIGURE$}", figure.unwrap_or_else(|| "-".to_owned())));
        write!(page, "{ttl:>3}  {who:column$}").expect(INFALLIBLE);
        page.push_str(&red(&figures[0], bad));
        page.extend(figures[1..self.figures].iter().map(String::as_str));
        page.push('\n');
    }

    fn notes(&self, hop: &Station, loss: Option<HopLoss>, page: &mut String) {
        let branch = if self.stage.utf8 { "└ " } else { "+ " };
        let record = &hop.record;
        let answers: u64 = record.responders.iter().map(|(_, count)| count).sum();
        let room = self.stage.width.saturating_sub(NOTE.len());
        let others = record.responders.iter();
        let others = others.filter(|(address, _)| Some(*address) != hop.responder());
        for (address, count) in others {
            let share = percent(*count as f64 / answers as f64);
            let who = self.names.shown(*address, room.saturating_sub(FIGURE + 2));
            self.note(&format!("{branch}{who} {share}"), page);
        }
        let told = hop.latest.iter().flat_map(|latest| told(latest));
        let reluctance = loss.and_then(|loss| reluctance(loss, hop.limit()));
        let notes: Vec<_> = reluctance.into_iter().chain(told).collect();
        if !notes.is_empty() {
            self.note(&notes.join(", "), page);
        }
    }

    /// In as many lines as it takes.
    fn note(&self, note: &str, page: &mut String) {
        let room = self.stage.width.saturating_sub(NOTE.len()).max(LEAST_NAME);
        let characters: Vec<_> = note.chars().collect();
        for line in characters.chunks(room) {
            page.push_str(NOTE);
            page.extend(line);
            page.push('\n');
        }
    }
}

/// How many of the figures there is room for.
fn figures_shown(width: usize) -> usize {
    let room = width.saturating_sub(TTL + 1 + LEAST_NAME) / FIGURE;
    let wide = width >= WIDE;
    room.min(if wide { FIGURES.len() } else { ALWAYS })
}

/// `text` in at most `width` columns, with an ellipsis for what was cut off.
fn shortened(text: &str, width: usize, utf8: bool) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let ellipsis = if utf8 { '…' } else { '~' };
    text.chars().take(width - 1).chain([ellipsis]).collect()
}

/// In the order in which they are missed least where there is no room, from the right.
const FIGURES: [&str; 10] = [
    "loss", "sent", "last", "avg", "best", "wrst", "sdev", "jit", "unans", "back",
];
/// How many of them a terminal of 80 columns has.
const ALWAYS: usize = 8;
/// Columns of each, with the space before it.
const FIGURE: usize = 6;
/// Columns of a TTL, with the spaces behind it.
const TTL: usize = 5;
const LEAST_NAME: usize = 15;
/// Columns from which on there is room for what is seldom asked.
const WIDE: usize = 120;
/// What stands before a note.
const NOTE: &str = "       ";
