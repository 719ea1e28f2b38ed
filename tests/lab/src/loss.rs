//! Which packets does a link lose?
//!
//! Only chance; what drops packets on purpose (limits, silence, a host that is down) is the
//! node's.

use fastrand::Rng;
use serde::Deserialize;

/// How a link loses packets; not at all by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// No packet is lost.
    #[default]
    Never,
    /// Each packet is lost with this probability, whatever became of the others.
    Bernoulli(f64),
    /// Losses come in bursts: a link is good or bad, and changes with each packet by chance.
    GilbertElliott {
        /// Probability that a good link turns bad.
        worsen: f64,
        /// Probability that a bad link turns good.
        recover: f64,
        /// Probability of loss while good.
        good: f64,
        /// Probability of loss while bad.
        bad: f64,
    },
}

impl Loss {
    /// Says whether the next packet is lost. `is_bad` is the link's state, kept between calls.
    pub fn takes(&self, is_bad: &mut bool, random: &mut Rng) -> bool {
        match *self {
            Self::Never => false,
            Self::Bernoulli(chance) => random.f64() < chance,
            Self::GilbertElliott {
                worsen,
                recover,
                good,
                bad,
            } => {
                let change = if *is_bad { recover } else { worsen };
                *is_bad ^= random.f64() < change;
                random.f64() < if *is_bad { bad } else { good }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a million packets; compares the share lost and the mean length of runs of losses.
    fn check(loss: Loss, share: f64, run: f64) {
        let mut random = Rng::with_seed(1);
        let mut is_bad = false;
        let (mut gone, mut runs, mut before) = (0_u32, 0_u32, false);
        for _ in 0..1_000_000 {
            let now = loss.takes(&mut is_bad, &mut random);
            gone += u32::from(now);
            runs += u32::from(now && !before);
            before = now;
        }
        let (drawn, mean) = (
            f64::from(gone) / 1e6,
            f64::from(gone) / f64::from(runs.max(1)),
        );
        assert!((drawn - share).abs() <= 0.002, "{loss:?}: {drawn}");
        assert!((mean - run).abs() <= run * 0.02, "{loss:?}: runs of {mean}");
    }

    #[test]
    fn a_link_loses_its_share_in_runs_of_the_right_length() {
        check(Loss::Never, 0.0, 0.0);
        check(Loss::Bernoulli(0.2), 0.2, 1.25);
        // Bad for worsen/(worsen+recover) of the time, for 1/recover packets each time.
        let (worsen, recover) = (0.01, 0.25);
        let (good, bad) = (0.0, 1.0);
        let loss = Loss::GilbertElliott {
            worsen,
            recover,
            good,
            bad,
        };
        check(loss, 0.01 / 0.26, 4.0);
    }
}
