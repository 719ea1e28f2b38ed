//! The `leadsman` program: everything is in the library, so that other programs can be one too.

use std::process::ExitCode;

fn main() -> ExitCode {
    leadsman::main()
}
