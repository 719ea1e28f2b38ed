//! Which silence is loss?
//!
//! A router that does not answer has not lost anything if routers beyond it answer: it limits its
//! answers, or has better to do. So what is lost up to a hop is at most the least that any hop
//! from there on failed to answer; the rest is the hop's own reluctance.
//!
//! It is a bound, not a measure: if everything beyond limits its answers as well, it is too high.
//! Only at the target is it the loss of the whole way.

/// What came of the probes with one TTL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those whose outcome is known.
    pub settled: u64,
    /// Those of them that were never answered.
    pub missed: u64,
}

/// What the silence of one hop comes to, as shares of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HopLoss {
    /// The share of probes that were not answered.
    pub missed: f64,
    /// The most that can have been lost up to here.
    pub lost: f64,
    /// Whether the hop itself answers notably less than it is asked: more than 5 % of at least 20.
    pub reluctant: bool,
}

/// Tells loss from reluctance, for hops in the order of their TTLs up to the target's.
///
/// A hop of which nothing is known yet has no entry but keeps its place.
pub fn losses(tallies: &[Tally]) -> Vec<Option<HopLoss>> {
    let mut least = f64::INFINITY;
    let mut losses: Vec<_> = tallies
        .iter()
        .rev()
        .map(|tally| {
            if tally.settled == 0 {
                return None;
            }
            let missed = tally.missed as f64 / tally.settled as f64;
            least = least.min(missed);
            Some(HopLoss {
                missed,
                lost: least,
                reluctant: tally.settled >= ENOUGH && missed - least > NOTABLE,
            })
        })
        .collect();
    losses.reverse();
    losses
}

const ENOUGH: u64 = 20;
const NOTABLE: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_that_limits_its_answers_has_lost_nothing() {
        check(
            &[(100, 0), (100, 90), (100, 0)],
            &["0", "0 of 90 reluctant", "0"],
        );
        check(&[(100, 60), (100, 90)], &["60", "90"]);
    }

    #[test]
    fn loss_at_the_target_is_loss_and_bounds_what_is_before() {
        check(&[(100, 0), (100, 10), (100, 10)], &["0", "10", "10"]);
        check(
            &[(100, 20), (100, 80), (100, 10)],
            &["10 of 20 reluctant", "10 of 80 reluctant", "10"],
        );
    }

    #[test]
    fn few_probes_and_little_silence_call_no_router_reluctant() {
        check(&[(19, 19), (19, 0)], &["0 of 100", "0"]);
        check(&[(100, 5), (100, 0)], &["0 of 5", "0"]);
        check(&[(100, 6), (100, 0)], &["0 of 6 reluctant", "0"]);
    }

    #[test]
    fn hops_of_which_nothing_is_known_are_passed_over() {
        check(&[(10, 5), (0, 0), (10, 2)], &["20 of 50", "-", "20"]);
        check(&[], &[]);
    }

    fn check(tallies: &[(u64, u64)], expected: &[&str]) {
        let tally = |(settled, missed): &(u64, u64)| Tally {
            settled: *settled,
            missed: *missed,
        };
        let tallies: Vec<_> = tallies.iter().map(tally).collect();
        let percent = |share: f64| (share * 100.0).round();
        let found: Vec<_> = losses(&tallies)
            .into_iter()
            .map(|loss| {
                let Some(HopLoss {
                    missed,
                    lost,
                    reluctant,
                }) = loss
                else {
                    return "-".to_owned();
                };
                let (missed, lost) = (percent(missed), percent(lost));
                match reluctant {
                    true => format!("{lost} of {missed} reluctant"),
                    false if missed > lost => format!("{lost} of {missed}"),
                    false => lost.to_string(),
                }
            })
            .collect();
        assert_eq!(found, expected);
    }
}
