//! What a real router answers, and what this host refuses, over raw and over ping sockets.
//!
//! ```text
//! host 192.0.2.1, 2001:db8::1 ──── 192.0.2.254, 2001:db8::fe router ──── a link of MTU 1400
//! ```

use std::io::Read;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::namespace::Namespace;
use super::*;
use crate::lane::Lane;
use crate::port::socket::{self, Sockets};
use crate::port::{Port, Way, stamping};

const MODES: [Mode; 2] = [Mode::Raw, Mode::Ping];

#[tokio::test]
async fn a_routers_errors_are_heard() {
    let Some((host, _router)) = network() else {
        return;
    };
    let first_hop = EchoOptions {
        ttl: Ttl::new(1),
        ..PLAIN
    };
    let large = EchoOptions {
        dont_fragment: true,
        payload_size: 1_440,
        ..PLAIN
    };
    for mode in MODES {
        let v4 = lane(&host, Family::V4, mode);
        let v6 = lane(&host, Family::V6, mode);
        let too_big = What::TooBig { mtu: Some(1_400) };
        let exceeded = What::TimeExceeded { code: 0 };
        check(v4, "198.51.100.1", first_hop, exceeded).await;
        check(v6, "2001:db8:1::1", first_hop, exceeded).await;
        check(v4, "203.0.113.1", PLAIN, What::Unreachable { code: 1 }).await;
        check(v4, "203.0.113.13", PLAIN, What::Unreachable { code: 13 }).await;
        check(v6, "2001:db8:2::3", PLAIN, What::Unreachable { code: 0 }).await;
        check(v6, "2001:db8:2::1", PLAIN, What::Unreachable { code: 1 }).await;
        check(v4, "198.51.100.1", large, too_big).await;
        check(v4, "198.51.100.1", large, too_big).await;
        // What this host has learnt of the path does not answer for it.
        check(v6, "2001:db8:1::2", large, too_big).await;
        check(v6, "2001:db8:1::2", large, too_big).await;
    }
}

async fn check(lane: &'static Lane, destination: &str, options: EchoOptions, expected: What) {
    let flow = flow(lane, destination, options);
    flow.send(WAIT);
    let answer = answer(&flow).await;
    assert_eq!(answer.what, expected, "{destination}, {:?}", flow.mode());
    let router = match Family::of(flow.destination) {
        Family::V4 => "192.0.2.254",
        Family::V6 => "2001:db8::fe",
    };
    assert_eq!(answer.from, router.parse::<IpAddr>().unwrap());
    assert_eq!(answer.rtt_source, RttSource::Kernel, "{destination}");
    if flow.destination.is_ipv4() || flow.mode() == Mode::Raw {
        assert_eq!(answer.hop_limit, Some(64));
    }
}

/// By the key of each packet, and by the kernel's count as before Linux 6.13.
#[tokio::test]
async fn replies_come_over_either_kind_of_socket() {
    let Some((host, router)) = network() else {
        return;
    };
    host.ip(&router, "route add prohibit 203.0.113.20");
    for mode in MODES {
        for (family, target) in ROUTERS {
            for counted in [false, true] {
                let lane = lane_with(&host, family, mode, move |sockets| {
                    if counted {
                        let others = match mode {
                            Mode::Raw => 0,
                            Mode::Ping => libc::SOF_TIMESTAMPING_RX_SOFTWARE,
                        };
                        sockets.departures = stamping::counted(&sockets.transmit, others);
                    }
                });
                let open = |target: &str| flow(lane, target, PLAIN);
                let flows = [open(target), open(target)];
                // What is refused in between must not upset the count.
                let forbidden = (family == Family::V4).then(|| open("203.0.113.20"));
                for sequence in 0..20 {
                    for flow in flows.iter().chain(&forbidden) {
                        flow.send(WAIT);
                    }
                    for flow in &flows {
                        let answer = answer(flow).await;
                        assert_eq!(answer.what, What::Reply { bytes: 64 });
                        assert_eq!((answer.sequence, answer.hop_limit), (sequence, Some(64)));
                        let kernel = answer.rtt_source == RttSource::Kernel;
                        assert!(kernel, "{mode:?}, {target}, counted: {counted}, {sequence}");
                    }
                    if let Some(forbidden) = &forbidden {
                        let refusal = refusal(forbidden).await;
                        assert_eq!(refusal, Refusal::Kernel(libc::EACCES));
                    }
                }
            }
        }
    }
}

