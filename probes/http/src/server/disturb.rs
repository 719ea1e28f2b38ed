//! How late, and how often not at all, are files sent of which that was asked?
//!
//! As the seed says: the n-th request of a path meets the same fate in every run of the program.

use std::f64::consts::TAU;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use fastrand::Rng;
use leadsman_core::options::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to requests of some path.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Disturbance {
    /// The path, as it is written in requests; one that ends in `/` stands for all below it.
    pub(super) path: String,
    /// How long an answer is held back.
    pub(super) latency: Option<Latency>,
    /// The share of requests that are answered with 503.
    #[schemars(range(min = 0, max = 1))]
    pub(super) error_ratio: f64,
    /// Chooses which requests fare how.
    pub(super) seed: u64,
}

/// A log-normal distribution, as latencies often have it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Latency {
    /// What half of the answers take at most.
    pub(super) p50: Period,
    /// What 99 of 100 answers take at most.
    pub(super) p99: Period,
}

/// What happens to all requests.
#[derive(Debug)]
pub(super) struct Disturbances(Vec<(Disturbance, AtomicU64)>);

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fate {
    /// How long its answer is held back.
    pub(super) latency: Duration,
    /// Whether it is answered with 503.
    pub(super) fails: bool,
}

impl Disturbances {
    pub(super) fn new(wanted: &[Disturbance]) -> Self {
        let wanted = wanted.iter().cloned();
        Self(wanted.map(|wanted| (wanted, AtomicU64::new(0))).collect())
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// What happens to the next request of `path`; nothing if no one wants that.
    pub(super) fn fate(&self, path: &str) -> Option<Fate> {
        let (wanted, asked) = self.0.iter().find(|(wanted, _)| wanted.covers(path))?;
        Some(wanted.draw(asked.fetch_add(1, Relaxed)))
    }
}

impl Disturbance {
    fn covers(&self, path: &str) -> bool {
        self.path == path || self.path.ends_with('/') && path.starts_with(&self.path)
    }

    fn draw(&self, number: u64) -> Fate {
        // Golden-ratio steps, so that the sequences of neighbouring seeds have nothing in common.
        let mut random = Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Fate {
            latency: self
                .latency
                .map_or(Duration::ZERO, |it| it.draw(&mut random)),
            fails: random.f64() < self.error_ratio,
        }
    }
}

impl Latency {
    fn draw(&self, random: &mut Rng) -> Duration {
        // Box and Muller's way to a normal deviate.
        let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
        let normal = radius * (TAU * random.f64()).cos();
        let [median, high] = [self.p50, self.p99].map(|time| time.0.max(SHORTEST).as_secs_f64());
        let seconds = median * ((high / median).ln() / Z99 * normal).exp();
        Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64()))
    }
}

/// The standard normal distribution's 99th percentile.
const Z99: f64 = 2.326_347_874;
/// None has a logarithm.
const SHORTEST: Duration = Duration::from_nanos(1);
/// However heavy the tail.
const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn disturbance(seed: u64) -> Disturbance {
        let ms = |ms| Period(Duration::from_millis(ms));
        Disturbance {
            path: "/a/".to_owned(),
            latency: Some(Latency {
                p50: ms(20),
                p99: ms(300),
            }),
            error_ratio: 0.1,
            seed,
        }
    }

    #[test]
    fn the_same_seed_brings_the_same_fates() {
        let fates = |seed| -> Vec<_> {
            let all = Disturbances::new(&[disturbance(seed)]);
            (0..100).map(|_| all.fate("/a/b")).collect()
        };
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
    }

    #[test]
    fn of_many_requests_as_many_are_late_or_fail_as_was_asked() {
        let all = Disturbances::new(&[disturbance(1)]);
        let fates: Vec<_> = (0..100_000).filter_map(|_| all.fate("/a/")).collect();
        let within = |ms| {
            let limit = Duration::from_millis(ms);
            fates.iter().filter(|fate| fate.latency <= limit).count()
        };
        assert!((49_000..51_000).contains(&within(20)), "{}", within(20));
        assert!((98_800..99_200).contains(&within(300)), "{}", within(300));
        let failed = fates.iter().filter(|fate| fate.fails).count();
        assert!((9_600..10_400).contains(&failed), "{failed}");
    }

    #[test]
    fn only_paths_that_were_named_are_disturbed() {
        let exact = Disturbance {
            path: "/file".to_owned(),
            ..Disturbance::default()
        };
        let all = Disturbances::new(&[exact, disturbance(0)]);
        for (path, expected) in [
            ("/file", true),
            ("/file/x", false),
            ("/filex", false),
            ("/a/", true),
            ("/a/b/c", true),
            ("/a", false),
            ("/", false),
        ] {
            assert_eq!(all.fate(path).is_some(), expected, "{path}");
        }
    }
}
