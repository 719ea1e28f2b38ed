//! Are the errors that routers write those of the RFCs?

use std::ops::Range;

use etherparse::checksum::Sum16BitWords;
use etherparse::{SlicedPacket, TransportSlice};

use super::*;
use crate::packet::UDP;
use crate::{Label, extension};

fn request(is_v4: bool, length: usize) -> Packet<Vec<u8>> {
    let [source, destination] = if is_v4 {
        ["10.0.0.1", "10.9.0.1"]
    } else {
        ["fd00::1", "fd00:9::1"]
    };
    let header = Header {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        ttl: 1,
        tos: 0,
        protocol: UDP,
    };
    let headers = if is_v4 { 20 } else { 40 };
    Packet::build(header, &vec![0xa5; length - headers], 6)
}

fn error(
    packet: &Packet<Vec<u8>>,
    answer: Answer,
    quote: Quote,
    extension: &[u8],
) -> Packet<Vec<u8>> {
    let from = Header {
        source: packet.destination(),
        destination: packet.source(),
        ttl: 64,
        tos: 0,
        protocol: if packet.is_v4() { ICMP } else { ICMPV6 },
    };
    let error = write(packet, answer, from, quote, extension);
    let bytes = error.bytes().to_vec();
    let (right, kind) = match SlicedPacket::from_ip(&bytes).unwrap().transport.unwrap() {
        TransportSlice::Icmpv4(icmp) => {
            let sum = Sum16BitWords::new().add_slice(icmp.slice());
            (sum.ones_complement() == 0, icmp.type_u8())
        }
        TransportSlice::Icmpv6(icmp) => {
            let octets = |range: Range<usize>| bytes[range].try_into().unwrap();
            let right = icmp.is_checksum_valid(octets(8..24), octets(24..40));
            (right, icmp.type_u8())
        }
        other => panic!("{other:?}"),
    };
    assert!(right, "the checksum of type {kind}");
    error
}

#[test]
fn an_error_has_its_type_its_code_and_its_mtu() {
    let check = |is_v4, answer, start: [u8; 8]| {
        let error = error(&request(is_v4, 100), answer, Quote::default(), &[]);
        let transport = error.transport();
        assert_eq!(transport[..2], start[..2], "{answer:?}");
        assert_eq!(transport[4..8], start[4..], "{answer:?}");
    };
    let mtu = 1_400;
    check(
        true,
        Answer::Unreachable { code: 13 },
        [3, 13, 0, 0, 0, 0, 0, 0],
    );
    check(true, Answer::TooBig { mtu }, [3, 4, 0, 0, 0, 0, 5, 0x78]);
    check(true, Answer::TimeExceeded, [11, 0, 0, 0, 0, 0, 0, 0]);
    check(
        false,
        Answer::Unreachable { code: 4 },
        [1, 4, 0, 0, 0, 0, 0, 0],
    );
    check(false, Answer::TooBig { mtu }, [2, 0, 0, 0, 0, 0, 5, 0x78]);
    check(false, Answer::TimeExceeded, [3, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_quote_is_as_long_as_the_rfcs_or_the_router_have_it() {
    let check = |is_v4, length, most, expected| {
        let request = request(is_v4, length);
        let quote = Quote {
            most,
            unannounced: false,
        };
        let error = error(&request, Answer::TimeExceeded, quote, &[]);
        let quoted = &error.transport()[8..];
        assert_eq!(quoted, &request.bytes()[..expected], "{length} {most:?}");
    };
    check(true, 84, None, 84);
    check(true, 1_028, None, 548);
    check(true, 1_028, Some(8), 28);
    check(true, 84, Some(28), 48);
    check(true, 40, Some(28), 40);
    check(false, 1_500, None, 1_232);
    check(false, 1_500, Some(8), 48);
}

#[test]
fn extensions_stand_where_the_length_field_says() {
    let label = Label {
        label: 16_001,
        class: 0,
        ttl: 1,
    };
    let extension = extension::write(&[label], &[]);
    let check = |is_v4, length, unannounced, length_field: u8, at: usize| {
        let request = request(is_v4, length);
        let quote = Quote {
            most: None,
            unannounced,
        };
        let error = error(&request, Answer::TimeExceeded, quote, &extension);
        let (v4_length, v6_length) = (error.transport()[5], error.transport()[4]);
        let expected = if is_v4 {
            (length_field, 0)
        } else {
            (0, length_field)
        };
        assert_eq!((v4_length, v6_length), expected);
        assert_eq!(error.transport()[8 + at..], extension);
        let quoted = length.min(at);
        assert_eq!(error.transport()[8..8 + quoted], request.bytes()[..quoted]);
        assert!(
            error.transport()[8 + quoted..8 + at]
                .iter()
                .all(|byte| *byte == 0)
        );
        assert!(error.bytes().len() <= if is_v4 { 576 } else { 1280 });
    };
    check(true, 60, false, 32, 128);
    check(true, 131, false, 33, 132);
    check(true, 1_000, false, 134, 536);
    check(true, 1_000, true, 0, 128);
    check(false, 60, false, 16, 128);
    check(false, 131, false, 17, 136);
    check(false, 1_500, false, 152, 1_216);
}

#[test]
fn there_is_no_room_for_extensions_in_packet_too_big() {
    let extension = extension::write(&[], &[]);
    let mtu = 1_280;
    let error = error(
        &request(false, 1_400),
        Answer::TooBig { mtu },
        Quote::default(),
        &extension,
    );
    assert_eq!(error.transport().len(), 8 + 1_232);
}

#[test]
fn no_error_is_about_an_error() {
    let packet = request(true, 84);
    assert!(may_be_about(&packet));
    let quote = Quote::default();
    assert!(!may_be_about(&error(
        &packet,
        Answer::TimeExceeded,
        quote,
        &[]
    )));
    let packet = request(false, 84);
    assert!(may_be_about(&packet));
    assert!(!may_be_about(&error(
        &packet,
        Answer::TimeExceeded,
        quote,
        &[]
    )));
}
