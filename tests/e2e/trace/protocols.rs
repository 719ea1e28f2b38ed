//! Do traces by UDP and TCP find what those by echo requests find, and what else they tell?

use std::net::{IpAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::thread;

use leadsman_lab::{Chain, or_skip};
use serde_json::Value;

use super::{TARGETS, events, named, once, page};
use crate::netns::without;

#[test]
fn the_path_is_the_same_by_every_protocol() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    give_address(&chain);
    for (family, target) in TARGETS.into_iter().enumerate() {
        let arrived: IpAddr = target.parse().expect("it is an address");
        let routers = (1..=3).map(|n| chain.addresses(n)[family]);
        let path: Vec<_> = routers.chain([arrived]).map(Some).collect();
        for (protocol, port) in [("-I", None), ("-U", Some("closed")), ("-T", Some("closed"))] {
            let events = events(&once(chain.prober(), &["--json", protocol, target]));
            let found = (1..=4).map(|ttl| hop(&events, ttl)["from"].as_str()?.parse().ok());
            assert_eq!(found.collect::<Vec<_>>(), path, "{protocol} {target}");
            let last = hop(&events, 4);
            assert_eq!(last["arrived"], true, "{protocol} {target}");
            assert_eq!(last["port"].as_str(), port, "{protocol} {target}");
            assert_eq!(named(&events, "ended")["hops"], 4, "{protocol} {target}");
        }
    }
}

/// Without a privilege datagrams are sent all the same, and nothing else is.
#[test]
fn without_privileges_the_path_is_found_by_udp() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    give_address(&chain);
    let unprivileged = |arguments: &[&str]| {
        let mut command = without("net_raw");
        command.arg("trace").args(arguments);
        chain
            .prober()
            .run(|| command.output())
            .expect("it was built")
    };
    for (family, target) in TARGETS.into_iter().enumerate() {
        let events = events(&unprivileged(&["--json", "-U", target]));
        for ttl in 1..=3 {
            let router = chain.addresses(ttl)[family].to_string();
            assert_eq!(hop(&events, ttl as u64)["from"], router, "{target} {ttl}");
        }
        let last = hop(&events, 4);
        assert_eq!(
            (&last["from"], &last["port"]),
            (&target.into(), &"closed".into())
        );
        let (page, status) = page(&unprivileged(&["-T", target]));
        assert_eq!(status, Some(2), "{page}");
        assert!(page.contains("or send UDP, which needs none"), "{page}");
    }
}

#[test]
fn what_is_too_large_for_a_link_is_fragmented() {
    let Some(chain) = or_skip(Chain::new(1)) else {
        return;
    };
    for target in TARGETS {
        let arguments = ["--json", "-U", "--payload-size", "3000", target];
        let events = events(&once(chain.prober(), &arguments));
        assert_eq!(named(&events, "sent")["bytes"], 3_008);
        assert_eq!(named(&events, "ended")["hops"], 2, "{target}");
    }
}

/// Over IPv6, Linux answers for a range that is not its address from one that is.
#[test]
fn a_target_may_say_from_another_address_that_a_port_is_closed() {
    let Some(chain) = or_skip(Chain::new(1)) else {
        return;
    };
    let events = events(&once(chain.prober(), &["--json", "-U", TARGETS[1]]));
    let from = chain.addresses(2)[1].to_string();
    assert_eq!(hop(&events, 2)["from"], from);
    assert_eq!(named(&events, "ended")["result"], "reached");
}

