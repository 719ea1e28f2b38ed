//! When is whose turn while all is well?
//!
//! New targets come first, one a second and within a minute all of them, so that soon something is
//! known of each. After that each has its turn once an hour, spread evenly.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::drive::Key;

/// Turns without an end.
#[derive(Debug, Default)]
pub(super) struct Round {
    new: VecDeque<Key>,
    known: VecDeque<Key>,
    /// How many share an hour, or the first minute.
    sharing: u32,
    last: Option<Instant>,
}

impl Round {
    /// Begins to be shared by so many, of which some are new.
    pub(super) fn begin(&mut self, sharing: usize) {
        self.sharing = sharing as u32;
    }

    /// Adds a new one.
    pub(super) fn add(&mut self, key: Key) {
        self.known.retain(|other| *other != key);
        self.new.retain(|other| *other != key);
        self.new.push_back(key);
    }

    /// When it is somebody's turn.
    pub(super) fn next(&self) -> Option<Instant> {
        let sharing = self.sharing.max(1);
        let pause = match (self.new.front(), self.known.front()) {
            (Some(_), _) => LONGEST_PAUSE.min(FIRST / sharing),
            (None, Some(_)) => HOUR / sharing,
            (None, None) => return None,
        };
        Some(self.last.map_or_else(Instant::now, |last| last + pause))
    }

    /// Whose turn it is.
    pub(super) fn turn(&mut self, now: Instant) -> Option<Key> {
        self.last = Some(now);
        self.new.pop_front().or_else(|| self.known.pop_front())
    }

    /// Gives whoever had a turn another one.
    pub(super) fn again(&mut self, key: Key) {
        self.known.push_back(key);
    }
}

const FIRST: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_seen_within_a_minute_and_then_each_once_an_hour() {
        check(1, &[0, 3600, 7200]);
        check(2, &[0, 1, 1801, 3601]);
        let turns = turns(600, 602);
        assert_eq!(turns[599], Duration::from_millis(59_900));
        assert_eq!(turns[600], Duration::from_millis(65_900));
        assert_eq!(turns[601], Duration::from_millis(71_900));
    }

    fn check(sharing: usize, seconds: &[u64]) {
        let expected: Vec<_> = seconds.iter().map(|s| Duration::from_secs(*s)).collect();
        assert_eq!(turns(sharing, seconds.len()), expected);
    }

    /// When the first so many turns are.
    fn turns(sharing: usize, count: usize) -> Vec<Duration> {
        let mut round = Round::default();
        round.begin(sharing);
        for number in 0..sharing {
            round.add(Key("p".into(), number.to_string().into()));
        }
        let mut times = Vec::new();
        for _ in 0..count {
            let at = round.next().expect("there are some");
            let key = round.turn(at).expect("it is somebody's");
            round.again(key);
            times.push(at);
        }
        let first = times[0];
        times.iter().map(|at| *at - first).collect()
    }
}
