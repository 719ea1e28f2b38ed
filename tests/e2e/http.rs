//! Is an HTTP server measured in every way that the program can be asked to?

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::ask::get;
use crate::program::{LEADSMAN, Program};

/// Answers whatever comes with this, until the test ends.
fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("it is there");
            // A request without a body fits into one segment; who asks may be gone again.
            _ = stream.read(&mut [0; 4096]);
            _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

fn by_hand(arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(LEADSMAN)
        .arg("http")
        .args(arguments)
        .output()
        .expect("it was built");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8(told).expect("it writes text");
    (told, output.status.code())
}

#[test]
fn by_hand_each_phase_has_a_line_and_the_end_a_reason() {
    let good = server(GOOD).to_string();
    let bad = server("HTTP/1.1 503 Busy\r\n\r\n").to_string();
    for (arguments, status, expected) in [
        (
            vec![&*good],
            0,
            vec!["200 in HTTP/1.1", "connect", "wait", "transfer", "good, in"],
        ),
        (
            vec![&*bad],
            1,
            vec!["503 in HTTP/1.1", "rejected", "the status 503"],
        ),
        (vec![&*good, &*bad], 1, vec!["good, in", "rejected"]),
        (
            vec!["--preferred-ip-protocol=ip4", "http://127.0.0.1:1/"],
            1,
            vec!["refused, after"],
        ),
        (
            vec!["-o", "body_file=/nowhere/body", &*good],
            2,
            vec!["cannot read /nowhere/body"],
        ),
        (
            vec!["ftp://127.0.0.1/"],
            2,
            vec!["`ftp` is not a scheme of HTTP"],
        ),
    ] {
        let (told, code) = by_hand(&arguments);
        assert_eq!(code, Some(status), "{arguments:?}: {told}");
        for words in expected {
            assert!(
                told.contains(words),
                "{arguments:?}: {words} is not in {told}"
            );
        }
    }
}

#[test]
fn a_program_reads_each_hop_and_the_whole_run() {
    let (told, _) = by_hand(&["--json", &server(GOOD).to_string()]);
    let lines: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let events: Vec<_> = lines
        .iter()
        .filter_map(|line| line["event"].as_str())
        .collect();
    assert_eq!(events, ["request", "resolved", "response", "hop", "run"]);
    let run = lines.last().expect("there is a last line");
    let phases = run["metrics"]["probe_http_duration_seconds"].as_object();
    let own = run["metrics"]["probe_http_own_seconds"].as_f64();
    let phases = phases.into_iter().flat_map(|phases| phases.values());
    let sum: f64 = phases.filter_map(Value::as_f64).sum::<f64>() + own.unwrap_or_default();
    let whole = run["duration_seconds"].as_f64().unwrap_or_default();
    assert!(sum > 0.0 && sum <= whole, "{sum} of {whole}");
}

#[test]
fn on_a_schedule_and_on_demand_the_same_is_measured() {
    let target = server(GOOD);
    let program = Program::configured(&format!(
        "probes:\n- {{ name: web, every: 1s, http: {{}}, targets: [\"{target}\"] }}\n\
         modules:\n  http_2xx: {{ prober: http }}\n"
    ));
    let asked = get(program.address, &format!("/probe?target={target}"));
    assert_eq!(asked.value("probe_success"), Some(1.0), "{}", asked.body);
    assert_eq!(
        asked.value("probe_http_uncompressed_body_length"),
        Some(5.0)
    );
    let series = format!("probe_http_status_code{{probe=\"web\",target=\"{target}\"}}");
    let metrics = program.wait(Duration::from_secs(20), |metrics| {
        metrics.value(&series) == Some(200.0)
    });
    let length = format!("probe_http_content_length{{probe=\"web\",target=\"{target}\"}}");
    assert_eq!(metrics.value(&length), Some(5.0));
}

#[test]
fn a_name_that_contradicts_its_module_is_a_bad_request() {
    let target = server(GOOD);
    let program = Program::configured(
        "modules:\n  web: { prober: http, http: { headers: { Host: a.test } } }\n",
    );
    for (rest, status) in [
        ("&hostname=a.test", 200),
        ("&hostname=b.test", 400),
        ("", 200),
    ] {
        let path = format!("/probe?module=web&target={target}{rest}");
        assert_eq!(get(program.address, &path).status, status, "{rest}");
    }
    // A target that is none is a probe that failed, as ever.
    let asked = get(
        program.address,
        "/probe?module=web&target=ftp://x&hostname=b.test",
    );
    assert_eq!(
        (asked.status, asked.value("probe_success")),
        (200, Some(0.0))
    );
}