/// As a router sees them that hashes the first bytes after the IP header.
#[tokio::test]
async fn all_requests_of_a_flow_arrive_with_one_checksum() {
    let Some((host, router)) = network() else {
        return;
    };
    for mode in MODES {
        for (family, target) in ROUTERS {
            let capture = router.run(move || {
                let protocol = match family {
                    Family::V4 => Protocol::ICMPV4,
                    Family::V6 => Protocol::ICMPV6,
                };
                Socket::new(family.domain(), Type::RAW, Some(protocol)).unwrap()
            });
            let lane = lane(&host, family, mode);
            let flow = flow(lane, target, PLAIN);
            let mut requests = Vec::new();
            for _ in 0..300 {
                flow.send(WAIT);
                heard(&flow).await;
                requests.extend(echo_request(&capture, family));
            }
            assert_eq!(requests.len(), 300);
            let [checksum, id, first] = requests[0];
            let sequences: std::collections::HashSet<_> =
                requests.iter().map(|[_, _, sequence]| sequence).collect();
            assert_eq!(sequences.len(), 300, "{first}");
            for request in &requests {
                assert_eq!(request[..2], [checksum, id], "{mode:?}, {target}");
            }
        }
    }
}

/// Checksum, identifier and sequence number of the next echo request that has come.
fn echo_request(capture: &Socket, family: Family) -> Option<[u16; 3]> {
    let mut capture = capture;
    let mut bytes = [0; 1_500];
    capture.set_nonblocking(true).unwrap();
    while let Ok(length) = capture.read(&mut bytes) {
        let message = match family {
            Family::V4 => &bytes[20..length],
            Family::V6 => &bytes[..length],
        };
        if matches!(message[0], 8 | 128) {
            let word = |at| u16::from_be_bytes([message[at], message[at + 1]]);
            return Some([word(2), word(4), word(6)]);
        }
    }
    None
}

/// As the link sees them, headers and all.
#[tokio::test]
async fn requests_leave_with_what_was_asked_for() {
    let Some((host, router)) = network() else {
        return;
    };
    let options = EchoOptions {
        ttl: Ttl::new(9),
        tos: 0xb8,
        flow_label: FlowLabel::new(0xabcde),
        dont_fragment: true,
        payload_size: 44,
        pattern: Pattern::new(b"leadsman"),
        ..PLAIN
    };
    for mode in MODES {
        for (family, target) in ROUTERS {
            let capture = router.run(move || {
                let protocol = match family {
                    Family::V4 => libc::ETH_P_IP,
                    Family::V6 => libc::ETH_P_IPV6,
                };
                let protocol = i32::from((protocol as u16).to_be());
                Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol.into())).unwrap()
            });
            let flow = flow(lane(&host, family, mode), target, options);
            flow.send(WAIT);
            answer(&flow).await;
            capture.set_read_timeout(Some(WAIT)).unwrap();
            let mut bytes = [0; 1_500];
            let request = loop {
                let length = (&capture).read(&mut bytes).unwrap();
                let (packet, header) =
                    (&bytes[..length], if family == Family::V4 { 20 } else { 40 });
                if matches!(packet.get(header), Some(8 | 128)) {
                    break packet;
                }
            };
            match family {
                Family::V4 => {
                    assert_eq!((request[1], request[6], request[8]), (0xb8, 0x40, 9));
                    assert_eq!(request[12..16], [192, 0, 2, 1]);
                }
                // Version 6, traffic class, flow label.
                Family::V6 => assert_eq!(
                    (&request[..4], request[7]),
                    (&[0x6b, 0x8a, 0xbc, 0xde][..], 9)
                ),
            }
            // From the 36th byte on.
            assert!(request.ends_with(b"smanlead"), "{request:02x?}");
        }
    }
}

