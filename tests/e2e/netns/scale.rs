//! Does it keep its accounts with very many requests in flight, and with very many targets?
//!
//! How late its runs start is no matter here, for a busy machine may be late; whether what it says
//! is true is.

use std::fs;
use std::time::Duration;

use super::echoes::{Echoes, Ping};
use super::lab::Lab;
use super::responder::Responder;
use crate::program::signal;

#[test]
fn two_hundred_thousand_requests_in_flight_are_told_apart() {
    let Some(lab) = Lab::new("two_hundred_thousand_requests_in_flight_are_told_apart") else {
        return;
    };
    let responder = Responder::new(&lab.far);
    let targets = addresses(40);
    let mut arguments = vec!["-c", "5000", "-i", "1ms", "-W", "120s"];
    arguments.extend(targets.iter().map(String::as_str));
    let ping = Ping::start(&lab.prober, &arguments);

    responder.wait(200_000);
    let memory = memory(ping.process());
    responder.answer(20_000, 16);
    signal(ping.process(), "INT");

    Echoes::added(&ping.events()).check(&[("ok", 20_000), ("abandoned", 180_000)]);
    assert!(memory < 256, "{memory} MiB");
}

#[test]
fn of_two_thousand_targets_none_loses_anything() {
    let Some(lab) = Lab::new("of_two_thousand_targets_none_loses_anything") else {
        return;
    };
    let targets = addresses(2_000).join(", ");
    let program = lab.start(&format!(
        "probes:\n- name: many\n  every: 1s\n  timeout: 1s\n  icmp: {{}}\n  targets: [{targets}]\n"
    ));
    let files = || {
        let folder = format!("/proc/{}/fd", program.process());
        fs::read_dir(folder).expect("it runs").count()
    };
    let until = |ended| {
        lab.prober.within(|| {
            program.wait(Duration::from_mins(1), |metrics| {
                Echoes::scraped(metrics, |_| true).ended() >= ended
            })
        })
    };
    until(1_000);
    let before = files();
    let echoes = Echoes::scraped(&until(6_000), |_| true);
    assert_eq!(echoes.of("ok"), echoes.ended(), "{echoes:?}");
    // A scrape is served meanwhile, and a connection that was closed may still be open here.
    assert!(files().abs_diff(before) <= 4, "{} after {before}", files());
}

fn addresses(count: usize) -> Vec<String> {
    let hosts = 0..count;
    hosts
        .map(|host| format!("10.77.{}.{}", host / 250, host % 250 + 1))
        .collect()
}

/// The most memory that a process has had so far, in MiB.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let most = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
    let kibibytes: u64 = most.expect("VmHWM").trim().parse().expect("a number");
    kibibytes / 1_024
}
