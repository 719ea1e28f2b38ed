//! What does a person see who sweeps a network, and what does a script read?

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::ping::{catches_interrupts, ends_at_the_second_signal};
use crate::program::{LEADSMAN, skipped};

/// Sweeps with these arguments and `input` on the standard input; `None` where nothing that is
/// linked can sweep.
fn sweep(arguments: &[&str], input: &str) -> Option<Output> {
    let help = Command::new(LEADSMAN).args(["ping", "--help"]).output();
    let help = String::from_utf8(help.expect("it was built").stdout).expect("it writes text");
    if !help.contains("--sweep") {
        skipped("a sweep", "a plugin that offers one");
        return None;
    }
    let mut child = Command::new(LEADSMAN)
        .args(["ping", "-c", "1"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    let mut stdin = child.stdin.take().expect("it is piped");
    // One that takes no targets from there may have ended already.
    _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    Some(child.wait_with_output().expect("it ends"))
}

/// What it wrote on its outputs, and its exit status.
fn told(output: Output) -> (String, String, Option<i32>) {
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

#[test]
fn those_that_answer_are_listed_as_the_standard_input_names_them() {
    let input = "# loopback\n127.0.0.1\n\n0:0::1 # the other\nlocalhost\n127.0.0.1\n";
    let Some(output) = sweep(&["-a", "-f", "-", "127.0.0.4/31"], input) else {
        return;
    };
    let (found, summary, status) = told(output);
    let mut found: Vec<_> = found.lines().collect();
    found.sort_unstable();
    let expected = [
        "0:0::1",
        "127.0.0.1",
        "127.0.0.1",
        "127.0.0.4",
        "127.0.0.5",
        "localhost",
    ];
    assert_eq!(found, expected, "{summary}");
    assert!(
        summary.starts_with("6 targets: 6 answered, 0 unanswered, 0 not asked\n"),
        "{summary}"
    );
    assert_eq!(status, Some(0), "{summary}");
}

#[test]
fn ten_thousand_addresses_are_an_object_each() {
    let addresses = (1..=10_000_u32).map(|n| format!("127.1.{}.{}", n >> 8, n & 255));
    let input = addresses.collect::<Vec<_>>().join("\n");
    let Some(output) = sweep(&["--json", "-f", "-"], &input) else {
        return;
    };
    let (found, summary, status) = told(output);
    let objects: Vec<Value> = found
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    let (last, findings) = objects.split_last().expect("there is a summary");
    assert_eq!(last["answered"], 10_000, "{last} {summary}");
    assert_eq!(findings.len(), 10_000);
    assert!(findings.iter().all(|finding| {
        finding["ending"] == "answered" && finding["target"] == finding["address"]
    }));
    assert_eq!(status, Some(0));
}

#[test]
fn a_name_without_an_address_is_told_and_does_not_stop_the_rest() {
    let words = ["--sweep", "127.0.0.1", "nobody.invalid"];
    let Some(output) = sweep(&words, "") else {
        return;
    };
    let (found, summary, status) = told(output);
    assert!(found.starts_with("127.0.0.1: "), "{found}");
    assert!(
        summary.starts_with("nobody.invalid: not asked ("),
        "{summary}"
    );
    assert!(
        summary.contains("2 targets: 1 answered, 0 unanswered, 1 not asked"),
        "{summary}"
    );
    assert_eq!(status, Some(2));
}

#[test]
fn lists_that_cannot_be_used_are_told_with_their_place() {
    for (input, arguments, expected) in [
        (
            "::1\n::2 web\n",
            ["-f", "-"],
            "the standard input:2:5: a line holds one target",
        ),
        ("", ["-f", "-"], "the standard input holds no target"),
        (
            "",
            ["-f", "/nowhere/hosts"],
            "cannot read targets from /nowhere/hosts: No such file",
        ),
        (
            "",
            ["-q", "10.0.0.0/8"],
            "10.0.0.0/8: the range holds more than 1048576 addresses",
        ),
    ] {
        let Some(output) = sweep(&arguments, input) else {
            return;
        };
        let (found, complaint, status) = told(output);
        assert!(complaint.contains(expected), "{complaint}");
        assert_eq!((found.as_str(), status), ("", Some(2)));
    }
}

#[test]
fn an_interrupt_ends_with_what_is_known() {
    // Says too where nothing can sweep.
    if sweep(&["-q", "127.0.0.1"], "").is_none() {
        return;
    }
    let mut child = Command::new(LEADSMAN)
        .args(["ping", "-q", "-c", "1", "--rate", "10", "127.0.0.0/16"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was built");
    let end = Instant::now() + Duration::from_secs(20);
    while !catches_interrupts(child.id()) {
        if Instant::now() > end {
            child.kill().expect("it is there");
            panic!("it never caught interrupts");
        }
        thread::sleep(Duration::from_millis(20));
    }
    let sent = Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
    let (_, summary, status) = told(child.wait_with_output().expect("it ends"));
    assert!(
        summary.starts_with("65,534 targets: ") && summary.contains(" interrupted\n"),
        "{summary}"
    );
    assert_eq!(status, Some(2));
}

#[test]
fn a_second_signal_ends_a_sweep_although_its_output_stalls() {
    // Says too where nothing can sweep.
    if sweep(&["-q", "127.0.0.1"], "").is_some() {
        ends_at_the_second_signal(&["ping", "-c", "1", "127.0.0.0/20"]);
    }
}
