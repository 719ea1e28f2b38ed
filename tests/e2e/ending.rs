//! How does the program end?

use std::time::Duration;

use crate::program::{LEADSMAN, Program};

#[test]
fn either_signal_ends_it_in_good_order() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(LEADSMAN.as_ref(), None);
        program.signal(signal);
        assert_eq!(
            program.ended(Duration::from_secs(5)).code(),
            Some(0),
            "SIG{signal}"
        );
    }
}

#[test]
fn an_address_in_use_is_told_and_nothing_is_started() {
    let first = Program::start(LEADSMAN.as_ref(), None);
    let second = std::process::Command::new(LEADSMAN)
        .args(["run", "--listen", &first.address.to_string()])
        .current_dir(first.directory.path())
        .output()
        .expect("the program was built");
    let told = String::from_utf8_lossy(&second.stderr);
    let expected = format!("cannot listen on {}", first.address);
    assert!(
        told.contains(&expected) && told.contains("--listen"),
        "{told}"
    );
    assert_eq!(second.status.code(), Some(1));
}
