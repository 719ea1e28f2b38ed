//! Does it say when, where and how a path has changed, and what its hops come to?
//!
//! A simulated network on a device of its own, in which the truth is known. What one run finds out
//! is the business of `trace`.

use std::process::Command;
use std::time::Duration;

use leadsman_lab::{Network, Scenario, Tunnel, or_skip};

use crate::program::{LEADSMAN, Program};

#[test]
fn a_change_of_path_is_one_event_with_both_paths_and_the_first_difference() {
    let Some(tunnel) = tunnel(CHANGE) else { return };
    let program = start(
        &tunnel,
        "probes:
- name: paths
  every: 200ms
  traceroute: { wait: 100ms, hops: all }
  targets: [10.9.0.1]
",
    );
    let metrics = await_metrics(&tunnel, &program, |metrics| {
        metrics.contains("path_changes_total{probe=\"paths\",target=\"10.9.0.1\"} 1\n")
    });
    for (series, value) in [
        ("path_hops", "3"),
        ("asymmetry_hops", "0"),
        ("path_info", "1"),
    ] {
        assert!(
            metrics.lines().any(|line| {
                line.starts_with(&format!("probe_traceroute_{series}{{"))
                    && line.ends_with(&format!(" {value}"))
            }),
            "{series}: {metrics}"
        );
    }
    assert!(
        metrics.contains(",ttl=\"2\"} 2\n"),
        "two responders: {metrics}"
    );
    assert!(
        !metrics.contains(",ttl=\"4\""),
        "beyond the target: {metrics}"
    );
    let log = |module| {
        let path = format!("/logs?target=10.9.0.1&module={module}");
        tunnel.namespace().run(|| program.get(&path)).body
    };
    // The run that confirmed it stays while others come and go.
    let line = "event=path_changed old=\"[\\\"10.0.1.1\\\",\\\"10.0.2.1\\\",\\\"10.9.0.1\\\"]\" \
                new=\"[\\\"10.0.1.1\\\",\\\"10.0.3.1\\\",\\\"10.9.0.1\\\"]\" first_difference=2";
    let runs = (0..100).filter(|id| {
        let path = format!("/logs?id={id}");
        tunnel
            .namespace()
            .run(|| program.get(&path))
            .body
            .contains(line)
    });
    assert_eq!(runs.count(), 1, "{}", log("paths"));
}

/// The network of a scenario, unless this host lacks what it takes.
fn tunnel(scenario: &str) -> Option<Tunnel> {
    let scenario: Scenario = scenario.parse().expect("it is a scenario");
    let network = Network::new(&scenario).expect("it can be built");
    or_skip(Tunnel::open(network))
}

fn start(tunnel: &Tunnel, configuration: &str) -> Program {
    let launch = || Program::launch(Command::new(LEADSMAN), Some(configuration));
    tunnel.namespace().run(launch)
}

fn await_metrics(
    tunnel: &Tunnel,
    program: &Program,
    enough: impl Fn(&str) -> bool + Sync,
) -> String {
    let look = || program.wait(Duration::from_secs(30), |answer| enough(&answer.body));
    tunnel.namespace().run(look).body
}

/// After a while the second router is another.
const CHANGE: &str = "
about = 'The path changes for good.'

[[node]]
routes = [{ next = ['near'] }, { since = '3s', next = ['other'] }]

[[node]]
name = 'near'
routes = [{ next = ['target'] }]

[[node]]
name = 'other'
routes = [{ next = ['target'] }]

[[node]]
name = 'target'
serves = ['10.9.0.0/16']
";
