//! How is a run drawn for somebody who only wants to know how it ended?
//!
//! As for anybody else, but without the lines of its events and with its table only at the end.

use leadsman_core::draw::Draw;
use leadsman_core::{Event, Run};
use serde_json::{Map, Value};

/// The end of another drawing.
pub(super) struct Quiet(pub(super) Box<dyn Draw>);

impl Draw for Quiet {
    fn event(&mut self, target: usize, event: &Event, _: &mut String) {
        self.0.event(target, event, &mut String::new());
    }

    fn finished(&mut self, target: usize, run: &Run, page: &mut String) {
        self.0.finished(target, run, page);
    }

    fn figures(&self, target: usize) -> Map<String, Value> {
        self.0.figures(target)
    }

    fn summary(&mut self, page: &mut String) {
        page.extend(self.0.table());
        self.0.summary(page);
    }
}
