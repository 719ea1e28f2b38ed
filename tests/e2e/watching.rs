//! Does it say when, where and how a path has changed, and what its hops come to?
//!
//! A simulated network on a device of its own, in which the truth is known. What one run finds out
//! is the business of `trace`.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use leadsman_lab::{Network, Scenario, Tunnel, or_skip};
use tempfile::NamedTempFile;

use crate::program::{LEADSMAN, Program};

#[test]
fn a_change_of_path_is_one_event_with_both_paths_and_the_first_difference() {
    let Some(tunnel) = tunnel(CHANGE) else { return };
    let mut systems = NamedTempFile::new().expect("there is room for a file");
    let ranges = [(0, 1, 64496), (0, 2, 64497), (0, 3, 64498), (9, 0, 64499)];
    let ranges = ranges.map(|(b, c, number)| format!("10.{b}.{c}.0\t10.{b}.{c}.255\t{number}\n"));
    let ranges = ranges.concat();
    systems
        .write_all(ranges.as_bytes())
        .expect("it can be written");
    let program = start(
        &tunnel,
        &format!(
            "probes:
- name: paths
  every: 200ms
  traceroute: {{ wait: 100ms, hops: all, as_database: {} }}
  targets: [10.9.0.1]
",
            systems.path().display()
        ),
    );
    let metrics = await_metrics(&tunnel, &program, |metrics| {
        metrics.contains("path_changes_total{probe=\"paths\",target=\"10.9.0.1\"} 1\n")
    });
    for (series, value) in [
        ("path_hops", "3"),
        ("asymmetry_hops", "0"),
        ("path_info", "1"),
        ("as_path_changes_total", "1"),
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
                new=\"[\\\"10.0.1.1\\\",\\\"10.0.3.1\\\",\\\"10.9.0.1\\\"]\" first_difference=2 old_systems=[64496,64497,64499] new_systems=[64496,64498,64499]";
    let runs = (0..300).filter(|id| {
        let path = format!("/logs?id={id}");
        tunnel
            .namespace()
            .run(|| program.get(&path))
            .body
            .contains(line)
    });
    assert_eq!(runs.count(), 1, "{}", log("paths"));
}

#[test]
fn a_router_that_many_paths_share_is_spared_and_that_is_not_called_loss() {
    let Some(tunnel) = tunnel(SHARED) else { return };
    let targets: Vec<_> = (1..=60).map(|host| format!("10.9.0.{host}")).collect();
    let program = start(
        &tunnel,
        &format!(
            "probes:
- name: paths
  every: 1s
  traceroute: {{}}
  targets: [{}]
",
            targets.join(", ")
        ),
    );
    let sum = |metrics: &str, series: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(series));
        let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        values.sum()
    };
    let spared = "probe_traceroute_spared_total{";
    let metrics = await_metrics(&tunnel, &program, |metrics| sum(metrics, spared) > 200.0);
    // A busy machine may be late now and then, but most were spared.
    let share = |part, whole| sum(&metrics, part) / sum(&metrics, whole);
    let responders = "probe_traceroute_hop_responders{";
    for part in [
        "probe_traceroute_hop_loss_ratio{",
        "probe_traceroute_hop_reluctance_ratio{",
    ] {
        assert!(share(part, responders) < 0.2, "{metrics}");
    }
    assert!(
        share("probe_failures_total{", "probe_runs_total{") < 0.2,
        "{metrics}"
    );
    drop(program);
    let network = tunnel.close();
    let answers = network
        .records()
        .iter()
        .filter(|record| record.request.ttl == 1);
    let times: Vec<_> = answers.map(|record| record.entered).collect();
    // What is not yet known to be shared is asked once by each; then a burst, and ten a second.
    let (first, last) = (times[0], times[times.len() - 1]);
    let seconds = last.saturating_sub(first).as_secs_f64();
    let most = 60.0 + 20.0 + 10.0 * seconds + 1.0;
    assert!(times.len() as f64 <= most, "{} in {seconds} s", times.len());
}

#[test]
fn a_target_that_starts_to_fail_is_traced_once_and_the_break_is_found() {
    let Some(tunnel) = tunnel(BREAK) else { return };
    let program = start(
        &tunnel,
        "modules:
  paths: { prober: traceroute, traceroute: { wait: 100ms } }
probes:
- name: alive
  every: 250ms
  timeout: 200ms
  icmp: {}
  trace_on_failure: paths
  targets: [10.9.0.1]
",
    );
    let failures = |metrics: &str| {
        let mut lines = metrics.lines();
        let line = lines.find_map(|line| {
            line.strip_prefix(
                "probe_failures_total{probe=\"alive\",target=\"10.9.0.1\",reason=\"timeout\"} ",
            )
        });
        line.and_then(|count| count.parse().ok()).unwrap_or(0)
    };
    await_metrics(&tunnel, &program, |metrics| failures(metrics) > 8);
    let get = |path: &str| tunnel.namespace().run(|| program.get(path)).body;
    let log = get("/logs?target=10.9.0.1&module=paths");
    let ended = log.lines().find(|line| line.contains("event=ended"));
    let ended = ended.unwrap_or_else(|| panic!("it was traced: {log}"));
    for expected in [
        "result=unreached",
        "path=\"[\\\"10.0.1.1\\\"]\"",
        "known=\"[\\\"10.0.1.1\\\",\\\"10.0.2.1\\\",\\\"10.9.0.1\\\"]\"",
        "first_difference=2",
    ] {
        assert!(ended.contains(expected), "{expected}: {ended}");
    }
    let config = get("/config");
    assert!(config.contains("trace_on_failure: paths"), "{config}");
    let traced = (0..300).filter(|id| {
        let log = get(&format!("/logs?id={id}"));
        log.contains("event=ended result=unreached")
    });
    assert_eq!(traced.count(), 1);
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
routes = [{ next = ['near'] }, { since = '5s', next = ['other'] }]

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

/// After a while the second router is gone.
const BREAK: &str = "
about = 'A router fails for good.'

[[node]]

[[node]]
down = [{ from = '5s', until = '1h' }]

[[node]]
serves = ['10.9.0.0/16']
";

/// A router that all traffic goes through.
const SHARED: &str = "
about = 'A router in front of many targets.'

[[node]]

[[node]]

[[node]]
serves = ['10.9.0.0/16']
";
