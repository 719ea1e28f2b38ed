//! Why does an answer, or more of one, not come?

use std::io;
use std::net::SocketAddr;

use leadsman_core::Fault;
use leadsman_dial::{failure, hyper_failure};

/// What has broken.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The stream.
    Stream(io::Error),
    /// What hyper makes of the stream.
    Hyper(hyper::Error),
}

impl Broken {
    /// Whose fault it is; `doing` says what was tried.
    pub(crate) fn judged(&self, peer: SocketAddr, doing: &str) -> Fault {
        match self {
            Self::Stream(why) => failure(peer, doing, why),
            Self::Hyper(why) => hyper_failure(peer, doing, why),
        }
    }
}

impl From<io::Error> for Broken {
    fn from(why: io::Error) -> Self {
        Self::Stream(why)
    }
}

impl From<hyper::Error> for Broken {
    fn from(why: hyper::Error) -> Self {
        Self::Hyper(why)
    }
}
