//! Does it say when, where and how a path has changed, and what its hops come to?
//!
//! A simulated network on a device of its own, in which the truth is known. What one run finds out
//! is the business of `trace`.

use std::io::Write as _;
use std::process::Command;
use std::thread;
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
    let program = start(&tunnel, &sixty("every: 1s\n  traceroute: {}"));
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
    check_asked(&tunnel.close(), 0.0);
}

#[test]
fn rounds_spare_a_router_that_many_paths_share() {
    let Some(tunnel) = tunnel(SHARED) else { return };
    let rounds = "every: 4s\n  timeout: 4s\n  traceroute: { once: false, interval: 100ms }";
    let program = start(&tunnel, &sixty(rounds));
    // What a run that goes on has counted is not seen before its end.
    thread::sleep(Duration::from_secs(8));
    drop(program);
    let network = tunnel.close();
    check_asked(&network, 0.0);
    // The targets are each a responder of their own.
    let records = network.records().iter();
    let arrived = records.filter(|record| record.request.ttl == 3).count();
    assert!(arrived > 500, "{arrived}");
}

#[test]
fn searches_for_all_paths_and_mtu_spare_it_too_and_are_made_up_for() {
    let Some(tunnel) = tunnel(SHARED) else { return };
    let searches = "every: 1s\n  traceroute: { paths: all, mtu: true, wait: 200ms }";
    let program = start(&tunnel, &sixty(searches));
    let put_off = "probe_traceroute_put_off_total{";
    let found = "probe_traceroute_paths{";
    let made = |metrics: &str| {
        metrics
            .lines()
            .filter(|line| line.starts_with(found))
            .count()
    };
    await_metrics(&tunnel, &program, |metrics| sum(metrics, put_off) > 60.0);
    await_metrics(&tunnel, &program, |metrics| made(metrics) > 0);
    drop(program);
    // A search that has begun goes on, and those after it pay for what it took.
    check_asked(&tunnel.close(), 4.0 * 12.0);
}

#[test]
fn a_failure_is_held_against_the_path_that_a_scheduled_trace_has_found() {
    let Some(tunnel) = tunnel(BREAK_OF_TWO) else {
        return;
    };
    // The path changes when the routine traces of what follows failures are over, and breaks then.
    let program = start(
        &tunnel,
        "modules:
  paths: { prober: traceroute, traceroute: { wait: 100ms } }
probes:
- name: paths
  every: 250ms
  module: paths
  targets: [10.9.0.1]
- name: alive
  every: 250ms
  timeout: 200ms
  icmp: {}
  trace_on_failure: paths
  targets: [10.9.0.1]
",
    );
    let failed = "probe_failures_total{probe=\"alive\"";
    await_metrics(&tunnel, &program, |metrics| sum(metrics, failed) > 8.0);
    let get = |path: &str| tunnel.namespace().run(|| program.get(path)).body;
    let logs = (0..300).map(|id| get(&format!("/logs?id={id}")));
    let ended = logs.filter(|log| log.contains("event=ended result=unreached"));
    let ended: Vec<_> = ended.collect();
    assert_eq!(ended.len(), 1, "{ended:?}");
    for expected in [
        "path=\"[\\\"10.0.1.1\\\"]\"",
        "known=\"[\\\"10.0.1.1\\\",\\\"10.0.3.1\\\",\\\"10.9.0.1\\\"]\"",
        "first_difference=2",
    ] {
        assert!(ended[0].contains(expected), "{expected}: {}", ended[0]);
    }
}

/// Sixty targets behind one router, each traced as told.
fn sixty(how: &str) -> String {
    let targets: Vec<_> = (1..=60).map(|host| format!("10.9.0.{host}")).collect();
    let targets = targets.join(", ");
    format!("probes:\n- name: paths\n  {how}\n  targets: [{targets}]\n")
}

fn sum(metrics: &str, series: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(series));
    let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}

/// Checks how often the first router was asked. What is not yet known to be shared is asked once by
/// each target, and again if this host is too busy to hear the answer in time; then a burst, `more`,
/// and ten a second.
fn check_asked(network: &Network, more: f64) {
    let records = network.records().iter();
    let asked = records.filter(|record| record.request.ttl == 1);
    let times: Vec<_> = asked.map(|record| record.entered).collect();
    let (first, last) = (times[0], times[times.len() - 1]);
    let seconds = last.saturating_sub(first).as_secs_f64();
    let most = 2.0 * 60.0 + 20.0 + more + 10.0 * seconds + 1.0;
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

/// After a while the second router is another, and after another while that is gone.
const BREAK_OF_TWO: &str = "
about = 'A path changes and then breaks.'

[[node]]
routes = [{ next = ['near'] }, { since = '6s', next = ['other'] }]

[[node]]
name = 'near'
routes = [{ next = ['target'] }]

[[node]]
name = 'other'
routes = [{ next = ['target'] }]
down = [{ from = '9s', until = '1h' }]

[[node]]
name = 'target'
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
