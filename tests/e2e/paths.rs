//! Are all paths found where real routers share their load, and only one where only one is wanted?
//!
//! ```text
//!                      ┌── branch 1 ──┐
//! prober ──── router 1 ┼──    …     ──┼ router 2 ──── target
//!                      └── branch n ──┘
//! ```

use std::collections::BTreeSet;

use leadsman_lab::{Fan, Spread, or_skip};
use serde_json::Value;

use crate::trace::{TARGETS, events, named, once};

#[test]
fn a_balancer_by_the_first_four_bytes_shows_one_path_and_all_of_them_when_asked() {
    let Some(fan) = or_skip(Fan::new(4, Spread::FirstFour)) else {
        return;
    };
    for (family, target) in TARGETS.into_iter().enumerate() {
        let all: BTreeSet<String> = (0..4)
            .map(|n| fan.addresses(n)[family].to_string())
            .collect();
        for _ in 0..3 {
            let told = events(&once(fan.prober(), &["--json", target]));
            let one = seconds(&told);
            assert_eq!(one.len(), 1, "{told:?}");
            assert!(one.is_subset(&all), "{one:?}");
        }
        let arguments = ["--json", "--all-paths", "--confidence", "99", target];
        let told = events(&once(fan.prober(), &arguments));
        let second = branches(&told, 2);
        assert_eq!(second["spread"], "per_flow");
        let routers = second["routers"].as_array().expect("a list");
        let found: BTreeSet<_> = routers
            .iter()
            .map(|router| text(&router["address"]))
            .collect();
        assert_eq!(found, all, "{told:?}");
        // Over IPv6 a router answers from the address at which the packet came in.
        let met = branches(&told, 3)["routers"].as_array().map(Vec::len);
        assert_eq!(met, Some([1, 4][family]), "{told:?}");
        for router in routers {
            assert_eq!(router["next"].as_array().map(Vec::len), Some(1), "{router}");
        }
        let enumerated = named(&told, "enumerated");
        assert_eq!(enumerated["paths"], 4);
        assert_eq!(enumerated["diamonds"], 1);
    }
}

/// Who answers at TTL 2.
fn seconds(events: &[Value]) -> BTreeSet<String> {
    let hops = events.iter().filter(|event| event["event"] == "hop");
    let second = hops.filter(|hop| hop["ttl"] == 2);
    second.map(|hop| text(&hop["from"])).collect()
}

fn branches(events: &[Value], ttl: u8) -> &Value {
    let mut branches = events.iter().filter(|event| event["event"] == "branches");
    let found = branches.find(|branches| branches["ttl"] == ttl);
    found.unwrap_or_else(|| panic!("there are no branches at TTL {ttl}: {events:?}"))
}

fn text(value: &Value) -> String {
    value.as_str().expect("an address").to_owned()
}
