//! What does a person see?

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leadsman_core::{Blocker, Cause, Details, Event, Fault, Recording, Run, Target};
use serde_json::{Value, json};

use super::*;
use crate::events::{IcmpError, Lost, NotSent, Reply, Sent};
use crate::exchange::{Arrival, Outcome};
use crate::tests::plugin;

#[test]
fn one_host_reads_like_ping() {
    let mut drawing = drawing(&["example.com"]);
    let mut page = String::new();
    for event in [
        sent(0),
        reply(0, 45, Arrival::InTime),
        reply(0, 61, Arrival::Again),
        sent(1),
        unreachable(1),
        sent(2),
        lost(2),
        reply(2, 1_234_567, Arrival::Late),
        sent(3),
        not_sent(),
        sent(4),
        reply(4, 1_450, Arrival::InTime),
        sent(5),
    ] {
        drawing.event(0, &event, &mut page);
    }
    drawing.finished(0, &run("example.com", Ok(())), &mut page);
    drawing.summary(&mut page);
    let expected = "\
PING example.com (192.0.2.1) 56 bytes of data
64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=0.045 ms
64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=0.061 ms (DUP!)
From 10.0.0.1 icmp_seq=2 Destination Host Unreachable
no reply to icmp_seq=3 within 1s
64 bytes from 192.0.2.1: icmp_seq=3 ttl=64 time=1235 ms (late)
cannot send
64 bytes from 192.0.2.1: icmp_seq=5 ttl=64 time=1.45 ms

--- example.com ping statistics ---
5 packets transmitted, 2 received, +1 duplicates, +1 late, +1 errors, +1 not sent, +1 in flight, \
50% packet loss, time 3004ms
rtt min/avg/max/mdev = 0.045/0.748/1.450/0.703 ms
rtt p50/p95/p99/sdev = 0.045/1.450/1.450/0.993 ms
loss periods = 1, at most 2 in a row
";
    assert_eq!(page, expected);
}

#[test]
fn variation_is_shown_once_there_are_neighbours() {
    let mut drawing = drawing(&["192.0.2.1"]);
    let mut page = String::new();
    for sequence in 0..3 {
        drawing.event(0, &sent(sequence), &mut page);
        let arrived = reply(sequence, 1_000 + sequence * 160, Arrival::InTime);
        drawing.event(0, &arrived, &mut page);
    }
    page.clear();
    drawing.summary(&mut page);
    let expected = "rtt p50/p95/p99/sdev = 1.160/1.320/1.320/0.160 ms\n\
                    jitter/ipdv/ipdv95/pdv99 = 0.019/0.160/0.160/0.320 ms\n";
    assert!(page.ends_with(expected), "{page}");
}

#[test]
fn a_run_that_sent_nothing_says_why() {
    let fault = Fault::target(Cause::Resolve, "example.invalid has no address");
    let mut drawing = drawing(&["example.invalid"]);
    let mut page = String::new();
    drawing.finished(0, &run("example.invalid", Err(fault)), &mut page);
    drawing.summary(&mut page);
    let expected = "\
example.invalid has no address

--- example.invalid ping statistics ---
0 packets transmitted, 0 received, time 3004ms
";
    assert_eq!(page, expected);
}

#[test]
fn several_hosts_share_a_table_that_fits_80_columns() {
    let long = "a-host-with-a-very-long-name.example.com";
    let mut drawing = drawing(&["192.0.2.1", long, "example.invalid"]);
    let mut page = String::new();
    for event in [
        sent(0),
        reply(0, 1_234_567, Arrival::InTime),
        sent(1),
        reply(1, 45, Arrival::InTime),
        sent(2),
        lost(2),
    ] {
        drawing.event(0, &event, &mut page);
    }
    assert_eq!(page, "");
    for event in [sent(0), unreachable(0), sent(1), unreachable(1)] {
        drawing.event(1, &event, &mut page);
    }
    let fault = Fault::target(Cause::Resolve, "example.invalid has no address");
    drawing.finished(2, &run("example.invalid", Err(fault)), &mut page);
    let complaints = "\
a-host-with-a-very-long-name.example.com: From 10.0.0.1 Destination Host Unreachable
example.invalid: example.invalid has no address
";
    assert_eq!(page, complaints);
    let table = "\
host              sent   loss   last    avg    min    max    p95   ▁:0.045 █:344
192.0.2.1            3  33.3%  0.045    617  0.045   1235   1235             █▁x
a-host-with-a-…      2   100%      -      -      -      -      -              !!
example.invalid      0      -      -      -      -      -      -
";
    assert_eq!(drawing.table().as_deref(), Some(table));
    assert!(table.lines().all(|line| line.chars().count() <= 80));
    page.clear();
    drawing.summary(&mut page);
    let words =
        "Times are in ms. x is lost, ! an ICMP error, ? perhaps dropped here, - not sent.\n";
    assert_eq!(page, words);
    assert!(page.len() <= 81);
}

#[test]
fn what_this_process_may_not_do_is_said_once_for_all_hosts() {
    let hosts = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    let mut drawing = drawing(&hosts);
    let mut page = String::new();
    for (target, host) in hosts.iter().enumerate() {
        let fault = Fault::Own(Blocker::Permission, "forbidden".into());
        drawing.finished(target, &run(host, Err(fault)), &mut page);
    }
    assert_eq!(page, "forbidden\n");
}

