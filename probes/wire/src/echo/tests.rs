//! Requests as they leave, and what is said of the payloads that come back.

use std::net::Ipv6Addr;

use super::*;
use crate::options::{Pattern, Ttl};

const ID: u16 = 0x1234;
const SEQUENCE: u16 = 0x5678;
const COOKIE_OF_OTHERS: Cookie = Cookie(1);
const OURS: Cookie = Cookie(0x0123_4567_89ab_cdef);
const TARGET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

#[test]
fn a_request_has_the_size_asked_for_and_a_right_checksum() {
    for size in [0, 1, 2, 3, 4, 19, 20, 21, 35, 36, 37, 56, 1472, 65_507] {
        let packet = request(Framing::Message, TARGET, sized(size));
        assert_eq!(packet.len(), HEADER + size);
        assert_eq!(packet[..2], [8, 0]);
        assert_eq!(packet[4..8], [0x12, 0x34, 0x56, 0x78]);
        let sum = Sum16BitWords::new().add_slice(&packet);
        assert_eq!(sum.ones_complement(), 0, "{size} bytes");
    }
    let packet = request(Framing::Message, Ipv6Addr::LOCALHOST.into(), sized(56));
    assert_eq!(packet[..8], [128, 0, 0, 0, 0x12, 0x34, 0x56, 0x78]);
}

#[test]
fn a_header_of_ours_says_what_was_asked_for() {
    let options = RequestOptions {
        ttl: Ttl::new(9),
        tos: 0xb8,
        dont_fragment: true,
        ..sized(56)
    };
    let framing = Framing::Header { ttl: 64 };
    let packet = request(framing, TARGET, options);
    let header = [
        0x45, 0xb8, 0, 84, 0x56, 0x78, 0x40, 0, 9, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1,
    ];
    assert_eq!(packet[..20], header);
    let message = request(Framing::Message, TARGET, options);
    assert_eq!(packet[20 + HEADER + COOKIE..], message[HEADER + COOKIE..]);
    for (target, ttl) in [("192.0.2.1", 64), ("224.0.0.1", 1)] {
        let packet = request(framing, target.parse().unwrap(), sized(56));
        assert_eq!((packet[6], packet[8]), (0, ttl), "{target}");
    }
}

