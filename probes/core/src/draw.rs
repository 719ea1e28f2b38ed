//! How is a run by hand shown to a person?
//!
//! The plugin draws, for only it knows what matters; the host owns the terminal. A drawing reads the
//! same events and runs as every other sink, and never measures. What drawings of several plugins
//! have in common is here too.

mod blocks;
mod strip;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

pub use self::blocks::blocks;
pub use self::strip::{Mark, Scale, Strip, WIDEST_STRIP};
use crate::{Event, Run, Target};

/// Where a drawing is shown.
#[derive(Clone, Debug)]
pub struct Stage {
    /// All that is probed; drawings are told indices into this list.
    pub targets: Vec<Arc<Target>>,
    /// Columns of the terminal at the start; 80 where there is none.
    pub width: usize,
    /// Whether colour is wanted.
    pub color: bool,
    /// Whether more than ASCII can be shown.
    pub utf8: bool,
}

/// Turns events and runs into text; each method adds whole lines to `page`.
pub trait Draw: Send {
    /// Something happened at a target.
    fn event(&mut self, target: usize, event: &Event, page: &mut String);

    /// A target's run ended.
    fn finished(&mut self, target: usize, run: &Run, page: &mut String);

    /// The terminal has so many columns from now on; told before each [`Draw::table`] of a screen.
    fn resized(&mut self, width: usize) {
        _ = width;
    }

    /// What stands below everything printed so far and is drawn anew in place on a terminal.
    fn table(&self) -> Option<String> {
        None
    }

    /// What the events of a target come to, for a program that reads it beside the run.
    fn figures(&self, target: usize) -> Map<String, Value> {
        _ = target;
        Map::new()
    }

    /// The last words, after all runs have ended.
    fn summary(&mut self, page: &mut String);
}

/// Milliseconds with as many decimals as ping(8) shows: three digits count.
pub fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    let decimals = match ms {
        ..0.9995 => 3,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$}")
}

/// Marks bad news, where `color` is wanted.
pub fn red(text: &str, color: bool) -> String {
    if color {
        format!("\x1b[31m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
