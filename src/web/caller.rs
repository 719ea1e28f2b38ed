//! Who asks?

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tokio::sync::Notify;

/// Who asks, over a connection of its own.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Where the connection comes from.
    pub(super) address: IpAddr,
    /// Told when the connection is to end at once.
    pub(super) leave: Arc<Notify>,
}

impl Caller {
    /// Somebody who comes from there.
    pub(super) fn from(address: IpAddr) -> Self {
        Self {
            address,
            leave: Arc::default(),
        }
    }
}

impl Default for Caller {
    /// Somebody on this host.
    fn default() -> Self {
        Self::from(Ipv4Addr::LOCALHOST.into())
    }
}