/// Answers to three requests that are not ours come first, and then to one that is.
#[tokio::test]
async fn answers_to_others_reach_no_raw_socket() {
    let Some((host, _router)) = network() else {
        return;
    };
    // Where the identifier is in an answer: behind what stands before the request's or its quote's.
    for (family, target, at) in [
        (Family::V4, "192.0.2.254", 20),
        (Family::V4, "203.0.113.1", 20 + 8 + 20),
        (Family::V6, "2001:db8::fe", 0),
        (Family::V6, "2001:db8:2::3", 8 + 40),
    ] {
        let (sockets, transmit) = host.run(move || {
            let sockets = socket::open_as(way(family), Mode::Raw).unwrap();
            let (domain, protocol) = (family.domain(), family.protocol());
            (
                sockets,
                Socket::new(domain, Type::RAW, Some(protocol)).unwrap(),
            )
        });
        let block = sockets.first;
        let ours = block + 15;
        for id in [block.wrapping_add(16), block.wrapping_sub(1), !block, ours] {
            let kind = if family == Family::V4 { 8 } else { 128 };
            let [high, low] = u16::to_be_bytes(id);
            let mut request = [kind, 0, 0, 0, high, low, 0, 1];
            let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&request);
            request[2..4].copy_from_slice(&sum.ones_complement().to_ne_bytes());
            let address = SocketAddr::new(target.parse().unwrap(), 0).into();
            transmit.send_to(&request, &address).unwrap();
        }
        let mut bytes = [0; 1_500];
        let patience = Some(Duration::from_secs(20));
        sockets.receive.set_read_timeout(patience).unwrap();
        let length = (&sockets.receive).read(&mut bytes).unwrap();
        let id = &bytes[..length][at + 4..][..2];
        assert_eq!(id, ours.to_be_bytes(), "{target}");
    }
}

/// A tiny receive buffer: what it does not hold is not called loss.
#[tokio::test]
async fn what_is_dropped_for_want_of_room_is_suspect() {
    let Some((host, _router)) = network() else {
        return;
    };
    for mode in MODES {
        let lane = lane_with(&host, Family::V4, mode, |sockets| {
            sockets.receive.set_recv_buffer_size(1).unwrap();
        });
        let flow = flow(lane, "192.0.2.254", PLAIN);
        let (mut answers, mut suspects) = (0, 0);
        while suspects == 0 {
            for _ in 0..200 {
                flow.send(Duration::from_millis(500));
            }
            for _ in 0..200 {
                match heard(&flow).await {
                    Heard::Answer(_) => answers += 1,
                    Heard::Silence(silence) => {
                        assert!(silence.suspect, "{mode:?}");
                        suspects += 1;
                    }
                    Heard::NotSent(not_sent) => panic!("{not_sent:?}"),
                }
            }
        }
        assert!(answers > 0);
    }
}

/// Without a stamp of the departure, and without any.
#[tokio::test]
async fn a_round_trip_says_whose_stamps_it_is_taken_from() {
    let Some((host, _router)) = network() else {
        return;
    };
    for mode in MODES {
        for (stamps, expected) in [
            (Stamps::Both, RttSource::Kernel),
            (Stamps::Arrivals, RttSource::KernelReceive),
            (Stamps::Neither, RttSource::User),
        ] {
            let lane = host.run(move || {
                let way = Way {
                    stamps,
                    ..way(Family::V4)
                };
                let sockets = socket::open_as(way, mode).unwrap();
                Lane::start(way, Port::with(way, sockets)).unwrap()
            });
            let flow = flow(lane, "192.0.2.254", PLAIN);
            for _ in 0..3 {
                flow.send(WAIT);
                let answer = answer(&flow).await;
                assert_eq!(answer.what, What::Reply { bytes: 64 });
                assert_eq!(answer.rtt_source, expected, "{mode:?}");
            }
        }
    }
}

/// Which packets with their headers in them are not: there is another socket for these.
#[tokio::test]
async fn what_is_too_large_for_the_link_is_fragmented_unless_that_is_forbidden() {
    let Some((host, _router)) = network() else {
        return;
    };
    for mode in MODES {
        for (family, target) in ROUTERS {
            let lane = lane(&host, family, mode);
            for payload_size in [1_472, 1_473, 4_000, 65_507] {
                let options = EchoOptions {
                    payload_size,
                    ..PLAIN
                };
                let flow = flow(lane, target, options);
                for sequence in 0..3 {
                    flow.send(WAIT);
                    let answer = answer(&flow).await;
                    let bytes = 8 + payload_size;
                    assert_eq!(answer.what, What::Reply { bytes }, "{mode:?}, {target}");
                    assert_eq!(answer.sequence, sequence);
                    assert_eq!(answer.rtt_source, RttSource::Kernel, "{mode:?}, {target}");
                }
            }
        }
    }
}

