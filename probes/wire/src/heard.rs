//! What can become of an echo request, and how is it said to people?
//!
//! The words are those that users of ping(8) know. What of it counts as success, loss or an error
//! is for the caller to say.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::{Remarks, RttSource};

/// One thing that became known about one echo request of a flow.
///
/// Every request ends exactly once: with its first answer, if that is in time, with silence, or
/// because it was not sent. What comes after that is told too, and [`Answer::arrived`] says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Something came from the network.
    Answer(Answer),
    /// Nothing came in time.
    Silence(Silence),
    /// This host did not send it.
    NotSent(NotSent),
}

impl Heard {
    /// Returns the number of the request within its flow.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Answer(answer) => answer.sequence,
            Self::Silence(silence) => silence.sequence,
            Self::NotSent(not_sent) => not_sent.sequence,
        }
    }

    /// Whether this is how the request ended.
    pub fn is_end(&self) -> bool {
        !matches!(self, Self::Answer(answer) if answer.arrived != Arrived::InTime)
    }
}

/// An answer to an echo request.
///
/// Displayed, it is what ping(8) would call it: `Destination Host Unreachable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which request is answered.
    pub sequence: u64,
    /// Whether it ends its request.
    pub arrived: Arrived,
    /// Time from when the request left until its answer came.
    pub rtt: Duration,
    /// Whose stamps that time is taken from.
    pub rtt_source: RttSource,
    /// Who answered: the target, or for an ICMP error the host that reports it.
    pub from: IpAddr,
    /// TTL or hop limit left in the answer; `None` where the kernel did not tell.
    pub hop_limit: Option<u8>,
    /// What the answer says.
    pub what: What,
    /// What an ICMP error tells beside, for flows that ask for it with
    /// [`RequestOptions::remarks`](crate::RequestOptions::remarks); never on ping sockets.
    pub remarks: Option<Box<Remarks>>,
}

/// When an answer came, by its stamp: not by when somebody found the time to look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// First, and while it was waited for.
    InTime,
    /// First, but too late: its request had already ended in silence.
    Late,
    /// After another answer to the same request, as duplicates and answers from a group do.
    Again,
}

/// An echo request whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Which request it was.
    pub sequence: u64,
    /// How long an answer was waited for.
    pub waited: Duration,
    /// Whether this host may be at fault: it dropped packets meanwhile, or was late to send the
    /// request. Then the silence says nothing about the path.
    pub suspect: bool,
}

/// An echo request that never left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSent {
    /// Which request it was.
    pub sequence: u64,
    /// Why not.
    pub refusal: Refusal,
}

/// Why an echo request was not sent: a number, so that a million of them cost nothing. In words
/// by [`Flow::explain`](crate::Flow::explain) and [`Sweep::explain`](crate::Sweep::explain).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// What the kernel said (`errno(3)`).
    Kernel(i32),
    /// All sequence numbers of the flow's identifier are in flight.
    OutOfSequenceNumbers,
    /// This program found no time to send it before its time was over.
    TooLate,
    /// It may have left, but nobody would hear its answer: what the system said when it was asked
    /// for a thread (`errno(3)`).
    Unheard(i32),
}

