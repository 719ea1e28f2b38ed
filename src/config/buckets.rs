//! In which buckets are the round trips of one probe counted?
//!
//! A plugin declares buckets that fit most networks. Where all targets are in one rack, or all on
//! another continent, a person knows better ones. What they count is not decided here.

use leadsman_core::Plugin;
use leadsman_core::options::{Node, Period};

use super::reading::Reading;

/// Reads the value of `buckets`: upper bounds as durations, ascending.
pub(super) fn read(
    reading: &mut Reading<'_>,
    node: &Node,
    plugin: Option<&'static Plugin>,
) -> Option<Vec<Period>> {
    let found = reading.problems.len();
    if let Some(plugin) = plugin.filter(|plugin| !plugin.takes_buckets()) {
        let name = plugin.name();
        reading.error(
            node,
            format!("buckets: the probe `{name}` has no histogram of round trips"),
            "leave it out",
        );
    }
    let elements = reading.elements("`buckets`", node);
    let mut bounds: Vec<Period> = Vec::new();
    for element in elements {
        let Some(bound) = reading.value::<Period>("buckets", element) else {
            continue;
        };
        let message = match bounds.last() {
            _ if bound.is_zero() => "buckets: must be longer than 0s".to_owned(),
            Some(before) if bound <= *before => {
                format!("buckets: {bound} stands behind {before}, which is not shorter")
            }
            _ => {
                bounds.push(bound);
                continue;
            }
        };
        reading.error(
            element,
            message,
            "write them in ascending order: [1ms, 10ms, 100ms]",
        );
    }
    if reading.errors_since(found) {
        return None;
    }
    match bounds.len() {
        0 => reading.error(
            node,
            "buckets: there is none",
            "leave it out for those that the probe declares",
        ),
        MORE_THAN_MOST.. => reading.error(
            node,
            format!("buckets: {} are too many", bounds.len()),
            format!("each is a series for every target: write at most {MOST}"),
        ),
        _ => return Some(bounds),
    }
    None
}

/// Upper bounds in one list. Each costs a series for every target.
pub(super) const MOST: usize = 40;
const MORE_THAN_MOST: usize = MOST + 1;
