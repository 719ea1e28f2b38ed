//! How is a ping shown to a person?
//!
//! One host gets a line for each answer, in the form of ping(8); several hosts share one table that
//! is drawn in place. Both read the events of the runs and keep a [`Host`] for each target.

mod host;
mod lines;
mod strip;
mod table;

use std::time::Duration;

use leadsman_core::draw::{Draw, Stage};

use host::Host;
use lines::Lines;
use table::Table;

/// A drawing for as many hosts as there are on the stage.
pub(crate) fn draw(stage: Stage) -> Box<dyn Draw> {
    match stage.targets.as_slice() {
        [target] => Box::new(Lines::new(target, stage.color)),
        _ => Box::new(Table::new(stage)),
    }
}

/// Milliseconds with as many decimals as ping(8) shows: three digits count.
fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    let decimals = match ms {
        ..0.9995 => 3,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$}")
}

/// Marks bad news, where colour is wanted.
fn red(text: &str, color: bool) -> String {
    if color {
        format!("\x1b[31m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Writing to a `String` cannot fail.
const INFALLIBLE: &str = "a String takes whatever is written to it";

#[cfg(test)]
mod tests;
