//! What do many round trips come to?
//!
//! Mean and deviation are Welford's, so they neither overflow nor lose digits; the deviation is
//! that of the population, which ping(8) calls mdev. Percentiles are by nearest rank. They are
//! exact until 10,000 different round trips have been seen; then all are rounded to within 0.8 %,
//! which bounds the memory. Jitter is that of RFC 3550, section 6.4.1, taken of round trips.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Round trips of one host.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    count: u64,
    last: Option<Duration>,
    min: Option<Duration>,
    max: Option<Duration>,
    /// In seconds.
    mean: f64,
    /// Sum of the squared distances from the mean, in seconds squared.
    squares: f64,
    /// In seconds.
    jitter: Option<f64>,
    /// The most recent round trips by sequence: pairs are found even if replies overtake.
    recent: VecDeque<(u64, Duration)>,
    /// How many there were of each, in nanoseconds.
    counts: BTreeMap<u64, u64>,
    rounded: bool,
}

impl Statistics {
    /// Takes in the round trip of the request with this sequence number.
    pub(crate) fn add(&mut self, sequence: u64, rtt: Duration) {
        self.last = Some(rtt);
        self.min = Some(self.min.map_or(rtt, |min| min.min(rtt)));
        self.max = Some(self.max.map_or(rtt, |max| max.max(rtt)));
        self.add_to_mean(rtt.as_secs_f64());
        self.add_to_jitter(sequence, rtt);
        let nanos = rtt.as_nanos().try_into().unwrap_or(u64::MAX);
        let key = if self.rounded { rounded(nanos) } else { nanos };
        *self.counts.entry(key).or_default() += 1;
        if self.counts.len() > MOST_EXACT {
            self.round();
        }
    }

    /// The last one added; `None` before the first, as with all that follow.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// The shortest.
    pub(crate) fn min(&self) -> Option<Duration> {
        self.min
    }

    /// The longest.
    pub(crate) fn max(&self) -> Option<Duration> {
        self.max
    }

    /// The arithmetic mean.
    pub(crate) fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_secs_f64(self.mean))
    }

    /// The standard deviation of the population.
    pub(crate) fn deviation(&self) -> Option<Duration> {
        let variance = self.squares / self.count as f64;
        (self.count > 0).then(|| Duration::from_secs_f64(variance.sqrt()))
    }

    /// The smallest round trip that at least `percent` of 100 do not exceed.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (nanos, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return Some(Duration::from_nanos(*nanos));
            }
        }
        None
    }

    /// The smoothed distance between the round trips of neighbouring requests; `None` until two
    /// neighbours were answered.
    pub(crate) fn jitter(&self) -> Option<Duration> {
        self.jitter.map(Duration::from_secs_f64)
    }

    fn add_to_mean(&mut self, rtt: f64) {
        self.count += 1;
        let distance = rtt - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (rtt - self.mean);
    }

    fn add_to_jitter(&mut self, sequence: u64, rtt: Duration) {
        for (other, other_rtt) in &self.recent {
            if other.abs_diff(sequence) == 1 {
                let distance = rtt.abs_diff(*other_rtt).as_secs_f64();
                let jitter = self.jitter.get_or_insert(0.0);
                *jitter += (distance - *jitter) / 16.0;
            }
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((sequence, rtt));
    }

    fn round(&mut self) {
        self.rounded = true;
        for (nanos, count) in std::mem::take(&mut self.counts) {
            *self.counts.entry(rounded(nanos)).or_default() += count;
        }
    }
}

/// Keeps the seven leading bits, and takes the middle of what they leave open.
fn rounded(nanos: u64) -> u64 {
    let open = (u64::BITS - nanos.leading_zeros()).saturating_sub(LEADING_BITS);
    match open {
        0 => nanos,
        open => (nanos >> open << open) | 1 << (open - 1),
    }
}

/// How far a reply may be overtaken and still be paired with its neighbours for the jitter.
const RECENT: usize = 64;

const MOST_EXACT: usize = 10_000;
const LEADING_BITS: u32 = 7;

#[cfg(test)]
mod tests;
