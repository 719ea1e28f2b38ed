//! Extension structures as annotated hex, what is read from them, and that no bytes do harm.

use super::*;

const LABELS: &str = "
    2000 7b41                | version 2, checksum
    000c 01 01               | 12 bytes: MPLS label stack, incoming
    186a 0001                | label 100000, class 0, more follow, ttl 1
    0006 4b40                | label 100, class 5, bottom, ttl 64";

const INTERFACE: &str = "
    2000 0000                | version 2, no checksum
    0024 02 0f               | 36 bytes: incoming interface, with all four parts
    00000007                 | index 7
    0001 0000 c0000201       | address 192.0.2.1
    10 67652d302f302f302e3132330000 00 | name ge-0/0/0.123 in 16 bytes
    000005dc                 | mtu 1500";

const INTERFACE_V6: &str = "
    2000 0000                | version 2, no checksum
    0018 02 84               | 24 bytes: outgoing interface, address only
    0002 0000                | IPv6
    20010db8000000000000000000000001";

const UNKNOWN: &str = "
    2000 0000                | version 2, no checksum
    0006 07 03 beef          | 6 bytes: class 7, type 3
    0008 02 08 00000001      | 8 bytes: incoming interface, index 1";

const BROKEN_INTERFACE: &str = "
    2000 0000                | version 2, no checksum
    0006 02 08 0001          | 6 bytes: an index of two bytes";

#[test]
fn labels_are_read_outermost_first() {
    let outer = Label {
        label: 100_000,
        traffic_class: 0,
        bottom: false,
        ttl: 1,
    };
    let inner = Label {
        label: 100,
        traffic_class: 5,
        bottom: true,
        ttl: 64,
    };
    check(LABELS, &[Extension::Labels(vec![outer, inner])]);
}

#[test]
fn an_interface_is_read_with_the_parts_that_it_has() {
    check(
        INTERFACE,
        &[Extension::Interface(Interface {
            role: Role::Incoming,
            index: Some(7),
            address: Some([192, 0, 2, 1].into()),
            name: Some("ge-0/0/0.123".to_owned()),
            mtu: Some(1500),
        })],
    );
    check(
        INTERFACE_V6,
        &[Extension::Interface(Interface {
            role: Role::Outgoing,
            index: None,
            address: Some("2001:db8::1".parse().unwrap()),
            name: None,
            mtu: None,
        })],
    );
}

#[test]
fn what_is_not_understood_is_kept_and_what_follows_is_read() {
    let unknown = |class, kind, bytes: &[u8]| Extension::Unknown {
        class,
        kind,
        bytes: bytes.to_vec(),
    };
    let index = Extension::Interface(Interface {
        role: Role::Incoming,
        index: Some(1),
        address: None,
        name: None,
        mtu: None,
    });
    check(UNKNOWN, &[unknown(7, 3, &[0xbe, 0xef]), index]);
    check(BROKEN_INTERFACE, &[unknown(2, 8, &[0, 1])]);
}

#[test]
fn a_structure_that_is_not_sound_is_none() {
    check(&LABELS.replacen("7b41", "7b40", 1), &[]);
    check(&LABELS.replacen("2000 7b41", "1000 0000", 1), &[]);
    check("2000 0000", &[]);
    check("", &[]);
}

#[test]
fn an_object_that_claims_too_much_or_too_little_ends_the_list() {
    for length in ["0000", "0003", "000d", "ffff"] {
        let text = LABELS.replacen("7b41", "0000", 1);
        check(&text.replacen("000c", length, 1), &[]);
    }
}

#[test]
fn no_more_than_eight_objects_of_eight_labels_are_read() {
    let objects = format!("2000 0000 {}", "0004 09 01 ".repeat(20));
    assert_eq!(Extension::read_v4(&message_v4(11, &objects)).len(), 8);
    let labels = format!("2000 0000 0054 01 01 {}", "00001001 ".repeat(20));
    let read = Extension::read_v4(&message_v4(11, &labels));
    assert!(matches!(&read[..], [Extension::Labels(labels)] if labels.len() == 8));
}

#[test]
fn only_errors_that_may_have_extensions_are_searched() {
    for kind in 0..=255 {
        let some = !Extension::read_v4(&message_v4(kind, LABELS)).is_empty();
        assert_eq!(some, [3, 11, 12].contains(&kind), "ICMPv4 type {kind}");
        let some = !Extension::read_v6(&message_v6(kind, LABELS)).is_empty();
        assert_eq!(some, [1, 3].contains(&kind), "ICMPv6 type {kind}");
    }
}

#[test]
fn a_router_that_gives_no_length_has_quoted_128_bytes() {
    let mut message = message_v4(11, LABELS);
    message[5] = 0;
    assert_eq!(Extension::read_v4(&message).len(), 1);
    let mut message = message_v6(3, LABELS);
    message[4] = 0;
    assert_eq!(Extension::read_v6(&message).len(), 1);
}

#[test]
fn the_length_of_each_family_is_in_its_own_byte_and_unit() {
    let mut message = message_v4(11, "");
    message.extend([0x20; 64]);
    message.splice(8 + 128 + 64.., hex(LABELS));
    message[5] = (128 + 64) / 4;
    assert_eq!(Extension::read_v4(&message).len(), 1);
    message[0] = 3;
    message[5] = 0;
    message[4] = (128 + 64) / 8;
    assert_eq!(Extension::read_v6(&message).len(), 1);
}

#[test]
fn no_truncation_and_no_mutation_does_harm() {
    let mut random = fastrand::Rng::with_seed(4884);
    for text in [LABELS, INTERFACE, INTERFACE_V6, UNKNOWN, BROKEN_INTERFACE] {
        for whole in [message_v4(11, text), message_v6(3, text)] {
            for end in 0..=whole.len() {
                Extension::read_v4(&whole[..end]);
                Extension::read_v6(&whole[..end]);
            }
            for _ in 0..2_000 {
                let mut message = whole.clone();
                for _ in 0..random.usize(1..6) {
                    let at = random.usize(..message.len());
                    message[at] = random.u8(..);
                }
                // Without a checksum, so that the objects are read whatever they are.
                message[8 + 128 + 2..8 + 128 + 4].fill(0);
                Extension::read_v4(&message);
                Extension::read_v6(&message);
            }
        }
    }
}

fn check(structure: &str, expected: &[Extension]) {
    assert_eq!(
        Extension::read_v4(&message_v4(11, structure)),
        expected,
        "{structure}"
    );
    assert_eq!(
        Extension::read_v6(&message_v6(3, structure)),
        expected,
        "{structure}"
    );
}

fn message_v4(kind: u8, structure: &str) -> Vec<u8> {
    message([kind, 0, 0, 0, 0, 128 / 4, 0, 0], structure)
}

fn message_v6(kind: u8, structure: &str) -> Vec<u8> {
    message([kind, 0, 0, 0, 128 / 8, 0, 0, 0], structure)
}

fn message(header: [u8; 8], structure: &str) -> Vec<u8> {
    let mut message = header.to_vec();
    message.extend([0x45; 128]);
    message.extend(hex(structure));
    message
}

/// Reads hex, leaving out spaces and whatever follows a bar.
fn hex(text: &str) -> Vec<u8> {
    let lines = text
        .lines()
        .map(|line| line.split('|').next().unwrap_or_default());
    let digits: Vec<u8> = lines
        .flat_map(str::chars)
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
