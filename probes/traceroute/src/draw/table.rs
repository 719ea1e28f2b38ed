//! How do the figures of all hops fit on one screen?
//!
//! A row for each TTL; beneath it stands what a row cannot say. With more columns there is more to
//! see, and no figure is ever cut: a figure that is cut off reads as another.

use std::fmt::Write as _;

use leadsman_core::draw::{Scale, Stage, WIDEST_STRIP, milliseconds, red};

use super::course::{Course, Station};
use super::notes::{reluctance, told, translators};
use super::{INFALLIBLE, Names, percent};
use crate::loss::HopLoss;
use crate::reverse::asymmetry;

/// Adds the table of a course.
pub(super) fn write(course: &Course, names: &Names, stage: &Stage, page: &mut String) {
    let hops = course.hops();
    let table = Table::new(&hops, names, stage);
    table.head(page);
    let translators = translators(hops.iter().filter_map(|(_, hop, _)| hop.latest.as_deref()));
    for (ttl, hop, loss) in hops {
        table.row(ttl, hop, loss, page);
        table.notes(hop, loss, translators.contains(&ttl), page);
    }
}

struct Table<'a> {
    names: &'a Names,
    stage: &'a Stage,
    figures: usize,
    /// Columns of the numbers of systems; 0 if there are none.
    systems: usize,
    /// Columns of whoever answers, and how many there is room for.
    who: usize,
    room: usize,
    /// Columns of the strips of recent round trips; 0 if there is no room.
    strips: usize,
    scale: Scale,
}

impl<'a> Table<'a> {
    fn new(hops: &[(u8, &Station, Option<HopLoss>)], names: &'a Names, stage: &'a Stage) -> Self {
        let responders = hops.iter().filter_map(|(_, hop, _)| hop.responder());
        let systems = responders.filter_map(|from| names.system(from));
        let systems = systems.map(|system| system.len() + 1).max().unwrap_or(0);
        let figures = figures_shown(stage.width, systems);
        let taken = TTL + systems + figures * FIGURE;
        let room = stage.width.saturating_sub(taken).max(LEAST_NAME);
        let who = hops.iter().map(|(_, hop, _)| shown(hop, names, room));
        let who = who.map(|who| who.chars().count()).max().unwrap_or_default();
        let who = who.clamp(LEAST_NAME, room);
        let strips = match stage.width.saturating_sub(taken + who + 1) {
            strips if stage.width >= WIDE && strips >= LEAST_STRIP => strips.min(WIDEST_STRIP),
            _ => 0,
        };
        let trips = hops
            .iter()
            .flat_map(|(_, hop, _)| hop.strip.replies(strips));
        Self {
            names,
            stage,
            figures,
            systems,
            who,
            room,
            strips,
            scale: Scale::of(trips, stage.utf8),
        }
    }

    fn head(&self, page: &mut String) {
        let before = TTL + self.systems + self.who;
        write!(page, "{:before$}", "").expect(INFALLIBLE);
        for figure in &FIGURES[..self.figures] {
            write!(page, "{figure:>FIGURE$}").expect(INFALLIBLE);
        }
        if self.strips > 0 {
            let (legend, strips) = (self.scale.legend(), self.strips);
            write!(page, " {legend:>strips$}").expect(INFALLIBLE);
        }
        page.push('\n');
    }

    fn row(&self, ttl: u8, hop: &Station, loss: Option<HopLoss>, page: &mut String) {
        let column = self.who;
        let who = shortened(&shown(hop, self.names, self.room), column, self.stage.utf8);
        let statistics = &hop.record.statistics;
        let share = loss.map(|loss| loss.lost);
        let bad = self.stage.color && share.is_some_and(|share| share > 0.0);
        let time = |time: Option<_>| time.map(milliseconds);
        let ttl_left = hop.latest.as_ref().and_then(|latest| latest.ttl_left);
        let figures = [
            loss.map(|loss| self.lost(loss)),
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
        let system = hop.responder().and_then(|from| self.names.system(from));
        let system = system.unwrap_or_default();
        let systems = self.systems;
        write!(page, "{ttl:>3}  {system:systems$}{who:column$}").expect(INFALLIBLE);
        page.push_str(&red(&figures[0], bad));
        page.extend(figures[1..self.figures].iter().map(String::as_str));
        if self.strips > 0 {
            let strip = hop.strip.drawn(self.strips, &self.scale, self.stage.color);
            page.extend([" ", &strip]);
        }
        page.truncate(page.trim_end().len());
        page.push('\n');
    }

    /// The share that was lost on the way, marked where the hop's own silence proves nothing.
    fn lost(&self, loss: HopLoss) -> String {
        let at_most = match self.stage.utf8 {
            _ if loss.lost <= 0.0 || loss.missed <= loss.lost => "",
            true => "≤",
            false => "<",
        };
        format!("{at_most}{}", percent(loss.lost))
    }

    fn notes(&self, hop: &Station, loss: Option<HopLoss>, translated: bool, page: &mut String) {
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
        let nat = translated.then(|| "NAT".to_owned());
        let notes: Vec<_> = reluctance.into_iter().chain(told).chain(nat).collect();
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

/// Who answers, in at most so many columns if that can be; a star for silence.
fn shown(hop: &Station, names: &Names, room: usize) -> String {
    let from = hop.responder();
    from.map_or_else(|| "*".to_owned(), |from| names.shown(from, room))
}

/// How many of the figures there is room for.
fn figures_shown(width: usize, systems: usize) -> usize {
    let room = width.saturating_sub(TTL + systems + LEAST_NAME) / FIGURE;
    let most = if width >= WIDE { FIGURES.len() } else { ALWAYS };
    room.clamp(COUNTS, most)
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
/// How many of them a terminal of 80 columns has room for.
const ALWAYS: usize = 8;
/// How many of them are no times; these are shown on any terminal.
const COUNTS: usize = 2;
/// Columns of each, with the space before it.
const FIGURE: usize = 6;
/// Columns of a TTL, with the spaces behind it.
const TTL: usize = 5;
const LEAST_NAME: usize = 15;
/// What the legend of a strip needs.
const LEAST_STRIP: usize = 15;
/// Columns from which on there is room for what is seldom asked.
const WIDE: usize = 120;
/// What stands before a note.
const NOTE: &str = "       ";
