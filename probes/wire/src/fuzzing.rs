//! What is done with bytes that anybody may have sent, as one function per parser.
//!
//! For fuzzing, and for the test below that gives each function its corpus again. They never
//! panic, and what they check beside that holds for any bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::engine::{Arrival, Ask, Engine, Framing, Reading, Received, Stamp};
use crate::extension::Extension;
use crate::port::control;
use crate::{Family, Heard, Protocol, Remarks, RequestOptions, Sent, packet};

/// Whole IPv4 datagrams, as a raw socket delivers them.
pub fn datagram_v4(bytes: &[u8]) {
    hear(Protocol::Icmp, Family::V4, RAW_V4, bytes);
}

/// `ICMPv4` messages, as a ping socket delivers them.
pub fn message_v4(bytes: &[u8]) {
    hear(Protocol::Icmp, Family::V4, Framing::Message, bytes);
}

/// `ICMPv6` messages, as any socket delivers them.
pub fn message_v6(bytes: &[u8]) {
    hear(Protocol::Icmp, Family::V6, Framing::Message, bytes);
}

/// What raw sockets deliver while a datagram is in flight: errors and answers over both families.
pub fn udp(bytes: &[u8]) {
    hear(Protocol::Udp, Family::V4, RAW_V4, bytes);
    hear(Protocol::Udp, Family::V6, Framing::Message, bytes);
}

/// What raw sockets deliver while a SYN is in flight: errors and answers over both families.
pub fn tcp(bytes: &[u8]) {
    hear(Protocol::Tcp, Family::V4, RAW_V4, bytes);
    hear(Protocol::Tcp, Family::V6, Framing::Message, bytes);
}

/// Errors: how they quote a request, and what they tell beside.
///
/// # Panics
/// If more extensions are read than are ever kept: a mistake in their reader.
pub fn error(bytes: &[u8]) {
    for family in [Family::V4, Family::V6] {
        packet::start::echo(family, bytes);
        Remarks::read(family, bytes, SENT);
    }
    for extensions in [Extension::read_v4(bytes), Extension::read_v6(bytes)] {
        assert!(extensions.len() <= 8, "{extensions:?}");
    }
}

/// Control messages (`cmsg(3)`) of the kernel.
pub fn control(bytes: &[u8]) {
    control::read(bytes);
}

/// An engine with a request in flight takes the bytes in as an answer, as an error, and in another
/// try what the bytes make of its true answer.
///
/// The identifier or port and the sequence number are 0, so that bytes which answer something
/// easily answer that.
fn hear(protocol: Protocol, family: Family, framing: Framing, bytes: &[u8]) {
    for kind in [protocol, Protocol::Icmp] {
        ends_once(protocol, family, framing, |_| (kind, bytes.to_vec()));
    }
    ends_once(protocol, family, framing, |request| {
        let mut answer = answer(protocol, family, framing, request);
        for (byte, mask) in answer.iter_mut().zip(bytes) {
            *byte ^= mask;
        }
        (protocol, answer)
    });
}

/// The answer to a request, but for addresses.
fn answer(protocol: Protocol, family: Family, framing: Framing, mut request: Vec<u8>) -> Vec<u8> {
    let header = match (family, framing) {
        (Family::V4, Framing::Header { .. }) => 20,
        _ => 0,
    };
    let message = &mut request[header..];
    match (protocol, family) {
        (Protocol::Icmp, Family::V4) => {
            // The sum in the message grows by what the type falls; ones' complement, RFC 1624.
            let sum = u16::from_be_bytes([message[2], message[3]]);
            let (sum, carry) = sum.overflowing_add(0x0800);
            message[2..4].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
            message[0] = 0;
        }
        (Protocol::Icmp, Family::V6) => message[0] = 129,
        // The same service echoes it.
        (Protocol::Udp, _) => message[..4].rotate_left(2),
        (Protocol::Tcp, _) => {
            message[..4].rotate_left(2);
            let number = *message[4..].first_chunk().expect("it is longer");
            let acknowledged = u32::from_be_bytes(number).wrapping_add(1);
            message[8..12].copy_from_slice(&acknowledged.to_be_bytes());
            message[13] = crate::tcp::SYN | crate::tcp::ACK;
        }
    }
    request
}

