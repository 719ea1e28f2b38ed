//! Do packets take the ways that the networks of Linux routers are built for?

use std::collections::BTreeSet;

use super::*;
use crate::or_skip;
use crate::packet::Packet;
use crate::raw::{Raw, echo, udp};

const PROBER: [&str; 2] = ["10.77.0.1", "fd77::1"];
const TARGET: [&str; 2] = ["10.99.3.4", "fd99::7"];

/// The requests that find the n-th hop of a way to the target, one of each family.
fn requests(ttl: u8, size: usize) -> [Packet<Vec<u8>>; 2] {
    [0, 1].map(|family| echo(PROBER[family], TARGET[family], ttl, 7, size))
}

#[test]
fn each_router_of_a_chain_is_found_by_its_ttl() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    let raw = Raw::open(chain.prober());
    for ttl in 1..=3 {
        for (family, request) in requests(ttl, 56).iter().enumerate() {
            let (from, message) = raw.ask(request).unwrap();
            assert_eq!(from, chain.addresses(ttl.into())[family]);
            assert_eq!(message[..2], [[11, 0], [3, 0]][family]);
        }
    }
    for (family, request) in requests(4, 56).iter().enumerate() {
        let (from, message) = raw.ask(request).unwrap();
        assert_eq!(from, TARGET[family].parse::<IpAddr>().unwrap());
        assert_eq!(message[0], [0, 129][family]);
        let own = chain.addresses(4)[family].to_string();
        assert!(raw.ask(&echo(PROBER[family], &own, 64, 7, 56)).is_some());
    }
}

#[test]
fn no_router_of_a_chain_counts_its_errors() {
    let Some(chain) = or_skip(Chain::new(1)) else {
        return;
    };
    let raw = Raw::open(chain.prober());
    for request in requests(1, 56) {
        assert!((0..50).all(|_| raw.ask(&request).is_some()));
    }
}

#[test]
fn a_chain_refuses_cuts_short_and_loops() {
    let Some(chain) = or_skip(Chain::new(2)) else {
        return;
    };
    let raw = Raw::open(chain.prober());
    chain.set_mtu(1, 1_300).unwrap();
    for (family, request) in requests(64, 1_372).iter().enumerate() {
        let packet = if family == 0 {
            dont_fragment(request)
        } else {
            request.clone()
        };
        let (from, message) = raw.ask(&packet).unwrap();
        assert_eq!(from, chain.addresses(1)[family]);
        assert_eq!(message[..2], [[3, 4], [2, 0]][family]);
        assert_eq!(message[6..8], 1_300_u16.to_be_bytes());
    }
    chain.make_loop(2).unwrap();
    for request in requests(64, 56) {
        let (_, message) = raw.ask(&request).unwrap();
        assert!(matches!(message[..2], [11 | 3, 0]), "{message:?}");
    }
    chain.refuse(1, "unreachable", "10.99.3.0/24").unwrap();
    chain.refuse(1, "prohibit", "fd99::7/128").unwrap();
    for (family, request) in requests(64, 56).iter().enumerate() {
        let (_, message) = raw.ask(request).unwrap();
        assert_eq!(message[..2], [[3, 1], [1, 1]][family]);
    }
}

fn dont_fragment(request: &Packet<Vec<u8>>) -> Packet<Vec<u8>> {
    let mut bytes = request.bytes().to_vec();
    bytes[6] |= 0x40;
    // The kernel sums up the header of what it sends.
    Packet::read(bytes).unwrap()
}

#[test]
fn what_a_router_loses_by_chance_it_counts() {
    let Some(chain) = or_skip(Chain::new(1)) else {
        return;
    };
    let what = "meta l4proto { icmp, ipv6-icmp } numgen random mod 100 < 30";
    let Some(lost) = or_skip(chain.router(1).drop_at("forward", what)) else {
        return;
    };
    let raw = Raw::open(chain.prober());
    let requests = requests(64, 56);
    for _ in 0..100 {
        for request in &requests {
            raw.send(request);
        }
    }
    let answers = |is_v4| std::iter::from_fn(|| raw.next(is_v4)).count() as u64;
    let answered = answers(true) + answers(false);
    assert_eq!(lost.packets().unwrap() + answered, 200);
    // Requests and replies are both forwarded.
    assert!((60..140).contains(&answered), "{answered}");
}

#[test]
fn a_limited_router_sends_six_errors_at_once() {
    let Some(chain) = or_skip(Chain::new(1)) else {
        return;
    };
    chain.limit_errors(1).unwrap();
    let raw = Raw::open(chain.prober());
    let [request, _] = requests(1, 56);
    (0..10).for_each(|_| raw.send(&request));
    let answered = std::iter::from_fn(|| raw.next(true)).count();
    assert!((6..=7).contains(&answered), "{answered}");
}

/// Sends 40 requests with `varied`, and counts the branches that they take.
fn check(
    spread: Spread,
    varied: impl Fn(usize, u16) -> Packet<Vec<u8>>,
    least: usize,
    most: usize,
) {
    let Some(fan) = or_skip(Fan::new(4, spread)) else {
        return;
    };
    let raw = Raw::open(fan.prober());
    for family in 0..2 {
        let seen = (0..40).map(|n| raw.ask(&varied(family, n)).expect("it is answered").0);
        let seen: BTreeSet<IpAddr> = seen.collect();
        let branches = (0..4).map(|n| fan.addresses(n)[family]);
        assert!(seen.is_subset(&branches.collect()), "{seen:?}");
        assert!((least..=most).contains(&seen.len()), "{spread:?}: {seen:?}");
        let reached = raw.ask(&echo(PROBER[family], TARGET[family], 64, 7, 56));
        assert_eq!(reached.unwrap().1[0], [0, 129][family]);
    }
}

#[test]
fn a_fan_spreads_ports_as_linux_does() {
    let ports = |family: usize, n| udp(PROBER[family], TARGET[family], 2, 33_000 + n);
    check(Spread::Ports, ports, 3, 4);
    let identifiers = |family: usize, n| echo(PROBER[family], TARGET[family], 2, n, 56);
    check(Spread::Ports, identifiers, 1, 1);
}

#[test]
fn a_fan_spreads_checksums_as_older_routers_do() {
    let identifiers = |family: usize, n| echo(PROBER[family], TARGET[family], 2, n, 56);
    check(Spread::FirstFour, identifiers, 3, 4);
    let lengths = |family: usize, n| echo(PROBER[family], TARGET[family], 2, 7, usize::from(n % 2));
    check(Spread::FirstFour, lengths, 1, 2);
}
