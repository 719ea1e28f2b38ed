//! When is whose turn while all is well?
//!
//! New targets come first, one a second and within a minute all of them, so that soon something is
//! known of each. After that each has its turn once an hour, spread evenly.

use std::collections::{HashSet, VecDeque};
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
    /// Goes on without those that are not `known` any more, and with new ones.
    pub(super) fn adopt(&mut self, new: Vec<Key>, is_known: impl Fn(&Key) -> bool) {
        let added: HashSet<&Key> = new.iter().collect();
        for keys in [&mut self.new, &mut self.known] {
            keys.retain(|key| is_known(key) && !added.contains(key));
        }
        self.new.extend(new);
        self.sharing = (self.new.len() + self.known.len()) as u32;
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

    #[test]
    fn a_new_configuration_keeps_the_turns_of_those_that_stay() {
        let mut round = Round::default();
        round.adopt(vec![key(0), key(1), key(2)], |_| true);
        let now = Instant::now();
        let first = round.turn(now).expect("there are three");
        round.again(first);
        // Of 0, which had its turn, 1 and 2, the middle one goes; 2 is another one, and 3 is new.
        round.adopt(vec![key(2), key(3)], |known| *known != key(1));
        let turns = [(); 3].map(|()| round.turn(now));
        assert_eq!(turns, [2, 3, 0].map(|number| Some(key(number))));
        assert_eq!(round.turn(now), None);
    }

    fn key(number: usize) -> Key {
        Key("p".into(), number.to_string().into())
    }

    fn check(sharing: usize, seconds: &[u64]) {
        let expected: Vec<_> = seconds.iter().map(|s| Duration::from_secs(*s)).collect();
        assert_eq!(turns(sharing, seconds.len()), expected);
    }

    /// When the first so many turns are.
    fn turns(sharing: usize, count: usize) -> Vec<Duration> {
        let mut round = Round::default();
        let keys = (0..sharing).map(key).collect();
        round.adopt(keys, |_| true);
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