/// One target's errors, pending on the socket that all share, must not fail another's requests.
#[tokio::test]
async fn errors_about_one_target_do_not_hinder_another() {
    let Some((host, _router)) = network() else {
        return;
    };
    let first_hop = EchoOptions {
        ttl: Ttl::new(1),
        ..PLAIN
    };
    for mode in MODES {
        let lane = lane(&host, Family::V4, mode);
        let good = flow(lane, "192.0.2.254", PLAIN);
        let bad = flow(lane, "198.51.100.1", first_hop);
        for _ in 0..200 {
            bad.send(WAIT);
            good.send(WAIT);
        }
        for sequence in 0..200 {
            assert_eq!(answer(&bad).await.what, What::TimeExceeded { code: 0 });
            let answer = answer(&good).await;
            assert_eq!(
                (answer.sequence, answer.what),
                (sequence, What::Reply { bytes: 64 })
            );
        }
    }
}

#[tokio::test]
async fn what_this_host_refuses_is_said_in_words() {
    let Some((host, router)) = network() else {
        return;
    };
    host.ip(
        &router,
        "
        route add prohibit 203.0.113.20
        route add unreachable 203.0.113.21
        route add blackhole 203.0.113.22
        -6 route add prohibit 2001:db8:3::20
        -6 route add unreachable 2001:db8:3::21
        -6 route add blackhole 2001:db8:3::22
        link set v0 mtu 1300
    ",
    );
    let large = EchoOptions {
        dont_fragment: true,
        payload_size: 1_400,
        ..PLAIN
    };
    for mode in MODES {
        let v4 = lane(&host, Family::V4, mode);
        let v6 = lane(&host, Family::V6, mode);
        for (lane, target, options, expected) in [
            (v4, "203.0.113.20", PLAIN, "this host forbids it"),
            (v6, "2001:db8:3::20", PLAIN, "this host forbids it"),
            (v4, "203.0.113.21", PLAIN, "no route"),
            (v6, "2001:db8:3::21", PLAIN, "no route"),
            (v4, "203.0.113.22", PLAIN, "no route"),
            (v6, "2001:db8:3::22", PLAIN, "no route"),
            (v4, "192.0.2.254", large, "message too long (mtu = 1300)"),
            (v6, "2001:db8::fe", large, "message too long (mtu = 1300)"),
        ] {
            refused(&host, lane, target, options, expected).await;
        }
    }
}

/// The kernel keeps what it sends to them until they say where they are.
#[tokio::test]
async fn neighbours_that_are_silent_do_not_hinder_another() {
    let Some((host, _router)) = network() else {
        return;
    };
    let lane = lane(&host, Family::V4, Mode::Raw);
    let silent: Vec<_> = (2..=252)
        .map(|n| flow(lane, &format!("192.0.2.{n}"), PLAIN))
        .collect();
    for _ in 0..4 {
        for flow in &silent {
            flow.send(WAIT);
        }
    }
    let other = flow(lane, "192.0.2.254", PLAIN);
    for _ in 0..4 {
        other.send(WAIT);
        assert_eq!(answer(&other).await.what, What::Reply { bytes: 64 });
    }
}

/// A queue of a few packets that takes 500 a second: what it refuses is no loss in the network.
#[tokio::test]
async fn what_a_full_queue_refuses_is_not_called_loss() {
    let Some((host, _router)) = network() else {
        return;
    };
    let lane = lane(&host, Family::V4, Mode::Raw);
    let first = flow(lane, "192.0.2.254", PLAIN);
    first.send(WAIT);
    answer(&first).await;
    host.tc("qdisc add dev v0 root tbf rate 400kbit burst 2000 limit 1000");
    let (mut answers, mut refused) = (0, 0);
    let flow = flow(lane, "192.0.2.254", PLAIN);
    for _ in 0..1_000 {
        flow.send(Duration::from_secs(2));
    }
    for _ in 0..1_000 {
        match heard(&flow).await {
            Heard::Answer(_) => answers += 1,
            Heard::NotSent(not_sent) => {
                assert_eq!(not_sent.refusal, Refusal::Kernel(libc::ENOBUFS));
                refused += 1;
            }
            Heard::Silence(silence) => panic!("{silence:?}"),
        }
    }
    assert!(answers > 0 && refused > 0, "{answers}, {refused}");
}

