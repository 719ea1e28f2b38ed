//! What came of the last runs, TTL by TTL?
//!
//! The last 64 runs count, whenever they were: an hour of one a minute. So what the loss of a hop
//! is said to be settles as fast as there are runs, and a change shows in full after 64.

use std::net::IpAddr;

use crate::loss::{HopLoss, Tally, losses};

/// What the last runs found at each TTL.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    run: u64,
    /// Of TTL 1 and on.
    hops: Vec<Hop>,
}

/// What one run found at one TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was not asked, so that nothing is known.
    Unasked,
    Silent,
    Answered(IpAddr),
}

#[derive(Debug, Default)]
struct Hop {
    /// A bit for each run, the last one's lowest.
    asked: u64,
    answered: u64,
    /// Who answered, and in which run last.
    responders: Vec<(IpAddr, u64)>,
}

impl Recent {
    /// Takes in a run: its outcomes at TTL 1 and on, up to the path's end. What was known of TTLs
    /// beyond is forgotten.
    pub(crate) fn observe(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.run += 1;
        let mut length = 0;
        for outcome in outcomes {
            if self.hops.len() == length {
                self.hops.push(Hop::default());
            }
            self.hops[length].observe(outcome, self.run);
            length += 1;
        }
        self.hops.truncate(length);
    }

    /// Tells loss from reluctance, at TTL 1 and on; nothing of a TTL that was never asked.
    pub(crate) fn losses(&self) -> Vec<Option<HopLoss>> {
        let tallies: Vec<_> = self.hops.iter().map(Hop::tally).collect();
        losses(&tallies)
    }

    /// How many routers answered at each TTL, from 1 on.
    pub(crate) fn responders(&self) -> impl Iterator<Item = usize> {
        self.hops.iter().map(|hop| hop.responders.len())
    }
}

impl Hop {
    fn observe(&mut self, outcome: Outcome, run: u64) {
        self.asked = self.asked << 1 | u64::from(outcome != Outcome::Unasked);
        self.answered <<= 1;
        self.responders
            .retain(|(_, last)| last + u64::from(u64::BITS) > run);
        let Outcome::Answered(from) = outcome else {
            return;
        };
        self.answered |= 1;
        let mut known = self.responders.iter_mut();
        match known.find(|(responder, _)| *responder == from) {
            Some((_, last)) => *last = run,
            None => self.responders.push((from, run)),
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            settled: self.asked.count_ones().into(),
            missed: (self.asked & !self.answered).count_ones().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_bounded_by_what_answers_beyond() {
        check(&["AB", "A*", "AB", "A*"], 1, &["0 of 0", "0.5 of 0.5"]);
        check(&["AB", "*B", "*B", "AB"], 1, &["0 of 0.5", "0 of 0"]);
    }

    #[test]
    fn only_the_last_64_runs_count() {
        check(&["**", "AB"], 64, &["0 of 0", "0 of 0"]);
        check(&["AB", "**"], 64, &["1 of 1", "1 of 1"]);
        check(&["**", "AB"], 63, &["0.015625 of 0.015625"; 2]);
    }

    #[test]
    fn what_was_not_asked_is_not_missed() {
        check(&["A-", "AB", "A*", "A-"], 1, &["0 of 0", "0.5 of 0.5"]);
        check(&["-B"], 1, &["-", "0 of 0"]);
    }

    #[test]
    fn ttls_beyond_the_end_are_forgotten() {
        check(&["ABC", "AB"], 1, &["0 of 0", "0 of 0"]);
        check(&["ABC", "AB", "AB*"], 1, &["0 of 0", "0 of 0", "1 of 1"]);
    }

    #[test]
    fn routers_are_counted_while_they_were_heard_lately() {
        for (runs, times, expected) in [
            (&["A"][..], 3, 1),
            (&["A", "B", "A"], 1, 2),
            (&["A", "B"], 62, 2),
            (&["A", "B"], 64, 1),
        ] {
            let recent = observed(runs, times);
            assert_eq!(recent.responders().next(), Some(expected), "{runs:?}");
        }
    }

    /// Takes in runs, the last of them so often; expects of each hop the loss and the silence.
    fn check(runs: &[&str], times: usize, expected: &[&str]) {
        let losses = observed(runs, times).losses().into_iter().map(|loss| {
            loss.map_or_else(
                || "-".to_owned(),
                |loss| format!("{} of {}", loss.lost, loss.missed),
            )
        });
        let losses: Vec<_> = losses.collect();
        assert_eq!(losses, expected);
    }

    /// A letter for each router, a star for silence, a dash for what was not asked.
    fn observed(runs: &[&str], times: usize) -> Recent {
        let mut recent = Recent::default();
        let (last, before) = runs.split_last().expect("there is one");
        for run in before.iter().chain(std::iter::repeat_n(last, times)) {
            recent.observe(run.bytes().map(|letter| match letter {
                b'-' => Outcome::Unasked,
                b'*' => Outcome::Silent,
                letter => Outcome::Answered([192, 0, 2, letter].into()),
            }));
        }
        recent
    }
}
