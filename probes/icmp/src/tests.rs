//! Does the probe do on real sockets what it says?
//!
//! On loopback only, where requests to the broadcast address are ignored: that is the silent
//! peer. Loss, delay and ICMP errors need a network of their own and are tested in namespaces.

mod talker;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::metric::common::TARGET_INFO;
use leadsman_core::testing::conformance::Kit;
use leadsman_core::testing::{Bench, Finished, assert_manual};
use leadsman_core::{Plugin, Stopper, Target};
use leadsman_wire::{Flow, OpenError, RequestOptions};

use crate::exchange::Outcome;
use crate::metrics::{
    DUPLICATES, DURATION, ECHOES, ERROR, IPDV_PAIRS, JITTER, LATE, LOSS, LOSS_PERIODS,
    NEXT_HOP_MTU, PHASES, REPLY_HOP_LIMIT, RTT, RTT_SOURCE, SENT,
};
use crate::source::LABELS;

#[tokio::test]
async fn loopback_answers_over_both_families() {
    for address in ["127.0.0.1", "::1"] {
        if skips(address) {
            continue;
        }
        let found = bench().run(address).await;
        found.run.result.as_ref().unwrap();
        check(&found, &[(Outcome::Ok, 1)]);
        assert_eq!(found.observations(&RTT), 1);
        let source = found.text(&RTT_SOURCE).unwrap()[0];
        assert!(LABELS.contains(&source), "{source}");
        assert_eq!(found.gauge(&LOSS, None), Some(0.0));
        assert!(found.gauge(&DURATION, Some("rtt")) > Some(0.0));
        assert!(found.gauge(&REPLY_HOP_LIMIT, None) > Some(0.0));
        assert_eq!(found.text(&TARGET_INFO), Some(vec![address]));
        assert_eq!(found.said("reply").count(), 1);
    }
}

#[tokio::test]
async fn a_run_sends_as_many_as_asked_and_the_next_goes_on_counting() {
    if skips("127.0.0.1") {
        return;
    }
    let bench = bench().option("count", 3).option("interval", "1ms");
    let target = Arc::new(Target::new("127.0.0.1"));
    let mut probe = bench.aim(&target).unwrap();
    for expected in [[1, 2, 3], [4, 5, 6]] {
        let found = bench.measure(&mut *probe, &target).await;
        check(&found, &[(Outcome::Ok, 3)]);
        assert_eq!(sequences(&found), expected);
    }
}

#[tokio::test]
async fn a_timeout_of_whole_intervals_and_a_wait_has_room_for_all() {
    if skips("127.0.0.1") {
        return;
    }
    let bench = bench().option("count", 3).option("interval", "100ms");
    let bench = bench
        .option("wait", "100ms")
        .timeout(Duration::from_millis(300));
    check(&bench.run("127.0.0.1").await, &[(Outcome::Ok, 3)]);
}

#[tokio::test]
async fn a_new_address_is_followed() {
    if skips("127.0.0.1") {
        return;
    }
    let target = Arc::new(Target::new("a.test"));
    let mut probe = bench().aim(&target).unwrap();
    for address in [[127, 0, 0, 1], [127, 0, 0, 2]] {
        let bench = bench().host("a.test", [address.into()]);
        let found = bench.measure(&mut *probe, &target).await;
        check(&found, &[(Outcome::Ok, 1)]);
        assert_eq!(sequences(&found), [1]);
    }
}

#[tokio::test]
async fn an_open_ended_run_ends_at_its_deadline_with_every_request_accounted_for() {
    if skips("127.0.0.1") {
        return;
    }
    let bench = bench().option("count", 0).option("interval", "1ms");
    let found = bench.timeout(SHORT).run("127.0.0.1").await;
    assert!(found.succeeded());
    assert!(sum_of_outcomes(&found) > 0);
    assert_eq!(found.counter(&SENT, None), sum_of_outcomes(&found));
}

