//! Why did a run fail, and whose fault was it?
//!
//! Three things are kept apart. The target did not answer as it should: [`Fault::Target`], which is
//! what people are paged for. We could not even ask: [`Fault::Own`], which must never look like an
//! outage of the target. A bug in a probe is a panic; the host turns it into `Own` as well.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// How a run failed.
#[derive(Debug)]
pub enum Fault {
    /// The target did not answer as it should: `probe_success` becomes 0.
    Target(Cause, Cow<'static, str>),
    /// We could not ask: no privilege, no descriptor, no local route. Never counted as loss.
    Own(Blocker, Box<dyn Error + Send + Sync>),
}

impl Fault {
    /// The target's fault, with the detail that a person needs: who said what.
    pub fn target(cause: Cause, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Target(cause, detail.into())
    }

    /// Our own fault; what blocked us is read from the I/O error among the sources, if there is one.
    pub fn own(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        Self::Own(Blocker::of(&*error), error)
    }

    /// Judges an I/O error of a connection with `peer`: what the peer or the network did to it is
    /// the target's fault, with one of [`Cause::CONNECTION`]; everything else is ours. `doing` says
    /// what was tried: `cannot connect to 192.0.2.1:25`.
    ///
    /// "Unreachable" is the same error whether a router said it (RFC 792, RFC 4443) or this host has
    /// no route, so then the routes of this host are asked, without sending anything. They are those
    /// for a socket without options: with a source, interface or mark of its own it may differ.
    pub fn connection(peer: SocketAddr, doing: &str, error: io::Error) -> Self {
        let cause = match error.kind() {
            io::ErrorKind::ConnectionRefused => Cause::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Cause::Reset,
            io::ErrorKind::UnexpectedEof => Cause::Closed,
            io::ErrorKind::TimedOut => Cause::Timeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
                if has_route(peer) =>
            {
                Cause::Unreachable
            }
            io::ErrorKind::InvalidData => Cause::Protocol,
            _ => {
                let doing = doing.to_owned();
                return Self::own(Interrupted {
                    doing,
                    source: error,
                });
            }
        };
        Self::Target(cause, format!("{doing}: {error}").into())
    }

    /// The value of the label `reason`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Target(cause, _) => cause.label(),
            Self::Own(blocker, _) => blocker.label(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(_, detail) => f.write_str(detail),
            Self::Own(_, error) => {
                write!(f, "{error}")?;
                let mut source = error.source();
                while let Some(inner) = source {
                    write!(f, ": {inner}")?;
                    source = inner.source();
                }
                Ok(())
            }
        }
    }
}

/// What the target did wrong; a closed set, for it becomes a label value.
///
/// A plugin declares which of these its runs can end with, so that all of them are exported from
/// the start with the value 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The peer closed the connection before the exchange was complete.
    Closed,
    /// The answer came whole but is not what it should be: a wrong body, a checksum, a record.
    Mismatch,
    /// The answer does not follow its protocol.
    Protocol,
    /// The target answered and refused nothing, but its answer says no: a status, a reply code.
    Rejected,
    /// The connection was refused (RFC 9293, section 3.10.7.1).
    Refused,
    /// The connection was reset in the middle.
    Reset,
    /// The name has no address, or its servers say that there is none.
    Resolve,
    /// Nothing came before the deadline.
    Timeout,
    /// The TLS handshake failed, the certificate included.
    Tls,
    /// A packet needed fragmentation where that was forbidden (RFC 1191, RFC 8201).
    TooBig,
    /// A router discarded the packet because its TTL reached zero (RFC 792, RFC 4443).
    TtlExceeded,
    /// A router or the host reported that the target cannot be reached (RFC 792, RFC 4443).
    Unreachable,
}

impl Cause {
    /// Every value, in the order of their labels.
    pub const ALL: [Self; 12] = [
        Self::Closed,
        Self::Mismatch,
        Self::Protocol,
        Self::Refused,
        Self::Rejected,
        Self::Reset,
        Self::Resolve,
        Self::Timeout,
        Self::Tls,
        Self::TooBig,
        Self::TtlExceeded,
        Self::Unreachable,
    ];

    /// Every cause that [`Fault::connection`] can give, in the order of their labels: a probe that
    /// calls it declares these beside its own.
    pub const CONNECTION: &[Self] = &[
        Self::Closed,
        Self::Protocol,
        Self::Refused,
        Self::Reset,
        Self::Timeout,
        Self::Unreachable,
    ];

