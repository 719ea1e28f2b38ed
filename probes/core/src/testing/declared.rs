//! Does a plugin declare what follows from what it is?
//!
//! What only a run can show is the [`conformance`](super::conformance) kit's to check.

use std::{env, fs};

use crate::{Cause, Plugin, manual};

/// Checks that the tables of a manual are those that follow from the plugin's declarations. `path` is
/// its file, which is written anew where the environment has `UPDATE`.
///
/// # Panics
/// If they are not, or the file cannot be written.
pub fn assert_manual(plugin: &'static Plugin, path: &str) {
    let filled = manual::filled(plugin);
    if env::var_os("UPDATE").is_some() {
        fs::write(path, filled).unwrap_or_else(|why| panic!("cannot write {path}: {why}"));
        return;
    }
    let hint = "run the tests with UPDATE=1 to make the tables anew";
    assert!(plugin.manual() == filled, "{path}: {hint}");
}

/// Checks that a plugin which calls [`Fault::connection`](crate::Fault::connection) declares every cause
/// that this can give.
///
/// # Panics
/// If one is not declared.
pub fn assert_connection_causes(plugin: &Plugin) {
    let declared = plugin.possible_causes();
    for cause in Cause::CONNECTION {
        assert!(declared.contains(cause), "{}: {cause:?}", plugin.name());
    }
}
