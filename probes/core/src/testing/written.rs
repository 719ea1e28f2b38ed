//! How does a value that a test made become what a person would have written?

use serde_json::Value;

use crate::options::{Kind, Node};

/// Text stands in quotes, so that a test means text when it gives text.
pub(super) fn written(value: Value) -> Node {
    Node::new(match value {
        Value::Null => Kind::Null,
        Value::Bool(truth) => return Node::word(truth.to_string()),
        Value::Number(number) => return Node::word(number.to_string()),
        Value::String(text) => Kind::Scalar { text, plain: false },
        Value::Array(elements) => Kind::List(elements.into_iter().map(written).collect()),
        Value::Object(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| (Node::word(key), written(value)))
                .collect(),
        ),
    })
}
