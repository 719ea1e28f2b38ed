//! How many ICMP errors may a router send?
//!
//! A token bucket. What Linux limits on top for the whole machine (`icmp_msgs_per_sec`) is left
//! out: 1,000 errors a second do not come about in a test by accident.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use leadsman_core::options::Period;
use serde::Deserialize;

/// How many errors a node sends at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// How many it sends at once after a long silence.
    pub burst: u32,
    /// How long until it may send one more.
    pub every: Period,
    /// Who shares the allowance.
    #[serde(default)]
    pub per: Per,
}

impl Limit {
    /// What Linux does with `icmp_ratelimit` as it comes: six errors, then one per second, for
    /// each host that they go to.
    pub const LINUX: Self = Self {
        burst: 6,
        every: Period(Duration::from_secs(1)),
        per: Per::Destination,
    };
}

/// Who shares the allowance of a [`Limit`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each host that errors are sent to has its own.
    #[default]
    Destination,
    /// All hosts have one.
    Router,
}

/// What is left of a node's allowance.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit: Limit,
    buckets: HashMap<Option<IpAddr>, Bucket>,
}

impl Limiter {
    pub(crate) fn new(limit: Limit) -> Self {
        Self {
            limit,
            buckets: HashMap::new(),
        }
    }

    /// Says whether an error may go to `destination` now, and counts it if so.
    pub(crate) fn allows(&mut self, destination: IpAddr, now: Duration) -> bool {
        let key = (self.limit.per == Per::Destination).then_some(destination);
        let full = *self.limit.every * self.limit.burst;
        let bucket = self.buckets.entry(key).or_insert(Bucket {
            saved: full,
            at: now,
        });
        bucket.saved = (bucket.saved + now.saturating_sub(bucket.at)).min(full);
        bucket.at = now;
        let left = bucket.saved.checked_sub(*self.limit.every);
        bucket.saved = left.unwrap_or(bucket.saved);
        left.is_some()
    }
}

/// Time saved up; each error costs [`Limit::every`] of it.
#[derive(Debug)]
struct Bucket {
    saved: Duration,
    at: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks every 100 ms for 10 s, for two destinations in turn, and counts what is allowed.
    fn check(per: Per, expected: usize) {
        let mut limiter = Limiter::new(Limit {
            per,
            ..Limit::LINUX
        });
        let hosts = ["192.0.2.1", "192.0.2.2"].map(|host| host.parse().unwrap());
        let asked = (0..100_u32).map(|n| (hosts[n as usize % 2], Duration::from_millis(100) * n));
        let allowed = asked
            .filter(|(host, at)| limiter.allows(*host, *at))
            .count();
        assert_eq!(allowed, expected, "{per:?}");
    }

    #[test]
    fn a_burst_goes_out_and_then_one_per_interval() {
        check(Per::Router, 6 + 9);
        check(Per::Destination, 2 * (6 + 9));
    }
}
