//! How does `-o path=value` get into a tree of options?
//!
//! A path names keys from the outside in, `tls_config.server_name`. A value is one word, or JSON
//! where it begins like a list, a map or a quoted text. Whether such an option exists is for the
//! plugin to say, when it reads the tree.

use leadsman_core::options::{Kind, Node};
use serde_json::Value;

/// One option with its value, as written behind `-o`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Assignment {
    pub(super) keys: Vec<String>,
    pub(super) value: Node,
}

/// Reads `path=value`.
pub(super) fn assignment(text: &str) -> Result<Assignment, String> {
    let (path, value) = text
        .split_once('=')
        .ok_or("write a path and a value, such as tls_config.server_name=example.com")?;
    let keys: Vec<_> = path.split('.').map(str::to_owned).collect();
    if keys.iter().any(String::is_empty) {
        return Err(format!("a key is missing in the path `{path}`"));
    }
    let value = if value.starts_with(['[', '{', '"']) {
        let json = serde_json::from_str(value);
        node(json.map_err(|error| format!("the value begins like JSON but is none: {error}"))?)
    } else {
        Node::word(value)
    };
    Ok(Assignment { keys, value })
}

impl Assignment {
    /// Sets an option of the outermost level to a word.
    pub(super) fn word(key: &str, value: &str) -> Self {
        Self {
            keys: vec![key.to_owned()],
            value: Node::word(value),
        }
    }

    /// Puts the value into `tree`, in place of whatever was there.
    pub(super) fn plant(self, tree: &mut Node) {
        let mut at = tree;
        for key in self.keys {
            at = entry(at, key);
        }
        *at = self.value;
    }
}

/// The value under `key`; what is no map becomes one.
fn entry(node: &mut Node, key: String) -> &mut Node {
    if !matches!(node.kind, Kind::Map(_)) {
        *node = Node::empty();
    }
    let Kind::Map(entries) = &mut node.kind else {
        unreachable!("it was just made a map");
    };
    let found = entries.iter().position(|(k, _)| k.text() == Some(&key));
    let at = found.unwrap_or_else(|| {
        entries.push((Node::word(key), Node::new(Kind::Null)));
        entries.len() - 1
    });
    &mut entries[at].1
}

fn node(json: Value) -> Node {
    match json {
        Value::Null => Node::new(Kind::Null),
        Value::Bool(truth) => Node::word(truth.to_string()),
        Value::Number(number) => Node::word(number.to_string()),
        Value::String(text) => Node::new(Kind::Scalar { text, plain: false }),
        Value::Array(items) => Node::new(Kind::List(items.into_iter().map(node).collect())),
        Value::Object(entries) => {
            let entries = entries.into_iter();
            Node::new(Kind::Map(
                entries.map(|(k, v)| (Node::word(k), node(v))).collect(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_assignments_join_or_replace_earlier_ones() {
        let mut tree = Node::empty();
        for text in [
            "a=1",
            "b.c=x=y",
            "b.d=[200, \"t\"]",
            "a=2",
            "b.c={\"e\":null}",
        ] {
            assignment(text).unwrap().plant(&mut tree);
        }
        let quoted = Node::new(Kind::Scalar {
            text: "t".into(),
            plain: false,
        });
        let list = Node::new(Kind::List(vec![Node::word("200"), quoted]));
        let map = |entries: Vec<(&str, Node)>| {
            let entries = entries
                .into_iter()
                .map(|(key, value)| (Node::word(key), value));
            Node::new(Kind::Map(entries.collect()))
        };
        let inner = map(vec![("e", Node::new(Kind::Null))]);
        let expected = map(vec![
            ("a", Node::word("2")),
            ("b", map(vec![("c", inner), ("d", list)])),
        ]);
        assert_eq!(tree, expected);
    }

    #[test]
    fn what_is_no_assignment_is_explained() {
        for (text, expected) in [
            ("verbose", "write a path and a value"),
            ("a..b=1", "a key is missing in the path `a..b`"),
            ("=1", "a key is missing in the path ``"),
            ("a=[1,", "the value begins like JSON but is none: "),
        ] {
            let message = assignment(text).unwrap_err();
            assert!(message.starts_with(expected), "{text:?}: {message}");
        }
    }
}
