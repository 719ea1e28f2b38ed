//! Does a run leave those alone whom it may not ask?
//!
//! A good peer behind a fence that admits nobody must not even be tried: the run ends as our own
//! fault, for want of a permission. A probe that resolves with the core's context and connects with
//! `leadsman-dial` has nothing to do for it; one with sockets of its own asks `Context::permits`.

use std::net::IpAddr;

use super::lab::{Lab, Stuck};
use super::peer::Peer;
use crate::{Blocker, Fault, Fence};

/// Runs once against every good peer, with nobody to be asked.
pub(super) fn check(lab: &Lab, good: &[Peer]) -> Result<Vec<String>, Stuck> {
    let mut mistakes = Vec::new();
    for peer in good {
        let bench = peer.bench.clone().fence(Closed);
        let (limit, address) = (bench.patience(), peer.address.clone());
        let run = async move { bench.run(&address).await.run.result };
        match lab.watch(&peer.name, limit, run)? {
            Err(Fault::Own(Blocker::Permission, _)) => {}
            Err(other) => mistakes.push(format!(
                "{}: behind a closed fence the run ends with {}: {other}",
                peer.name,
                other.reason()
            )),
            Ok(()) => mistakes.push(format!(
                "{}: asked although the fence is closed: call Context::permits",
                peer.name
            )),
        }
    }
    Ok(mistakes)
}

/// Admits nobody.
#[derive(Debug)]
struct Closed;

impl Fence for Closed {
    fn admits(&self, _: Option<&str>, _: IpAddr, _: Option<u16>) -> bool {
        false
    }

    fn admits_name(&self, _: &str, _: u16) -> bool {
        false
    }

    fn admits_path(&self, _: &str) -> bool {
        false
    }

    fn place(&self) -> &'static str {
        "the conformance kit"
    }
}
