//! What did the person write, and where did each word of it stand?
//!
//! Scalars keep the text as written, for only the type that reads it knows whether `1.10` is a
//! number or a version. The tree knows neither YAML nor command lines.

/// Where a node stood in its source, as a range of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Which source: an index that the host gave when it read the file.
    pub source: u32,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

/// One value with its position; the position is absent where no file was involved.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it was written.
    pub span: Option<Span>,
    /// What was written.
    pub kind: Kind,
}

/// The shapes that a value can have.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing was written: `key:` or `null`.
    Null,
    /// One word or one quoted string.
    Scalar {
        /// The text, with quotes and escapes already resolved.
        text: String,
        /// Whether it stood without quotes, so that it may also be a number or a truth value.
        plain: bool,
    },
    /// Bytes that are no text, such as those of a message in a binary protocol.
    Bytes(Vec<u8>),
    /// A sequence.
    List(Vec<Node>),
    /// Keys and values in the order written. Each key is a scalar node with its own position.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Makes a node that stands in no file, such as one word of a command line.
    pub const fn new(kind: Kind) -> Self {
        Self { span: None, kind }
    }

    /// Makes an unquoted word that stands in no file.
    pub fn word(text: impl Into<String>) -> Self {
        Self::new(Kind::Scalar {
            text: text.into(),
            plain: true,
        })
    }

    /// Makes an empty map that stands in no file: options that are all left at their defaults.
    pub const fn empty() -> Self {
        Self::new(Kind::Map(Vec::new()))
    }

    /// The text, if this is a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value under `key`, if this is a map that has it.
    pub fn field(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|(k, _)| k.text() == Some(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }
}
