//! Which address does a name lead to, and which family is wanted?
//!
//! The trait is the host's to implement, with a cache that honours TTL; probes reach it through
//! [`crate::Context::resolve`], which times it.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family that `address` belongs to.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Which family a probe wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preference {
    /// The family that is taken if the name has it.
    pub family: Family,
    /// Whether the other one will do where the name lacks the preferred one.
    pub fallback: bool,
}

impl Preference {
    /// Reads `blackbox_exporter`'s pair of options, where everything but `ip6` and the empty text
    /// means IPv4.
    pub fn new(preferred_ip_protocol: &str, ip_protocol_fallback: bool) -> Self {
        let family = match preferred_ip_protocol {
            "" | "ip6" => Family::V6,
            _ => Family::V4,
        };
        Self {
            family,
            fallback: ip_protocol_fallback,
        }
    }
}

/// Why a name led to no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name does not exist, or has no address of the family (RFC 2308, section 2).
    #[error("{0} has no such record")]
    NoRecord(String),
    /// Its servers failed (RFC 1035, section 4.1.1: SERVFAIL and the like).
    #[error("{0}: {1}")]
    Failed(String, String),
    /// No resolver answered us, so nothing is known about the name.
    #[error("{0}: {1}")]
    Unanswered(String, String),
}

/// Looks up addresses.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of `name` in this family, never empty, in the order that they were given.
    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, ResolveError>;
}
