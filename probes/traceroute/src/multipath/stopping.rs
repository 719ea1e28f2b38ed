//! After how many answers is it likely that no next hop is left to find?
//!
//! If a balancer spreads evenly over `width` next hops, the chance that `n` flows leave one unseen
//! is that of the coupon collector's problem. The stopping points of the multipath detection
//! algorithm (Augustin 2007) are the least `n` that make it small enough for one hop more than was
//! found.
//!
//! That is the doubt of one look: at a router with four next hops one stops wrongly after one, after
//! two or after three, and each is as likely as that. Together they were 6 % in simulation. So from
//! the second next hop on each look has a third of the doubt only; what rules out the second stays
//! as it was published, for most hops have no branches.
//!
//! Several balancers on the way have as many chances to hide a next hop. So that the confidence is
//! in the whole, each of them is given its share of the doubt (Veitch 2009, failure control).

use std::sync::OnceLock;

/// How sure it must be that nothing is left to find, on all paths together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Confidence {
    /// 95 %: six flows for a hop without branches.
    #[default]
    Usual,
    /// 99 %: eight flows.
    High,
}

impl Confidence {
    /// The confidence of so many percent, if it is one of them.
    pub const fn of(percent: u8) -> Option<Self> {
        match percent {
            95 => Some(Self::Usual),
            99 => Some(Self::High),
            _ => None,
        }
    }

    /// Returns how many flows rule out that a router has a second next hop.
    pub const fn flows(self) -> u32 {
        match self {
            Self::Usual => 6,
            Self::High => 8,
        }
    }

    /// Returns it in percent.
    pub const fn percent(self) -> u8 {
        match self {
            Self::Usual => 95,
            Self::High => 99,
        }
    }
}

/// How many flows must have been answered, by how many next hops were found.
#[derive(Debug)]
pub(super) struct StoppingPoints(Vec<usize>);

impl StoppingPoints {
    /// The stopping points for each of so many balancers, computed once.
    pub(super) fn of(confidence: Confidence, balancers: usize) -> &'static Self {
        static USUAL: [OnceLock<StoppingPoints>; MOST_BALANCERS] = [const { OnceLock::new() }; _];
        static HIGH: [OnceLock<StoppingPoints>; MOST_BALANCERS] = [const { OnceLock::new() }; _];
        let (known, sure) = match confidence {
            Confidence::Usual => (&USUAL, 0.95_f64),
            Confidence::High => (&HIGH, 0.99),
        };
        let balancers = balancers.clamp(1, MOST_BALANCERS);
        let share = 1.0 / balancers as f64;
        known[balancers - 1].get_or_init(|| Self::new(1.0 - sure.powf(share)))
    }

    fn new(chance: f64) -> Self {
        let look = |found| if found == 1 { chance } else { chance / LOOKS };
        let points = (1..MOST_BRANCHES).map(|found| enough(found, look(found)));
        Self(points.collect())
    }

    /// Flows that must be answered before `found` next hops are taken for all; at the most that
    /// are told apart, none.
    pub(super) fn after(&self, found: usize) -> usize {
        self.0.get(found.max(1) - 1).copied().unwrap_or(0)
    }
}

/// The least number of flows that leave no more than this chance of a next hop beyond those found.
fn enough(found: usize, chance: f64) -> usize {
    let mut flows = found;
    // What is left of rounding must not count.
    while unseen(found + 1, flows) > chance + ROUNDING {
        flows += 1;
    }
    flows
}

/// The chance that some of `width` next hops get none of so many flows, by inclusion and exclusion.
fn unseen(width: usize, flows: usize) -> f64 {
    let mut ways = 1.0;
    let mut chance = 0.0;
    for left_out in 1..width {
        ways *= (width - left_out + 1) as f64 / left_out as f64;
        let missed = ways * (1.0 - left_out as f64 / width as f64).powf(flows as f64);
        chance += if left_out % 2 == 1 { missed } else { -missed };
    }
    // Few flows cannot reach many next hops, and the sum of large terms loses its digits there.
    if flows < width { 1.0 } else { chance }
}

/// So many next hops of one router are told apart.
const MOST_BRANCHES: usize = 64;

/// So many balancers share the doubt; if there are more, each has as much as if there were not.
const MOST_BALANCERS: usize = 32;

/// So many times it is likely to stop wrongly at a router with many next hops, as a rule: before the
/// last, before the last but one, and rarely before that.
const LOOKS: f64 = 3.0;

const ROUNDING: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopping_points_are_those_that_were_published() {
        check(Confidence::Usual, &[6, 11, 16, 21, 27, 33, 38, 44, 51, 57]);
        check(Confidence::High, &[8, 15, 21, 28, 36, 43, 51, 58, 66, 74]);
    }

    #[test]
    fn balancers_share_the_doubt() {
        let one = StoppingPoints::of(Confidence::High, 1);
        let five = StoppingPoints::of(Confidence::Usual, 5);
        for found in 1..10 {
            let apart = one.after(found).abs_diff(five.after(found));
            assert!(apart <= 1, "five at 95 % are as one at 99 %: {found}");
        }
    }

    #[test]
    fn stopping_points_rise_to_the_most_branches() {
        let StoppingPoints(points) = StoppingPoints::of(Confidence::High, MOST_BALANCERS);
        assert!(points.is_sorted_by(|a, b| a < b), "{points:?}");
        assert_eq!(points.len(), MOST_BRANCHES - 1);
    }

    fn check(confidence: Confidence, expected: &[usize]) {
        let chance = 1.0 - f64::from(confidence.percent()) / 100.0;
        let published = (1..=expected.len()).map(|found| enough(found, chance));
        assert_eq!(published.collect::<Vec<_>>(), expected);
        let ours = StoppingPoints::of(confidence, 1);
        assert_eq!(ours.after(1), expected[0]);
        assert_eq!(confidence.flows() as usize, expected[0]);
        let third = (2..=expected.len()).map(|found| enough(found, chance / 3.0));
        let after = (2..=expected.len()).map(|found| ours.after(found));
        assert!(after.eq(third));
    }
}