/// What an answer to an echo request says.
///
/// Codes are as on the wire: those of RFC 792 if [`Answer::from`] is IPv4, of RFC 4443 if IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An echo reply, whole and from the right address; a datagram with which a service answers; or
    /// a SYN-ACK.
    Reply {
        /// Its length after the IP header.
        bytes: usize,
    },
    /// Nobody listens at the port: a RST, or a port unreachable about a datagram, which hosts send
    /// from any of their addresses.
    Refused,
    /// An echo reply whose checksum is wrong or whose payload is not what was sent.
    Corrupt,
    /// A good echo reply from an address that was not asked.
    WrongSource,
    /// The destination cannot be reached (IPv4 type 3, IPv6 type 1).
    Unreachable {
        /// Why not.
        code: u8,
    },
    /// Hops ran out (code 0), or fragments did not all arrive in time (code 1).
    TimeExceeded {
        /// Which of the two.
        code: u8,
    },
    /// The request may not be fragmented and is larger than the next link carries.
    TooBig {
        /// Largest IP packet the link carries; `None` from routers older than RFC 1191.
        mtu: Option<u32>,
    },
    /// A router or the target could not process a header of the request.
    ParameterProblem {
        /// What is wrong with it.
        code: u8,
        /// Offset of the offending byte in the request's IP packet.
        pointer: u32,
    },
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.what, self.from) {
            (What::Reply { bytes }, _) => write!(f, "{bytes} bytes"),
            (What::Refused, _) => f.write_str("Port closed"),
            (What::Corrupt, _) => f.write_str("Reply corrupted on the way"),
            (What::WrongSource, _) => f.write_str("Reply from an address that was not asked"),
            (What::Unreachable { code }, IpAddr::V4(_)) => unreachable_v4(code, f),
            (What::Unreachable { code }, IpAddr::V6(_)) => unreachable_v6(code, f),
            (What::TimeExceeded { code }, IpAddr::V4(_)) => match code {
                0 => f.write_str("Time to live exceeded"),
                1 => f.write_str("Frag reassembly time exceeded"),
                _ => write!(f, "Time exceeded, Bad Code: {code}"),
            },
            (What::TimeExceeded { code }, IpAddr::V6(_)) => match code {
                0 => f.write_str("Time exceeded: Hop limit"),
                1 => f.write_str("Time exceeded: Defragmentation failure"),
                _ => write!(f, "Time exceeded: code {code}"),
            },
            (What::TooBig { mtu }, IpAddr::V4(_)) => {
                write!(f, "Frag needed and DF set (mtu = {})", mtu.unwrap_or(0))
            }
            (What::TooBig { mtu }, IpAddr::V6(_)) => {
                write!(f, "Packet too big: mtu={}", mtu.unwrap_or(0))
            }
            (What::ParameterProblem { pointer, .. }, IpAddr::V4(_)) => {
                write!(f, "Parameter problem: pointer = {pointer}")
            }
            (What::ParameterProblem { code, pointer }, IpAddr::V6(_)) => match code {
                0 => write!(f, "Parameter problem: Wrong header field at {pointer}"),
                1 => write!(f, "Parameter problem: Unknown header at {pointer}"),
                2 => write!(f, "Parameter problem: Unknown option at {pointer}"),
                _ => write!(f, "Parameter problem: code {code} at {pointer}"),
            },
        }
    }
}

/// Codes 0 to 5 are of RFC 792, 6 to 12 of RFC 1122 (3.2.2.1), 13 to 15 of RFC 1812 (5.2.7.1).
fn unreachable_v4(code: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match code {
        0 => "Destination Net Unreachable",
        1 => "Destination Host Unreachable",
        2 => "Destination Protocol Unreachable",
        3 => "Destination Port Unreachable",
        5 => "Source Route Failed",
        6 => "Destination Net Unknown",
        7 => "Destination Host Unknown",
        8 => "Source Host Isolated",
        9 => "Destination Net Prohibited",
        10 => "Destination Host Prohibited",
        11 => "Destination Net Unreachable for Type of Service",
        12 => "Destination Host Unreachable for Type of Service",
        13 => "Packet filtered",
        14 => "Precedence Violation",
        15 => "Precedence Cutoff",
        _ => return write!(f, "Dest Unreachable, Bad Code: {code}"),
    })
}

/// RFC 4443, section 3.1.
fn unreachable_v6(code: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match code {
        0 => "Destination unreachable: No route",
        1 => "Destination unreachable: Administratively prohibited",
        2 => "Destination unreachable: Beyond scope of source address",
        3 => "Destination unreachable: Address unreachable",
        4 => "Destination unreachable: Port unreachable",
        5 => "Destination unreachable: Source address failed ingress/egress policy",
        6 => "Destination unreachable: Reject route to destination",
        _ => return write!(f, "Destination unreachable: Unknown code {code}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_called_what_ping_calls_it() {
        check("192.0.2.1", What::Reply { bytes: 64 }, "64 bytes");
        check(
            "192.0.2.1",
            What::Unreachable { code: 1 },
            "Destination Host Unreachable",
        );
        check(
            "2001:db8::1",
            What::Unreachable { code: 0 },
            "Destination unreachable: No route",
        );
        check(
            "192.0.2.1",
            What::Unreachable { code: 99 },
            "Dest Unreachable, Bad Code: 99",
        );
        check(
            "192.0.2.1",
            What::TimeExceeded { code: 0 },
            "Time to live exceeded",
        );
        check(
            "2001:db8::1",
            What::TimeExceeded { code: 0 },
            "Time exceeded: Hop limit",
        );
        let too_big = What::TooBig { mtu: Some(1400) };
        check("192.0.2.1", too_big, "Frag needed and DF set (mtu = 1400)");
        check("2001:db8::1", too_big, "Packet too big: mtu=1400");
        let problem = What::ParameterProblem {
            code: 1,
            pointer: 6,
        };
        check("192.0.2.1", problem, "Parameter problem: pointer = 6");
        check(
            "2001:db8::1",
            problem,
            "Parameter problem: Unknown header at 6",
        );
    }

    fn check(from: &str, what: What, expected: &str) {
        let from = from.parse().unwrap();
        let answer = Answer {
            sequence: 0,
            arrived: Arrived::InTime,
            rtt: Duration::ZERO,
            rtt_source: RttSource::User,
            from,
            hop_limit: None,
            what,
            remarks: None,
        };
        assert_eq!(answer.to_string(), expected);
    }
}
