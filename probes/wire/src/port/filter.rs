//! Which packets may wake the receiving thread?
//!
//! A raw socket is given every message of its protocol that the host receives. Programs for the
//! kernel's classic packet filter (bpf(4) of the BSDs) let through echo replies with an identifier
//! of our block, datagrams and answers to SYNs that go to such a port, and ICMP errors about
//! requests with such a one. What the filter cannot tell it lets through: the receiver looks again.

use etherparse::{icmpv4, icmpv6, ip_number};
use socket2::SockFilter;

use super::socket::{PORT_BLOCK, RAW_BLOCK};
use crate::{Family, Protocol, tcp};

/// The filter for an IPv4 socket for ICMP, whose packets begin with the IP header.
pub(crate) fn v4(protocol: Protocol, first: u16) -> Vec<SockFilter> {
    match protocol {
        Protocol::Icmp => echo_v4(first),
        Protocol::Udp | Protocol::Tcp => vec![
            // X is the length of the IP header.
            statement(LOAD_HEADER_LENGTH, 0),
            // 8 bytes of ICMP, then the quoted packet, of which this is the protocol.
            statement(LOAD_BYTE_AT_X, 8 + 9),
            jump(EQUAL, protocol.number(Family::V4).into(), 0, 9),
            // X moves on by the length of the quoted IP header.
            statement(LOAD_BYTE_AT_X, 8),
            statement(AND, 0x0f),
            statement(SHIFT_LEFT, 2),
            statement(ADD_X, 0),
            statement(TO_X, 0),
            // The port that it was sent from.
            statement(LOAD_HALF_AT_X, 8),
            statement(AND, PORT_MASK),
            jump(EQUAL, first.into(), 0, 1),
            statement(RETURN, WHOLE),
            statement(RETURN, 0),
        ],
    }
}

/// The filter for an IPv6 socket for ICMP, whose packets begin with the `ICMPv6` header.
pub(crate) fn v6(protocol: Protocol, first: u16) -> Vec<SockFilter> {
    let others = match protocol {
        Protocol::Icmp => return echo_v6(first),
        Protocol::Udp => [ip_number::TCP, ip_number::IPV6_ICMP],
        Protocol::Tcp => [ip_number::UDP, ip_number::IPV6_ICMP],
    };
    vec![
        // 8 bytes of ICMP, then the quoted packet, of which this is the next header. If that is an
        // extension header, the port is anywhere.
        statement(LOAD_BYTE, 8 + 6),
        jump(EQUAL, others[0].0.into(), 6, 0),
        jump(EQUAL, others[1].0.into(), 5, 0),
        jump(EQUAL, protocol.number(Family::V6).into(), 0, 3),
        // The port that it was sent from.
        statement(LOAD_HALF, 8 + 40),
        statement(AND, PORT_MASK),
        jump(EQUAL, first.into(), 0, 1),
        statement(RETURN, WHOLE),
        statement(RETURN, 0),
    ]
}

/// The filter for what UDP or TCP itself answers.
pub(crate) fn answers(family: Family, protocol: Protocol, first: u16) -> Vec<SockFilter> {
    let mut program = vec![
        match family {
            // X is the length of the IP header, with which IPv4 packets begin.
            Family::V4 => statement(LOAD_HEADER_LENGTH, 0),
            Family::V6 => statement(LOAD_X, 0),
        },
        // The port that it is sent to.
        statement(LOAD_HALF_AT_X, 2),
        statement(AND, PORT_MASK),
    ];
    match protocol {
        Protocol::Tcp => program.extend([
            jump(EQUAL, first.into(), 0, 3),
            statement(LOAD_BYTE_AT_X, 13),
            // Of what connections there may be, all but the beginning and the end.
            jump(ANY, (tcp::SYN | tcp::RST).into(), 0, 1),
        ]),
        _ => program.push(jump(EQUAL, first.into(), 0, 1)),
    }
    program.extend([statement(RETURN, WHOLE), statement(RETURN, 0)]);
    program
}

