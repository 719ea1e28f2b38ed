//! When may the next packet leave?
//!
//! A few may leave at once, after that one per so much time, and every answer earns one more: a
//! near path is asked as fast as it answers, a far one not in one gulp. This is the generic cell
//! rate algorithm (ITU-T I.371), which needs one number and no timer.

use std::time::Duration;

/// A limit on the rate of packets.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    every: Duration,
    /// How far ahead of the rate a burst may run.
    tolerance: Duration,
    /// When the next packet would be due if there were no bursts.
    due: Duration,
}

impl Pace {
    pub(crate) fn new(every: Duration, burst: u32) -> Self {
        let every = every.max(LEAST);
        Self {
            every,
            tolerance: every * burst.saturating_sub(1),
            due: Duration::ZERO,
        }
    }

    /// When the next packet may leave, which may be past.
    pub(crate) fn next(&self) -> Duration {
        self.due.saturating_sub(self.tolerance)
    }

    /// Accounts for a packet that leaves.
    pub(crate) fn spend(&mut self, now: Duration) {
        self.due = self.due.max(now) + self.every;
    }

    /// Whether it would allow a whole burst.
    pub(crate) fn is_idle(&self, now: Duration) -> bool {
        self.due <= now
    }

    /// Accounts for an answer.
    pub(crate) fn earn(&mut self) {
        self.due = self.due.saturating_sub(self.every);
    }
}

const LEAST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_pace() {
        check(8, 0, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
        check(1, 0, &[0, 1, 2, 3]);
        check(0, 0, &[0, 1, 2, 3]);
    }

    #[test]
    fn every_answer_earns_a_packet() {
        check(2, 3, &[0, 0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn idle_time_earns_no_more_than_a_burst() {
        let mut pace = Pace::new(LEAST, 2);
        let later = Duration::from_secs(5);
        let mut sent = Vec::new();
        for _ in 0..3 {
            let at = pace.next().max(later);
            pace.spend(at);
            sent.push(at.saturating_sub(later));
        }
        assert_eq!(sent, [Duration::ZERO, Duration::ZERO, LEAST]);
    }

    /// Sends `expected.len()` packets as soon as may be, `answers` of which are answered at once.
    fn check(burst: u32, answers: usize, expected: &[u64]) {
        let mut pace = Pace::new(Duration::ZERO, burst);
        let mut now = Duration::ZERO;
        for (number, expected) in expected.iter().enumerate() {
            now = now.max(pace.next());
            assert_eq!(now, Duration::from_millis(*expected), "packet {number}");
            pace.spend(now);
            if number < answers {
                pace.earn();
            }
        }
    }
}
