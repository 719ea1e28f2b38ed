//! What did an ICMP error say, in numbers?
//!
//! Types and codes as on the wire: those of RFC 792 over IPv4, of RFC 4443 over IPv6. What an error
//! means for a request is decided elsewhere.

use leadsman_core::Context;
use leadsman_wire::{Answer, What};

use crate::metrics::{ERROR, NEXT_HOP_MTU};

/// An ICMP error message about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) icmp_type: u8,
    pub(crate) code: u8,
    /// What the next link carries, in bytes, if the error tells.
    pub(crate) mtu: Option<u32>,
}

impl Complaint {
    /// Reads an answer; `None` if it is an echo reply, be it a bad one.
    pub(crate) fn of(answer: &Answer) -> Option<Self> {
        let (v4, v6) = match answer.what {
            What::Reply { .. } | What::Corrupt | What::WrongSource | What::Refused => return None,
            What::Unreachable { code } => ((3, code), (1, code)),
            What::TooBig { .. } => ((3, 4), (2, 0)),
            What::TimeExceeded { code } => ((11, code), (3, code)),
            What::ParameterProblem { code, .. } => ((12, code), (4, code)),
        };
        let (icmp_type, code) = if answer.from.is_ipv4() { v4 } else { v6 };
        let mtu = match answer.what {
            What::TooBig { mtu } => mtu,
            _ => None,
        };
        Some(Self {
            icmp_type,
            code,
            mtu,
        })
    }

    /// Records it as the last of its run.
    pub(crate) fn record(self, cx: &Context<'_>, answer: &Answer) {
        // Without the numbers in ping(8)'s words: each would be a series of its own.
        let meaning = match answer.what {
            What::TooBig { .. } => "Packet too big".to_owned(),
            What::ParameterProblem { .. } => "Parameter problem".to_owned(),
            _ => answer.to_string(),
        };
        let (icmp_type, code) = (self.icmp_type.to_string(), self.code.to_string());
        cx.inform(&ERROR, &[&icmp_type, &code, &meaning]);
        if let Some(mtu) = self.mtu {
            cx.set(&NEXT_HOP_MTU, f64::from(mtu));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadsman_wire::{Arrived, RttSource};

    use super::*;

    #[track_caller]
    fn check(what: What, from: &str, expected: Option<(u8, u8, Option<u32>)>) {
        let answer = Answer {
            sequence: 0,
            arrived: Arrived::InTime,
            rtt: Duration::ZERO,
            rtt_source: RttSource::User,
            from: from.parse().unwrap(),
            hop_limit: None,
            what,
            remarks: None,
        };
        let complaint = Complaint::of(&answer).map(|c| (c.icmp_type, c.code, c.mtu));
        assert_eq!(complaint, expected, "{what:?} from {from}");
    }

    #[test]
    fn types_and_codes_are_those_on_the_wire() {
        let (v4, v6) = ("192.0.2.1", "2001:db8::1");
        check(What::Unreachable { code: 13 }, v4, Some((3, 13, None)));
        check(What::Unreachable { code: 4 }, v6, Some((1, 4, None)));
        check(What::TimeExceeded { code: 0 }, v4, Some((11, 0, None)));
        check(What::TimeExceeded { code: 1 }, v6, Some((3, 1, None)));
        let too_big = |mtu| What::TooBig { mtu };
        check(too_big(Some(1_400)), v4, Some((3, 4, Some(1_400))));
        check(too_big(None), v4, Some((3, 4, None)));
        check(too_big(Some(1_280)), v6, Some((2, 0, Some(1_280))));
        let pointer = |code| What::ParameterProblem { code, pointer: 6 };
        check(pointer(0), v4, Some((12, 0, None)));
        check(pointer(1), v6, Some((4, 1, None)));
        check(What::Corrupt, v4, None);
        check(What::WrongSource, v6, None);
    }
}