#[test]
fn all_requests_of_a_flow_have_one_checksum() {
    let cookies = Cookies::default();
    for size in [2, 3, 4, 5, 19, 20, 28, 35, 36, 37, 56, 1_472] {
        let template = template(
            &cookies,
            PeerKey::NOBODY,
            Framing::Message,
            TARGET,
            sized(size),
        );
        let mut packet = Vec::new();
        let mut checksum = |sequence| {
            packet.clear();
            let cookie = Cookie(u64::from(sequence).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            template.write(sequence, cookie, Stamp(u64::from(sequence)), &mut packet);
            let sum = Sum16BitWords::new().add_slice(&packet);
            assert_eq!(sum.ones_complement(), 0, "{size} bytes, {sequence}");
            [packet[2], packet[3]]
        };
        let first = checksum(0);
        assert!(
            (0..=u16::MAX).all(|sequence| checksum(sequence) == first),
            "{size} bytes"
        );
    }
}

/// Over IPv6 it covers the length as well (RFC 8200, section 8.1).
#[test]
fn padding_leaves_the_checksum_alone_and_comes_back_as_it_left() {
    let cookies = Cookies::default();
    for (target, size) in [(TARGET, 56), (TARGET, 21), (Ipv6Addr::LOCALHOST.into(), 36)] {
        let template = template(
            &cookies,
            PeerKey::NOBODY,
            Framing::Message,
            target,
            sized(size),
        );
        let request = |padding| {
            let mut packet = Vec::new();
            template.write(SEQUENCE, OURS, Stamp(7), &mut packet);
            template.pad(&mut packet, 0, padding);
            packet
        };
        let sum = |packet: &[u8]| {
            let sum = Sum16BitWords::new().add_slice(packet);
            let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
            let sum = if target.is_ipv6() {
                sum.add_2bytes(length)
            } else {
                sum
            };
            sum.ones_complement()
        };
        for padding in [0, 1, 2, 1_000, 65_000] {
            let mut packet = request(padding);
            assert_eq!(packet.len(), HEADER + size + usize::from(padding));
            assert_eq!(sum(&packet), sum(&request(0)), "{target}, {padding}");
            let check = |padding, packet: &[u8]| {
                template.check_reply(SEQUENCE, OURS, padding, &packet[HEADER..])
            };
            assert_eq!(check(padding, &packet), Content::Same);
            assert_eq!(check(padding + 1, &packet), Content::Altered);
            *packet.last_mut().unwrap() ^= 1;
            assert_eq!(check(padding, &packet), Content::Altered);
        }
    }
}

#[test]
fn flows_differ_in_their_checksum() {
    let cookies = Cookies::default();
    let mut engine = crate::engine::Engine::new(Family::V4, Framing::Message, ID, 1);
    let checksums: std::collections::HashSet<_> = (0..100)
        .map(|_| {
            let whose = engine.admit(TARGET, &sized(56));
            let template = template(&cookies, whose, Framing::Message, TARGET, sized(56));
            [template.head[2], template.head[3]]
        })
        .collect();
    assert!(checksums.len() > 90);
}

#[test]
fn a_reply_is_told_from_a_foreign_and_from_a_damaged_one() {
    for pattern in [None, Pattern::new(b"pat")] {
        let options = RequestOptions {
            pattern,
            ..sized(56)
        };
        let cookies = Cookies::default();
        let template = template(&cookies, PeerKey::NOBODY, Framing::Message, TARGET, options);
        let packet = written(&template);
        let payload = &packet[HEADER..];
        let check = |payload: &[u8], cookie, expected| {
            let content = template.check_reply(SEQUENCE, cookie, 0, payload);
            assert_eq!(content, expected, "{payload:02x?}");
        };
        check(payload, OURS, Content::Same);
        check(payload, COOKIE_OF_OTHERS, Content::Foreign);
        check(&payload[..55], OURS, Content::Altered);
        check(&[payload, &[56]].concat(), OURS, Content::Altered);
        for byte in 0..56 {
            let expected = match byte {
                COOKIE..12 => Content::Foreign,
                _ => Content::Altered,
            };
            let mut payload = payload.to_vec();
            payload[byte] ^= 1;
            check(&payload, OURS, expected);
        }
    }
}

#[test]
fn a_payload_without_room_for_a_cookie_is_told_by_its_flow_word_if_there_is_one() {
    let cookies = Cookies::default();
    for size in 0..TIME {
        let ours = template(
            &cookies,
            PeerKey::NOBODY,
            Framing::Message,
            TARGET,
            sized(size),
        );
        let packet = written(&ours);
        let check = |template: &Template, expected| {
            let content = template.check_reply(SEQUENCE, OURS, 0, &packet[HEADER..]);
            assert_eq!(content, expected, "{size} bytes");
        };
        check(&ours, Content::Same);
        let mut theirs = template(
            &cookies,
            PeerKey::NOBODY,
            Framing::Message,
            TARGET,
            sized(size),
        );
        theirs.head[HEADER + 2] ^= 1;
        let told = size > 2;
        check(
            &theirs,
            if told {
                Content::Foreign
            } else {
                Content::Same
            },
        );
    }
}

#[test]
fn a_quote_may_end_anywhere() {
    let cookies = Cookies::default();
    let template = template(
        &cookies,
        PeerKey::NOBODY,
        Framing::Message,
        TARGET,
        sized(56),
    );
    let packet = written(&template);
    for end in HEADER..packet.len() {
        let content = template.check_start(SEQUENCE, OURS, &packet[HEADER..end]);
        assert_eq!(content, Content::Same, "{end} bytes");
    }
}

fn sized(payload_size: usize) -> RequestOptions {
    RequestOptions {
        payload_size,
        ..RequestOptions::default()
    }
}

#[test]
fn payloads_of_one_size_and_pattern_share_their_filler() {
    let (cookies, mut fillers) = (Cookies::default(), Fillers::default());
    let mut templates = Vec::new();
    let patterned = |size| RequestOptions {
        pattern: Pattern::new(b"ab"),
        ..sized(size)
    };
    for options in [
        sized(56),
        sized(56),
        patterned(56),
        patterned(57),
        sized(57),
        sized(19),
    ] {
        let (whose, framing) = (PeerKey::NOBODY, Framing::Message);
        let next = Template::new(&cookies, &mut fillers, whose, framing, ID, TARGET, &options);
        let alone = template(&cookies, whose, framing, TARGET, options);
        assert_eq!(written(&next), written(&alone), "{options:?}");
        templates.push(next);
    }
    assert_eq!(fillers.0.len(), 5);
    drop(templates);
    fillers.of(&sized(56), FILLER);
    assert_eq!(fillers.0.len(), 5);
    fillers.of(&sized(58), FILLER);
    assert_eq!(fillers.0.len(), 1);
}

fn request(framing: Framing, target: IpAddr, options: RequestOptions) -> Vec<u8> {
    let cookies = Cookies::default();
    written(&template(
        &cookies,
        PeerKey::NOBODY,
        framing,
        target,
        options,
    ))
}

fn template(
    cookies: &Cookies,
    whose: PeerKey,
    framing: Framing,
    target: IpAddr,
    options: RequestOptions,
) -> Template {
    let mut fillers = Fillers::default();
    Template::new(cookies, &mut fillers, whose, framing, ID, target, &options)
}

fn written(template: &Template) -> Vec<u8> {
    let mut packet = Vec::new();
    template.write(SEQUENCE, OURS, Stamp(0x0102_0304_0506_0708), &mut packet);
    packet
}
