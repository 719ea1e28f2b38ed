//! Received messages as annotated hex, what is read from them, and that no bytes do harm.

use super::start::Start;
use super::*;

const ECHO: IcmpEchoHeader = IcmpEchoHeader { id: 0x1234, seq: 7 };
const PAYLOAD: [u8; 4] = [0xde, 0xad, 0xbe, 0xef];

const REPLY_V4: &str = "
    4500 0020 0000 0000 39 01 0000 c0000201 0a000001 | IPv4: TTL 57, ICMP, from 192.0.2.1
    00 00 5027 1234 0007 deadbeef                    | echo reply, id, sequence, payload";

const REPLY_V4_WITH_OPTIONS: &str = "
    4600 0024 0000 0000 39 01 0000 c0000201 0a000001 | IPv4: a header of 24 bytes
    07030400                                         | record route, empty; end of options
    00 00 5027 1234 0007 deadbeef                    | echo reply";

const REPLY_V4_CORRUPT: &str = "
    4500 0020 0000 0000 39 01 0000 c0000201 0a000001 | IPv4
    00 00 5026 1234 0007 deadbeef                    | echo reply, checksum off by one";

/// Quotes the 28 bytes that RFC 792 demands, and no more.
const UNREACHABLE_V4: &str = "
    45c0 0038 0000 0000 3f 01 0000 c6336401 0a000001 | IPv4: TTL 63, from 198.51.100.1
    03 01 1680 0000 0000                             | destination host unreachable
    4500 0054 0000 4000 01 01 0000 0a000001 c0000201 | quote: IPv4 to 192.0.2.1
    08 00 79eb 1234 0007                             | echo request";

const UNREACHABLE_V4_WITH_OPTIONS: &str = "
    45c0 003c 0000 0000 3f 01 0000 c6336401 0a000001 | IPv4
    03 01 0a79 0000 0000                             | destination host unreachable
    4600 0058 0000 4000 01 01 0000 0a000001 c0000201 | quote: IPv4 to 192.0.2.1, 24 bytes
    07030400                                         | record route, empty; end of options
    08 00 79eb 1234 0007                             | echo request";

const TIME_EXCEEDED_V4: &str = "
    45c0 003c 0000 0000 3f 01 0000 c6336401 0a000001 | IPv4
    0b 00 70e3 0000 0000                             | time to live exceeded in transit
    4500 0054 0000 4000 01 01 0000 0a000001 c0000201 | quote: IPv4 to 192.0.2.1
    08 00 79eb 1234 0007 deadbeef                    | echo request and the start of its payload";

const FRAGMENTATION_NEEDED_V4: &str = "
    45c0 0038 0000 0000 3f 01 0000 c6336401 0a000001 | IPv4
    03 04 1105 0000 0578                             | fragmentation needed, next hop MTU 1400
    4500 0054 0000 4000 01 01 0000 0a000001 c0000201 | quote: IPv4 to 192.0.2.1
    08 00 79eb 1234 0007                             | echo request";

const PARAMETER_PROBLEM_V4: &str = "
    45c0 0038 0000 0000 3f 01 0000 c6336401 0a000001 | IPv4
    0c 00 f980 14000000                              | parameter problem at byte 20
    4500 0054 0000 4000 01 01 0000 0a000001 c0000201 | quote: IPv4 to 192.0.2.1
    08 00 79eb 1234 0007                             | echo request";

const PORT_UNREACHABLE_V4: &str = "
    45c0 0038 0000 0000 3f 01 0000 c6336401 0a000001 | IPv4
    03 03 982a 0000 0000                             | destination port unreachable
    4500 0054 fff8 4000 01 11 0000 0a000001 c0000201 | quote: UDP
    1234 0035 0008 0000                              | from port 4660 to port 53";

const REPLY_V6: &str = "
    81 00 0000 1234 0007 deadbeef                    | echo reply";

