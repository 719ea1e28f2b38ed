//! What do serde's complaints say to a person, and which entry is to blame?
//!
//! The one error type of the reader. It is made without a position and is given one on its way
//! out: the innermost node that it passes is where it stands.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::super::{Kind, Node, OptionsError, Span, Step, closest};

/// A mistake on its way out of the tree.
#[derive(Debug)]
pub(super) struct Mistake<'a> {
    /// The value to leave out when reading again; `None` until the mistake has a place.
    pub(super) culprit: Option<&'a Node>,
    span: Option<Span>,
    /// Innermost step first.
    path: Vec<Step>,
    message: String,
    help: Option<String>,
    about: About,
}

/// What a mistake claims, as far as it matters for telling causes from consequences.
#[derive(Debug, PartialEq)]
enum About {
    /// This word, or this key.
    Word,
    /// A key that should be there.
    Missing(&'static str),
    /// The value as a whole, which may be wrong only because a part of it was left out.
    Whole,
}

impl<'a> Mistake<'a> {
    pub(super) fn new(message: String) -> Self {
        let (culprit, span, path, help) = (None, None, Vec::new(), None);
        Self {
            culprit,
            span,
            path,
            message,
            help,
            about: About::Word,
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// Places the mistake at a value, unless it already has its place.
    pub(super) fn at(self, value: &'a Node) -> Self {
        self.at_key(value, value)
    }

    /// Places the mistake at the key of a value, unless it already has its place.
    pub(super) fn at_key(self, key: &Node, value: &'a Node) -> Self {
        match self.culprit {
            Some(_) => self,
            None => Self {
                culprit: Some(value),
                span: key.span,
                ..self
            },
        }
    }

    /// Adds the step that was taken to get here.
    pub(super) fn within(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }

    /// The mistake for a person, unless it only follows from those in `known`.
    pub(super) fn into_error(mut self, known: &[OptionsError]) -> Option<OptionsError> {
        self.path.reverse();
        let follows = known.iter().any(|other| match self.about {
            About::Word => false,
            About::Whole => other.path.starts_with(&self.path),
            About::Missing(name) => {
                let rest = other.path.strip_prefix(self.path.as_slice());
                matches!(rest, Some([Step::Key(key), ..]) if key == name)
                    || (rest == Some(&[]) && other.help == Some(meant(name)))
            }
        });
        (!follows).then(|| OptionsError {
            path: self.path,
            span: self.span,
            message: self.message.into(),
            help: self.help,
        })
    }
}

impl de::Error for Mistake<'_> {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            about: About::Whole,
            ..Self::new(message.to_string())
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, got {}", Got(unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, got a list of {length}"))
    }

    fn unknown_variant(variant: &str, accepted: &'static [&'static str]) -> Self {
        let mistake = Self::new(format!("expected {}, got `{variant}`", one_of(accepted)));
        match closest(variant, accepted.iter().copied()) {
            Some(near) => mistake.help(meant(near)),
            None => mistake,
        }
    }

    fn unknown_field(field: &str, accepted: &'static [&'static str]) -> Self {
        let mistake = Self::new(format!("unknown key `{field}`"));
        match closest(field, accepted.iter().copied()) {
            Some(near) => mistake.help(meant(near)),
            None if accepted.is_empty() => mistake.help("no key is accepted here"),
            None => mistake.help(format!("accepted here: {}", list(accepted, ", "))),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            about: About::Missing(field),
            ..Self::new(format!("the key `{field}` is missing"))
        }
    }
}

impl fmt::Display for Mistake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake<'_> {}

/// What was written, short enough for a message.
pub(super) fn got(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "nothing".to_owned(),
        Kind::Scalar { text, plain: true } => format!("`{}`", shortened(text)),
        Kind::Scalar { text, plain: false } => format!("the text \"{}\"", shortened(text)),
        Kind::Bytes(_) => "bytes that are no text".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "keys with values".to_owned(),
    }
}

/// The accepted words as a choice.
pub(super) fn one_of(accepted: &[&str]) -> String {
    match accepted {
        [] => "nothing".to_owned(),
        [others @ .., last] if !others.is_empty() => format!("{} or `{last}`", list(others, ", ")),
        [only] | [.., only] => format!("`{only}`"),
    }
}

fn list(words: &[&str], between: &str) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(between)
}

fn meant(word: &str) -> String {
    format!("did you mean `{word}`?")
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.len() < text.trim_end().len() => format!("{line}…"),
        None => line.to_owned(),
    }
}

/// What serde found, in the words of this file.
struct Got<'a>(Unexpected<'a>);

impl fmt::Display for Got<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(truth) => write!(f, "`{truth}`"),
            Unexpected::Unsigned(number) => write!(f, "`{number}`"),
            Unexpected::Signed(number) => write!(f, "`{number}`"),
            Unexpected::Float(number) => write!(f, "`{number}`"),
            Unexpected::Char(letter) => write!(f, "`{letter}`"),
            Unexpected::Str(text) => write!(f, "`{}`", shortened(text)),
            Unexpected::Unit | Unexpected::Option => f.write_str("nothing"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("keys with values"),
            Unexpected::UnitVariant => f.write_str("only its name"),
            other => other.fmt(f),
        }
    }
}

/// Characters of a wrong value that a message repeats.
const LONGEST_SHOWN: usize = 40;
