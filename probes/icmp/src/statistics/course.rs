//! What do requests tell in the order in which they were sent?
//!
//! Jitter, delay variation and runs of losses are defined over neighbouring requests. Replies may
//! overtake each other, and that a request was lost shows only later, so each request waits here
//! until all before it have ended; then it is looked at once.
//!
//! - Delay variation is that of RFC 3393: the round trip of a request less that of the one right
//!   before it, of pairs that both were answered. It has a sign.
//! - Jitter is that of RFC 3550, section 6.4.1, with the variation of round trips for the
//!   difference D of transit times: `J = J + (|D| - J) / 16`. It is kept as the RFC defines it, not
//!   scaled by 16 as in its example code.
//! - A loss period is that of RFC 3357, section 4: lost requests with no answered one between them.
//!
//! A request of which nothing is known, for this host did not send it or may have dropped its reply,
//! is left out of the sequence of losses, and pairs with none.

use std::collections::VecDeque;
use std::time::Duration;

/// How a request ended, as far as statistics go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A good reply came in time. Its round trip is left out if it cannot be compared to others.
    Received(Option<Duration>),
    /// None did.
    Lost,
    /// Nothing is known about the path.
    Unknown,
}

/// What one request told when its turn came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// By how much its round trip differs from that of the request before, which is negative if it
    /// is shorter; in seconds.
    pub(crate) variation: Option<f64>,
    /// Whether a loss period begins with it.
    pub(crate) loss_begins: bool,
}

/// The requests of one flow.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Sequence number of the first one that waits.
    first: u64,
    /// Those that wait for one before them, or have not ended.
    waiting: VecDeque<Option<Fate>>,
    /// The last round trip looked at, and whose it is.
    before: Option<(u64, Duration)>,
    /// In seconds.
    jitter: Option<f64>,
    /// Requests lost in the period that goes on; 0 if none does.
    losses: u64,
}

impl Course {
    /// A request was sent; they are told in ascending order.
    pub(crate) fn sent(&mut self, sequence: u64) {
        if self.waiting.is_empty() {
            self.first = sequence;
        }
        // A number that was never sent says nothing.
        while self.first + (self.waiting.len() as u64) < sequence {
            self.waiting.push_back(Some(Fate::Unknown));
        }
        self.waiting.push_back(None);
    }

    /// A request that was sent has ended. Take the steps that this makes possible with
    /// [`Self::step`].
    pub(crate) fn ended(&mut self, sequence: u64, fate: Fate) {
        let place = sequence.checked_sub(self.first);
        let place = place.and_then(|place| self.waiting.get_mut(usize::try_from(place).ok()?));
        if let Some(fate_of @ None) = place {
            *fate_of = Some(fate);
        }
    }

    /// Looks at the next request whose turn has come; `None` if it has not ended.
    pub(crate) fn step(&mut self) -> Option<Step> {
        let fate = self.waiting.front().copied().flatten()?;
        self.waiting.pop_front();
        let sequence = self.first;
        self.first += 1;
        let loss_begins = fate == Fate::Lost && self.losses == 0;
        match fate {
            Fate::Lost => self.losses += 1,
            Fate::Received(_) => self.losses = 0,
            Fate::Unknown => {}
        }
        let variation = match fate {
            Fate::Received(Some(rtt)) => self.vary(sequence, rtt),
            _ => None,
        };
        Some(Step {
            variation,
            loss_begins,
        })
    }

    /// The smoothed variation, in seconds; `None` until two neighbours were answered.
    pub(crate) fn jitter(&self) -> Option<f64> {
        self.jitter
    }

    /// How many requests were lost since the last one that was answered.
    pub(crate) fn losses(&self) -> u64 {
        self.losses
    }

    fn vary(&mut self, sequence: u64, rtt: Duration) -> Option<f64> {
        let (neighbour, before) = self.before.replace((sequence, rtt))?;
        if neighbour + 1 != sequence {
            return None;
        }
        let size = rtt.abs_diff(before).as_secs_f64();
        let jitter = self.jitter.get_or_insert(0.0);
        *jitter += (size - *jitter) / 16.0;
        Some(if rtt < before { -size } else { size })
    }
}

