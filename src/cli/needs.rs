//! Does this system give a probe what it needs?
//!
//! Found out by trying, for only the kernel knows all its rules.

use leadsman_core::Need;
use socket2::{Domain, Protocol, Socket, Type};

/// What a person calls it.
pub(super) const fn name(need: Need) -> &'static str {
    match need {
        Need::IcmpSocket => "ICMP socket",
    }
}

/// How to get it where it is missing.
pub(super) const fn remedy(need: Need) -> &'static str {
    match need {
        Need::IcmpSocket => {
            "give the program CAP_NET_RAW (setcap cap_net_raw+ep leadsman), or let the sysctl \
             net.ipv4.ping_group_range include your group"
        }
    }
}

/// Whether it can be had right now.
pub(super) fn is_met(need: Need) -> bool {
    match need {
        Need::IcmpSocket => [Type::RAW, Type::DGRAM]
            .into_iter()
            .any(|kind| Socket::new(Domain::IPV4, kind, Some(Protocol::ICMPV4)).is_ok()),
    }
}
