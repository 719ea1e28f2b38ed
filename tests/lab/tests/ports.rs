//! What does leadsman's engine make of datagrams and SYNs in a simulated network, hop by hop?

use std::net::IpAddr;
use std::time::Duration;

use leadsman_lab::packet::{Header, Packet};
use leadsman_lab::{Network, Scenario};
use leadsman_wire::engine::{Arrival, Ask, Engine, Framing, PeerKey, Reading, Received, Stamp};
use leadsman_wire::{Answer, Family, Heard, Protocol, RequestOptions, Ttl, What};

/// The first router quotes no more than it must; the second translates addresses and ports, and
/// does not mend the checksum that errors quote.
const NETWORK: &str = "
    about = 'A path with a translator.'
    seed = 1

    [[node]]
    quote.most = 8

    [[node]]
    nat = { v4 = '198.51.100.1', v6 = '2001:db8::1', shift = 1000, leaves_quoted_checksum = true }

    [[node]]

    [[node]]
    serves = ['10.9.0.0/16', 'fd00:9::/64']
    tcp = 'syn_ack'
";

const TARGETS: [&str; 2] = ["10.9.0.1", "fd00:9::1"];
const SOURCES: [&str; 2] = ["10.0.0.1", "fd00::1"];

#[test]
fn every_hop_is_heard_and_the_translator_shows_behind_itself() {
    for (target, source) in TARGETS.into_iter().zip(SOURCES) {
        for (protocol, number, checksum_at, end) in [
            (Protocol::Udp, 17, 6, What::Refused),
            (Protocol::Tcp, 6, 16, What::Reply { bytes: 20 }),
        ] {
            let addresses = [source, target].map(|address| address.parse().expect("it is one"));
            let answers = trace(addresses, protocol, number, checksum_at);
            let whats: Vec<_> = answers.iter().map(|answer| answer.what).collect();
            let exceeded = What::TimeExceeded { code: 0 };
            assert_eq!(whats, [exceeded, exceeded, exceeded, end], "{target}");
            assert_eq!(answers[3].from, addresses[1]);
            let sums = answers[..3].iter().map(|answer| {
                let remarks = answer.remarks.as_ref().expect("an error has them");
                assert_eq!(remarks.sent.source, Some(addresses[0]));
                assert_eq!(remarks.quoted.source, addresses[0], "restored");
                remarks.quoted.checksum.zip(remarks.sent.checksum)
            });
            let same: Vec<_> = sums.map(|sums| sums.map(|(a, b)| a == b)).collect();
            let expected = match protocol {
                // Over IPv6 nobody told what the kernel computed.
                _ if addresses[0].is_ipv6() => [None; 3],
                // The first 8 bytes do not have it.
                Protocol::Tcp => [None, Some(true), Some(false)],
                _ => [Some(true), Some(true), Some(false)],
            };
            assert_eq!(same, expected, "{protocol:?} to {target}");
        }
    }
}

/// Asks four hops, one after the other, and returns what each answered.
fn trace(
    [source, target]: [IpAddr; 2],
    protocol: Protocol,
    number: u8,
    checksum_at: usize,
) -> Vec<Answer> {
    let scenario: Scenario = NETWORK.parse().expect("it is a scenario");
    let mut network = Network::new(&scenario).expect("it is a network");
    let (family, framing) = match target {
        IpAddr::V4(_) => (Family::V4, Framing::Header { ttl: 64 }),
        IpAddr::V6(_) => (Family::V6, Framing::Message),
    };
    let mut engine = Engine::new(family, framing, 0x8000, 16);
    let options = RequestOptions {
        protocol,
        port: 33_434,
        source: Some(source),
        remarks: true,
        ..RequestOptions::default()
    };
    let peer = engine.admit(target, &options);
    let mut answers = Vec::new();
    for sequence in 0..4 {
        let ttl = Ttl::new(sequence as u8 + 1);
        let ask = Ask {
            peer,
            sequence,
            wait: Duration::from_secs(1),
            asked: NOW.at,
            ttl,
            padding: 0,
        };
        let mut bytes = Vec::new();
        let mut out = |_, heard: Heard| match heard {
            Heard::Answer(answer) => answers.push(answer),
            other => panic!("{other:?}"),
        };
        engine.ask(ask, NOW, &mut bytes, &mut out);
        let packet = match source {
            IpAddr::V4(source) => {
                // As the kernel does.
                bytes[12..16].copy_from_slice(&source.octets());
                bytes
            }
            IpAddr::V6(_) => {
                let header = Header {
                    source,
                    destination: target,
                    ttl: sequence as u8 + 1,
                    tos: 0,
                    protocol: number,
                };
                Packet::build(header, &bytes, checksum_at).into_bytes()
            }
        };
        network.inject(Duration::ZERO, &packet);
        while let Some(at) = network.next() {
            while let Some(delivery) = network.due(at) {
                hear(&mut engine, protocol, delivery.packet, &mut out);
            }
        }
    }
    answers
}

fn hear(
    engine: &mut Engine,
    protocol: Protocol,
    packet: Vec<u8>,
    out: &mut impl FnMut(PeerKey, Heard),
) {
    let packet = Packet::read(packet).expect("the network delivers packets");
    let received = Received {
        bytes: if packet.is_v4() {
            packet.bytes()
        } else {
            packet.transport()
        },
        protocol: match packet.protocol() {
            58 => Protocol::Icmp,
            _ => protocol,
        },
        ports: None,
        named: packet.source(),
        hop_limit: Some(packet.ttl()),
        error: None,
    };
    let arrival = Arrival {
        user: NOW,
        kernel: None,
    };
    engine.heard(&received, arrival, out);
}

const NOW: Reading = Reading {
    at: Stamp::from_nanos(0),
    offset: 0,
};