const TOO_BIG_V6: &str = "
    02 00 0000 00000500                              | packet too big, MTU 1280
    60000000 0008 3a 40                              | quote: IPv6, 8 bytes of ICMPv6
    20010db8000000000000000000000001                 | from 2001:db8::1
    20010db8000000000000000000000002                 | to 2001:db8::2
    80 00 0000 1234 0007                             | echo request";

const UNREACHABLE_V6_WITH_EXTENSIONS: &str = "
    01 03 0000 00000000                              | address unreachable
    60000000 0024 00 40                              | quote: IPv6, hop-by-hop options first
    20010db8000000000000000000000001                 | from 2001:db8::1
    20010db8000000000000000000000002                 | to 2001:db8::2
    3c 00 0104 00000000                              | hop-by-hop: padding; destination options next
    2c 00 0104 00000000                              | destination options: padding; fragment next
    3a 00 0001 00000001                              | first fragment; ICMPv6 next
    80 00 0000 1234 0007 deadbeef                    | echo request";

#[test]
fn a_reply_is_read_from_an_ipv4_packet() {
    let reply = |intact| {
        Some(Message::Reply {
            echo: ECHO,
            payload: &PAYLOAD,
            intact,
        })
    };
    check_v4(REPLY_V4, "192.0.2.1", 57, reply(true));
    check_v4(REPLY_V4_WITH_OPTIONS, "192.0.2.1", 57, reply(true));
    check_v4(REPLY_V4_CORRUPT, "192.0.2.1", 57, reply(false));
}

#[test]
fn an_error_is_read_with_the_request_it_quotes() {
    let router = "198.51.100.1";
    let error = |what, payload| {
        let quote = Quote {
            destination: [192, 0, 2, 1].into(),
            start: Start::Echo {
                echo: ECHO,
                payload,
            },
        };
        Some(Message::Error {
            what,
            quote,
            whole: None,
        })
    };
    let unreachable = error(What::Unreachable { code: 1 }, &[]);
    check_v4(UNREACHABLE_V4, router, 63, unreachable);
    check_v4(UNREACHABLE_V4_WITH_OPTIONS, router, 63, unreachable);
    check_v4(
        TIME_EXCEEDED_V4,
        router,
        63,
        error(What::TimeExceeded { code: 0 }, &PAYLOAD),
    );
    check_v4(
        FRAGMENTATION_NEEDED_V4,
        router,
        63,
        error(What::TooBig { mtu: Some(1400) }, &[]),
    );
    let problem = What::ParameterProblem {
        code: 0,
        pointer: 20,
    };
    check_v4(PARAMETER_PROBLEM_V4, router, 63, error(problem, &[]));
    let datagram = Start::Udp {
        ports: Ports {
            ours: 0x1234,
            theirs: 53,
        },
        // The identification is its complement.
        sequence: 7,
        payload: &[],
    };
    let refused = Message::Error {
        what: What::Unreachable { code: 3 },
        quote: Quote {
            destination: [192, 0, 2, 1].into(),
            start: datagram,
        },
        whole: None,
    };
    check_v4(PORT_UNREACHABLE_V4, router, 63, Some(refused));
    let foreign = PORT_UNREACHABLE_V4.replace("fff8 4000 01 11", "fff8 4000 01 2f");
    check_v4(&foreign, router, 63, None);
}

fn check_v4(packet: &str, from: &str, ttl: u8, expected: Option<Message<'_>>) {
    let from = from.parse().unwrap();
    let expected = expected.map(|message| Datagram { from, ttl, message });
    let bytes = hex(packet);
    let read = read_datagram_v4(&bytes).map(|datagram| Datagram {
        message: told(datagram.message),
        ..datagram
    });
    assert_eq!(read, expected, "{packet}");
}

