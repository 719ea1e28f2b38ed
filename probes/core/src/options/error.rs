//! What is wrong with something that a person wrote, in words and with its position?

use std::borrow::Cow;
use std::fmt;

use super::Span;

/// One step of the way from the outermost value to the one at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into the value under this key.
    Key(String),
    /// Into this element, counted from 0.
    Index(usize),
}

/// A mistake in options: what it is, where it stands, and what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsError {
    /// The way to the value at fault, from the value that was read; empty for that value itself.
    pub path: Vec<Step>,
    /// Where it stands, if it came from a file.
    pub span: Option<Span>,
    /// What is wrong, lower case, no full stop.
    pub message: Cow<'static, str>,
    /// What to do about it, if that is known: a suggestion or the accepted values.
    pub help: Option<String>,
}

impl OptionsError {
    /// A mistake in the options as a whole.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: Vec::new(),
            span: None,
            message: message.into(),
            help: None,
        }
    }

    /// A mistake in the value under `field`.
    pub fn field(field: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: vec![Step::Key(field.into())],
            ..Self::new(message)
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.path.iter().enumerate() {
            match step {
                Step::Key(key) if n == 0 => write!(f, "{key}")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if !self.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

impl std::error::Error for OptionsError {}
