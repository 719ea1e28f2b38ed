//! How does a value that a test made become what a person would have written?

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::options::{self, Kind, Node};

/// Reads options, or a part of them, as if a person had written this value. An error is every mistake
/// in it, in words.
///
/// # Panics
/// If the value has no JSON form.
pub fn read<T: DeserializeOwned>(value: impl Serialize) -> Result<T, String> {
    let value = serde_json::to_value(value).expect("a test writes what can be written");
    options::read(&written(value)).map_err(|mistakes| {
        let words: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        words.join("; ")
    })
}

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
