//! Links what unwinds the stack into the program.
//!
//! The standard library would have `libgcc_s` loaded at each start for it, which takes a quarter
//! of a millisecond: what forty echoes cost. Every GCC has the same code as an archive.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |what: &str, value| env::var(what).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}