#[tokio::test]
async fn an_interface_that_was_made_anew_is_used() {
    let Some((host, router)) = network() else {
        return;
    };
    let options = EchoOptions {
        interface: Interface::new("v0"),
        ..PLAIN
    };
    let lanes = [Family::V4, Family::V6].map(|family| {
        let way = Way::new(family, &options);
        host.run(move || Lane::start(way, Port::open(way).unwrap()).unwrap())
    });
    let targets = ["192.0.2.254", "2001:db8::fe"];
    for (lane, target) in lanes.into_iter().zip(targets) {
        let flow = flow(lane, target, options);
        flow.send(WAIT);
        assert_eq!(answer(&flow).await.what, What::Reply { bytes: 64 });
    }
    host.ip(
        &router,
        "
        link del v0
        link add v0 type veth peer name v1 netns PEER
        addr add 192.0.2.1/24 dev v0
        addr add 2001:db8::1/64 dev v0 nodad
        link set v0 up
    ",
    );
    router.ip(
        &host,
        "
        addr add 192.0.2.254/24 dev v1
        addr add 2001:db8::fe/64 dev v1 nodad
        link set v1 up
    ",
    );
    for (lane, target) in lanes.into_iter().zip(targets) {
        let flow = flow(lane, target, options);
        flow.send(WAIT);
        assert_eq!(answer(&flow).await.what, What::Reply { bytes: 64 });
    }
}

async fn refused(
    host: &Namespace,
    lane: &'static Lane,
    destination: &str,
    options: EchoOptions,
    expected: &str,
) {
    let flow = flow(lane, destination, options);
    flow.send(WAIT);
    let refusal = refusal(&flow).await;
    // Inside, because the error's words are found out there.
    let error = host.run(move || flow.explain(refusal)).to_string();
    assert!(
        error.contains(expected) && error.contains(destination),
        "{error}"
    );
}

/// Makes a host and its router, or says that it may not.
fn network() -> Option<(Namespace, Namespace)> {
    let (Some(host), Some(router)) = (Namespace::new(), Namespace::new()) else {
        skipped("a network namespace takes CAP_SYS_ADMIN");
        return None;
    };
    host.ip(
        &router,
        "
        link set lo up
        link add v0 type veth peer name v1 netns PEER
        addr add 192.0.2.1/24 dev v0
        addr add 2001:db8::1/64 dev v0 nodad
        link set v0 up
    ",
    );
    router.ip(
        &host,
        "
        link set lo up
        addr add 192.0.2.254/24 dev v1
        addr add 2001:db8::fe/64 dev v1 nodad
        link set v1 up
        link add d0 mtu 1400 type veth peer name d1
        addr add 198.51.100.254/24 dev d0
        addr add 2001:db8:1::fe/64 dev d0 nodad
        link set d0 up
        link set d1 up
        route add unreachable 203.0.113.1
        route add prohibit 203.0.113.13
        -6 route add unreachable 2001:db8:2::3
        -6 route add prohibit 2001:db8:2::1
    ",
    );
    // Errors are limited to one a second by default.
    router.sysctl(
        "
        ipv4/ip_forward 1
        ipv6/conf/all/forwarding 1
        ipv4/icmp_ratemask 0
        ipv6/icmp/ratelimit 0
    ",
    );
    host.ip(
        &router,
        "
        route add default via 192.0.2.254
        -6 route add default via 2001:db8::fe
    ",
    );
    host.sysctl("ipv4/ping_group_range 0 2147483647");
    Some((host, router))
}

fn lane(host: &Namespace, family: Family, mode: Mode) -> &'static Lane {
    lane_with(host, family, mode, |_| {})
}

fn lane_with(
    host: &Namespace,
    family: Family,
    mode: Mode,
    change: impl FnOnce(&mut Sockets) + Send + 'static,
) -> &'static Lane {
    host.run(move || {
        let mut sockets = socket::open_as(way(family), mode).unwrap();
        change(&mut sockets);
        Lane::start(way(family), Port::with(way(family), sockets)).unwrap()
    })
}

fn way(family: Family) -> Way {
    Way::new(family, &PLAIN)
}

fn flow(lane: &'static Lane, destination: &str, options: EchoOptions) -> Flow {
    Flow::on(|_| Ok(lane), destination.parse().unwrap(), options).unwrap()
}

const ROUTERS: [(Family, &str); 2] = [(Family::V4, "192.0.2.254"), (Family::V6, "2001:db8::fe")];
