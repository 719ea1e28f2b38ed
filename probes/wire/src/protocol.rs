//! What are requests, on top of IP?

use crate::Family;

/// What a flow's requests are, and so what answers them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// ICMP echo requests (RFC 792, RFC 4443), answered by echo replies.
    #[default]
    Icmp,
    /// UDP datagrams (RFC 768), answered by an ICMP error if nobody listens at the port, and else by
    /// whatever the service says: that is recognised if it begins with the datagram's first two
    /// bytes, as answers of DNS do.
    Udp,
    /// TCP SYNs (RFC 9293), answered by a SYN-ACK or a RST. Our kernel, which knows nothing of the
    /// connection, ends a half-open one at once with a RST of its own.
    Tcp,
}

impl Protocol {
    /// The protocol number in IP headers.
    pub(crate) fn number(self, family: Family) -> u8 {
        match (self, family) {
            (Self::Icmp, Family::V4) => 1,
            (Self::Icmp, Family::V6) => 58,
            (Self::Udp, _) => 17,
            (Self::Tcp, _) => 6,
        }
    }

    /// The one with a number, as far as it is of use over `family`.
    pub(crate) fn of_number(number: u8, family: Family) -> Option<Self> {
        let mut all = [Self::Icmp, Self::Udp, Self::Tcp].into_iter();
        all.find(|protocol| protocol.number(family) == number)
    }

    /// Where transport protocols have the checksum, in bytes after the IP header.
    pub(crate) fn checksum_at(self) -> u8 {
        match self {
            Self::Icmp => 2,
            Self::Udp => 6,
            Self::Tcp => 16,
        }
    }

    /// How people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Icmp => "ICMP",
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}
