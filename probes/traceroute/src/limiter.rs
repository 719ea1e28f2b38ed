//! How does a router limit its answers?
//!
//! Most do it by a token bucket: a few answers at once, and after that one per so much time. A
//! Linux router as it comes gives each asker six answers and then one per second. That pattern is
//! regular where loss is random, so it can be told apart: no two answers after the first silence
//! are nearer to or farther from the mean distance than the probes allow. It shows if about two
//! probes or more come to an answer.
//!
//! Where loss comes on top the pattern is not found. Then only the reluctance is known.

use std::time::Duration;

/// A router's limit on its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many answers it gives at once; `None` if it was spent before the first probe.
    pub burst: Option<u32>,
    /// Time from one answer to the next after that.
    pub every: Duration,
}

/// Finds the limit that explains these outcomes: when each probe left, and whether it was answered,
/// oldest first.
pub fn limit(outcomes: impl IntoIterator<Item = (Duration, bool)>) -> Option<Limit> {
    let outcomes: Vec<_> = outcomes.into_iter().collect();
    let spacing = median(
        outcomes
            .windows(2)
            .map(|pair| pair[1].0.saturating_sub(pair[0].0)),
    )?;
    let burst = outcomes
        .iter()
        .take_while(|(_, answered)| *answered)
        .count();
    let after: Vec<Duration> = outcomes[burst..]
        .iter()
        .filter_map(|(at, answered)| answered.then_some(*at))
        .collect();
    let gaps = || after.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    if gaps().count() < LEAST_GAPS {
        return None;
    }
    let every = gaps().sum::<Duration>() / gaps().count() as u32;
    let regular = gaps().all(|gap| gap.abs_diff(every) < spacing);
    // Where two probes or fewer come to an answer, a little loss looks as regular as a limit.
    let seen = every * 10 >= spacing * 19;
    (regular && seen).then(|| Limit {
        burst: spent(&outcomes[..burst], every),
        every,
    })
}

/// How many answers came at once, without those that were earned meanwhile.
fn spent(answered: &[(Duration, bool)], every: Duration) -> Option<u32> {
    let ((first, _), (last, _)) = (answered.first()?, answered.last()?);
    let earned = last.saturating_sub(*first).as_nanos() / every.as_nanos().max(1);
    Some((answered.len() as u32).saturating_sub(earned as u32))
}

fn median(durations: impl Iterator<Item = Duration>) -> Option<Duration> {
    let mut durations: Vec<_> = durations.collect();
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied()
}

/// Fewer could be chance: of probes half of which are lost, one in 256 looks regular for four.
const LEAST_GAPS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Bucket;

    #[test]
    fn a_token_bucket_is_recognised_whatever_the_pace_of_the_probes() {
        let second = Duration::from_secs(1);
        for (burst, every, spacing) in [
            (6, second, 100),
            (6, second, 300),
            (1, second, 250),
            (10, Duration::from_millis(500), 200),
            (50, Duration::from_millis(20), 10),
        ] {
            let mut bucket = Bucket::new(burst, every);
            let times = (0..128).map(|number| Duration::from_millis(spacing) * number);
            let found = limit(times.map(|at| (at, bucket.pay(at)))).expect("it is regular");
            let error = found.every.abs_diff(every);
            assert!(error <= every / 10, "{burst} per {every:?}: {found:?}");
            let error = found.burst.expect("it was full").abs_diff(burst.into());
            assert!(error <= 1, "{burst} per {every:?}: {found:?}");
        }
    }

    #[test]
    fn an_empty_bucket_tells_no_burst() {
        let answered = |number: u32| (Duration::from_millis(100) * number, number % 10 == 9);
        let found = limit((0..100).map(answered)).expect("it is regular");
        assert_eq!((found.burst, found.every), (None, Duration::from_secs(1)));
    }

    #[test]
    fn silence_and_answers_without_a_pattern_are_no_limit() {
        let at = |number: u32| Duration::from_millis(100) * number;
        assert_eq!(limit([]), None);
        assert_eq!(limit((0..100).map(|number| (at(number), true))), None);
        assert_eq!(limit((0..100).map(|number| (at(number), false))), None);
    }

    #[test]
    fn random_loss_is_seldom_taken_for_a_limit() {
        let mut random = fastrand::Rng::with_seed(38);
        let mut mistaken = 0;
        for case in 0..1_000 {
            let loss = f64::from(case % 10) / 10.0;
            let outcome = |number: u32| (Duration::from_millis(100) * number, random.f64() >= loss);
            mistaken += u32::from(limit((0..100).map(outcome)).is_some());
        }
        assert!(mistaken <= 2, "{mistaken} of 1000");
    }
}
