//! How is a person told what is wrong with a file, and where?
//!
//! [`Problems`] hold everything that was found in one source, in the order of the lines. It is
//! shown in full for people, with the lines themselves, or as one line for each problem, for logs
//! and for the answer to a reload. It neither prints nor decides whether colour is wanted.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use leadsman_core::options::{OptionsError, Span, Step};

/// Everything that was found in one source.
#[derive(Debug)]
pub(crate) struct Problems {
    name: String,
    text: String,
    list: Vec<Problem>,
}

/// One thing that is wrong, or that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where it stands; `None` if it is about the source as a whole.
    pub(super) span: Option<Span>,
    pub(super) severity: Severity,
    /// What is wrong, lower case, no full stop.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: Option<String>,
}

/// Whether the source can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// It cannot.
    Error,
    /// It can.
    Warning,
}

/// A place for people: line and column count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Problems {
    /// Sorts the problems by their place and drops those that say the same of the same place, as
    /// a wrong option does for each target that it is aimed at.
    pub(super) fn new(name: &str, text: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| problem.span.map(|span| span.start));
        list.dedup();
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            list,
        }
    }

    /// What is wrong with a source of which there is nothing to show.
    pub(super) fn unreadable(name: &str, problem: Problem) -> Self {
        Self::new(name, "", vec![problem])
    }

    /// Whether the source cannot be used because of them.
    pub(crate) fn are_fatal(&self) -> bool {
        self.list
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// All of them for people, with the lines themselves, a newline at its end; empty if there is nothing to tell.
    pub(crate) fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for problem in self.list.iter().take(MOST_SHOWN) {
            text += &renderer.render(&[self.group(problem)]);
            text += "\n\n";
        }
        text += &self.more().unwrap_or_default();
        text.truncate(text.trim_end().len());
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    /// One line for each problem: `file:line:column: message (help)`.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let shown = self.list.iter().take(MOST_SHOWN).map(|problem| {
            let Problem { message, help, .. } = problem;
            let place = match self.position(problem) {
                Some(Position { line, column }) => format!("{}:{line}:{column}", self.name),
                None => self.name.clone(),
            };
            let warning = match problem.severity {
                Severity::Error => "",
                Severity::Warning => "warning: ",
            };
            let help = help.iter().map(|help| format!(" ({help})"));
            format!("{place}: {warning}{message}{}", help.collect::<String>())
        });
        shown.chain(self.more())
    }

    fn more(&self) -> Option<String> {
        let more = self.list.len().checked_sub(MOST_SHOWN + 1)? + 1;
        Some(format!("… and {more} more in {}", self.name))
    }

    /// Where a problem stands, if it stands anywhere.
    fn position(&self, problem: &Problem) -> Option<Position> {
        let start = problem.span?.start as usize;
        let before = &self.text[..start.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some(Position {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        })
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = if let (Some(span), Some(position)) = (problem.span, self.position(problem))
        {
            let shown = self.window(span);
            let start = (span.start as usize).min(self.text.len()) - shown.start;
            // What goes on over several lines is marked on its first one only.
            let text = &self.text[shown.clone()];
            let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
            let end = (span.end as usize)
                .saturating_sub(shown.start)
                .clamp(start, line_end);
            let first_line = position.line - text[..start].matches('\n').count();
            level.primary_title(&problem.message).element(
                Snippet::source(text)
                    .path(&self.name)
                    .line_start(first_line)
                    .fold(false)
                    .annotation(AnnotationKind::Primary.span(start..end)),
            )
        } else {
            level
                .primary_title(&problem.message)
                .element(Origin::path(&self.name))
        };
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }

    /// The bytes of the line on which a problem begins, with the line before it.
    fn window(&self, span: Span) -> Range<usize> {
        let start = (span.start as usize).min(self.text.len());
        let line = self.text[..start].rfind('\n').unwrap_or(0);
        let before = self.text[..line]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |newline| start + newline);
        before..end
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, line) in self.lines().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&line)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl IntoIterator for Problems {
    type Item = String;
    type IntoIter = std::vec::IntoIter<String>;

    /// One line for each; see [`Problems::lines`].
    fn into_iter(self) -> Self::IntoIter {
        self.lines().collect::<Vec<_>>().into_iter()
    }
}

impl Problem {
    pub(super) fn error(span: Option<Span>, message: impl Into<String>) -> Self {
        Self {
            span,
            severity: Severity::Error,
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn warning(span: Option<Span>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// Whether it is about the same words as another.
    pub(super) fn follows(&self, other: &Self) -> bool {
        self.span
            .zip(other.span)
            .is_some_and(|(ours, theirs)| ours.start <= theirs.start && theirs.end <= ours.end)
    }

    /// A mistake in what stands under `key`, named by the way to it.
    pub(super) fn under(key: &str, mut error: OptionsError) -> Self {
        error.path.insert(0, Step::Key(key.to_owned()));
        Self::of(error)
    }

    /// A mistake, named by the way to it.
    pub(super) fn of(mut error: OptionsError) -> Self {
        let help = error.help.take();
        Self {
            help,
            ..Self::error(error.span, error.to_string())
        }
    }
}

/// Problems that are written out; whoever makes more of them makes the same one everywhere.
const MOST_SHOWN: usize = 50;
