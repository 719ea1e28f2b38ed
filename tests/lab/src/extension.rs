//! What do routers add to the errors that they send?
//!
//! The structure of RFC 4884 with label stacks (RFC 4950) and interfaces (RFC 5837). How it is
//! joined to an error is `icmp_error`'s.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;
use serde::Deserialize;

/// One entry of an MPLS label stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The label, 20 bits.
    pub label: u32,
    /// Traffic class, 3 bits; once called experimental.
    #[serde(default)]
    pub class: u8,
    /// TTL of the label.
    pub ttl: u8,
}

/// The interface that an error is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// What the interface was to the packet.
    pub role: Role,
    /// Its `ifIndex`.
    pub index: Option<u32>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its name, at most 63 bytes.
    pub name: Option<String>,
    /// Its MTU in bytes.
    pub mtu: Option<u32>,
}

/// What an interface was to a packet (RFC 5837, section 4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The packet came in there.
    #[default]
    Incoming,
    /// The same, but the interface is part of another.
    SubIp,
    /// The packet would have gone out there.
    Outgoing,
    /// The next hop's address.
    NextHop,
}

/// Writes an extension structure, checksum and all (RFC 4884, section 7).
pub(crate) fn write(labels: &[Label], interfaces: &[Interface]) -> Vec<u8> {
    // Version 2, and the checksum to come.
    let mut bytes = vec![0x20, 0, 0, 0];
    if !labels.is_empty() {
        write_object(&mut bytes, LABEL_STACK, &label_stack(labels));
    }
    for interface in interfaces {
        let (kind, payload) = interface_information(interface);
        write_object(&mut bytes, [INTERFACE_INFORMATION, kind], &payload);
    }
    let sum = Sum16BitWords::new().add_slice(&bytes).ones_complement();
    bytes[2..4].copy_from_slice(&sum.to_ne_bytes());
    bytes
}

fn write_object(bytes: &mut Vec<u8>, class: [u8; 2], payload: &[u8]) {
    let length = 4 + payload.len() as u16;
    bytes.extend(length.to_be_bytes());
    bytes.extend(class);
    bytes.extend(payload);
}

fn label_stack(labels: &[Label]) -> Vec<u8> {
    let entry = |(n, label): (usize, &Label)| {
        let is_bottom = n + 1 == labels.len();
        let word = label.label << 12
            | u32::from(label.class & 7) << 9
            | u32::from(is_bottom) << 8
            | u32::from(label.ttl);
        word.to_be_bytes()
    };
    labels.iter().enumerate().flat_map(entry).collect()
}

/// Returns the class type, whose bits say what is there, and what is there (RFC 5837, 4.1).
fn interface_information(interface: &Interface) -> (u8, Vec<u8>) {
    let mut kind = (interface.role as u8) << 6;
    let mut payload = Vec::new();
    if let Some(index) = interface.index {
        kind |= 1 << 3;
        payload.extend(index.to_be_bytes());
    }
    if let Some(address) = interface.address {
        kind |= 1 << 2;
        match address {
            IpAddr::V4(v4) => {
                payload.extend([0, 1, 0, 0]);
                payload.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                payload.extend([0, 2, 0, 0]);
                payload.extend(v6.octets());
            }
        }
    }
    if let Some(name) = &interface.name {
        kind |= 1 << 1;
        // The length counts itself, and the whole is padded to words.
        let length = (1 + name.len().min(63)).next_multiple_of(4);
        let start = payload.len();
        payload.push(length as u8);
        payload.extend(name.bytes().take(63));
        payload.resize(start + length, 0);
    }
    if let Some(mtu) = interface.mtu {
        kind |= 1;
        payload.extend(mtu.to_be_bytes());
    }
    (kind, payload)
}

/// Class and type of a label stack (RFC 4950).
const LABEL_STACK: [u8; 2] = [1, 1];
/// Class of interface information (RFC 5837).
const INTERFACE_INFORMATION: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    #[test]
    fn objects_stand_as_their_rfcs_draw_them() {
        let labels = [
            Label { label: 16_001, class: 5, ttl: 1 },
            Label { label: 3, class: 0, ttl: 255 },
        ];
        let interface = Interface {
            role: Role::Outgoing,
            index: Some(7),
            address: Some("192.0.2.9".parse().unwrap()),
            name: Some("eth0".to_owned()),
            mtu: Some(1500),
        };
        let bytes = write(&labels, &[interface]);
        let expected = [
            0x20, 0x00, bytes[2], bytes[3],
            0x00, 0x0c, 0x01, 0x01,         // 12 bytes, MPLS, incoming stack
            0x03, 0xe8, 0x1a, 0x01,         // 16001, class 5, not the bottom, TTL 1
            0x00, 0x00, 0x31, 0xff,         // 3, class 0, the bottom, TTL 255
            0x00, 0x1c, 0x02, 0x8f,         // 28 bytes, interface, outgoing with all four
            0x00, 0x00, 0x00, 0x07,
            0x00, 0x01, 0x00, 0x00, 192, 0, 2, 9,
            0x08, b'e', b't', b'h', b'0', 0, 0, 0,
            0x00, 0x00, 0x05, 0xdc,
        ];
        assert_eq!(bytes, expected);
        let sum = Sum16BitWords::new().add_slice(&bytes);
        assert_eq!(sum.ones_complement(), 0);
    }
}