#[test]
fn an_open_port_is_told_from_a_closed_one() {
    let Some(chain) = or_skip(Chain::new(1)) else {
        return;
    };
    give_address(&chain);
    // Those that end what a SYN-ACK began: the prober's kernel sends them, for leadsman does not.
    let ended = chain.target().filter(
        "table inet lab {
            counter ended { }
            chain ended {
                type filter hook prerouting priority 0
                tcp dport 8080 tcp flags & (syn | rst | ack) == rst counter name ended
            }
        }",
    );
    ended.expect("it is a namespace");
    for target in TARGETS {
        let listener = chain.target().run(|| TcpListener::bind((target, 8080)));
        let _listener = listener.expect("the port is free");
        let service = chain.target().run(|| UdpSocket::bind((target, 8080)));
        let service = service.expect("the port is free");
        // A datagram from itself ends it.
        let address = service.local_addr().expect("it is bound");
        let stop = service.try_clone().expect("it can be shared");
        let serving = thread::spawn(move || answer_with_two_bytes(&service));
        for protocol in ["-U", "-T"] {
            let arguments = ["--json", protocol, "-p", "8080", target];
            let events = events(&once(chain.prober(), &arguments));
            assert_eq!(hop(&events, 2)["port"], "open", "{protocol} {target}");
            assert_eq!(named(&events, "ended")["hops"], 2, "{protocol} {target}");
            let (page, _) = page(&once(chain.prober(), &arguments[1..]));
            assert!(page.contains("port open"), "{page}");
            assert!(page.contains("to port 8080"), "{page}");
        }
        stop.send_to(&[], address).expect("it is there");
        serving.join().expect("it serves");
    }
    let mut list = Command::new("nft");
    list.args(["list", "counter", "inet", "lab", "ended"]);
    let told = chain.target().output(&mut list, "").expect("it is there");
    assert!(!told.contains("packets 0"), "{told}");
}

/// Gives the target an IPv6 address to answer from; else it only takes in what goes to a range.
fn give_address(chain: &Chain) {
    let given = chain.target().ip("address add fd99::1/128 dev lo nodad");
    given.expect("it is a namespace");
}

/// What a name server does that makes nothing of a question.
fn answer_with_two_bytes(service: &UdpSocket) {
    let mut bytes = [0; 100];
    loop {
        let (length, from) = service.recv_from(&mut bytes).expect("something comes");
        if length == 0 {
            return;
        }
        service.send_to(&bytes[..2], from).expect("it is there");
    }
}

/// A stateful one of Linux restores all of what errors quote.
#[test]
fn a_translator_that_leaves_no_trace_is_passed_unseen() {
    let Some(chain) = or_skip(Chain::new(2)) else {
        return;
    };
    let rules = "table inet lab {
        chain out { type nat hook postrouting priority 100
            oifname right masquerade
        }
    }";
    chain.router(1).filter(rules).expect("it is a router");
    for target in TARGETS {
        for protocol in ["-I", "-U", "-T"] {
            let (page, status) = page(&once(chain.prober(), &[protocol, target]));
            assert!(page.contains("reached in 3 hops"), "{page}");
            assert_eq!((page.contains("NAT"), status), (false, Some(0)), "{page}");
        }
    }
}

/// By a stateless translator, which takes what errors quote for payload.
#[test]
fn a_translator_of_addresses_is_shown_at_the_first_hop_behind_it() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    let rules = "table inet lab {
        chain out { type filter hook forward priority 0
            oifname right ip saddr set 10.77.1.9
            oifname right ip6 saddr set fd77:1::9
        }
        chain back { type filter hook prerouting priority 0
            iifname right ip daddr 10.77.1.9 ip daddr set 10.77.0.1
            iifname right ip6 daddr fd77:1::9 ip6 daddr set fd77::1
        }
    }";
    chain.router(1).filter(rules).expect("it is a router");
    let neighbours = "neighbour add 10.77.1.9 lladdr 02:00:00:00:01:01 dev left
        neighbour add fd77:1::9 lladdr 02:00:00:00:01:01 dev left";
    chain.router(2).ip(neighbours).expect("it is a router");
    for (target, outside) in TARGETS.into_iter().zip(["10.77.1.9", "fd77:1::9"]) {
        for protocol in ["-I", "-U", "-T"] {
            let events = events(&once(chain.prober(), &["--json", protocol, target]));
            assert_eq!(
                hop(&events, 1)["translated"],
                Value::Null,
                "{protocol} {target}"
            );
            for ttl in [2, 3] {
                let source = &hop(&events, ttl)["translated"]["source"];
                assert_eq!(source, outside, "{protocol} {target} {ttl}: {events:?}");
            }
            let (page, _) = page(&once(chain.prober(), &[protocol, target]));
            let marked = page.lines().filter(|line| line.ends_with("  NAT"));
            let places: Vec<_> = marked.map(|line| line[..5].trim()).collect();
            assert_eq!(places, ["2"], "{page}");
        }
    }
}

/// The first answer to packets with a TTL.
fn hop(events: &[Value], ttl: u64) -> &Value {
    let mut events = events.iter();
    let hop = events.find(|event| event["event"] == "hop" && event["ttl"] == ttl);
    hop.unwrap_or(&Value::Null)
}
