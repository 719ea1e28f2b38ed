//! How do many hosts fit on one screen?
//!
//! A row for each, drawn anew in place. Above it stands only what a row cannot say: why a host
//! does not answer, once for each new reason. What of a row is left beside the figures shows how the
//! recent requests went.

use std::fmt::Write as _;

use leadsman_core::draw::{Draw, Scale, Stage, WIDEST_STRIP};
use leadsman_core::{Blocker, Event, Fault, Run};
use serde_json::{Map, Value};

use super::{Host, INFALLIBLE, milliseconds, red};
use crate::events::Said;

/// A table with a row for each host.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
    /// What this process may not do, as said already: it is the same for every host.
    forbidden: Option<String>,
    width: usize,
    color: bool,
    utf8: bool,
}

#[derive(Debug)]
struct Row {
    host: Host,
    /// The last complaint printed.
    complaint: String,
}

impl Table {
    pub(super) fn new(stage: Stage) -> Self {
        let Stage {
            targets,
            width,
            color,
            utf8,
        } = stage;
        let rows = targets.iter().map(|target| Row {
            host: Host::new(target),
            complaint: String::new(),
        });
        Self {
            rows: rows.collect(),
            forbidden: None,
            width,
            color,
            utf8,
        }
    }

    fn complain(&mut self, target: usize, complaint: String, page: &mut String) {
        let row = &mut self.rows[target];
        if row.complaint != complaint {
            let line = format!("{}: {complaint}", row.host.name);
            writeln!(page, "{}", red(&line, self.color)).expect(INFALLIBLE);
            row.complaint = complaint;
        }
    }

    /// How many of the figures there is room for: a figure that is cut off reads as another.
    fn figures_shown(&self) -> usize {
        let room = self.width.saturating_sub(LEAST_NAME);
        (room / FIGURE_WIDTH).clamp(COUNTS, FIGURES.len())
    }

    /// How many columns the names have, and how many the strips; 0 where there is no room for any.
    fn widths(&self) -> (usize, usize) {
        let names = self.rows.iter().map(|row| row.host.name.chars().count());
        let longest = names.max().unwrap_or_default().max(LEAST_NAME);
        let room = self
            .width
            .saturating_sub(self.figures_shown() * FIGURE_WIDTH);
        let names = longest.min(room / 2).max(LEAST_NAME);
        match room.saturating_sub(names + 1) {
            ..LEAST_STRIP => (longest.min(room.max(LEAST_NAME)), 0),
            strips => (names, strips.min(WIDEST_STRIP)),
        }
    }

    fn row(&self, host: &Host, name_width: usize) -> String {
        let name = shortened(&host.name, name_width, if self.utf8 { '…' } else { '~' });
        let (sent, trips) = (host.sent, &host.trips);
        let loss = format!("{:>6}", host.loss().as_deref().unwrap_or("-"));
        let loss = red(&loss, self.color && host.decided() > host.received);
        let mut row = format!("{name:name_width$} {sent:>6} {loss}");
        let (mean, p95) = (trips.mean(), trips.percentile(95));
        let times = [trips.last(), mean, trips.min(), trips.max(), p95];
        for time in times.into_iter().take(self.figures_shown() - COUNTS) {
            let time = time.map_or_else(|| "-".to_owned(), milliseconds);
            write!(row, " {time:>6}").expect(INFALLIBLE);
        }
        row
    }
}

impl Draw for Table {
    fn event(&mut self, target: usize, event: &Event, page: &mut String) {
        let Some(said) = Said::of(event) else {
            return;
        };
        self.rows[target].host.take(&said);
        match said {
            Said::Error(error) => {
                let complaint = format!("From {} {}", error.from, error.what);
                self.complain(target, complaint, page);
            }
            Said::NotSent(not_sent) => self.complain(target, not_sent.error, page),
            _ => {}
        }
    }

    fn finished(&mut self, target: usize, run: &Run, page: &mut String) {
        if let Some(fault) = self.rows[target].host.unsaid(run) {
            if let Err(Fault::Own(Blocker::Permission, _)) = run.result {
                if self.forbidden.as_ref() != Some(&fault) {
                    writeln!(page, "{}", red(&fault, self.color)).expect(INFALLIBLE);
                    self.forbidden = Some(fault);
                }
                return;
            }
            let name = &self.rows[target].host.name;
            // What is wrong with a name begins with it already.
            let unnamed = fault.strip_prefix(name.as_str());
            let complaint = unnamed.and_then(|fault| fault.strip_prefix(": "));
            let complaint = complaint.unwrap_or(&fault).to_owned();
            self.complain(target, complaint, page);
        }
    }

    fn resized(&mut self, width: usize) {
        self.width = width;
    }

    fn table(&self) -> Option<String> {
        let (name_width, strip_width) = self.widths();
        let hosts = self.rows.iter().map(|row| &row.host);
        let trips = hosts.flat_map(|host| host.strip.replies(strip_width));
        let scale = Scale::of(trips, self.utf8);
        let mut page = format!("{:name_width$}", "host");
        for figure in &FIGURES[..self.figures_shown()] {
            write!(page, " {figure:>6}").expect(INFALLIBLE);
        }
        if strip_width > 0 {
            write!(page, " {:>strip_width$}", scale.legend()).expect(INFALLIBLE);
        }
        page.push('\n');
        for Row { host, .. } in &self.rows {
            let strip = host.strip.drawn(strip_width, &scale, self.color);
            let row = format!("{} {strip}", self.row(host, name_width));
            page += row.trim_end();
            page.push('\n');
        }
        Some(page)
    }

    fn summary(&mut self, page: &mut String) {
        *page +=
            "Times are in ms. x is lost, ! an ICMP error, ? perhaps dropped here, - not sent.\n";
    }

    fn figures(&self, target: usize) -> Map<String, Value> {
        self.rows[target].host.figures()
    }
}

/// `name` in at most `width` characters, with an ellipsis for what was cut off.
fn shortened(name: &str, width: usize, ellipsis: char) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 1).chain([ellipsis]).collect()
}

/// In the order in which they are missed least where there is no room, from the right.
const FIGURES: [&str; 7] = ["sent", "loss", "last", "avg", "min", "max", "p95"];
/// How many of them are no times; these are always shown.
const COUNTS: usize = 2;
/// Columns of each, with the space before it.
const FIGURE_WIDTH: usize = 7;
const LEAST_NAME: usize = 8;
/// What the legend of a strip needs.
const LEAST_STRIP: usize = 15;
