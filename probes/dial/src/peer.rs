//! Who is at the other end of a stream?

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use leadsman_core::Fault;

/// Who is at the other end of a stream, and how that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer<'a> {
    /// A host, at an address and a port.
    Socket(SocketAddr),
    /// A program on this host, at a path.
    Path(&'a str),
}

impl Peer<'_> {
    /// Judges an I/O error of a connection with it: see [`Fault::connection`].
    pub fn fault(self, doing: &str, error: io::Error) -> Fault {
        match self {
            Self::Socket(address) => Fault::connection(address, doing, error),
            // Asked only whether there is a way, of which this host has one to itself.
            Self::Path(_) => Fault::connection(HERE, doing, error),
        }
    }
}

impl From<SocketAddr> for Peer<'_> {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Path(path) => path.fmt(f),
        }
    }
}

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