    /// The value of the label `reason`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Mismatch => "mismatch",
            Self::Protocol => "protocol",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Resolve => "resolve",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::TooBig => "too_big",
            Self::TtlExceeded => "ttl_exceeded",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What kept us from asking; a closed set, for it becomes a label value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocker {
    /// This host has no route or no such source address.
    Network,
    /// Something else on this side.
    Other,
    /// The probe has a bug and panicked.
    Panic,
    /// A privilege is missing, or a local firewall refused the packet.
    Permission,
    /// The name could not be looked up because no resolver answered.
    Resolver,
    /// Descriptors, memory or buffers ran out.
    Resources,
}

impl Blocker {
    /// Every value, so that each is exported from the start with the value 0.
    pub const ALL: [Self; 6] = [
        Self::Network,
        Self::Other,
        Self::Panic,
        Self::Permission,
        Self::Resolver,
        Self::Resources,
    ];

    /// The value of the label `reason`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Other => "other",
            Self::Panic => "panic",
            Self::Permission => "permission",
            Self::Resolver => "resolver",
            Self::Resources => "resources",
        }
    }

    /// Looks for an I/O error among `error` and its sources and judges by its kind and number.
    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return Self::of_io(io);
            }
            next = error.source();
        }
        Self::Other
    }

    fn of_io(error: &io::Error) -> Self {
        // EMFILE, ENFILE and ENOBUFS have no stable `ErrorKind`; these are their numbers on Linux.
        const EXHAUSTED: [i32; 3] = [23, 24, 105];
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission,
            io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable => Self::Network,
            io::ErrorKind::OutOfMemory | io::ErrorKind::QuotaExceeded => Self::Resources,
            _ if error.raw_os_error().is_some_and(|n| EXHAUSTED.contains(&n)) => Self::Resources,
            _ => Self::Other,
        }
    }
}

/// Whether this host knows where to send packets for `peer`. To connect a datagram socket is to
/// look its route up.
fn has_route(peer: SocketAddr) -> bool {
    let socket = match peer {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    };
    socket.and_then(|socket| socket.connect(peer)).is_ok()
}

/// What was tried when an I/O error came.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
struct Interrupted {
    doing: String,
    source: io::Error,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn no_cause_is_missing_from_all() {
        // Whoever adds a cause is led here by the compiler.
        let listed = |cause: Cause| match cause {
            Cause::Closed
            | Cause::Mismatch
            | Cause::Protocol
            | Cause::Rejected
            | Cause::Refused
            | Cause::Reset
            | Cause::Resolve
            | Cause::Timeout
            | Cause::Tls
            | Cause::TooBig
            | Cause::TtlExceeded
            | Cause::Unreachable => Cause::ALL.contains(&cause),
        };
        assert!(Cause::ALL.into_iter().all(listed));
        assert!(Cause::ALL.is_sorted_by_key(|cause| cause.label()));
    }

    #[test]
    fn an_own_fault_names_its_blocker_and_tells_the_whole_chain() {
        for (number, expected) in [
            (1, Blocker::Permission),
            (24, Blocker::Resources),
            (101, Blocker::Network),
            (105, Blocker::Resources),
            (22, Blocker::Other),
        ] {
            let error = io::Error::from_raw_os_error(number);
            let fault = Fault::connection(NOWHERE, "cannot send to 192.0.2.1", error);
            assert_eq!(fault.reason(), expected.label(), "{number}");
            assert!(
                fault.to_string().starts_with("cannot send to 192.0.2.1: "),
                "{fault}"
            );
        }
    }
    #[test]
    fn unreachable_is_the_targets_fault_where_this_host_has_a_route() {
        for (peer, expected) in [(HERE, "unreachable"), (NOWHERE, "network")] {
            // ENETUNREACH and EHOSTUNREACH.
            for number in [101, 113] {
                let error = io::Error::from_raw_os_error(number);
                let fault = Fault::connection(peer, "cannot connect", error);
                assert_eq!(fault.reason(), expected, "{peer}, {number}: {fault}");
            }
        }
    }

    #[test]
    fn the_causes_of_a_connection_are_those_that_its_errors_lead_to() {
        let others = [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData];
        // Linux has no error number above 133.
        let errors = (1..=133).map(io::Error::from_raw_os_error);
        let faults = errors
            .chain(others.map(io::Error::from))
            .map(|error| Fault::connection(HERE, "cannot read", error));
        let causes = faults.filter_map(|fault| match fault {
            Fault::Target(cause, _) => Some(cause),
            Fault::Own(..) => None,
        });
        let found: BTreeSet<_> = causes.collect();
        assert!(found.iter().eq(Cause::CONNECTION), "{found:?}");
    }

    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
    /// A link-local address without its interface, to which no host has a route (RFC 4007,
    /// section 6).
    const NOWHERE: SocketAddr =
        SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)), 9);
}
