//! What is known, and what has been found, while one configuration is read?
//!
//! Reading goes on after a mistake, so every part of it gets this to report to. It holds the words
//! that all parts use for the same mistakes, and no knowledge of any part.

use leadsman_core::Registry;
use leadsman_core::options::{Kind, Node, OptionsError, Span, Step, closest, read};
use serde::de::DeserializeOwned;

use super::diagnose::{Problem, Severity};

/// The configuration being read, and everything found in it so far.
pub(super) struct Reading<'a> {
    pub(super) registry: &'a Registry,
    /// The source, to name lines in it.
    pub(super) text: &'a str,
    pub(super) problems: Vec<Problem>,
}

impl Reading<'_> {
    pub(super) fn error(&mut self, at: &Node, message: impl Into<String>, help: impl Into<String>) {
        self.problems
            .push(Problem::error(at.span, message).help(help));
    }

    pub(super) fn warning(
        &mut self,
        at: &Node,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems
            .push(Problem::warning(at.span, message).help(help));
    }

    /// Whether there were errors since there were this many problems.
    pub(super) fn errors_since(&self, problems: usize) -> bool {
        let since = &self.problems[problems..];
        since
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// The line on which a node begins, counted from 1.
    pub(super) fn line(&self, node: &Node) -> usize {
        let start = node.span.map_or(0, |span| span.start as usize);
        self.text[..start].matches('\n').count() + 1
    }

    /// Reads what stands under `key`; the mistakes in it are reported.
    pub(super) fn value<T: DeserializeOwned>(&mut self, key: &str, node: &Node) -> Option<T> {
        self.accept(key, node, read(node))
    }

    /// Takes the result of reading the options under `key`, and reports the mistakes in them.
    pub(super) fn accept<T>(
        &mut self,
        key: &str,
        options: &Node,
        result: Result<T, Vec<OptionsError>>,
    ) -> Option<T> {
        let errors = match result {
            Ok(value) => return Some(value),
            Err(errors) => errors,
        };
        for mut error in errors {
            error.span = error.span.or_else(|| place(options, &error.path));
            self.problems.push(Problem::under(key, error));
        }
        None
    }

    /// The entries of a map; nothing written is a map without entries.
    pub(super) fn entries<'n>(&mut self, what: &str, node: &'n Node) -> &'n [(Node, Node)] {
        match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Null => &[],
            Kind::Scalar { .. } | Kind::Bytes(_) | Kind::List(_) => {
                self.error(
                    node,
                    format!("{what} must be keys with values"),
                    "write each as `key: value` on a line of its own, or { key: value }",
                );
                &[]
            }
        }
    }

    /// The elements of a list; nothing written is a list without elements.
    pub(super) fn elements<'n>(&mut self, what: &str, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            Kind::List(elements) => elements,
            Kind::Null => &[],
            Kind::Scalar { .. } | Kind::Bytes(_) | Kind::Map(_) => {
                self.error(
                    node,
                    format!("{what} must be a list"),
                    "start each element with `- ` on a line of its own, or use brackets: [ ]",
                );
                &[]
            }
        }
    }

    /// Reports a key that nobody knows.
    pub(super) fn unknown_key(&mut self, key: &Node, accepted: &[&str]) {
        let name = key.text().unwrap_or_default();
        self.error(
            key,
            format!("unknown key `{name}`"),
            suggestion(name, accepted),
        );
    }

    /// Reports a key that is not in the map that begins at `map`.
    pub(super) fn missing_key(&mut self, map: &Node, key: &str, what_it_says: &str) {
        self.error(map, format!("the key `{key}` is missing"), what_it_says);
    }
}

/// The name that may have been meant, or all that could have been.
pub(super) fn suggestion(name: &str, accepted: &[&str]) -> String {
    match closest(name, accepted.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => listed("accepted here", accepted),
    }
}

/// Names in a row: `intro: a, b`.
pub(super) fn listed(intro: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return format!("{intro}: none");
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{intro}: {}", quoted.join(", "))
}

/// Where the value at the end of `path` stands, or the nearest around it that was written.
fn place(node: &Node, path: &[Step]) -> Option<Span> {
    let inner = path.split_first().and_then(|(step, rest)| {
        let child = match (step, &node.kind) {
            (Step::Key(key), _) => node.field(key),
            (Step::Index(index), Kind::List(elements)) => elements.get(*index),
            (Step::Index(_), _) => None,
        };
        place(child?, rest)
    });
    inner.or(node.span)
}
