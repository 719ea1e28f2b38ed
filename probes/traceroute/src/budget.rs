//! How often may one router be asked, by all traces of this process together?
//!
//! The first hops are common to all targets: without a common limit, a thousand traces a minute
//! would have the first router answer seventeen times a second, and most of it for nothing. Where
//! more is wanted than may be, the traces take turns: who was left out has a claim to be next, or
//! those that happen to come first would be first for ever.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::pace::Pace;

/// Whether this process may ask `router` once more now; if so, that is accounted for.
pub(crate) fn may_ask(router: IpAddr, turn: &mut Turn) -> bool {
    common(|budget, now| budget.allows(&[router], 1, turn, now))
}

/// Whether it may ask all of `routers` so often; if so, that is accounted for.
pub(crate) fn may_ask_all(routers: &[IpAddr], packets: u32, turn: &mut Turn) -> bool {
    common(|budget, now| budget.allows(routers, packets, turn, now))
}

/// Accounts for a packet that `router` was asked beyond what it may be: less is left for others.
pub(crate) fn note_asked(router: IpAddr) {
    common(|budget, now| budget.spend(router, now));
}

/// The budget of all traces of this process.
fn common<T>(work: impl FnOnce(&mut Budget, Duration) -> T) -> T {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    static BUDGET: LazyLock<Mutex<Budget>> =
        LazyLock::new(|| Mutex::new(Budget::new(EVERY, BURST)));
    let mut budget = BUDGET.lock().unwrap_or_else(PoisonError::into_inner);
    work(&mut budget, BEGIN.elapsed())
}

/// A limit on the probes per router.
#[derive(Debug)]
pub struct Budget {
    every: Duration,
    burst: u32,
    routers: HashMap<IpAddr, Router>,
}

/// The claim of one trace to ask a router: it grows by that trace's share each time that it wants
/// to ask, and asking takes a whole.
#[derive(Debug, Clone)]
pub struct Turn(f64);

/// What is known of one router.
#[derive(Debug)]
struct Router {
    pace: Pace,
    /// When the current stretch of [`STRETCH`] began.
    since: Duration,
    /// How many packets were wanted in it, and in the one before.
    wanted: [u32; 2],
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

    /// Whether each of `routers` may be asked `packets` times now, on the claim of `turn`; if so,
    /// that is accounted for. More packets than are left go on account of those that come after.
    ///
    /// `now` is on one clock for all traces. At most 65,536 routers are watched at a time; of
    /// further ones nothing is allowed until some have been left alone for a while.
    pub fn allows(
        &mut self,
        routers: &[IpAddr],
        packets: u32,
        turn: &mut Turn,
        now: Duration,
    ) -> bool {
        let (mut share, mut is_due) = (1.0_f64, true);
        for router in routers {
            let every = self.every;
            let Some(known) = self.router(*router, now) else {
                return false;
            };
            share = share.min(known.share(packets, every, now));
            is_due &= known.pace.next() <= now;
        }
        turn.0 = (turn.0 + share).min(MOST_CLAIMED);
        let allowed = is_due && turn.0 >= 1.0 - ROUNDING;
        if allowed {
            turn.0 -= 1.0;
            for router in routers {
                (0..packets).for_each(|_| self.spend(*router, now));
            }
        }
        allowed
    }

    /// Accounts for a packet that `router` is asked, whether it may be or not.
    pub fn spend(&mut self, router: IpAddr, now: Duration) {
        if let Some(known) = self.router(router, now) {
            known.pace.spend(now);
        }
    }

    fn router(&mut self, router: IpAddr, now: Duration) -> Option<&mut Router> {
        if self.routers.len() >= MOST_ROUTERS && !self.routers.contains_key(&router) {
            self.routers.retain(|_, known| !known.pace.is_idle(now));
            if self.routers.len() >= MOST_ROUTERS {
                return None;
            }
        }
        let known = self.routers.entry(router).or_insert_with(|| Router {
            pace: Pace::new(self.every, self.burst),
            since: now,
            wanted: [0; 2],
        });
        Some(known)
    }
}

