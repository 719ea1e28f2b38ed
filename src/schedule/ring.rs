//! Whose turn is it among the slots of one interval?
//!
//! They take turns: when one's time has come, its next time is later than that of all others. So
//! who goes from the front to the back is where it belongs, and nothing is searched or sifted,
//! however many they are. Who cannot go there, having been added or having missed its turn, is put
//! in its place with the others of its kind before the next turn.

use std::collections::VecDeque;

use super::Slot;
use super::grid::Point;

/// The slots of one interval with their next grid points, in flight or not, and some that were
/// removed.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// In the order of their times.
    turns: VecDeque<Wake>,
    /// Whose place among the others is still to be found.
    unsorted: Vec<Wake>,
    /// Slots that were not removed.
    live: usize,
}

/// The next grid point of a slot; ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wake {
    pub(super) at: Point,
    pub(super) slot: Slot,
}

impl Ring {
    /// Takes in another slot.
    pub(super) fn add(&mut self, wake: Wake) {
        self.live += 1;
        self.unsorted.push(wake);
    }

    /// Hears that a slot was removed. Its wake goes when its turn comes, or when those of removed
    /// slots are the majority: with a long interval and a list of targets that flaps they would
    /// else grow without end.
    pub(super) fn removed(&mut self, is_live: impl Fn(&Wake) -> bool) {
        self.live -= 1;
        if self.len() > 2 * self.live {
            self.turns.retain(&is_live);
            self.unsorted.retain(&is_live);
        }
    }

    /// Whether all were removed.
    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Wakes, those of removed slots included.
    pub(super) fn len(&self) -> usize {
        self.turns.len() + self.unsorted.len()
    }

    /// The time of the next turn.
    pub(super) fn next(&self) -> Option<Point> {
        let unsorted = self.unsorted.iter().map(|wake| wake.at);
        let front = self.turns.front().map(|wake| wake.at);
        unsorted.chain(front).min()
    }

    /// Finds the places of those that have none.
    pub(super) fn sort(&mut self) {
        if !self.unsorted.is_empty() {
            self.turns.extend(self.unsorted.drain(..));
            // Made for what consists of two orders, one behind the other.
            self.turns.make_contiguous().sort();
        }
    }

    /// Takes out who is at the front, if its time has come.
    pub(super) fn pop(&mut self, now: Point) -> Option<Wake> {
        self.turns.pop_front_if(|wake| wake.at <= now)
    }

    /// Takes a slot back at its next time.
    pub(super) fn put(&mut self, wake: Wake) {
        if self.turns.back().is_none_or(|last| last.at <= wake.at) {
            self.turns.push_back(wake);
        } else {
            self.unsorted.push(wake);
        }
    }
}
