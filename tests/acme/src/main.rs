//! leadsman with one more probe.

use std::process::ExitCode;

use acme_daytime as _;

fn main() -> ExitCode {
    leadsman::main()
}
