//! How is a ping shown to a person?
//!
//! One host gets a line for each answer, in the form of ping(8); several hosts share one table that
//! is drawn in place. Both read the events of the runs and keep a [`Host`] for each target.

mod host;
mod lines;
mod table;

use leadsman_core::draw::{Draw, Stage, milliseconds, red};

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

/// Writing to a `String` cannot fail.
const INFALLIBLE: &str = "a String takes whatever is written to it";

#[cfg(test)]
mod tests;
