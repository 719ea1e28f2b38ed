//! The host: decides when to probe, and tells the world.

use std::process::ExitCode;

mod resolver;
mod schedule;

/// Runs leadsman with the process's arguments and returns its exit status.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
