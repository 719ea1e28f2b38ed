//! What does a person see?

mod rounds;

use std::sync::Arc;
use std::time::SystemTime;

use leadsman_core::{Cause, Details, Fault, Recording, Target};
use serde_json::{Value, json};

use super::*;
use crate::tests::plugin;

#[test]
fn hops_are_shown_as_they_become_known() {
    let mut drawing = drawing();
    for ttl in 1..=4 {
        said(&mut *drawing, "sent", sent(ttl));
    }
    said(&mut *drawing, "hop", hop(3, json!({ "arrived": true })));
    let expected = "\
TRACE example.com (203.0.113.9), 44 bytes of ICMP
  1  ?
  2  ?
  3  10.0.0.3     3.25 ms
";
    assert_eq!(drawing.table().unwrap(), expected);
    said(&mut *drawing, "hop", hop(1, json!({})));
    said(&mut *drawing, "sent", sent(2));
    let silent = json!({ "ttl": 2, "packets": 2, "waited_seconds": 0.02 });
    said(&mut *drawing, "silent", silent);
    let ended = json!({ "result": "reached", "hops": 3, "packets": 5 });
    said_at(Duration::from_micros(3_400), &mut *drawing, "ended", ended);
    drawing.finished(0, &run(Ok(())), &mut String::new());
    let expected = "\
TRACE example.com (203.0.113.9), 44 bytes of ICMP
  1  10.0.0.1     3.25 ms
  2  *  (asked 2 times)
  3  10.0.0.3     3.25 ms
reached in 3 hops: 5 packets, 3.40 ms
";
    assert_eq!(drawing.table().unwrap(), expected);
}

#[test]
fn what_a_router_tells_stands_behind_it_and_fits_the_terminal() {
    let told = json!({
        "what": "Packet filtered",
        "changed_tos": 0,
        "labels": [{ "label": 16005, "traffic_class": 0, "ttl": 1 }],
        "interfaces": [{ "role": "incoming", "name": "a\u{1b}[31m" }],
    });
    let line = "  1  10.0.0.1     3.25 ms  Packet filtered  tos 0x00  MPLS 16005 ttl 1  incoming ";
    check(told, &line[..80]);
    let hidden = json!({ "quoted_ttl": 3 });
    check(hidden, "  1  10.0.0.1     3.25 ms  ttl 3");
    let name = json!({ "interfaces": [{ "role": "outgoing", "name": "e\u{1b}0" }] });
    check(name, "  1  10.0.0.1     3.25 ms  outgoing \"e\\u{1b}0\"");
}

#[track_caller]
fn check(told: Value, expected: &str) {
    let mut drawing = drawing();
    said(&mut *drawing, "sent", sent(1));
    said(&mut *drawing, "hop", hop(1, told));
    let table = drawing.table().unwrap();
    assert_eq!(table.lines().nth(1), Some(expected));
}

#[test]
fn beyond_the_last_answer_one_silent_hop_is_shown_and_the_fault_last() {
    let mut drawing = drawing();
    for ttl in [1, 2, 3, 64] {
        said(&mut *drawing, "sent", sent(ttl));
    }
    said(&mut *drawing, "hop", hop(1, json!({})));
    for ttl in [2, 3] {
        let silent = json!({ "ttl": ttl, "packets": 1, "waited_seconds": 0.75 });
        said(&mut *drawing, "silent", silent);
    }
    let fault = Fault::target(Cause::Timeout, "203.0.113.9 did not answer");
    drawing.finished(0, &run(Err(fault)), &mut String::new());
    let expected = "\
TRACE example.com (203.0.113.9), 44 bytes of ICMP
  1  10.0.0.1     3.25 ms
  2  *
203.0.113.9 did not answer
";
    assert_eq!(drawing.table().unwrap(), expected);
}

#[test]
fn who_turns_packets_away_is_the_last_that_is_shown() {
    let mut drawing = drawing();
    for ttl in 1..=5 {
        said(&mut *drawing, "sent", sent(ttl));
    }
    for ttl in [1, 2] {
        said(&mut *drawing, "hop", hop(ttl, json!({})));
    }
    let refusal = json!({ "from": "10.0.0.3", "what": "Packet filtered" });
    said(&mut *drawing, "hop", hop(3, refusal.clone()));
    said(&mut *drawing, "hop", hop(5, refusal));
    let expected = "\
TRACE example.com (203.0.113.9), 44 bytes of ICMP
  1  10.0.0.1     3.25 ms
  2  10.0.0.2     3.25 ms
  3  10.0.0.3     3.25 ms  Packet filtered
";
    assert_eq!(drawing.table().unwrap(), expected);
    // It was not for all.
    said(&mut *drawing, "sent", sent(6));
    said(&mut *drawing, "hop", hop(6, json!({})));
    assert_eq!(drawing.table().unwrap().lines().count(), 1 + 6);
}

fn drawing() -> Box<dyn Draw> {
    on(80)
}

/// On a terminal with so many columns.
fn on(width: usize) -> Box<dyn Draw> {
    draw(Stage {
        targets: vec![Arc::new(Target::new("example.com"))],
        width,
        color: false,
        utf8: true,
    })
}

fn said(drawing: &mut dyn Draw, name: &'static str, fields: impl Details) {
    said_at(Duration::ZERO, drawing, name, fields);
}

fn said_at(after: Duration, drawing: &mut dyn Draw, name: &'static str, fields: impl Details) {
    let event = Event::new(SystemTime::UNIX_EPOCH + after, name, fields);
    drawing.event(0, &event, &mut String::new());
}

fn sent(ttl: u8) -> Value {
    json!({ "round": 0, "ttl": ttl, "to": "203.0.113.9", "bytes": 44, "protocol": "icmp" })
}

fn hop(ttl: u8, more: Value) -> Value {
    let mut hop = json!({
        "round": 0,
        "ttl": ttl,
        "arrival": "in_time",
        "from": format!("10.0.0.{ttl}"),
        "rtt_seconds": 0.00325,
        "rtt_source": "kernel",
        "arrived": false,
        "quoted_ttl": 1,
        "labels": [],
        "interfaces": [],
    });
    let (Some(hop_fields), Value::Object(more)) = (hop.as_object_mut(), more) else {
        panic!("both are objects");
    };
    hop_fields.extend(more);
    hop
}

fn run(result: Result<(), Fault>) -> Run {
    Run {
        plugin: plugin(),
        target: Arc::new(Target::new("example.com")),
        started: SystemTime::UNIX_EPOCH,
        // That of looking up names included.
        duration: Duration::from_secs(2),
        timeout: Duration::MAX,
        result,
        recording: Recording::new(plugin().layout()),
    }
}
