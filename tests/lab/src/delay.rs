//! How long does a link take to carry a packet?
//!
//! Distributions only; what keeps packets in order or holds one back is the way's.

use std::time::Duration;

use fastrand::Rng;
use leadsman_core::options::Period;
use serde::Deserialize;

/// A distribution of delays; none by default.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delay {
    /// Always the same.
    Constant(Period),
    /// Any delay between two is as likely as another.
    Uniform {
        /// The shortest.
        least: Period,
        /// The longest.
        most: Period,
    },
    /// The bell curve, cut off at zero.
    Normal {
        /// The middle of the curve.
        mean: Period,
        /// One standard deviation.
        deviation: Period,
    },
    /// Many short delays and a long tail, cut off at a minute: `least · u^(-1/shape)`.
    Pareto {
        /// The shortest.
        least: Period,
        /// The smaller, the heavier the tail; the mean is finite above 1, the variance above 2.
        shape: f64,
    },
}

impl Delay {
    /// Draws one delay.
    pub fn draw(&self, random: &mut Rng) -> Duration {
        match *self {
            Self::Constant(delay) => *delay,
            Self::Uniform { least, most } => {
                *least + (most.saturating_sub(*least)).mul_f64(random.f64())
            }
            Self::Normal { mean, deviation } => {
                // Box and Muller; 1 - u is never 0.
                let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
                let angle = std::f64::consts::TAU * random.f64();
                let seconds = mean.as_secs_f64() + deviation.as_secs_f64() * radius * angle.cos();
                Duration::from_secs_f64(seconds.max(0.0))
            }
            Self::Pareto { least, shape } => {
                let factor = (1.0 - random.f64()).powf(-1.0 / shape);
                Duration::from_secs_f64((least.as_secs_f64() * factor).min(60.0))
            }
        }
    }
}

impl Default for Delay {
    fn default() -> Self {
        Self::Constant(Period(Duration::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Period {
        Period(Duration::from_millis(count))
    }

    /// Draws 100,000 delays and compares their mean and standard deviation, in milliseconds.
    fn check(delay: Delay, mean: f64, deviation: f64) {
        let mut random = Rng::with_seed(1);
        let drawn = (0..100_000).map(|_| delay.draw(&mut random).as_secs_f64() * 1e3);
        let drawn: Vec<f64> = drawn.collect();
        let drawn_mean = drawn.iter().sum::<f64>() / 1e5;
        let squares = drawn.iter().map(|d| (d - drawn_mean).powi(2)).sum::<f64>();
        let drawn_deviation = (squares / 1e5).sqrt();
        assert!(
            (drawn_mean - mean).abs() <= mean * 0.01,
            "{delay:?}: {drawn_mean}"
        );
        assert!(
            (drawn_deviation - deviation).abs() <= deviation * 0.1,
            "{delay:?}: {drawn_deviation}"
        );
    }

    #[test]
    fn drawn_delays_have_the_moments_of_their_distribution() {
        check(Delay::Constant(ms(5)), 5.0, 0.0);
        let (least, most) = (ms(2), ms(8));
        check(Delay::Uniform { least, most }, 5.0, 6.0 / 12_f64.sqrt());
        let (mean, deviation) = (ms(20), ms(2));
        check(Delay::Normal { mean, deviation }, 20.0, 2.0);
        // Mean a/(a-1), variance a/((a-1)^2 (a-2)) for the least delay 1.
        let (least, shape) = (ms(1), 5.0);
        check(
            Delay::Pareto { least, shape },
            1.25,
            (5.0_f64 / 48.0).sqrt(),
        );
    }
}
