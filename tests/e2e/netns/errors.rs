//! Is what routers say told as it is, at once, with privileges and without?
//!
//! ```text
//! prober ──── far, a router ──── a link of MTU 1280 on which nobody answers
//! ```

use std::io::{self, Read};
use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::Instant;

use super::echoes::{Echoes, FRAG_NEEDED, Ping, TIMEOUT, without};
use super::lab::Lab;
use super::responder::Background;
use crate::program::LEADSMAN;

#[test]
fn errors_are_told_as_they_are_and_at_once() {
    // Each has a network of its own, for a host remembers the MTU, and a router answers five
    // requests to nowhere at most before it rests.
    for privileged in [true, false] {
        let Some(lab) = Lab::new("errors_are_told_as_they_are_and_at_once") else {
            return;
        };
        route(&lab);
        let _complaints = complain(&lab);
        for (options, outcome, expected) in [
            ("-W 20s", "unreachable", UNREACHABLE),
            ("-W 20s -t 1", "ttl_exceeded", LAST_HOP),
            ("-W 20s -s 1400 --dont-fragment", FRAG_NEEDED, LARGE),
        ] {
            let targets: Vec<&str> = expected.iter().map(|said| said.0).collect();
            let begin = Instant::now();
            let events = ping(&lab, privileged, options, &targets);
            let took = begin.elapsed();
            for (target, kind, code, words) in expected {
                let error = events
                    .iter()
                    .find(|event| event["target"] == *target && event["event"] == "icmp_error")
                    .unwrap_or_else(|| panic!("nothing about {target}, {privileged}: {events:?}"));
                assert_eq!(error["what"], *words, "{target}");
                assert_eq!(
                    (&error["type"], &error["code"]),
                    (&(*kind).into(), &(*code).into()),
                    "{error}"
                );
                assert_eq!(error["mtu"] == 1_280, outcome == FRAG_NEEDED, "{error}");
                Echoes::told(&events, |of| of == *target).check(&[(outcome, 1)]);
            }
            // A round trip takes less than a millisecond, and a neighbour a tenth of a second.
            assert!(took < Duration::from_secs(10), "{took:?}");
        }
    }
}

/// Targets; and type, code and words of what is said of them.
const UNREACHABLE: &[(&str, u8, u8, &str)] = &[
    ("10.90.0.1", 3, 1, "Destination Host Unreachable"),
    ("10.91.0.1", 3, 13, "Packet filtered"),
    ("10.93.0.1", 3, 1, "Destination Host Unreachable"),
    ("10.94.0.1", 3, 0, "Destination Net Unreachable"),
    ("fd90::1", 1, 0, "Destination unreachable: No route"),
    (
        "fd91::1",
        1,
        1,
        "Destination unreachable: Administratively prohibited",
    ),
    (
        "fd93::1",
        1,
        3,
        "Destination unreachable: Address unreachable",
    ),
    ("fd94::1", 1, 0, "Destination unreachable: No route"),
    ("fd76::2", 4, 1, "Parameter problem: Unknown header at 40"),
];

const LAST_HOP: &[(&str, u8, u8, &str)] = &[
    ("10.93.0.2", 11, 0, "Time to live exceeded"),
    ("fd93::2", 3, 0, "Time exceeded: Hop limit"),
];

const LARGE: &[(&str, u8, u8, &str)] = &[
    ("10.93.0.3", 3, 4, "Frag needed and DF set (mtu = 1280)"),
    ("fd93::3", 2, 0, "Packet too big: mtu=1280"),
];

#[test]
fn replies_and_silence_are_told_without_privileges_too() {
    let Some(lab) = Lab::new("replies_and_silence_are_told_without_privileges_too") else {
        return;
    };
    route(&lab);
    for privileged in [true, false] {
        let targets = ["10.77.0.1", "fd77::1", "10.92.0.1", "fd92::1"];
        let events = ping(&lab, privileged, "-W 300ms", &targets);
        for (target, outcome) in targets.iter().zip(["ok", "ok", TIMEOUT, TIMEOUT]) {
            Echoes::told(&events, |of| of == *target).check(&[(outcome, 1)]);
        }
    }
}

