//! What does a new configuration change, and what must it not?

use std::process::Command;
use std::time::Duration;

use crate::ask::{Answer, ask};
use crate::program::{LEADSMAN, Program};

const PATIENCE: Duration = Duration::from_secs(10);

/// A probe of these loopback addresses, four times a second.
fn probing(addresses: &[&str]) -> String {
    format!("probes:\n- name: edge\n  every: 250ms\n  icmp: {{}}\n  targets: {addresses:?}\n")
}

fn runs(metrics: &Answer, target: &str) -> Option<f64> {
    metrics.value(&format!(
        "probe_runs_total{{probe=\"edge\",target=\"{target}\"}}"
    ))
}

#[test]
fn kept_targets_count_on_in_their_phase_and_removed_ones_are_gone() {
    let program = Program::configured(&probing(&["127.0.0.2", "127.0.0.3"]));
    let before = program.wait(PATIENCE, |m| runs(m, "127.0.0.2") >= Some(8.0));
    let ended = |metrics: &Answer| {
        let series = "probe_last_run_timestamp_seconds{probe=\"edge\",target=\"127.0.0.2\"}";
        metrics.value(series).expect("it has run")
    };
    program.write(&probing(&["127.0.0.4", "127.0.0.2"]));
    assert_eq!(ask(program.address, "POST", "/-/reload", "").status, 200);
    let after = program.wait(PATIENCE, |m| runs(m, "127.0.0.4") >= Some(2.0));
    assert!(
        runs(&after, "127.0.0.2") > runs(&before, "127.0.0.2"),
        "{}",
        after.body
    );
    assert!(!after.body.contains("127.0.0.3"), "{}", after.body);
    // Both runs ended within moments of a grid point, so they lie whole intervals apart.
    let intervals = (ended(&after) - ended(&before)) / 0.25;
    let off = (intervals - intervals.round()).abs() * 0.25;
    assert!(off < 0.1, "the phase moved by {off} s");
}

#[test]
fn a_bad_file_changes_nothing_and_a_good_one_heals_it() {
    let program = Program::configured(&probing(&["127.0.0.2"]));
    program.wait(PATIENCE, |m| runs(m, "127.0.0.2") >= Some(1.0));
    program.write("probes:\n- name: edge\n  every: soon\n  icpm: {}\n  targets: [127.0.0.9]\n");
    let refused = ask(program.address, "POST", "/-/reload", "");
    assert_eq!(refused.status, 500);
    for word in ["leadsman.yml:3:10", "leadsman.yml:4:3", "`icmp`"] {
        assert!(refused.body.contains(word), "{word} in:\n{}", refused.body);
    }
    let kept = program.get("/metrics");
    assert_eq!(
        kept.value("leadsman_config_last_reload_successful"),
        Some(0.0)
    );
    let so_far = runs(&kept, "127.0.0.2");
    let on = program.wait(PATIENCE, |m| runs(m, "127.0.0.2") > so_far);
    assert!(!on.body.contains("127.0.0.9"), "{}", on.body);

    program.write(&probing(&["127.0.0.2", "127.0.0.9"]));
    program.signal("HUP");
    let healed = program.wait(PATIENCE, |m| runs(m, "127.0.0.9") >= Some(1.0));
    assert_eq!(
        healed.value("leadsman_config_last_reload_successful"),
        Some(1.0)
    );
    assert!(runs(&healed, "127.0.0.2") > so_far, "{}", healed.body);
}

#[test]
fn changed_options_take_effect_and_the_counters_stay() {
    let program = Program::configured(&probing(&["127.0.0.2"]));
    let before = program.wait(PATIENCE, |m| runs(m, "127.0.0.2") >= Some(4.0));
    program
        .write(&probing(&["127.0.0.2"]).replace("icmp: {}", "icmp: { count: 3, interval: 1ms }"));
    assert_eq!(ask(program.address, "POST", "/-/reload", "").status, 200);
    let labels = "{probe=\"edge\",target=\"127.0.0.2\"}";
    let sent = format!("probe_icmp_sent_total{labels}");
    let after = program.wait(PATIENCE, |m| {
        m.value(&sent) >= runs(m, "127.0.0.2").map(|runs| runs + 2.0)
    });
    assert!(
        runs(&after, "127.0.0.2") >= runs(&before, "127.0.0.2"),
        "{}",
        after.body
    );
}

#[test]
fn other_buckets_start_their_histogram_anew_and_the_counters_stay() {
    let program = Program::configured(&probing(&["127.0.0.2"]));
    let before = program.wait(PATIENCE, |m| runs(m, "127.0.0.2") >= Some(4.0));
    assert!(before.body.contains("probe_icmp_rtt_seconds_bucket"));
    program.write(&probing(&["127.0.0.2"]).replace("icmp: {}", "icmp: {}\n  buckets: [7ms, 70ms]"));
    assert_eq!(ask(program.address, "POST", "/-/reload", "").status, 200);
    let after = program.get("/metrics");
    let bounds: Vec<_> = after
        .body
        .lines()
        .filter(|line| line.starts_with("probe_icmp_rtt_seconds_bucket"))
        .filter_map(|line| line.split('"').nth(5))
        .collect();
    assert_eq!(bounds, ["0.007", "0.07", "+Inf"]);
    assert!(
        runs(&after, "127.0.0.2") >= runs(&before, "127.0.0.2"),
        "{}",
        after.body
    );
    let count = "probe_icmp_rtt_seconds_count{probe=\"edge\",target=\"127.0.0.2\"}";
    assert!(after.value(count) < runs(&after, "127.0.0.2"));

    let counted = after.value("leadsman_series").expect("it is there");
    let checked = Command::new(LEADSMAN)
        .arg("check")
        .arg(program.configuration())
        .output()
        .expect("it was built");
    let checked = String::from_utf8_lossy(&checked.stdout);
    let line = format!("has {counted} series for each target of `edge`.");
    assert!(checked.contains(&line), "{line} in:\n{checked}");
}

#[test]
fn the_configuration_shown_has_the_address_served_at_before_and_after() {
    let program = Program::configured("web: { listen: ':1' }\n");
    let line = format!("listen: {}\n", program.address);
    for history in [7, 8] {
        program.write(&format!(
            "web: {{ listen: '[::1]:2', history: {history} }}\n"
        ));
        assert_eq!(ask(program.address, "POST", "/-/reload", "").status, 200);
        let shown = program.get("/config").body;
        assert!(shown.contains(&line), "{shown}");
        assert!(shown.contains(&format!("history: {history}\n")), "{shown}");
    }
}
