//! Are datagrams and SYNs what their modules say, and is what comes back about them known?

use std::collections::HashSet;
use std::net::Ipv6Addr;

use super::*;
use crate::header::pseudo_header;
use crate::{Sent, udp};

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PORT: u16 = 33_434;

#[test]
fn all_packets_of_a_flow_go_one_way_and_their_checksums_are_right() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut bench = bench(protocol);
        let packets: Vec<_> = (0..300).map(|_| bench.ask(1).1).collect();
        let at = 20 + usize::from(protocol.checksum_at());
        for packet in &packets {
            assert_eq!(packet[20..24], packets[0][20..24], "the ports");
            let mut whole = packet.clone();
            whole[12..16].copy_from_slice(&SOURCE.octets());
            assert_eq!(sum(&whole), 0, "{protocol:?}");
        }
        let words = |at| {
            let words = packets.iter().map(|packet| [packet[at], packet[at + 1]]);
            words.collect::<HashSet<_>>().len()
        };
        assert_eq!(words(4), 300, "the identifications");
        let expected = if protocol == Protocol::Udp { 300 } else { 1 };
        assert_eq!(words(at), expected, "the checksums");
    }
}

/// Of an IPv4 packet with TCP or UDP; 0 if it is right.
fn sum(packet: &[u8]) -> u16 {
    let address = |at: usize| Ipv4Addr::from(*packet[at..].first_chunk::<4>().unwrap());
    let (source, destination) = (address(12).into(), address(16).into());
    let sum = pseudo_header(source, destination, packet[9], packet.len() - 20);
    sum.add_slice(&packet[20..]).ones_complement()
}

#[test]
fn a_router_tells_the_request_by_as_little_as_it_must_return() {
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let mut bench = bench(protocol);
        let requests: Vec<_> = (0..20).map(|_| bench.ask(1).1).collect();
        let what = What::Unreachable { code: 1 };
        for (n, request) in requests.iter().enumerate().rev() {
            let quoted = if n % 2 == 0 { 28 } else { request.len() };
            let heard = bench.hear(&unreachable(request, quoted), 2, None);
            let expected = [(n as u64, what, Arrived::InTime)];
            assert_eq!(whats(&heard), expected, "{protocol:?}, {quoted} bytes");
        }
    }
}

#[test]
fn what_is_about_packets_of_others_is_ignored() {
    for (protocol, foreign) in [
        // The ports; of a datagram then the cookie, of a SYN its sequence number.
        (Protocol::Udp, &[20, 22, 23, 32, 39][..]),
        (Protocol::Tcp, &[20, 22, 23, 24, 27]),
    ] {
        let mut bench = bench(protocol);
        let (_, request) = bench.ask(1);
        for byte in foreign {
            let mut other = request.clone();
            other[*byte] ^= 0x80;
            let heard = bench.hear(&unreachable(&other, other.len()), 2, None);
            assert_eq!(heard, [], "{protocol:?}, byte {byte}");
        }
        let mut echo = request.clone();
        echo[9] = 1;
        assert_eq!(bench.hear(&unreachable(&echo, echo.len()), 2, None), []);
        assert_eq!(bench.hear(&unreachable(&request, 28), 2, None).len(), 1);
    }
}

#[test]
fn a_port_unreachable_refuses_a_datagram_and_not_a_syn() {
    for (protocol, expected) in [
        (Protocol::Udp, What::Refused),
        (Protocol::Tcp, What::Unreachable { code: 3 }),
    ] {
        let mut bench = bench(protocol);
        let (_, request) = bench.ask(1);
        let mut error = unreachable(&request, 28);
        // The code grows by as much as the checksum falls.
        error[21] += 2;
        let (sum, borrow) = u16::from_be_bytes([error[22], error[23]]).overflowing_sub(2);
        error[22..24].copy_from_slice(&(sum - u16::from(borrow)).to_be_bytes());
        let heard = bench.hear(&error, 2, None);
        assert_eq!(whats(&heard), [(0, expected, Arrived::InTime)]);
    }
}

#[test]
fn what_a_translator_changed_shows_against_what_was_sent() {
    let mut bench = bench(Protocol::Udp);
    bench.ask(1);
    let (_, mut request) = bench.ask(1);
    let sent = Sent {
        source: Some(SOURCE.into()),
        identification: Some(!1),
        identifier: FIRST,
        checksum: Some(u16::from_be_bytes([request[26], request[27]])),
    };
    // As one does that restores addresses in quotes, and neither ports nor the checksum.
    request[12..16].copy_from_slice(&SOURCE.octets());
    request[26] ^= 1;
    let [Heard::Answer(answer)] = &bench.hear(&unreachable(&request, 28), 2, None)[..] else {
        panic!("it is ours");
    };
    assert_eq!(answer.sequence, 1);
    let remarks = answer.remarks.as_ref().unwrap();
    assert_eq!(remarks.sent, sent);
    assert_eq!(remarks.quoted.source, IpAddr::from(SOURCE));
    assert_eq!(
        remarks.quoted.checksum,
        sent.checksum.map(|sum| sum ^ 0x100)
    );
}

