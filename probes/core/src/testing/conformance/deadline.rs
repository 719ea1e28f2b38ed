//! Does every run end by its deadline, whatever the peer does?
//!
//! The core drops a run at its deadline, so only a probe that keeps its thread, or is slow to let
//! go of what it holds, can be late.

use std::time::Duration;

use super::lab::{Lab, Stuck};
use super::peer::Peer;

/// Runs against every hostile peer; the best of a few tries counts, for the machine may be busy.
pub(super) fn check(lab: &mut Lab, hostile: &[Peer]) -> Result<Vec<String>, Stuck> {
    let mut mistakes = Vec::new();
    if hostile.is_empty() {
        mistakes.push("no hostile peer is named: see Kit::tcp_servers and Kit::hostile".to_owned());
    }
    for peer in hostile {
        let mut best = Duration::MAX;
        for _ in 0..TRIES {
            best = best.min(lab.time(peer, TIMEOUT)?);
            if best <= TIMEOUT + SLACK {
                break;
            }
        }
        if best > TIMEOUT + SLACK {
            let name = &peer.name;
            mistakes.push(format!(
                "{name}: took {best:?}, with {TIMEOUT:?} to its deadline"
            ));
        }
    }
    Ok(mistakes)
}

/// How long a run against a hostile peer may take.
pub(super) const TIMEOUT: Duration = Duration::from_millis(300);
/// How much later it may end.
const SLACK: Duration = Duration::from_millis(50);
const TRIES: u8 = 3;
