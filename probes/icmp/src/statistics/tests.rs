//! Are the figures what their definitions say?
//!
//! Each is compared with the definition written out naively over all samples.

use super::*;

#[test]
fn known_samples_give_known_figures() {
    let statistics = of(&[
        (0, 2),
        (1, 4),
        (2, 4),
        (3, 4),
        (4, 5),
        (5, 5),
        (6, 7),
        (7, 9),
    ]);
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(statistics.last(), ms(9));
    assert_eq!(statistics.min(), ms(2));
    assert_eq!(statistics.max(), ms(9));
    assert_eq!(statistics.mean(), ms(5));
    assert_eq!(statistics.deviation(), ms(2));
    for (percent, expected) in [
        (0, 2),
        (12, 2),
        (13, 4),
        (50, 4),
        (51, 5),
        (99, 9),
        (100, 9),
    ] {
        assert_eq!(statistics.percentile(percent), ms(expected), "p{percent}");
    }
}

#[test]
fn nothing_is_said_of_no_samples_and_little_of_one() {
    let none = Statistics::default();
    let figures = [
        none.last(),
        none.min(),
        none.max(),
        none.mean(),
        none.deviation(),
    ];
    assert_eq!(figures, [None; 5]);
    assert_eq!((none.percentile(50), none.jitter()), (None, None));
    let one = of(&[(0, 3)]);
    assert_eq!(one.deviation(), Some(Duration::ZERO));
    assert_eq!(one.percentile(99), Some(Duration::from_millis(3)));
    assert_eq!(one.jitter(), None);
}

#[test]
fn figures_agree_with_a_naive_reference() {
    for (samples, tolerance) in [(2, 0.0), (3, 0.0), (9_999, 0.0), (50_000, 0.008)] {
        let samples = random(samples);
        let statistics = of_nanos(&samples);
        let naive = Naive::of(&samples);
        let close = |what, figure: Option<Duration>, expected: f64, tolerance: f64| {
            let figure = figure.unwrap().as_secs_f64();
            let most = expected * tolerance + 1e-9;
            assert!(
                (figure - expected).abs() <= most,
                "{what}: {figure} {expected}"
            );
        };
        close("mean", statistics.mean(), naive.mean(), 0.0);
        close("mdev", statistics.deviation(), naive.deviation(), 0.0);
        close("jitter", statistics.jitter(), naive.jitter(), 0.0);
        close("max", statistics.max(), naive.percentile(100), 0.0);
        close("min", statistics.min(), naive.percentile(0), 0.0);
        for percent in [1, 50, 95, 99] {
            let expected = naive.percentile(percent);
            let percentile = statistics.percentile(percent as u64);
            close("percentile", percentile, expected, tolerance);
        }
    }
}

#[test]
fn jitter_is_of_neighbours_only_even_when_they_overtake() {
    for (samples, expected) in [
        (&[(0, 10), (1, 26)][..], Some(1_000_000)),
        (&[(1, 26), (0, 10)], Some(1_000_000)),
        (&[(0, 10), (2, 26)], None),
        (&[(0, 10), (2, 26), (1, 26)], Some(937_500)),
        (&[(0, 10), (1, 26), (2, 26)], Some(937_500)),
    ] {
        let jitter = of(samples).jitter();
        assert_eq!(jitter, expected.map(Duration::from_nanos), "{samples:?}");
    }
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut statistics = Statistics::default();
    for sequence in 0..100_000 {
        statistics.add(sequence, Duration::from_nanos(sequence * sequence * 7_919));
    }
    assert!(statistics.counts.len() <= MOST_EXACT);
    assert!(statistics.recent.len() <= RECENT);
    for nanos in [0, 1, 127, 128, 129, 1_000, 123_456_789, u64::MAX] {
        let error = rounded(nanos).abs_diff(nanos) as f64;
        assert!(error <= nanos as f64 * 0.008, "{nanos}");
    }
}

/// Samples as sequence number and milliseconds.
fn of(samples: &[(u64, u64)]) -> Statistics {
    let samples: Vec<_> = samples.iter().map(|(s, ms)| (*s, ms * 1_000_000)).collect();
    of_nanos(&samples)
}

fn of_nanos(samples: &[(u64, u64)]) -> Statistics {
    let mut statistics = Statistics::default();
    for (sequence, nanos) in samples {
        statistics.add(*sequence, Duration::from_nanos(*nanos));
    }
    statistics
}

/// Round trips up to half a second with gaps in their sequence, the same at every call.
fn random(count: u64) -> Vec<(u64, u64)> {
    let mut state = 1_u64;
    let samples = (0..count + count / 10).map(|sequence| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (sequence, (state >> 33) % 500_000_000)
    });
    let kept = samples.filter(|(sequence, _)| sequence % 11 != 10);
    kept.take(count as usize).collect()
}

/// The definitions, written out.
struct Naive<'a> {
    samples: &'a [(u64, u64)],
    seconds: Vec<f64>,
}

impl<'a> Naive<'a> {
    fn of(samples: &'a [(u64, u64)]) -> Self {
        let seconds = samples
            .iter()
            .map(|(_, nanos)| *nanos as f64 / 1e9)
            .collect();
        Self { samples, seconds }
    }

    fn mean(&self) -> f64 {
        self.seconds.iter().sum::<f64>() / self.seconds.len() as f64
    }

    fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.seconds.iter().map(|s| (s - mean).powi(2)).sum::<f64>();
        (squares / self.seconds.len() as f64).sqrt()
    }

    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted[rank - 1]
    }

    fn jitter(&self) -> f64 {
        let mut jitter = 0.0;
        for (n, pair) in self.samples.windows(2).enumerate() {
            if pair[1].0 == pair[0].0 + 1 {
                let distance = (self.seconds[n + 1] - self.seconds[n]).abs();
                jitter += (distance - jitter) / 16.0;
            }
        }
        jitter
    }
}
