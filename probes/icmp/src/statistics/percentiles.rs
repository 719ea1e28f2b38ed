//! Which time do so many of 100 not exceed?
//!
//! By nearest rank. Exact until 10,000 different times have been seen; then all are rounded to
//! within 0.8 %, which bounds the memory.

use std::collections::BTreeMap;
use std::time::Duration;

/// Percentiles of the times added so far.
#[derive(Debug, Default)]
pub(super) struct Percentiles {
    count: u64,
    /// How many there were of each, in nanoseconds.
    counts: BTreeMap<u64, u64>,
    rounded: bool,
}

impl Percentiles {
    pub(super) fn add(&mut self, time: Duration) {
        self.count += 1;
        let nanos = time.as_nanos().try_into().unwrap_or(u64::MAX);
        let key = if self.rounded { rounded(nanos) } else { nanos };
        *self.counts.entry(key).or_default() += 1;
        if self.counts.len() > MOST_EXACT {
            self.rounded = true;
            for (nanos, count) in std::mem::take(&mut self.counts) {
                *self.counts.entry(rounded(nanos)).or_default() += count;
            }
        }
    }

    /// The smallest time that at least `percent` of 100 do not exceed; `None` of none.
    pub(super) fn percentile(&self, percent: u64) -> Option<Duration> {
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
}

/// Keeps the seven leading bits, and takes the middle of what they leave open.
fn rounded(nanos: u64) -> u64 {
    let open = (u64::BITS - nanos.leading_zeros()).saturating_sub(LEADING_BITS);
    match open {
        0 => nanos,
        open => (nanos >> open << open) | 1 << (open - 1),
    }
}

const MOST_EXACT: usize = 10_000;
const LEADING_BITS: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut percentiles = Percentiles::default();
        for n in 0..100_000_u64 {
            percentiles.add(Duration::from_nanos(n * n * 7_919));
        }
        assert!(percentiles.counts.len() <= MOST_EXACT);
        for nanos in [0, 1, 127, 128, 129, 1_000, 123_456_789, u64::MAX] {
            let error = rounded(nanos).abs_diff(nanos) as f64;
            assert!(error <= nanos as f64 * 0.008, "{nanos}");
        }
    }
}
