//! What do the round trips to one hop come to?
//!
//! Mean and deviation are Welford's, each distance taken once from the mean before and once from
//! that after; the deviation is that of a sample (n - 1). Jitter is that of RFC 3550, section
//! 6.4.1, taken of round trips and not scaled: only of rounds next to each other that were both
//! answered, beginning with the second.

use std::time::Duration;

/// Round trips to one hop. All figures are `None` until they can be told.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    count: u64,
    last: Option<(u64, Duration)>,
    best: Option<Duration>,
    worst: Option<Duration>,
    /// In seconds.
    mean: f64,
    /// Sum of the squared distances from the mean, in seconds squared.
    squares: f64,
    /// In seconds.
    jitter: Option<f64>,
}

impl Statistics {
    /// Takes in the round trip of the probe of this round; rounds come in order.
    pub fn add(&mut self, round: u64, rtt: Duration) {
        self.count += 1;
        let seconds = rtt.as_secs_f64();
        let distance = seconds - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (seconds - self.mean);
        self.best = Some(self.best.map_or(rtt, |best| best.min(rtt)));
        self.worst = Some(self.worst.map_or(rtt, |worst| worst.max(rtt)));
        if let Some((before, other)) = self.last.replace((round, rtt))
            && before.abs_diff(round) == 1
        {
            let distance = rtt.abs_diff(other).as_secs_f64();
            let jitter = self.jitter.get_or_insert(0.0);
            *jitter += (distance - *jitter) / 16.0;
        }
    }

    /// How many were taken in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The one taken in last.
    pub fn last(&self) -> Option<Duration> {
        self.last.map(|(_, rtt)| rtt)
    }

    /// The shortest.
    pub fn best(&self) -> Option<Duration> {
        self.best
    }

    /// The longest.
    pub fn worst(&self) -> Option<Duration> {
        self.worst
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_secs_f64(self.mean))
    }

    /// The standard deviation of the sample: there is none of a single round trip.
    pub fn deviation(&self) -> Option<Duration> {
        let variance = self.squares / self.count.saturating_sub(1) as f64;
        (self.count > 1).then(|| Duration::from_secs_f64(variance.max(0.0).sqrt()))
    }

    /// The smoothed distance between the round trips of rounds next to each other.
    pub fn jitter(&self) -> Option<Duration> {
        self.jitter.map(Duration::from_secs_f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_round_trips_give_known_figures() {
        let statistics = of(&[
            Some(2),
            Some(4),
            Some(4),
            Some(4),
            Some(5),
            Some(5),
            Some(7),
            Some(9),
        ]);
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(statistics.mean(), ms(5));
        assert_eq!((statistics.best(), statistics.worst()), (ms(2), ms(9)));
        assert_eq!(statistics.last(), ms(9));
        let expected = (32.0_f64 / 7.0).sqrt() / 1e3;
        close(statistics.deviation(), expected);
    }

    #[test]
    fn two_round_trips_have_the_deviation_that_wrong_formulas_miss() {
        close(of(&[Some(1), Some(3)]).deviation(), 2.0_f64.sqrt() / 1e3);
    }

    #[test]
    fn nothing_is_told_of_nothing_and_no_spread_of_one() {
        let none = Statistics::default();
        assert_eq!(
            (none.mean(), none.best(), none.deviation()),
            (None, None, None)
        );
        let one = of(&[Some(3)]);
        assert_eq!((one.deviation(), one.jitter()), (None, None));
    }

    #[test]
    fn jitter_follows_rfc_3550_and_skips_unanswered_rounds() {
        close(of(&[Some(1), Some(9)]).jitter(), 8.0 / 16.0 / 1e3);
        assert_eq!(of(&[Some(1), None, Some(9)]).jitter(), None);
        // Differences of 1 ms for ever come to a jitter of 1 ms.
        let steady: Vec<_> = (0..400).map(|round| Some(10 + round % 2)).collect();
        close(of(&steady).jitter(), 1e-3);
    }

    #[test]
    fn figures_agree_with_their_definitions_over_random_round_trips() {
        let mut random = fastrand::Rng::with_seed(3550);
        for count in [2_usize, 10, 1_000] {
            let rtts: Vec<u64> = (0..count).map(|_| random.u64(1..500)).collect();
            let statistics = of(&rtts.iter().copied().map(Some).collect::<Vec<_>>());
            let seconds: Vec<f64> = rtts.iter().map(|ms| *ms as f64 / 1e3).collect();
            let mean = seconds.iter().sum::<f64>() / count as f64;
            let squares: f64 = seconds.iter().map(|s| (s - mean).powi(2)).sum();
            close(statistics.mean(), mean);
            close(
                statistics.deviation(),
                (squares / (count - 1) as f64).sqrt(),
            );
            let steps = seconds.windows(2).map(|pair| (pair[1] - pair[0]).abs());
            close(
                statistics.jitter(),
                steps.fold(0.0, |j, d| j + (d - j) / 16.0),
            );
        }
    }

    fn of(rounds: &[Option<u64>]) -> Statistics {
        let mut statistics = Statistics::default();
        for (round, ms) in rounds.iter().enumerate() {
            if let Some(ms) = ms {
                statistics.add(round as u64, Duration::from_millis(*ms));
            }
        }
        statistics
    }

    fn close(found: Option<Duration>, expected: f64) {
        let found = found.expect("there are enough").as_secs_f64();
        assert!((found - expected).abs() < 2e-9, "{found} is not {expected}");
    }
}
