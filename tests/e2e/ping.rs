//! What does a person see who pings, and what does a program read?

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::program::LEADSMAN;

fn ping(arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(LEADSMAN)
        .arg("ping")
        .args(arguments)
        .output()
        .expect("it was built");
    let told = [output.stdout, output.stderr].concat();
    (
        String::from_utf8(told).expect("it writes text"),
        output.status.code(),
    )
}

#[test]
fn each_reply_has_a_line_and_the_summary_has_every_figure() {
    let (told, status) = ping(&["-c", "3", "-i", "10ms", "127.0.0.1"]);
    assert_eq!(status, Some(0), "{told}");
    for line in ["from 127.0.0.1: icmp_seq=1 ttl=64 time=", "icmp_seq=3"] {
        assert!(told.contains(line), "{line} in:\n{told}");
    }
    for figure in [
        "3 packets transmitted, 3 received",
        "0% packet loss",
        "min/avg/max/mdev",
        "p50/p95/p99",
        "jitter/ipdv/ipdv95/pdv99",
    ] {
        assert!(told.contains(figure), "{figure} in:\n{told}");
    }
}

#[test]
fn several_hosts_share_one_table() {
    let (told, status) = ping(&["-c", "2", "-i", "10ms", "127.0.0.1", "127.0.0.2", "::1"]);
    assert_eq!(status, Some(0), "{told}");
    for host in ["127.0.0.1", "127.0.0.2", "::1"] {
        assert_eq!(
            told.lines().filter(|line| line.starts_with(host)).count(),
            1,
            "{told}"
        );
    }
    assert!(
        told.lines().all(|line| line.chars().count() <= 80),
        "{told}"
    );
}

#[test]
fn programs_read_one_object_for_each_event() {
    let (told, status) = ping(&["--json", "-c", "2", "-i", "10ms", "127.0.0.1"]);
    assert_eq!(status, Some(0), "{told}");
    let events: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    let named = |name| events.iter().filter(move |event| event["event"] == name);
    assert_eq!(named("reply").count(), 2, "{told}");
    assert!(
        named("reply").all(|reply| reply["rtt_seconds"].as_f64().is_some_and(|rtt| rtt > 0.0)),
        "{told}"
    );
    let run = events.last().expect("there is a last event");
    assert_eq!(
        (&run["event"], &run["success"]),
        (&"run".into(), &true.into()),
        "{told}"
    );
    let statistics = &run["statistics"];
    assert_eq!(statistics["received"], 2, "{told}");
    assert!(statistics["ipdv_seconds"]["mean"].is_f64(), "{told}");
}

#[test]
fn an_interrupt_ends_with_the_summary() {
    let child = Command::new(LEADSMAN)
        .args(["ping", "127.0.0.1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built");
    thread::sleep(Duration::from_millis(1300));
    let sent = Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("2 packets transmitted, 2 received"), "{told}");
    assert_eq!(output.status.code(), Some(0), "{told}");
}

#[test]
fn a_second_signal_ends_it_although_its_output_stalls() {
    ends_at_the_second_signal(&["ping", "-i", "10ms", "127.0.0.1"]);
}

/// Runs it with an output that takes nothing, and interrupts it until it ends.
pub(crate) fn ends_at_the_second_signal(arguments: &[&str]) {
    let (_reader, output) = UnixStream::pair().expect("there is a pair");
    output.set_nonblocking(true).expect("it can be set");
    let full = loop {
        if let Err(error) = (&output).write(&[b'\n'; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    output.set_nonblocking(false).expect("it can be set");
    let mut child = Command::new(LEADSMAN)
        .args(arguments)
        .stdout(Stdio::from(OwnedFd::from(output)))
        .spawn()
        .expect("it was built");
    let end = Instant::now() + Duration::from_secs(20);
    let mut interrupts = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if Instant::now() > end {
            child.kill().expect("it is there");
            panic!("still there after {interrupts} interrupts");
        }
        if catches_interrupts(child.id()) {
            let sent = Command::new("kill")
                .args(["-s", "INT", &child.id().to_string()])
                .status();
            assert!(sent.expect("kill is there").success());
            interrupts += 1;
        }
        thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(status.code(), Some(2), "{status}");
    assert!(interrupts >= 2, "{interrupts}");
}

/// Whether a process has a handler for SIGINT yet, whose number is 2.
pub(crate) fn catches_interrupts(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it is there");
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .expect("every process has it");
    u64::from_str_radix(caught.trim(), 16).expect("a mask") & 0b10 != 0
}

#[test]
fn what_cannot_be_asked_is_told_apart_from_what_does_not_answer() {
    let (told, status) = ping(&["-c", "1", "--source-ip-address", "203.0.113.7", "127.0.0.1"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("203.0.113.7"), "{told}");
    let (told, status) = ping(&["-c", "1", "--ttl", "300", "127.0.0.1"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("--ttl") && told.contains("255"), "{told}");
}
