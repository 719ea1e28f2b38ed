//! What does a person see who traces, and is it the path that real routers make?
//!
//! ```text
//! prober ──── router 1 ──── router 2 ──── router 3 ──── target
//! ```

mod protocols;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::{Command, Output};

use leadsman_lab::{Chain, Namespace, or_skip};
use serde_json::Value;

use crate::program::LEADSMAN;

pub(crate) const TARGETS: [&str; 2] = ["10.99.0.1", "fd99::1"];

#[test]
fn three_routers_are_listed_with_their_right_addresses() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    for (family, target) in TARGETS.into_iter().enumerate() {
        let routers = (1..=3).map(|n| chain.addresses(n)[family]);
        let arrived: IpAddr = target.parse().expect("it is an address");
        let path: Vec<IpAddr> = routers.chain([arrived]).collect();
        let events = events(&trace(chain.prober(), &["--json", target]));
        for (place, address) in path.iter().enumerate() {
            let ttl = place + 1;
            let hops = events
                .iter()
                .filter(|event| event["event"] == "hop" && event["ttl"] == ttl);
            let from: BTreeSet<_> = hops.map(|hop| hop["from"].to_string()).collect();
            assert_eq!(from, [format!("\"{address}\"")].into(), "TTL {ttl}");
        }
        let ended = named(&events, "ended");
        assert_eq!(
            (&ended["result"], &ended["hops"]),
            (&"reached".into(), &4.into())
        );
        let told: Vec<_> = path.iter().map(ToString::to_string).collect();
        let metrics = &named(&events, "run")["metrics"];
        let info = metrics["probe_traceroute_path_info"].to_string();
        assert!(info.contains(&told.join(" ")), "{info}");
        let (page, status) = page(&trace(chain.prober(), &[target]));
        assert_eq!(status, Some(0), "{page}");
        for (place, address) in told.iter().enumerate() {
            let start = format!("{:>3}  {address} ", place + 1);
            assert!(page.lines().any(|line| line.starts_with(&start)), "{page}");
        }
        assert!(page.contains("reached in 4 hops"), "{page}");
        assert!(
            page.lines().all(|line| line.chars().count() <= 80),
            "{page}"
        );
    }
}

#[test]
fn a_router_that_turns_packets_away_is_named_with_its_reason() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    for (family, (range, target, words)) in [
        ("10.99.9.0/24", "10.99.9.1", "Packet filtered"),
        ("fd99::9:0/112", "fd99::9:1", "Administratively prohibited"),
    ]
    .into_iter()
    .enumerate()
    {
        let made = chain.refuse(2, "prohibit", range);
        made.expect("it is a router");
        let (page, status) = page(&trace(chain.prober(), &[target]));
        assert_eq!(status, Some(1), "{page}");
        let by = format!("from hop 2, {}: ", chain.addresses(2)[family]);
        assert!(page.contains(&by) && page.contains(words), "{page}");
    }
}

#[test]
fn packets_that_go_round_in_circles_are_said_to() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    chain.make_loop(3).expect("it is a router");
    // Over IPv6 a router answers from the address at which the packet came in, so that the second
    // looks like two.
    for (target, hops) in TARGETS.into_iter().zip(["2 and 3", "3 and 4"]) {
        let (page, status) = page(&trace(chain.prober(), &[target]));
        assert_eq!(status, Some(1), "{page}");
        let words = format!("circles between hops {hops}");
        assert!(page.contains(&words), "{page}");
    }
}

#[test]
fn a_silent_router_is_a_star_and_holds_nothing_up() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    for rule in ["icmp type time-exceeded", "icmpv6 type time-exceeded"] {
        let dropped = chain.router(2).drop_at("output", rule);
        // It lasts as long as the router.
        dropped.expect("it is a router");
    }
    for target in TARGETS {
        let events = events(&trace(chain.prober(), &["--json", "--wait", "20s", target]));
        let silent: Vec<_> = events
            .iter()
            .filter(|event| event["event"] == "silent")
            .map(|event| event["ttl"].as_u64())
            .collect();
        assert_eq!(silent, [Some(2)], "{events:?}");
        assert_eq!(named(&events, "ended")["hops"], 4);
    }
}

pub(crate) fn trace(prober: &Namespace, arguments: &[&str]) -> Output {
    let mut command = Command::new(LEADSMAN);
    command.arg("trace").args(arguments);
    prober.run(|| command.output()).expect("it was built")
}

pub(crate) fn page(output: &Output) -> (String, Option<i32>) {
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    (
        String::from_utf8(told).expect("it writes text"),
        output.status.code(),
    )
}

pub(crate) fn events(output: &Output) -> Vec<Value> {
    let (told, _) = page(output);
    let read = |line| serde_json::from_str(line).expect("a line is an object");
    told.lines().map(read).collect()
}

pub(crate) fn named<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let mut events = events.iter();
    events
        .find(|event| event["event"] == name)
        .unwrap_or_else(|| panic!("there is no {name}"))
}
