//! Which way did the last good trace of this target go, whichever it was?
//!
//! A host may be traced on a schedule and once more when something else fails at it. What the one
//! has found is what the other's path is best compared with, so the last path that got to a target is
//! common to all traces of this process by the same protocol to the same port. It goes when the trace
//! that has found it does.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use leadsman_wire::Protocol;

use crate::path::Path;

/// One trace's part in what is known of a target.
#[derive(Debug)]
pub(crate) struct Known {
    whose: u64,
    target: Key,
}

/// What packets look like to whoever is on the way, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    address: IpAddr,
    protocol: Protocol,
    port: Option<u16>,
}

impl Known {
    /// Of a trace to an address, which has found nothing yet.
    pub(crate) fn new(address: IpAddr, protocol: Protocol, port: Option<u16>) -> Self {
        static TRACES: AtomicU64 = AtomicU64::new(0);
        Self {
            whose: TRACES.fetch_add(1, Ordering::Relaxed),
            target: Key {
                address,
                protocol,
                port,
            },
        }
    }

    /// The last path that got to the target.
    pub(crate) fn path(&self) -> Option<Path> {
        all().get(&self.target).map(|(_, path)| path.clone())
    }

    /// Takes in the path of a run, if it got to the target.
    pub(crate) fn learn(&self, path: &Path) {
        if path.is_reached() {
            all().insert(self.target, (self.whose, path.clone()));
        }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let mut all = all();
        if all
            .get(&self.target)
            .is_some_and(|(whose, _)| *whose == self.whose)
        {
            all.remove(&self.target);
        }
    }
}

/// Who has found them, and the paths.
fn all() -> MutexGuard<'static, HashMap<Key, (u64, Path)>> {
    static ALL: LazyLock<Mutex<HashMap<Key, (u64, Path)>>> = LazyLock::new(Mutex::default);
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_path_is_known_to_all_traces_of_its_target_until_its_finder_goes() {
        let trace = |port| Known::new(TARGET, Protocol::Udp, Some(port));
        let (one, other, elsewhere) = (trace(1), trace(1), trace(2));
        let reached = Path::new([None, Some(TARGET)], true);
        one.learn(&reached);
        other.learn(&Path::new([Some(TARGET)], false));
        assert_eq!(other.path(), Some(reached.clone()));
        assert_eq!(elsewhere.path(), None);
        drop(one);
        assert_eq!(other.path(), None);
        other.learn(&reached);
        drop(trace(1));
        assert_eq!(other.path(), Some(reached));
    }

    const TARGET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 77));
}