#[tokio::test]
async fn silence_is_loss_after_the_wait_and_at_the_deadline() {
    if skips("127.0.0.1") {
        return;
    }
    let asked = bench().option("count", 2).option("interval", "1ms");
    for (bench, words) in [
        (
            asked.clone().option("wait", "5ms"),
            "no reply within 5ms (2 sent)",
        ),
        // How much of the deadline is left when the first is sent depends on the machine.
        (asked.timeout(SHORT), "ms (2 sent)"),
    ] {
        let found = bench.run(SILENT).await;
        let said = found.run.result.as_ref().unwrap_err().to_string();
        assert!(said.ends_with(words), "{said}");
        assert_eq!(found.reason(), Some("timeout"));
        check(&found, &[(Outcome::Timeout, 2)]);
        assert_eq!(found.gauge(&LOSS, None), Some(1.0));
        assert_eq!(found.gauge(&DURATION, Some("rtt")), Some(0.0));
        assert_eq!(found.gauge(&REPLY_HOP_LIMIT, None), None);
        assert_eq!(found.said("lost").count(), 2);
    }
}

#[tokio::test]
async fn no_request_is_sent_that_could_not_be_waited_for() {
    if skips("127.0.0.1") {
        return;
    }
    let bench = bench().option("count", 0).option("interval", "150ms");
    let found = bench
        .option("wait", "100ms")
        .timeout(SHORT)
        .run(SILENT)
        .await;
    check(&found, &[(Outcome::Timeout, 1)]);
}

#[tokio::test]
async fn what_comes_after_the_wait_is_lost_and_late() {
    if skips("127.0.0.1") {
        return;
    }
    let found = late().run("127.0.0.1").await;
    assert_eq!(found.reason(), Some("timeout"));
    assert_eq!(found.counter(&ECHOES, Some("timeout")), 20);
    assert!(found.counter(&LATE, None) >= 1);
    assert_eq!(found.observations(&RTT), 0);
}

#[tokio::test]
async fn a_second_reply_is_a_duplicate_and_changes_nothing_else() {
    if skips("127.0.0.1") || !talker::doubles() {
        return;
    }
    let found = several().run(&talker::DOUBLED.to_string()).await;
    assert!(found.succeeded());
    assert_eq!(found.counter(&ECHOES, Some("ok")), 20);
    assert!(found.counter(&DUPLICATES, None) >= 1);
}

#[tokio::test]
async fn neighbours_are_paired_over_all_runs_and_losses_are_counted_once_in_a_row() {
    if skips("127.0.0.1") {
        return;
    }
    let target = Arc::new(Target::new("a.test"));
    let near = bench().host("a.test", ["127.0.0.1".parse().unwrap()]);
    let mut probe = near.aim(&target).unwrap();
    let first = near.measure(&mut *probe, &target).await;
    assert_eq!(first.gauge(&JITTER, None), None);
    assert_eq!(first.counter(&IPDV_PAIRS, None), 0);
    let second = near.measure(&mut *probe, &target).await;
    assert!(second.gauge(&JITTER, None).is_some());
    assert_eq!(second.counter(&IPDV_PAIRS, None), 1);
    let third = near.measure(&mut *probe, &target).await;
    assert_eq!(third.counter(&IPDV_PAIRS, None), 1);

    let silent = bench().option("count", 3).option("interval", "1ms");
    let silent = silent.option("wait", "5ms");
    let target = Arc::new(Target::new(SILENT));
    let mut probe = silent.aim(&target).unwrap();
    for expected in [1, 0] {
        let found = silent.measure(&mut *probe, &target).await;
        check(&found, &[(Outcome::Timeout, 3)]);
        assert_eq!(found.counter(&LOSS_PERIODS, None), expected);
    }
}

#[tokio::test]
async fn the_last_icmp_error_is_told_with_its_numbers() {
    if skips("127.0.0.1") || !talker::objects() {
        return;
    }
    let found = several().run(&talker::OBJECTED_TO.to_string()).await;
    assert_eq!(found.text(&ERROR), Some(vec!["3", "4", "Packet too big"]));
    let mtu = f64::from(talker::MTU);
    assert_eq!(found.gauge(&NEXT_HOP_MTU, None), Some(mtu));
    let event = found.said("icmp_error").next().unwrap().fields();
    assert_eq!((&event["type"], &event["code"]), (&3.into(), &4.into()));
    assert_eq!(event["mtu"], talker::MTU);
}

#[tokio::test]
async fn what_is_in_flight_at_a_stop_is_abandoned_and_not_lost() {
    if skips("127.0.0.1") {
        return;
    }
    let (stopper, stop) = Stopper::new();
    let bench = bench().option("count", 0).stop(stop);
    // The run sends its first request when it is polled for the first time, before the stop.
    let (found, ()) = tokio::join!(bench.run(SILENT), async { stopper.stop() });
    check(&found, &[(Outcome::Abandoned, 1)]);
    assert_eq!(found.gauge(&LOSS, None), None);
    assert_eq!(found.reason(), Some("timeout"));
}

