//! Does the probe do on real sockets what it says?
//!
//! On loopback only, where every TTL gets to the target, and requests to the broadcast address are
//! ignored: that is the silent target. Paths need routers and are tested in namespaces.

use std::env;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use leadsman_core::testing::conformance::Kit;
use leadsman_core::testing::{Bench, assert_manual};
use leadsman_core::{
    Family, Order, Plugin, Resolve, ResolveError, Run, Sink, Stop, Target, async_trait, perform,
};
use leadsman_wire::{Flow, OpenError, RequestOptions};

use crate::metrics::{
    ASYMMETRY, HOP_LOSS, HOP_PROBES, HOP_RELUCTANCE, HOP_REPLIES, HOP_RESPONDERS, HOP_RTT, HOPS,
    LAST_CHANGE, MOST_HOPS, PATH, PATH_CHANGES, PATH_HASH, PUT_OFF, REVERSE_HOPS, RTT, RUNS, SENT,
    SPARED, SYSTEMS_CHANGES,
};

#[tokio::test]
async fn loopback_is_one_hop_away_over_both_families() {
    for address in ["127.0.0.1", "::1"] {
        if skips(address) {
            continue;
        }
        let found = bench().run(address).await;
        found.run.result.as_ref().unwrap();
        assert_eq!(found.counter(&RUNS, Some("reached")), 1);
        assert_eq!(found.gauge(&HOPS, None), Some(1.0));
        assert_eq!(found.gauge(&REVERSE_HOPS, None), Some(1.0));
        assert!(found.gauge(&RTT, None) > Some(0.0));
        assert!(found.gauge(&PATH_HASH, None) > Some(0.0));
        assert_eq!(found.text(&PATH), Some(vec![address]));
        assert_eq!(found.counter(&HOP_PROBES, Some("1")), 1);
        assert_eq!(found.counter(&HOP_REPLIES, Some("1")), 1);
        assert!(found.gauge(&HOP_RTT, Some("1")).is_some());
        assert_eq!(found.gauge(&HOP_LOSS, Some("1")), Some(0.0));
        assert_eq!(found.gauge(&HOP_RELUCTANCE, Some("1")), Some(0.0));
        assert_eq!(found.gauge(&HOP_RESPONDERS, Some("1")), Some(1.0));
        assert_eq!(found.gauge(&ASYMMETRY, None), Some(0.0));
        assert_eq!(found.counter(&PATH_CHANGES, None), 0);
        assert_eq!(found.gauge(&LAST_CHANGE, None), None);
        assert_eq!(found.counter(&HOP_PROBES, Some("2")), 0);
        let ended = found.said("ended").next().unwrap().fields();
        assert_eq!(ended["packets"], found.counter(&SENT, None));
    }
}

