//! What is there without a configuration?

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::ask::get;
use crate::program::{LEADSMAN, Program, skipped};
use crate::prometheus::{Prometheus, is_there};

#[test]
fn within_five_seconds_both_addresses_of_this_host_have_answered() {
    let mut program = Program::start(LEADSMAN.as_ref(), None);
    program.wait(Duration::from_secs(5), |metrics| {
        ["127.0.0.1", "::1"].iter().all(|target| {
            let series = format!("probe_success{{probe=\"icmp\",target=\"{target}\"}}");
            metrics.value(&series) == Some(1.0)
        })
    });
    program.signal("TERM");
    assert!(program.ended(Duration::from_secs(5)).success());
    let told = program.output();
    for path in [
        "/ ",
        "/metrics ",
        "/probe?module=icmp&target=127.0.0.1&debug=true ",
    ] {
        let url = format!("http://{}{path}", program.address);
        assert!(told.contains(&url), "{url} in:\n{told}");
    }
}

#[test]
fn a_page_is_served_and_probed_and_gone_at_the_end() {
    let mut program = Program::start(LEADSMAN.as_ref(), None);
    let metrics = program.wait(Duration::from_secs(5), |metrics| {
        let mut lines = metrics.body.lines();
        lines.any(|line| line.starts_with(SERVED) && line.ends_with(" 200"))
    });
    let target = metrics.body.split(SERVED).nth(1).expect("it is there");
    let target = target.split('/').next().expect("it has a path");
    let address: SocketAddr = target.parse().expect("it is an address");
    assert!(get(address, "/").body.contains("there to be probed"));
    assert!(metrics.body.contains("leadsman_http_server_requests_total"));
    program.signal("TERM");
    assert!(program.ended(Duration::from_secs(5)).success());
    let left = fs::read_dir(program.directory.path())
        .expect("it is ours")
        .count();
    assert_eq!(left, 0);
}

#[test]
fn mail_is_sent_and_seen_to_arrive() {
    let program = Program::start(LEADSMAN.as_ref(), None);
    let patience = Duration::from_secs(20);
    let metrics = program.wait(patience, |metrics| metrics.value(ARRIVED) == Some(1.0));
    let taken = "kind=\"in_time\"} 1";
    assert!(metrics.body.contains(taken), "{}", metrics.body);
}

/// Whether mail has arrived where it was sent to.
const ARRIVED: &str = "probe_smtp_delivery_success{probe=\"smtp\",target=\"probe@sink.localhost\"}";

/// What the probe has seen of the page, up to its address.
const SERVED: &str = "probe_http_status_code{probe=\"http\",target=\"http://";

#[test]
fn the_demonstration_soon_says_what_it_has_measured() {
    let mut program = Program::start(LEADSMAN.as_ref(), None);
    thread::sleep(Duration::from_millis(4500));
    program.signal("TERM");
    program.ended(Duration::from_secs(5));
    let told = program.output();
    let line = told.lines().last().expect("it says something");
    assert!(
        line.contains("runs so far")
            && line.contains("icmp 127.0.0.1 in ")
            && line.contains("http http://127.0.0.1:"),
        "{told}"
    );
}

#[test]
fn prometheus_scrapes_it_and_promtool_finds_nothing_wrong() {
    const TEST: &str = "prometheus_scrapes_it_and_promtool_finds_nothing_wrong";
    if !is_there() {
        return skipped(TEST, "Debian's package prometheus");
    }
    let program = Program::start(LEADSMAN.as_ref(), None);
    let series = "probe_success{probe=\"icmp\",target=\"127.0.0.1\"}";
    let metrics = program.wait(Duration::from_secs(5), |m| m.value(series) == Some(1.0));
    assert_eq!(check(&metrics.body), "", "promtool check metrics");

    let prometheus = Prometheus::scraping(program.address);
    let query = "/api/v1/query?query=probe_success%7Btarget%3D%22%3A%3A1%22%7D";
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = get(prometheus.address, query);
        if answer.body.contains("\"1\"]") {
            assert!(
                answer.body.contains("\"probe\":\"icmp\""),
                "{}",
                answer.body
            );
            return;
        }
        assert!(
            Instant::now() < end,
            "Prometheus has not scraped it: {}",
            answer.body
        );
        thread::sleep(Duration::from_millis(200));
    }
}

/// What promtool complains of.
fn check(metrics: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was just there");
    let mut stdin = promtool.stdin.take().expect("it is piped");
    stdin.write_all(metrics.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it ends");
    let complaints = [output.stdout, output.stderr].concat();
    String::from_utf8(complaints).expect("it writes text")
}