#[test]
fn a_table_takes_the_room_there_is_and_does_without_utf8() {
    for (width, utf8, expected) in [
        (24, true, "a-host-wi…      1     0%"),
        (40, true, "a-host-with…      1     0%   1.00   1.00"),
        (
            60,
            true,
            "a-host-wit…      1     0%   1.00   1.00   1.00   1.00   1.00",
        ),
        (
            80,
            false,
            "a-host-with-a-~      1     0%   1.00   1.00   1.00   1.00   1.00               1",
        ),
        (
            100,
            true,
            "a-host-with-a-name.exampl      1     0%   1.00   1.00   1.00   1.00   1.00 \
             \u{20}                       ▁",
        ),
    ] {
        let mut drawing = draw(Stage {
            width,
            utf8,
            ..stage(&["a-host-with-a-name.exampl", "b"])
        });
        for event in [sent(0), reply(0, 1_000, Arrival::InTime)] {
            drawing.event(0, &event, &mut String::new());
        }
        let table = drawing.table().unwrap();
        assert_eq!(table.lines().nth(1), Some(expected), "{width}");
        assert!(table.lines().all(|line| line.chars().count() <= width));
    }
}

#[test]
fn a_program_reads_all_figures() {
    let mut drawing = drawing(&["192.0.2.1", "192.0.2.2"]);
    for event in [
        sent(0),
        reply(0, 1_000, Arrival::InTime),
        sent(1),
        reply(1, 3_000, Arrival::InTime),
        sent(2),
        lost(2),
        sent(3),
    ] {
        drawing.event(1, &event, &mut String::new());
    }
    assert_eq!(drawing.figures(0)["sent"], 0);
    let expected = json!({
        "sent": 4, "received": 2, "lost": 1, "errors": 0, "local_suspect": 0, "in_flight": 1,
        "not_sent": 0, "late": 0, "duplicates": 0, "reordered": 0,
        "loss_ratio": 1.0 / 3.0, "loss_periods": 1, "longest_loss_period": 1,
        "rtt_seconds": {
            "min": 0.001, "mean": 0.002, "max": 0.003, "mdev": 0.001, "sdev": 0.001_414_214,
            "p50": 0.001, "p95": 0.003, "p99": 0.003,
        },
        "jitter_seconds": 0.000_125,
        "ipdv_seconds": { "mean": 0.002, "p95": 0.002 },
        "pdv_seconds": { "p99": 0.002 },
    });
    assert_eq!(Value::Object(drawing.figures(1)), expected);
}

#[test]
fn bad_news_is_red_where_colour_is_wanted_and_only_there() {
    for (color, expected) in [
        (true, "\x1b[31mno reply to icmp_seq=1 within 1s\x1b[0m\n"),
        (false, "no reply to icmp_seq=1 within 1s\n"),
    ] {
        let mut drawing = draw(Stage {
            color,
            ..stage(&["192.0.2.1"])
        });
        let mut page = String::new();
        drawing.event(0, &lost(0), &mut page);
        assert_eq!(page, expected);
    }
}

#[test]
fn three_digits_of_a_time_are_shown_and_no_unit_is_skipped() {
    for (micros, expected) in [
        (0, "0.000"),
        (999, "0.999"),
        (1_000, "1.00"),
        (9_994, "9.99"),
        (9_996, "10.0"),
        (99_960, "100"),
        (1_234_567, "1235"),
    ] {
        assert_eq!(
            milliseconds(Duration::from_micros(micros)),
            expected,
            "{micros}"
        );
    }
}

fn drawing(hosts: &[&str]) -> Box<dyn Draw> {
    draw(stage(hosts))
}

fn stage(hosts: &[&str]) -> Stage {
    Stage {
        targets: hosts
            .iter()
            .map(|host| Arc::new(Target::new(*host)))
            .collect(),
        width: 80,
        color: false,
        utf8: true,
    }
}

fn run(host: &str, result: Result<(), Fault>) -> Run {
    Run {
        plugin: plugin(),
        target: Arc::new(Target::new(host)),
        started: SystemTime::UNIX_EPOCH,
        duration: Duration::from_millis(3_004),
        timeout: Duration::MAX,
        result,
        recording: Recording::new(plugin().layout()),
    }
}

fn event(name: &'static str, fields: impl Details) -> Event {
    Event::new(SystemTime::UNIX_EPOCH, name, fields)
}

fn sent(sequence: u64) -> Event {
    let to = IpAddr::from([192, 0, 2, 1]);
    event(
        Sent::NAME,
        Sent {
            sequence: sequence + 1,
            to,
            bytes: 64,
        },
    )
}

fn reply(sequence: u64, micros: u64, arrived: Arrival) -> Event {
    let reply = Reply {
        sequence: sequence + 1,
        from: IpAddr::from([192, 0, 2, 1]),
        bytes: 64,
        hop_limit: Some(64),
        rtt: Duration::from_micros(micros),
        rtt_source: "kernel".into(),
        apart: false,
        arrived,
    };
    event(Reply::NAME, reply)
}

fn unreachable(sequence: u64) -> Event {
    let error = IcmpError {
        sequence: sequence + 1,
        from: IpAddr::from([10, 0, 0, 1]),
        outcome: Outcome::Unreachable,
        icmp_type: Some(3),
        code: Some(1),
        mtu: None,
        what: "Destination Host Unreachable".to_owned(),
        arrived: Arrival::InTime,
    };
    event(IcmpError::NAME, error)
}

fn lost(sequence: u64) -> Event {
    let waited = Duration::from_nanos(1_000_000_321);
    event(
        Lost::NAME,
        Lost {
            sequence: sequence + 1,
            waited,
            outcome: Outcome::Timeout,
        },
    )
}

fn not_sent() -> Event {
    event(
        NotSent::NAME,
        NotSent {
            sequence: 4,
            error: "cannot send".to_owned(),
        },
    )
}
