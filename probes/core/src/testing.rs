//! How does the author of a probe test it?
//!
//! A [`Bench`] runs one probe as the host would, with options and names of the test's own, and
//! hands back everything that the run left, as [`Finished`]; [`read`] only reads options, as a person
//! would have written them. [`conformance`] puts a plugin through
//! what every plugin has to stand, whatever its protocol, and [`corpus()`] reads what fuzzing has kept.
//!
//! Nothing here plays the protocol's other side: a peer that answers is the test's to start, on
//! loopback.

mod bench;
pub mod conformance;
mod corpus;
mod declared;
mod finished;
mod hosts;
#[cfg(test)]
mod tests;
mod written;

pub use bench::Bench;
pub use corpus::corpus;
pub use declared::{assert_connection_causes, assert_manual};
pub use finished::Finished;
pub use written::read;