fn ends_once(
    protocol: Protocol,
    family: Family,
    framing: Framing,
    answer: impl FnOnce(Vec<u8>) -> (Protocol, Vec<u8>),
) {
    let (mut engine, request) = asked(protocol, family, framing);
    let (kind, bytes) = answer(request);
    let mut ended = 0;
    let mut out = |_, heard: Heard| ended += u32::from(heard.is_end());
    for _ in 0..2 {
        engine.heard(&received(kind, family, &bytes), ARRIVAL, &mut out);
    }
    engine.expire(Stamp(10_000_000_000), 0, &mut out);
    assert_eq!((ended, engine.in_flight()), (1, 0), "a request ends once");
}

/// An engine with one request in flight, and that request's packet.
fn asked(protocol: Protocol, family: Family, framing: Framing) -> (Engine, Vec<u8>) {
    let mut engine = Engine::new(family, framing, 0, 1);
    let options = RequestOptions {
        protocol,
        remarks: true,
        ..RequestOptions::default()
    };
    let peer = engine.admit(target(family), &options);
    let ask = Ask {
        peer,
        sequence: 0,
        wait: Duration::from_secs(1),
        asked: Stamp(0),
        ttl: None,
        padding: 0,
    };
    let mut request = Vec::new();
    engine.ask(ask, NOW, &mut request, &mut |_, _| {});
    (engine, request)
}

fn received(protocol: Protocol, family: Family, bytes: &[u8]) -> Received<'_> {
    Received {
        bytes,
        protocol,
        ports: None,
        named: target(family),
        hop_limit: None,
        error: None,
    }
}

fn target(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::LOCALHOST.into(),
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
    }
}

const RAW_V4: Framing = Framing::Header { ttl: 64 };

const SENT: Sent = Sent {
    source: None,
    identification: None,
    identifier: 0,
    checksum: None,
};

const NOW: Reading = Reading {
    at: Stamp(0),
    offset: 0,
};

const ARRIVAL: Arrival = Arrival {
    user: NOW,
    kernel: None,
};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::What;

    #[test]
    fn the_true_answer_is_known_for_one() {
        for (protocol, family, framing) in [
            (Protocol::Icmp, Family::V4, RAW_V4),
            (Protocol::Icmp, Family::V4, Framing::Message),
            (Protocol::Icmp, Family::V6, Framing::Message),
            (Protocol::Udp, Family::V4, RAW_V4),
            (Protocol::Udp, Family::V6, Framing::Message),
            (Protocol::Tcp, Family::V4, RAW_V4),
            (Protocol::Tcp, Family::V6, Framing::Message),
        ] {
            let (mut engine, request) = asked(protocol, family, framing);
            let mut bytes = answer(protocol, family, framing, request);
            if framing == RAW_V4 {
                // The kernel fills in the source: that of the target, who answers.
                bytes.copy_within(16..20, 12);
            }
            let mut heard = Vec::new();
            let received = received(protocol, family, &bytes);
            engine.heard(&received, ARRIVAL, &mut |_, one| heard.push(one));
            let [Heard::Answer(answer)] = &heard[..] else {
                panic!("{protocol:?} {family:?} {framing:?}: {heard:?}");
            };
            assert!(matches!(answer.what, What::Reply { .. }), "{answer:?}");
        }
    }

    #[test]
    fn whatever_was_found_by_fuzzing_does_no_harm() {
        let targets: [(&str, fn(&[u8])); 7] = [
            ("datagram_v4", datagram_v4),
            ("message_v4", message_v4),
            ("message_v6", message_v6),
            ("error", error),
            ("control", control),
            ("udp", udp),
            ("tcp", tcp),
        ];
        for (name, target) in targets {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fuzz/corpus")
                .join(name);
            let files = fs::read_dir(&corpus).expect("every target has a corpus");
            let played = files.map(|file| target(&fs::read(file.unwrap().path()).unwrap()));
            assert!(played.count() > 0, "{name}");
        }
    }
}
