//! The contract between the leadsman host and its probes.

pub mod options;
