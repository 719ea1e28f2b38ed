//! May another packet leave yet?
//!
//! A token bucket, kept as the moment until which what has left is paid for (the generic cell rate
//! algorithm of ITU-T I.371): no counting, no timer.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::clock::Stamp;

/// So many packets a second, and so many at once.
#[derive(Debug)]
pub(crate) struct Pace {
    cost: Duration,
    ahead: Duration,
    paid_until: Stamp,
}

impl Pace {
    /// Lets `rate` packets a second leave, after a pause up to `burst` at once.
    pub(crate) fn new(rate: NonZeroU32, burst: u32) -> Self {
        let cost = Duration::from_secs(1) / rate.get();
        Self {
            cost,
            ahead: cost * burst.max(1),
            paid_until: Stamp(0),
        }
    }

    /// Pays for a packet, if it may leave now.
    pub(crate) fn take(&mut self, now: Stamp) -> bool {
        let paid_until = self.paid_until.max(now).after(self.cost);
        let may = paid_until.since(now) <= self.ahead;
        if may {
            self.paid_until = paid_until;
        }
        may
    }

    /// How long the next packet has to wait.
    pub(crate) fn rest(&self, now: Stamp) -> Duration {
        let paid_until = self.paid_until.max(now).after(self.cost);
        paid_until.since(now).saturating_sub(self.ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for a packet every so many microseconds, and says how many may leave in a second.
    #[track_caller]
    fn check(rate: u32, burst: u32, every: u64, expected: u64) {
        let mut pace = Pace::new(NonZeroU32::new(rate).unwrap(), burst);
        let begin = Stamp(7_000_000_000);
        let moments = (0..1_000_000 / every).map(|n| begin.after(Duration::from_micros(n * every)));
        let left = moments.filter(|now| pace.take(*now)).count() as u64;
        assert_eq!(
            left, expected,
            "{rate}/s in bursts of {burst}, every {every} us"
        );
    }

    #[test]
    fn the_rate_is_kept_however_often_is_asked() {
        check(1_000, 1, 1, 1_000);
        check(1_000, 1, 100, 1_000);
        check(1_000, 10, 1, 1_009);
        check(1_000, 10, 10_000, 100);
    }

    #[test]
    fn the_rest_is_the_time_until_the_next() {
        let mut pace = Pace::new(NonZeroU32::new(1_000).unwrap(), 2);
        let now = Stamp(7_000_000_000);
        assert!(pace.take(now) && pace.take(now) && !pace.take(now));
        assert_eq!(pace.rest(now), Duration::from_millis(1));
        assert!(pace.take(now.after(pace.rest(now))));
    }
}
