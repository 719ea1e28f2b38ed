//! Is it found what a path of real routers carries, whether they tell of it or not?
//!
//! ```text
//! prober ──── router 1 ──── router 2 ── narrow ── router 3 ──── target
//! ```

use leadsman_lab::{Chain, or_skip};
use serde_json::{Value, json};

use crate::trace::{TARGETS, events, named, once, page};

#[test]
fn a_narrow_link_is_found_behind_its_router_run_after_run() {
    let Some(chain) = narrow() else {
        return;
    };
    for (family, target) in TARGETS.into_iter().enumerate() {
        // The second time this host has learnt the path MTU.
        for _ in 0..2 {
            let told = events(&once(chain.prober(), &["--json", "--mtu", target]));
            let found = named(&told, "path_mtu");
            check(found, false, "told");
            let hops = found["hops"].as_array().expect("a list");
            let bytes: Vec<_> = hops.iter().map(|hop| hop["bytes"].as_u64()).collect();
            assert_eq!(bytes.len(), 4, "{found}");
            assert!(
                bytes[..2].iter().all(|bytes| *bytes > Some(1280)),
                "{found}"
            );
            assert_eq!(bytes[2..], [Some(1280); 2], "{found}");
            let metrics = &named(&told, "run")["metrics"];
            assert_eq!(
                metrics["probe_traceroute_path_mtu_bytes"], 1280.0,
                "{metrics}"
            );
        }
        let (page, status) = page(&once(chain.prober(), &["--mtu", target]));
        assert_eq!(status, Some(0), "{page}");
        let router = chain.addresses(2)[family].to_string();
        let narrow = page.lines().find(|line| line.ends_with("mtu 1280"));
        assert!(narrow.is_some_and(|line| line.contains(&router)), "{page}");
    }
}

#[test]
fn a_black_hole_is_found_and_named() {
    let Some(chain) = narrow() else {
        return;
    };
    for rule in [
        "icmp type destination-unreachable",
        "icmpv6 type packet-too-big",
    ] {
        let dropped = chain.router(2).drop_at("output", rule);
        dropped.expect("it is a router");
    }
    for target in TARGETS {
        let told = events(&once(chain.prober(), &["--json", "--mtu", target]));
        check(named(&told, "path_mtu"), true, "silent");
    }
}

/// 1,280 bytes, the least that an IPv6 link may carry, behind the second of three routers.
fn narrow() -> Option<Chain> {
    let chain = or_skip(Chain::new(3))?;
    chain.set_mtu(2, 1280).expect("there is a link");
    Some(chain)
}

#[track_caller]
fn check(found: &Value, black_hole: bool, larger: &str) {
    assert_eq!(found["bytes"], 1280, "{found}");
    assert_eq!(found["black_hole"], black_hole, "{found}");
    let narrowing = json!([{ "after_ttl": 2, "bytes": 1280, "larger": larger }]);
    assert_eq!(found["narrowings"], narrowing, "{found}");
}
