//! What happens to runs in flight when the plan changes?

use std::time::Duration;

use crate::ask::ask;
use crate::program::Program;

/// A target that never answers (nobody answers a broadcast), with runs as long as they may be.
fn silent(every: &str) -> String {
    format!(
        "probes:\n- name: silent\n  every: {every}\n  timeout: {every}\n  icmp: {{}}\n  targets: [127.255.255.255]\n"
    )
}

#[test]
fn a_changed_interval_leaves_no_run_of_before_in_flight() {
    let program = Program::configured(&silent("7s"));
    let in_flight = "leadsman_runs_in_flight";
    program.wait(Duration::from_secs(10), |m| m.value(in_flight) == Some(1.0));
    program.write(&silent("1s"));
    assert_eq!(ask(program.address, "POST", "/-/reload", "").status, 200);
    let runs = "probe_runs_total{probe=\"silent\",target=\"127.255.255.255\"}";
    for seen in [1.0, 2.0] {
        let metrics = program.wait(Duration::from_secs(5), |m| m.value(runs) >= Some(seen));
        assert!(metrics.value(in_flight) <= Some(1.0), "{}", metrics.body);
    }
}
