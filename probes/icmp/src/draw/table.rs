//! How do many hosts fit on one screen?
//!
//! A row for each, drawn anew in place. Above it stands only what a row cannot say: why a host
//! does not answer, once for each new reason.

use std::fmt::Write as _;
use std::sync::Arc;

use leadsman_core::draw::Draw;
use leadsman_core::{Event, Run, Target};

use super::{Host, INFALLIBLE, milliseconds, red};
use crate::events::Said;

/// A table with a row for each host.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
    width: usize,
    color: bool,
}

#[derive(Debug)]
struct Row {
    host: Host,
    /// The last complaint printed.
    complaint: String,
}

impl Table {
    /// `width` is that of the terminal, in columns.
    pub(super) fn new(targets: &[Arc<Target>], width: usize, color: bool) -> Self {
        let rows = targets.iter().map(|target| Row {
            host: Host::new(target),
            complaint: String::new(),
        });
        Self {
            rows: rows.collect(),
            width,
            color,
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

    fn row(&self, host: &Host, name_width: usize) -> String {
        let name = shortened(&host.name, name_width);
        let (sent, received, trips) = (host.sent, host.received, &host.trips);
        let loss = format!("{:>6}", host.loss().as_deref().unwrap_or("-"));
        let loss = red(&loss, self.color && host.decided() > received);
        let mut row = format!("{name:name_width$} {sent:>6} {received:>6} {loss}");
        let (mean, p95) = (trips.mean(), trips.percentile(95));
        for time in [trips.last(), mean, trips.min(), trips.max(), p95] {
            let time = time.map_or_else(|| "-".to_owned(), milliseconds);
            write!(row, " {time:>7}").expect(INFALLIBLE);
        }
        row + "\n"
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
            self.complain(target, fault, page);
        }
    }

    fn table(&self) -> Option<String> {
        let name_width = self.width.saturating_sub(FIGURES_WIDTH).max(LEAST_NAME);
        let mut page = format!(
            "{:name_width$} {:>6} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7}\n",
            "host", "sent", "recv", "loss", "last", "avg", "min", "max", "p95"
        );
        for Row { host, .. } in &self.rows {
            page += &self.row(host, name_width);
        }
        Some(page)
    }

    fn summary(&mut self, page: &mut String) {
        *page += "Times are in milliseconds.\n";
    }
}

/// `name` in at most `width` characters, with an ellipsis for what was cut off.
fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 1).chain(['…']).collect()
}

/// Columns of everything but the name: three counts and five times.
const FIGURES_WIDTH: usize = 3 * 7 + 5 * 8;
const LEAST_NAME: usize = 8;