#[test]
fn a_service_that_answers_is_told_from_a_closed_port() {
    let mut bench = bench(Protocol::Tcp);
    let good = What::Reply { bytes: 20 };
    for (flags, acknowledged, from, expected) in [
        (0x12, 1, TARGET, Some(good)),
        (0x14, 1, TARGET, Some(What::Refused)),
        // Of a connection, or to nothing that was sent.
        (0x10, 1, TARGET, None),
        (0x04, 1, TARGET, None),
        (0x12, 2, TARGET, None),
        (0x12, 1, OTHER, None),
    ] {
        let (_, request) = bench.ask(1);
        let mut answer = answer(&request, from, 20);
        let number = u32::from_be_bytes(*request[24..].first_chunk().unwrap());
        answer[28..32].copy_from_slice(&number.wrapping_add(acknowledged).to_be_bytes());
        answer[33] = flags;
        let heard = bench.hear(&answer, 2, None);
        assert_eq!(whats(&heard).first().map(|heard| heard.1), expected);
    }
}

#[test]
fn a_datagram_that_begins_as_ours_did_answers_it() {
    let mut bench = bench(Protocol::Udp);
    let requests: Vec<_> = (0..3).map(|_| bench.ask(1).1).collect();
    let mut datagram = answer(&requests[2], TARGET, 12);
    datagram[28..30].copy_from_slice(&requests[2][28..30]);
    let expected = [(2, What::Reply { bytes: 12 }, Arrived::InTime)];
    assert_eq!(whats(&bench.hear(&datagram, 2, None)), expected);
    assert_eq!(bench.hear(&datagram[..29], 2, None), []);
    datagram[22] ^= 1;
    assert_eq!(bench.hear(&datagram, 2, None), [], "to another port");
}

/// An IPv4 packet of so many bytes after the header from whom a request asked, all 0 but ports.
fn answer(request: &[u8], from: Ipv4Addr, bytes: usize) -> Vec<u8> {
    let mut answer = request[..20].to_vec();
    answer[3] = 20 + bytes as u8;
    answer[12..16].copy_from_slice(&from.octets());
    answer.extend(&request[22..24]);
    answer.extend(&request[20..22]);
    answer.resize(20 + bytes, 0);
    answer
}

/// Over IPv6 it is the kernel that computes the checksum, and there is no identification.
#[test]
fn over_ipv6_the_checksum_alone_tells_a_datagram() {
    let (source, target) = (Ipv6Addr::LOCALHOST, "2001:db8::1".parse().unwrap());
    let mut engine = Engine::new(Family::V6, Framing::Message, FIRST, 16);
    let peer = engine.admit(target, &options(Protocol::Udp));
    let mut requests = Vec::new();
    for sequence in 0..300 {
        let mut request = Vec::new();
        engine.ask(
            asked(peer, sequence),
            reading(1),
            &mut request,
            &mut |_, _| {},
        );
        let sum = pseudo_header(source.into(), target, 17, request.len()).add_slice(&request);
        request[6..8].copy_from_slice(&sum.to_ones_complement_with_no_zero().to_ne_bytes());
        requests.push(request);
    }
    for (n, request) in requests.iter().enumerate() {
        let mut error = vec![3, 0, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 44, 17, 1];
        error.extend(source.octets());
        let IpAddr::V6(target) = target else {
            unreachable!("it is one");
        };
        error.extend(target.octets());
        error.extend(&request[..8]);
        let received = Received {
            bytes: &error,
            protocol: Protocol::Icmp,
            ports: None,
            named: OTHER.into(),
            hop_limit: None,
            error: None,
        };
        let mut heard = Vec::new();
        let arrival = Arrival {
            user: reading(2),
            kernel: None,
        };
        engine.heard(&received, arrival, &mut |_, h| heard.push(h));
        let expected = [(n as u64, What::TimeExceeded { code: 0 }, Arrived::InTime)];
        assert_eq!(whats(&heard), expected);
    }
}

/// As UDP sockets have it, whose packets begin with the payload.
#[test]
fn the_payload_is_enough_where_the_kernel_keeps_the_header() {
    let mut engine = Engine::new(Family::V4, Framing::Message, FIRST, 16);
    let peer = engine.admit(TARGET.into(), &options(Protocol::Udp));
    for (ports, expected) in [((FIRST, PORT), 1), ((FIRST, 53), 0), ((FIRST + 1, PORT), 0)] {
        let mut request = Vec::new();
        engine.ask(asked(peer, 0), reading(1), &mut request, &mut |_, _| {});
        let received = Received {
            bytes: &request[udp::HEADER..],
            protocol: Protocol::Udp,
            ports: Some(ports),
            named: TARGET.into(),
            hop_limit: None,
            error: Some(Reported {
                what: What::TimeExceeded { code: 0 },
                from: ROUTER.into(),
            }),
        };
        let mut heard = 0;
        let arrival = Arrival {
            user: reading(2),
            kernel: None,
        };
        engine.heard(&received, arrival, &mut |_, _| heard += 1);
        assert_eq!(heard, expected, "{ports:?}");
    }
}

fn bench(protocol: Protocol) -> Bench {
    let mut bench = Bench::new();
    // The first source port of the block.
    bench.engine = Engine::new(Family::V4, Framing::Header { ttl: 64 }, FIRST, 16);
    bench.peer = bench.engine.admit(TARGET.into(), &options(protocol));
    bench
}

fn options(protocol: Protocol) -> RequestOptions {
    RequestOptions {
        protocol,
        port: PORT,
        source: Some(SOURCE.into()),
        remarks: true,
        ..RequestOptions::default()
    }
}

fn asked(peer: PeerKey, sequence: u64) -> Ask {
    Ask {
        peer,
        sequence,
        wait: WAIT,
        asked: ms(1),
        ttl: None,
        padding: 0,
    }
}