#[test]
fn a_sweep_says_that_a_packet_filter_of_this_host_forbids_it() {
    let Some(lab) = Lab::new("a_sweep_says_that_a_packet_filter_of_this_host_forbids_it") else {
        return;
    };
    lab.prober.run(
        "nft add table ip lab
         nft add chain ip lab output '{ type filter hook output priority 0; }'
         nft add rule ip lab output ip daddr 10.77.0.2 drop",
    );
    let mut leadsman = Command::new(LEADSMAN);
    leadsman.args(["ping", "-c", "1", "-a", "10.77.0.1", "10.77.0.2"]);
    let output = lab.prober.within(|| leadsman.output()).expect("it runs");
    assert_eq!(output.stdout, b"10.77.0.1\n");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("\nnot asked: 1 permission\n"), "{told}");
}

/// What is told of one request to each target.
fn ping(lab: &Lab, privileged: bool, options: &str, targets: &[&str]) -> Vec<Value> {
    let command = if privileged {
        Command::new(LEADSMAN)
    } else {
        without("all")
    };
    let arguments = ["-c", "1"].into_iter().chain(options.split(' '));
    let arguments: Vec<&str> = arguments.chain(targets.iter().copied()).collect();
    Ping::with(&lab.prober, command, &arguments).events()
}

/// Makes the far side a router; and opens ping sockets, for those who have no raw ones.
fn route(lab: &Lab) {
    lab.prober.set("ipv4/ping_group_range", "0 0");
    for (parameter, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        // Not icmp_ratelimit: where that is 0, an error of one kind keeps back those of others.
        ("ipv4/icmp_ratemask", "0"),
        ("ipv6/icmp/ratelimit", "0"),
    ] {
        lab.far.set(parameter, value);
    }
    lab.far.run(
        "ip link add narrow mtu 1280 type veth peer name end
         ip address add 10.93.0.254/24 dev narrow
         ip address add fd93::fe/64 dev narrow nodad
         ip link set narrow up
         ip link set end up
         ip route add unreachable 10.90.0.0/24
         ip route add unreachable fd90::/64
         ip route add prohibit 10.91.0.0/24
         ip route add prohibit fd91::/64
         ip route add blackhole 10.92.0.0/24
         ip route add blackhole fd92::/64",
    );
    for family in ["ipv4", "ipv6"] {
        // A neighbour that does not answer is given up after a tenth of a second.
        for (parameter, value) in [("mcast_solicit", "1"), ("retrans_time_ms", "100")] {
            lab.far
                .set(&format!("{family}/neigh/narrow/{parameter}"), value);
        }
    }
}

/// Has `fd76::2` answer echo requests with parameter problems (RFC 4443, section 3.4).
fn complain(lab: &Lab) -> Background {
    let [host, router] = ["fd76::1", "fd76::2"].map(|a| a.parse::<Ipv6Addr>().expect("an address"));
    lab.far.set("ipv6/icmp/echo_ignore_all", "1");
    let socket = lab.far.within(|| {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.bind(&SocketAddr::from((router, 0)).into())?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        io::Result::Ok(socket)
    });
    let socket = socket.expect("root may open it");
    Background::start(move || {
        let mut request = [0; 1_500];
        // What it cannot read for lack of any is no request either.
        let length = (&socket).read(&mut request).unwrap_or(0);
        if request[..length].first() != Some(&128) {
            return;
        }
        // The kernel fills in the checksum of ours; whoever quotes does not look at the quoted one.
        let mut problem = vec![4, 1, 0, 0, 0, 0, 0, 40, 0x60, 0, 0, 0];
        problem.extend((length as u16).to_be_bytes());
        problem.extend([58, 64]);
        problem.extend(host.octets());
        problem.extend(router.octets());
        problem.extend(&request[..length]);
        let to = SocketAddr::from((host, 0)).into();
        socket
            .send_to(&problem, &to)
            .expect("there is a route back");
    })
}
