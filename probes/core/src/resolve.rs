//! Which address does a name lead to, and which family is wanted? And who takes a domain's mail?
//!
//! The trait is the host's to implement, with a cache that honours TTL; probes reach it through
//! [`crate::Context::resolve`], which times it. [`Preference::look_up`] does the same untimed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::{Blocker, Cause, Fault};

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

    /// Finds the addresses of a host, at least one, and says whose fault it is if there is none.
    ///
    /// An address in place of a name is taken as it is, if its family is acceptable.
    pub async fn look_up(self, host: &str, resolver: &dyn Resolve) -> Result<Vec<IpAddr>, Fault> {
        if let Some(found) = self.take_literally(host) {
            return found.map(|address| vec![address]);
        }
        let refused = match self.ask(host, resolver).await {
            Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
            Ok(_) => ResolveError::NoRecord(host.to_owned()),
            Err(error) => error,
        };
        Err(match refused {
            ResolveError::NoRecord(_) if self.fallback => {
                Fault::target(Cause::Resolve, format!("{host} has no address"))
            }
            ResolveError::NoRecord(_) => {
                let detail = format!("{host} has no {} address", self.family);
                Fault::target(Cause::Resolve, detail)
            }
            refused => refused.into(),
        })
    }

    /// Takes an address in place of a name as it is, if its family is acceptable; `None` if it is
    /// a name.
    pub fn take_literally(self, host: &str) -> Option<Result<IpAddr, Fault>> {
        let address = host.parse().ok()?;
        if self.accepts(address) {
            return Some(Ok(address));
        }
        let detail = format!(
            "{host} is not an {} address, and no other is wanted",
            self.family
        );
        Some(Err(Fault::target(Cause::Resolve, detail)))
    }

    /// Whether an address of this family will do.
    pub fn accepts(self, address: IpAddr) -> bool {
        self.fallback || Family::of(address) == self.family
    }

    /// Asks for the preferred family, and for the other one where that will do.
    ///
    /// Both are asked at once unless the first is known already: a resolver that is silent about
    /// one family must not keep back what it has said of the other.
    async fn ask(self, host: &str, resolver: &dyn Resolve) -> Result<Vec<IpAddr>, ResolveError> {
        let family = self.family;
        let mut preferred = resolver.addresses(host, family);
        if !self.fallback {
            return preferred.await;
        }
        let mut other = resolver.addresses(host, family.other());
        let (preferred, other) = tokio::select! {
            biased;
            found = &mut preferred => match found {
                Ok(addresses) => return Ok(addresses),
                Err(error) => (error, other.await),
            },
            found = &mut other => {
                let preferred = match &found {
                    Ok(_) => timeout(RESOLUTION_DELAY, preferred).await,
                    Err(_) => Ok(preferred.await),
                };
                match preferred {
                    Ok(Ok(addresses)) => return Ok(addresses),
                    Ok(Err(error)) => (error, found),
                    Err(_) => return found,
                }
            }
        };
        match other {
            // A name that has no record of one family but fails for the other has failed.
            Err(ResolveError::NoRecord(_)) => Err(preferred),
            other => other,
        }
    }
}

/// A mail exchanger of a domain, from its MX record (RFC 1035, section 3.3.9).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchanger {
    /// The lower, the sooner it is tried (RFC 5321, section 5.1).
    pub preference: u16,
    /// The name of its host, without the final dot; empty where the record says `.`, which alone
    /// means that the domain takes no mail (RFC 7505).
    pub host: Box<str>,
}

/// Why a name led to no address, or to no exchanger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name does not exist, told only where that differs from having no such record (RFC 8020):
    /// of exchangers, not of addresses.
    #[error("{0} does not exist")]
    NoName(String),
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

impl From<ResolveError> for Fault {
    /// What is known about the name is the target's fault; that nobody told us is ours.
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Unanswered(..) => Self::Own(Blocker::Resolver, Box::new(error)),
            error => Self::target(Cause::Resolve, error.to_string()),
        }
    }
}

/// Looks up addresses, and what else is known under a name.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of `name` in this family, never empty, in the order that they were given.
    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, ResolveError>;

    /// The name of whoever has this address, if somebody knows one; never waits for long.
    async fn name_of(&self, address: IpAddr) -> Option<String> {
        _ = address;
        None
    }

    /// The mail exchangers of a domain, in the order that they were given; none if the domain
    /// exists without any. The name is a full one and is not completed; an alias of the domain is
    /// followed. Unless a resolver says otherwise, it cannot look them up.
    async fn exchangers(&self, domain: &str) -> Result<Vec<Exchanger>, ResolveError> {
        let why = "this resolver looks up no mail exchangers".to_owned();
        Err(ResolveError::Unanswered(domain.to_owned(), why))
    }

    /// What a full name is an alias of (RFC 1035, section 3.3.1), if somebody knows.
    async fn alias(&self, name: &str) -> Option<String> {
        _ = name;
        None
    }

    /// One that asks this DNS server alone, and nothing else that the host was told about names;
    /// `None` if no other can be asked.
    fn at(&self, server: SocketAddr) -> Option<Arc<dyn Resolve>> {
        _ = server;
        None
    }
}

/// How long the preferred family is waited for once the other is known. RFC 8305, section 3,
/// suggests 50 ms where a person waits; here a change of family is worse than the delay.
const RESOLUTION_DELAY: Duration = Duration::from_millis(300);
