//! How do a probe's options get from a file or a command line into the author's struct?
//!
//! The host turns whatever the person wrote into a [`Node`] tree that remembers where each word
//! stood. [`read`] then fills any `Deserialize` type from that tree and reports every mistake with
//! its position, not the first one only. Nothing here knows YAML, and nothing here does I/O.

mod error;
mod period;
mod read;
mod secret;
mod suggest;
mod tree;

pub use error::{OptionsError, Step};
pub use period::{Period, PeriodError};
pub use read::read;
pub use secret::Secret;
pub use suggest::closest;
pub use tree::{Kind, Node, Span};
