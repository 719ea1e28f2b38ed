//! How does the program end?

use std::fs;
use std::process::Command;
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
fn a_run_in_flight_has_until_its_deadline() {
    // Nobody answers a broadcast, so this run lasts until its deadline.
    let mut program = Program::configured(
        "probes:\n- name: silent\n  every: 2s\n  timeout: 2s\n  icmp: {}\n  targets: [127.255.255.255]\n",
    );
    program.wait(Duration::from_secs(5), |m| {
        m.value("leadsman_runs_in_flight") == Some(1.0)
    });
    program.signal("TERM");
    assert_eq!(program.ended(Duration::from_secs(4)).code(), Some(0));
}

#[test]
fn a_pipe_in_place_of_the_configuration_is_refused_and_keeps_nobody_from_the_end() {
    let mut program = Program::configured("web: { history: 7 }\n");
    let file = program.configuration();
    fs::remove_file(&file).expect("it was written");
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.expect("mkfifo is there").success());
    program.signal("HUP");
    program.wait(Duration::from_secs(5), |m| {
        m.value("leadsman_config_last_reload_successful") == Some(0.0)
    });
    program.signal("TERM");
    assert_eq!(program.ended(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn an_address_in_use_is_told_and_nothing_is_started() {
    let first = Program::start(LEADSMAN.as_ref(), None);
    let second = Command::new(LEADSMAN)
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
