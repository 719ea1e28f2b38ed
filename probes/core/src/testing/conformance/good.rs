//! Does a run against a peer that answers succeed?

use super::lab::{Lab, Stuck};
use super::peer::Peer;

/// Runs once against every good peer, which also opens whatever is opened on first use.
pub(super) fn check(lab: &mut Lab, good: &[Peer]) -> Result<Vec<String>, Stuck> {
    let mut mistakes = Vec::new();
    if good.is_empty() {
        mistakes.push("no good peer is named: see Kit::good".to_owned());
    }
    for peer in good {
        if let Err(fault) = lab.run(peer)?.run.result {
            mistakes.push(format!("{}: {fault}", peer.name));
        }
    }
    Ok(mistakes)
}
