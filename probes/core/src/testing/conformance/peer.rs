//! Whom does the kit aim at?

use std::net::SocketAddr;

use super::servers::Servers;
use crate::Target;
use crate::testing::Bench;

/// One address to aim at, and with what.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// What it is called in the report.
    pub(super) name: String,
    /// The address as a person would write it.
    pub(super) address: String,
    pub(super) bench: Bench,
    /// Whether its host is known to be there, so that only the peer can be at fault.
    pub(super) reachable: bool,
}

/// All peers of a kit, by what is expected of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    /// It succeeds.
    pub(super) good: Vec<Peer>,
    /// It ends by its deadline.
    pub(super) hostile: Vec<Peer>,
    /// It records something rare.
    pub(super) provoking: Vec<Peer>,
}

impl Peer {
    /// Aims once, so that a mistake in the address or the options is told where it was made.
    ///
    /// # Panics
    /// If they are refused.
    pub(super) fn new(name: &str, bench: Bench, address: impl Into<String>) -> Self {
        let address = address.into();
        bench.aimed(&Target::new(address.as_str()));
        Self {
            name: name.to_owned(),
            address,
            bench,
            reachable: false,
        }
    }
}

impl Peers {
    /// Adds a kit's own servers, each at the address that `written` makes of its socket's.
    pub(super) fn add_servers(
        &mut self,
        bench: &Bench,
        servers: &Servers,
        written: impl Fn(SocketAddr) -> String,
    ) {
        let ours = servers.addresses.iter().map(|(name, socket)| Peer {
            reachable: true,
            ..Peer::new(name, bench.clone(), written(*socket))
        });
        self.hostile.extend(ours);
    }
}