impl Router {
    /// Takes in that so many packets are wanted, and returns how many of those that are wanted
    /// lately may be sent, as a share of 1.
    fn share(&mut self, packets: u32, every: Duration, now: Duration) -> f64 {
        let past = now.saturating_sub(self.since);
        if past >= STRETCH {
            let before = if past < STRETCH * 2 {
                self.wanted[0]
            } else {
                0
            };
            (self.since, self.wanted) = (now, [0, before]);
        }
        self.wanted[0] = self.wanted[0].saturating_add(packets);
        let most = STRETCH.as_secs_f64() / every.as_secs_f64();
        let wanted = self.wanted[0].max(self.wanted[1]);
        (most / f64::from(wanted)).min(1.0)
    }
}

impl Turn {
    /// That of a new trace. Traces begin with different claims, so that not all are left out at once.
    pub fn new() -> Self {
        static BEGUN: AtomicU32 = AtomicU32::new(0);
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        // Multiples of the golden ratio are spread evenly, however many there are.
        Self((f64::from(number) * 0.618_033_988_749_895).fract())
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self::new()
    }
}

/// Ten a second for each router, the traces of 600 targets a minute.
const EVERY: Duration = Duration::from_millis(100);
const BURST: u32 = 20;

/// For so long it is counted what is wanted.
const STRETCH: Duration = Duration::from_secs(10);

/// A trace that was left out often may not ask often in a row for that.
const MOST_CLAIMED: f64 = 2.0;

/// What sums of shares may lose.
const ROUNDING: f64 = 1e-9;

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
            let allowed = budget.allows(&[router], 1, &mut Turn::new(), now);
            assert_eq!(allowed, expected, "{router} at {at} ms");
        }
    }

    #[test]
    fn no_more_routers_are_watched_than_memory_is_meant_for() {
        let mut budget = Budget::new(Duration::from_secs(1), 1);
        let router = |number: u32| IpAddr::from(number.to_be_bytes());
        let mut allows = |number, at| budget.allows(&[router(number)], 1, &mut Turn::new(), at);
        for number in 0..MOST_ROUTERS as u32 {
            assert!(allows(number, Duration::ZERO));
        }
        assert!(!allows(u32::MAX, Duration::ZERO));
        assert!(allows(u32::MAX, Duration::from_secs(1)));
        assert_eq!(budget.routers.len(), 1);
    }

    #[test]
    fn traces_that_want_too_much_take_turns() {
        for (traces, wanted) in [(17, 0), (101, 0), (500, 0), (50, 100)] {
            let mut budget = Budget::new(EVERY, BURST);
            let mut turns: Vec<_> = (0..traces).map(|_| Turn::new()).collect();
            let mut asked = vec![0_u32; traces];
            // Each once a second, always at the same moment of it.
            for second in 0..600 {
                for (trace, turn) in turns.iter_mut().enumerate() {
                    let phase = Duration::from_secs(1) * trace as u32 / traces as u32;
                    let now = Duration::from_secs(second) + phase;
                    let allowed = budget.allows(&[ROUTER], 1, turn, now);
                    asked[trace] += u32::from(allowed);
                }
            }
            let total: u32 = asked.iter().sum();
            let least = asked.iter().min().unwrap();
            let most = asked.iter().max().unwrap();
            println!("{traces}: {total} in 600 s, from {least} to {most} each");
            assert!(
                total <= BURST + 6_000 && total >= 5_000 - wanted,
                "{traces}: {total}"
            );
            let fair = 6_000 / traces as u32;
            assert!(*least * 2 >= fair, "{traces}: {least} of {fair}");
        }
    }

    #[test]
    fn what_was_asked_beyond_the_budget_is_paid_for_by_those_after() {
        let mut budget = Budget::new(Duration::from_secs(1), 2);
        let mut allows = |packets, at| {
            let now = Duration::from_secs(at);
            budget.allows(&[ROUTER], packets, &mut Turn::new(), now)
        };
        assert!(allows(6, 0));
        assert!(!allows(1, 4));
        assert!(allows(1, 5));
    }

    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
}
