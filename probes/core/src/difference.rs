//! What is not as somebody expects who comes from another prober?
//!
//! `blackbox_exporter`'s modules mean the same here, and what little does not is said by the plugin
//! that takes the place of its prober: for every module, or for those in which an option is written.
//! `leadsman check --explain` tells it module by module.

use crate::options::{Kind, Node};

/// Something that a plugin does otherwise than the prober of `blackbox_exporter` whose name it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    option: Option<(&'static str, Option<&'static str>)>,
    text: &'static str,
    mimicked: bool,
}

impl Difference {
    /// One that concerns every module. `text` is a sentence about this program, with a full stop.
    pub const fn always(text: &'static str) -> Self {
        Self {
            option: None,
            text,
            mimicked: false,
        }
    }

    /// One that concerns modules in which the option at this path, such as `tls_config.ca`, is
    /// written.
    pub const fn with(option: &'static str, text: &'static str) -> Self {
        Self {
            option: Some((option, None)),
            text,
            mimicked: false,
        }
    }

    /// The same where it has this value, as written.
    pub const fn where_set(option: &'static str, value: &'static str, text: &'static str) -> Self {
        Self {
            option: Some((option, Some(value))),
            text,
            mimicked: false,
        }
    }

    /// Marks one that is gone in runs that mimic: [`Context::is_compatible`].
    ///
    /// [`Context::is_compatible`]: crate::Context::is_compatible
    #[must_use]
    pub const fn mimicked(self) -> Self {
        Self {
            mimicked: true,
            ..self
        }
    }

    /// What is different, in a sentence.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Whether it is gone in runs that mimic.
    pub fn is_mimicked(&self) -> bool {
        self.mimicked
    }

    /// Whether it concerns every module.
    pub fn concerns_all(&self) -> bool {
        self.option.is_none()
    }

    /// Whether it concerns a module with these options, as a person has written them.
    pub fn concerns(&self, written: &Node) -> bool {
        let Some((path, value)) = self.option else {
            return true;
        };
        let found = path
            .split('.')
            .try_fold(written, |node, key| node.field(key));
        match (found, value) {
            (Some(node), None) => node.kind != Kind::Null,
            (Some(node), Some(value)) => node.text() == Some(value),
            (None, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_concerns_those_who_wrote_its_option() {
        let inner = Kind::Map(vec![(Node::word("b"), Node::word("yes"))]);
        let empty = (Node::word("c"), Node::new(Kind::Null));
        let written = Kind::Map(vec![(Node::word("a"), Node::new(inner)), empty]);
        let written = Node::new(written);
        for (difference, expected) in [
            (Difference::always("."), true),
            (Difference::with("a", "."), true),
            (Difference::with("a.b", "."), true),
            (Difference::with("a.c", "."), false),
            (Difference::with("c", "."), false),
            (Difference::with("d", "."), false),
            (Difference::where_set("a.b", "yes", "."), true),
            (Difference::where_set("a.b", "no", "."), false),
        ] {
            assert_eq!(difference.concerns(&written), expected, "{difference:?}");
        }
    }
}