#[tokio::test]
async fn what_this_host_cannot_send_is_its_own_fault_and_never_loss() {
    if skips("127.0.0.1") {
        return;
    }
    for (option, value, sent, reason) in [
        ("source_ip_address", "203.0.113.77", false, "network"),
        ("source_ip_address", "::1", false, "network"),
    ] {
        let found = bench().option(option, value).run("127.0.0.1").await;
        assert_eq!(found.reason(), Some(reason), "{value}");
        let expected = [(Outcome::SendError, 1)];
        check(&found, if sent { &expected } else { &[] });
        assert_eq!(found.said("send_error").count(), usize::from(sent));
        assert_eq!(found.gauge(&LOSS, None), None);
    }
}

#[tokio::test]
async fn every_phase_is_exported_even_if_the_name_leads_nowhere() {
    let found = bench().run("nowhere.test").await;
    assert_eq!(found.reason(), Some("resolve"));
    for phase in PHASES {
        assert!(found.gauge(&DURATION, Some(phase)).is_some(), "{phase}");
    }
    check(&found, &[]);
}

#[tokio::test]
async fn the_plugin_conforms() {
    if skips("127.0.0.1") || !talker::doubles() || !talker::objects() {
        return;
    }
    Kit::of(bench())
        .good("127.0.0.1")
        .hostile("silent", SILENT)
        .provoking("late", late(), "127.0.0.1")
        .provoking("objected to", several(), talker::OBJECTED_TO.to_string())
        .provoking("doubled", several(), talker::DOUBLED.to_string())
        .many(|n| {
            let address = format!("127.0.{}.{}", n / 250, n % 250 + 1);
            (address.clone(), address)
        })
        .assert()
        .await;
}

#[test]
fn the_manual_is_up_to_date() {
    assert_manual(plugin(), concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
}

/// The plugin as this crate submits it.
pub(crate) fn plugin() -> &'static Plugin {
    Bench::linked("icmp").plugin()
}

fn bench() -> Bench {
    Bench::of(plugin())
}

/// Waits so shortly that every reply is late.
fn late() -> Bench {
    several().option("wait", "1ns")
}

/// Goes on long enough to hear what comes after the first answers.
fn several() -> Bench {
    bench().option("count", 20).option("interval", "10ms")
}

/// Whether there is no way to send echo requests here, which is said loudly.
pub(crate) fn skips(address: &str) -> bool {
    let opened = Flow::open(address.parse().unwrap(), RequestOptions::default());
    let Err(error @ (OpenError::NotPermitted { .. } | OpenError::Socket { .. })) = opened else {
        return false;
    };
    assert!(
        env::var_os("LEADSMAN_TEST_MUST_NOT_SKIP").is_none(),
        "{error}"
    );
    eprintln!("SKIPPED, not tested: {error}");
    true
}

/// Checks that requests ended like this and in no other way.
#[track_caller]
fn check(found: &Finished, expected: &[(Outcome, u64)]) {
    let outcomes: Vec<_> = Outcome::LABELS
        .iter()
        .map(|label| (*label, found.counter(&ECHOES, Some(label))))
        .filter(|(_, count)| *count > 0)
        .collect();
    let expected: Vec<_> = expected.iter().map(|(o, n)| (o.label(), *n)).collect();
    assert_eq!(outcomes, expected, "{:?}", found.run.result);
    assert_eq!(found.counter(&SENT, None), sum_of_outcomes(found));
    assert_eq!(
        found.counter(&LATE, None) + found.counter(&DUPLICATES, None),
        0
    );
}

fn sum_of_outcomes(found: &Finished) -> u64 {
    let counts = Outcome::LABELS
        .iter()
        .map(|label| found.counter(&ECHOES, Some(label)));
    counts.sum()
}

fn sequences(found: &Finished) -> Vec<u64> {
    let replies = found
        .said("sent")
        .map(|event| event.fields()["sequence"].as_u64());
    replies.map(Option::unwrap).collect()
}

/// Nobody answers a broadcast, unless `net.ipv4.icmp_echo_ignore_broadcasts` was changed.
const SILENT: &str = "127.255.255.255";

/// Long enough for an answer from loopback, short enough to wait for.
const SHORT: Duration = Duration::from_millis(200);
