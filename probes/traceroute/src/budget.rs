//! How often may one router be asked, by all traces of this process together?
//!
//! The first hops are common to all targets: without a common limit, a thousand traces a minute
//! would have the first router answer seventeen times a second, and most of it for nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::pace::Pace;

/// Whether this process may ask `router` once more now; if so, that is accounted for.
pub(crate) fn may_ask(router: IpAddr) -> bool {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    static BUDGET: LazyLock<Mutex<Budget>> =
        LazyLock::new(|| Mutex::new(Budget::new(EVERY, BURST)));
    let mut budget = BUDGET.lock().unwrap_or_else(PoisonError::into_inner);
    budget.allows(router, BEGIN.elapsed())
}

/// A limit on the probes per router.
#[derive(Debug)]
pub struct Budget {
    every: Duration,
    burst: u32,
    routers: HashMap<IpAddr, Pace>,
}

impl Budget {
    /// Allows `burst` probes to each router at once, and after that one per `every`, 1 ms at
    /// least.
    pub fn new(every: Duration, burst: u32) -> Self {
        Self {
            every,
            burst,
            routers: HashMap::new(),
        }
    }

    /// Whether `router` may be asked once more now; if so, that is accounted for.
    ///
    /// `now` is on one clock for all traces. At most 65,536 routers are watched at a time; of
    /// further ones nothing is allowed until some have been left alone for a while.
    pub fn allows(&mut self, router: IpAddr, now: Duration) -> bool {
        if self.routers.len() >= MOST_ROUTERS && !self.routers.contains_key(&router) {
            self.routers.retain(|_, pace| !pace.is_idle(now));
            if self.routers.len() >= MOST_ROUTERS {
                return false;
            }
        }
        let new = || Pace::new(self.every, self.burst);
        let pace = self.routers.entry(router).or_insert_with(new);
        let allowed = pace.next() <= now;
        if allowed {
            pace.spend(now);
        }
        allowed
    }
}

/// Ten a second for each router, the traces of 600 targets a minute.
const EVERY: Duration = Duration::from_millis(100);
const BURST: u32 = 20;

const MOST_ROUTERS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_router_has_a_budget_of_its_own() {
        let mut budget = Budget::new(Duration::from_secs(1), 2);
        for (router, at, expected) in [
            (1, 0, true),
            (1, 0, true),
            (1, 999, false),
            (2, 999, true),
            (1, 1000, true),
            (1, 1001, false),
        ] {
            let now = Duration::from_millis(at);
            let router = IpAddr::from([192, 0, 2, router]);
            assert_eq!(budget.allows(router, now), expected, "{router} at {at} ms");
        }
    }

    #[test]
    fn no_more_routers_are_watched_than_memory_is_meant_for() {
        let mut budget = Budget::new(Duration::from_secs(1), 1);
        let router = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..MOST_ROUTERS as u32 {
            assert!(budget.allows(router(number), Duration::ZERO));
        }
        assert!(!budget.allows(router(u32::MAX), Duration::ZERO));
        assert!(budget.allows(router(u32::MAX), Duration::from_secs(1)));
        assert_eq!(budget.routers.len(), 1);
    }
}