/// Which replies came after one to a later request: those that RFC 4737, section 3, calls reordered.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// The RFC's `NextExp`: one more than the greatest sequence number seen.
    next_expected: u64,
}

impl Arrivals {
    /// Takes the first reply to a request, late ones too, and says whether it is reordered.
    pub(crate) fn is_reordered(&mut self, sequence: u64) -> bool {
        let reordered = sequence < self.next_expected;
        self.next_expected = self.next_expected.max(sequence + 1);
        reordered
    }
}

#[cfg(test)]
mod tests {
    use super::Fate::{Lost, Unknown};
    use super::*;

    /// Sends as many requests as end, lets them end in the order given (sequence, fate), and
    /// compares the variations in milliseconds and where loss periods begin.
    #[track_caller]
    fn check(ends: &[(u64, Fate)], variations: &[Option<f64>], begins: &[usize]) {
        let mut course = Course::default();
        for sequence in 0..ends.len() as u64 {
            course.sent(sequence);
        }
        let mut steps = Vec::new();
        for (sequence, fate) in ends {
            course.ended(*sequence, *fate);
            while let Some(step) = course.step() {
                steps.push(step);
            }
        }
        let milliseconds = |step: &Step| step.variation.map(|v| (v * 1e3).round());
        assert_eq!(
            steps.iter().map(milliseconds).collect::<Vec<_>>(),
            variations
        );
        let began = steps
            .iter()
            .enumerate()
            .filter(|(_, step)| step.loss_begins);
        assert_eq!(began.map(|(at, _)| at).collect::<Vec<_>>(), begins);
    }

    fn ms(ms: u64) -> Fate {
        Fate::Received(Some(Duration::from_millis(ms)))
    }

    #[test]
    fn only_neighbours_that_were_both_answered_make_a_pair() {
        let (up, down) = (Some(16.0), Some(-6.0));
        check(
            &[(0, ms(10)), (1, ms(26)), (2, ms(20))],
            &[None, up, down],
            &[],
        );
        check(&[(0, ms(10)), (1, Lost), (2, ms(26))], &[None; 3], &[1]);
        check(&[(0, ms(10)), (1, Unknown), (2, ms(26))], &[None; 3], &[]);
        let apart = Fate::Received(None);
        check(&[(0, ms(10)), (1, apart), (2, ms(26))], &[None; 3], &[]);
    }

    #[test]
    fn the_order_of_ending_makes_no_difference() {
        let (up, down) = (Some(16.0), Some(-6.0));
        check(
            &[(2, ms(20)), (1, ms(26)), (0, ms(10))],
            &[None, up, down],
            &[],
        );
        check(&[(1, ms(1)), (2, Lost), (0, Lost)], &[None; 3], &[0, 2]);
    }

    #[test]
    fn losses_are_one_period_until_something_was_answered() {
        let none = [None; 4];
        check(
            &[(0, Lost), (1, Lost), (2, ms(1)), (3, Lost)],
            &none,
            &[0, 3],
        );
        check(
            &[(0, Lost), (1, Unknown), (2, Lost), (3, ms(1))],
            &none,
            &[0],
        );
    }

    #[test]
    fn numbers_that_are_left_out_or_told_twice_hold_up_nothing() {
        let mut course = Course::default();
        course.sent(3);
        course.sent(7);
        course.ended(7, Lost);
        course.ended(7, ms(1));
        course.ended(2, ms(1));
        assert_eq!(course.step(), None);
        course.ended(3, ms(1));
        let began = std::iter::from_fn(|| course.step()).map(|step| step.loss_begins);
        assert_eq!(
            began.collect::<Vec<_>>(),
            [false, false, false, false, true]
        );
        course.sent(9);
        course.ended(9, Lost);
        assert!(!course.step().unwrap().loss_begins);
        assert_eq!(course.losses(), 2);
    }

    #[test]
    fn a_reply_is_reordered_if_one_to_a_later_request_came_before() {
        let mut arrivals = Arrivals::default();
        let reordered = [0, 2, 1, 3, 6, 5, 4, 7].map(|sequence| arrivals.is_reordered(sequence));
        let expected = [false, false, true, false, false, true, true, false];
        assert_eq!(reordered, expected);
    }
}