#[tokio::test]
async fn no_name_is_looked_up_that_nobody_would_read() {
    if skips("127.0.0.1") {
        return;
    }
    let target = Arc::new(Target::new("127.0.0.1"));
    let mut probe = bench().option("numeric", false).aim(&target).unwrap();
    let names = Names::default();
    let order = Order {
        plugin: plugin(),
        layout: plugin().layout(),
        target: &target,
        timeout: Duration::from_secs(5),
        stop: &Stop::never(),
        resolver: &names,
        sink: &Deaf,
        compatible: false,
        fence: None,
    };
    perform(&mut *probe, order).await.result.unwrap();
    assert_eq!(names.0.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn hops_have_no_series_where_none_are_wanted() {
    if skips("127.0.0.1") {
        return;
    }
    let found = bench().option("hops", "none").run("127.0.0.1").await;
    let recording = &found.run.recording;
    let mut places = recording.layout().places().iter();
    let is_of_hop = |name: &str| name.starts_with("probe_traceroute_hop_");
    let recorded = places.find(|place| {
        is_of_hop(place.metric.name) && recording.values(place).flatten().next().is_some()
    });
    assert!(recorded.is_none(), "{recorded:?}");
    assert!(found.text(&PATH).is_some());
}

#[tokio::test]
async fn a_silent_target_is_unreached_and_at_fault() {
    if skips("127.0.0.1") {
        return;
    }
    let found = silent().run(SILENT).await;
    assert_eq!(found.reason(), Some("timeout"));
    assert_eq!(found.counter(&RUNS, Some("unreached")), 1);
    assert_eq!(found.gauge(&HOPS, None), None);
    assert_eq!(found.gauge(&RTT, None), None);
    assert_eq!(found.counter(&HOP_PROBES, Some("1")), 1);
    assert_eq!(found.counter(&HOP_REPLIES, Some("1")), 0);
    assert_eq!(found.text(&PATH), Some(vec![""]));
    // The window, and the one with the high TTL.
    assert_eq!(found.counter(&SENT, None), 17);
    assert_eq!(found.said("silent").count(), 16);
}

#[tokio::test]
async fn a_run_that_is_cut_short_is_unfinished_and_says_what_it_knows() {
    if skips("127.0.0.1") {
        return;
    }
    let bench = bench().option("wait", "20s").timeout(SHORT);
    let found = bench.run(SILENT).await;
    assert_eq!(found.reason(), Some("timeout"));
    assert_eq!(found.counter(&RUNS, Some("unfinished")), 1);
    assert_eq!(found.counter(&HOP_PROBES, Some("1")), 1);
    assert_eq!(found.text(&PATH), None);
}

#[tokio::test]
async fn what_this_host_cannot_send_is_its_own_fault() {
    if skips("127.0.0.1") {
        return;
    }
    for source in ["203.0.113.77", "::1"] {
        let bench = bench().option("source_ip_address", source);
        let found = bench.run("127.0.0.1").await;
        assert_eq!(found.reason(), Some("network"), "{source}");
    }
}

#[tokio::test]
async fn the_plugin_conforms() {
    if skips("127.0.0.1") {
        return;
    }
    let mut kit = Kit::of(bench())
        .good("127.0.0.1")
        .hostile("silent", SILENT)
        .many(|n| {
            let address = format!("127.0.{}.{}", n / 250, n % 250 + 1);
            (address.clone(), address)
        })
        .shown_elsewhere(&SPARED)
        .shown_elsewhere(&PUT_OFF)
        .shown_elsewhere(&PATH_CHANGES)
        .shown_elsewhere(&SYSTEMS_CHANGES)
        .shown_elsewhere(&LAST_CHANGE);
    // Every TTL gets there.
    for ttl in 1..=MOST_HOPS {
        let bench = bench()
            .option("first_ttl", ttl)
            .option("paths", "all")
            .option("mtu", true);
        kit = kit.provoking(&format!("from TTL {ttl}"), bench, "127.0.0.1");
    }
    kit.assert().await;
}

#[test]
fn the_manual_is_up_to_date() {
    assert_manual(plugin(), concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
}

/// The plugin as this crate submits it.
pub(crate) fn plugin() -> &'static Plugin {
    Bench::linked("traceroute").plugin()
}

fn bench() -> Bench {
    Bench::of(plugin())
}

/// Does not wait for long.
fn silent() -> Bench {
    bench().option("wait", "50ms")
}

/// Counts how often it was asked for a name.
#[derive(Debug, Default)]
struct Names(AtomicU32);

#[async_trait]
impl Resolve for Names {
    async fn addresses(&self, name: &str, _: Family) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError::NoRecord(name.into()))
    }

    async fn name_of(&self, _: IpAddr) -> Option<String> {
        self.0.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// Wants no events.
struct Deaf;

impl Sink for Deaf {
    fn finished(&self, _: &Run) {}
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

/// Nobody answers a broadcast, unless `net.ipv4.icmp_echo_ignore_broadcasts` was changed.
pub(crate) const SILENT: &str = "127.255.255.255";

/// Long enough to send all, short enough to wait for.
const SHORT: Duration = Duration::from_millis(300);