/// The filter for a socket that receives nothing.
pub(crate) fn nothing() -> Vec<SockFilter> {
    vec![statement(RETURN, 0)]
}

fn echo_v4(first: u16) -> Vec<SockFilter> {
    let reply = u32::from(icmpv4::TYPE_ECHO_REPLY);
    vec![
        // X is the length of the IP header.
        statement(LOAD_HEADER_LENGTH, 0),
        statement(LOAD_BYTE_AT_X, 0),
        jump(EQUAL, reply, 11, 0),
        // An error: 8 bytes, then the quoted packet, of which this is the protocol.
        statement(LOAD_BYTE_AT_X, 8 + 9),
        jump(EQUAL, ip_number::ICMP.0.into(), 0, 13),
        // X moves on by the length of the quoted IP header.
        statement(LOAD_BYTE_AT_X, 8),
        statement(AND, 0x0f),
        statement(SHIFT_LEFT, 2),
        statement(ADD_X, 0),
        statement(TO_X, 0),
        statement(LOAD_BYTE_AT_X, 8),
        jump(EQUAL, icmpv4::TYPE_ECHO_REQUEST.into(), 0, 6),
        statement(LOAD_HALF_AT_X, 8 + 4),
        jump(ALWAYS, 1, 0, 0),
        statement(LOAD_HALF_AT_X, 4),
        statement(AND, BLOCK_MASK),
        jump(EQUAL, first.into(), 0, 1),
        statement(RETURN, WHOLE),
        statement(RETURN, 0),
    ]
}

fn echo_v6(first: u16) -> Vec<SockFilter> {
    let reply = u32::from(icmpv6::TYPE_ECHO_REPLY);
    vec![
        statement(LOAD_BYTE, 0),
        jump(EQUAL, reply, 8, 0),
        // An error: 8 bytes, then the quoted packet, of which this is the next header. If that is
        // an extension header, the identifier is anywhere.
        statement(LOAD_BYTE, 8 + 6),
        jump(EQUAL, ip_number::UDP.0.into(), 10, 0),
        jump(EQUAL, ip_number::TCP.0.into(), 9, 0),
        jump(EQUAL, ip_number::IPV6_ICMP.0.into(), 0, 7),
        statement(LOAD_BYTE, 8 + 40),
        jump(EQUAL, icmpv6::TYPE_ECHO_REQUEST.into(), 0, 6),
        statement(LOAD_HALF, 8 + 40 + 4),
        jump(ALWAYS, 1, 0, 0),
        statement(LOAD_HALF, 4),
        statement(AND, BLOCK_MASK),
        jump(EQUAL, first.into(), 0, 1),
        statement(RETURN, WHOLE),
        statement(RETURN, 0),
    ]
}

const fn statement(code: u32, value: u32) -> SockFilter {
    SockFilter::new(code as u16, 0, 0, value)
}

/// `then` and `otherwise` are how many instructions to skip; `ALWAYS` skips `value`.
const fn jump(code: u32, value: u32, then: u8, otherwise: u8) -> SockFilter {
    SockFilter::new(code as u16, then, otherwise, value)
}

/// Identifiers of a block differ in the bits that are not in here.
const BLOCK_MASK: u32 = 0xffff & !(RAW_BLOCK as u32 - 1);
const PORT_MASK: u32 = 0xffff & !(PORT_BLOCK as u32 - 1);
const WHOLE: u32 = u32::MAX;

const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
const LOAD_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
const LOAD_BYTE_AT_X: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_IND;
const LOAD_HALF_AT_X: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
const LOAD_X: u32 = libc::BPF_LDX | libc::BPF_W | libc::BPF_IMM;
const LOAD_HEADER_LENGTH: u32 = libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH;
const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
const SHIFT_LEFT: u32 = libc::BPF_ALU | libc::BPF_LSH | libc::BPF_K;
const ADD_X: u32 = libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X;
const TO_X: u32 = libc::BPF_MISC | libc::BPF_TAX;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const ANY: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const ALWAYS: u32 = libc::BPF_JMP | libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
