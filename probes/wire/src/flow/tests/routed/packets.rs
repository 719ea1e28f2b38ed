//! What leaves this host, as those see it who look at the link?

use std::io::Read;

use socket2::{Domain, Protocol, Socket, Type};

use super::*;

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
            let flow = flow(&lane, target, PLAIN);
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
    let options = RequestOptions {
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
            let flow = flow(&lane(&host, family, mode), target, options);
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
        let mut receive = &sockets.receive[0].socket;
        receive.set_read_timeout(patience).unwrap();
        let length = receive.read(&mut bytes).unwrap();
        let id = &bytes[..length][at + 4..][..2];
        assert_eq!(id, ours.to_be_bytes(), "{target}");
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
                let options = RequestOptions {
                    payload_size,
                    ..PLAIN
                };
                let flow = flow(&lane, target, options);
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
