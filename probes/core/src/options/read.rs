//! How is an author's options struct filled from what was written?

use serde::de::DeserializeOwned;

use super::{Node, OptionsError};

/// Fills `T` from `node`, or reports every mistake at once.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Vec<OptionsError>> {
    _ = node;
    Err(vec![OptionsError::new("not read yet")])
}