/// A message but for its own bytes, which an error that was not reported by the kernel has.
fn told(message: Message<'_>) -> Message<'_> {
    match message {
        Message::Error { what, quote, whole } => {
            assert!(whole.is_some());
            Message::Error {
                what,
                quote,
                whole: None,
            }
        }
        answer => answer,
    }
}

#[test]
fn an_icmpv6_message_is_read_through_extension_headers() {
    let error = |what, payload| {
        let destination = "2001:db8::2".parse().unwrap();
        Some(Message::Error {
            what,
            quote: Quote {
                destination,
                start: Start::Echo {
                    echo: ECHO,
                    payload,
                },
            },
            whole: None,
        })
    };
    let reply = Message::Reply {
        echo: ECHO,
        payload: &PAYLOAD,
        intact: true,
    };
    check_v6(REPLY_V6, Some(reply));
    check_v6(TOO_BIG_V6, error(What::TooBig { mtu: Some(1280) }, &[]));
    let unreachable = error(What::Unreachable { code: 3 }, &PAYLOAD);
    check_v6(UNREACHABLE_V6_WITH_EXTENSIONS, unreachable);
    check_v6("87 00 0000 00000000 | neighbour solicitation", None);
}

fn check_v6(message: &str, expected: Option<Message<'_>>) {
    assert_eq!(
        read_message_v6(&hex(message)).map(told),
        expected,
        "{message}"
    );
}

#[test]
fn routers_without_rfc_1191_tell_no_mtu() {
    assert_eq!(error_v4(3, 4, 0), Some(What::TooBig { mtu: None }));
}

#[test]
fn a_cut_packet_names_the_same_request_or_none() {
    for packet in PACKETS_V4 {
        let bytes = hex(packet);
        let whole = read_datagram_v4(&bytes).map(|datagram| datagram.message.name());
        for end in 0..bytes.len() {
            let cut = read_datagram_v4(&bytes[..end]).map(|datagram| datagram.message.name());
            assert!(cut.is_none() || cut == whole, "{end} bytes of {packet}");
        }
    }
    for message in MESSAGES_V6 {
        let bytes = hex(message);
        let whole = read_message_v6(&bytes).map(|message| message.name());
        for end in 0..bytes.len() {
            let cut = read_message_v6(&bytes[..end]).map(|message| message.name());
            assert!(cut.is_none() || cut == whole, "{end} bytes of {message}");
        }
    }
}

#[test]
fn no_damage_makes_reading_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    let packets: Vec<_> = PACKETS_V4
        .iter()
        .chain(&MESSAGES_V6)
        .map(|packet| hex(packet))
        .collect();
    for _ in 0..100_000 {
        let mut bytes = packets[random.usize(..packets.len())].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(..=bytes.len()));
        // Whatever the damage did to the checksum, the quote is to be read too.
        for read in [read_message_v4, read_message_v6] {
            read(&bytes);
        }
        for read in [start::quote_v4, start::quote_v6] {
            read(bytes.get(8..).unwrap_or_default());
            read(bytes.get(28..).unwrap_or_default());
        }
        read_datagram_v4(&bytes);
        start::echo(Family::V6, &bytes);
    }
}

const PACKETS_V4: [&str; 9] = [
    REPLY_V4,
    REPLY_V4_WITH_OPTIONS,
    REPLY_V4_CORRUPT,
    UNREACHABLE_V4,
    UNREACHABLE_V4_WITH_OPTIONS,
    TIME_EXCEEDED_V4,
    FRAGMENTATION_NEEDED_V4,
    PARAMETER_PROBLEM_V4,
    PORT_UNREACHABLE_V4,
];

const MESSAGES_V6: [&str; 3] = [REPLY_V6, TOO_BIG_V6, UNREACHABLE_V6_WITH_EXTENSIONS];

/// Reads hexadecimal digits; what follows a bar is a comment.
fn hex(text: &str) -> Vec<u8> {
    let digits: String = text
        .lines()
        .filter_map(|line| line.split('|').next())
        .flat_map(str::split_whitespace)
        .collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}
