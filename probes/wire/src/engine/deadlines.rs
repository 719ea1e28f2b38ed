//! Whose time is over?
//!
//! A wheel of about a thousand ticks of about a millisecond. Entries are not taken out when their
//! request is answered: they are found to be stale when their tick comes. A longer wait than the
//! wheel's turn goes round again. Each tick's entries are a list within one stretch of memory, which
//! grows to the most that there ever were and no further.

use crate::clock::Stamp;
use crate::engine::Key;

/// Requests by when their time is over.
#[derive(Debug)]
pub(super) struct Deadlines {
    /// The first node of each tick's list.
    wheel: Box<[u32]>,
    nodes: Vec<Node>,
    /// The first node that is in no tick's list.
    free: u32,
    /// The tick up to which all is done.
    done: u64,
}

/// A request that was in flight when it was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) lap: u16,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    entry: Entry,
    next: u32,
}

impl Deadlines {
    pub(super) fn new() -> Self {
        Self {
            wheel: vec![NONE; TICKS].into(),
            nodes: Vec::new(),
            free: NONE,
            done: 0,
        }
    }

    pub(super) fn enter(&mut self, entry: Entry, deadline: Stamp) {
        let last = self.done + TICKS as u64 - 1;
        let list = &mut self.wheel[place(tick(deadline).clamp(self.done, last))];
        let node = Node { entry, next: *list };
        if self.free == NONE {
            *list = self.nodes.len() as u32;
            self.nodes.push(node);
        } else {
            *list = self.free;
            let freed = &mut self.nodes[self.free as usize];
            self.free = std::mem::replace(freed, node).next;
        }
    }

    /// Hands out all entries whose tick has begun by `now`; those for which a deadline is returned
    /// are kept until then.
    pub(super) fn turn(&mut self, now: Stamp, mut judge: impl FnMut(Entry) -> Option<Stamp>) {
        let last = tick(now);
        // After a long pause every tick is due, but none twice.
        self.done = self.done.max(last.saturating_sub(TICKS as u64 - 1));
        while self.done <= last {
            let mut list = std::mem::replace(&mut self.wheel[place(self.done)], NONE);
            while let Some(entry) = self.take(&mut list) {
                if let Some(deadline) = judge(entry) {
                    self.enter(entry, deadline);
                }
            }
            // The tick under way gets further entries.
            if self.done == last {
                break;
            }
            self.done += 1;
        }
    }

    /// When the next tick with an entry that is still `live` is over.
    pub(super) fn next(&mut self, live: impl Fn(Entry) -> bool) -> Option<Stamp> {
        (self.done..self.done + TICKS as u64).find_map(|tick| {
            let mut list = self.wheel[place(tick)];
            while list != NONE && !live(self.nodes[list as usize].entry) {
                self.take(&mut list);
            }
            self.wheel[place(tick)] = list;
            (list != NONE).then_some(Stamp((tick + 1) << TICK_BITS))
        })
    }

    /// Takes the first entry of a list, and its node back.
    fn take(&mut self, list: &mut u32) -> Option<Entry> {
        let at = *list;
        let node = self.nodes.get_mut(at as usize)?;
        *list = std::mem::replace(&mut node.next, self.free);
        self.free = at;
        Some(node.entry)
    }
}

fn tick(moment: Stamp) -> u64 {
    moment.0 >> TICK_BITS
}

fn place(tick: u64) -> usize {
    tick as usize % TICKS
}

/// A tick is 2^20 ns, 1.05 ms.
const TICK_BITS: u32 = 20;
const TICKS: usize = 1_024;

/// The end of a list.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters deadlines (in ms) at 0, turns the wheel to each moment, and says which are over.
    #[track_caller]
    fn check(deadlines: &[u64], moments: &[(u64, &[u64])]) {
        let mut wheel = Deadlines::new();
        for (n, deadline) in deadlines.iter().enumerate() {
            wheel.enter(entry(n), ms(*deadline));
        }
        for (now, expected) in moments {
            let mut over = Vec::new();
            wheel.turn(ms(*now), |entry| {
                let deadline = deadlines[usize::from(entry.key.sequence())];
                if deadline <= *now {
                    over.push(deadline);
                    return None;
                }
                Some(ms(deadline))
            });
            over.sort_unstable();
            assert_eq!(over, *expected, "{now} ms of {deadlines:?}");
        }
    }

    #[test]
    fn what_is_due_is_handed_out_once() {
        check(
            &[5, 5, 20, 0],
            &[(0, &[0]), (4, &[]), (5, &[5, 5]), (19, &[]), (25, &[20])],
        );
    }

    #[test]
    fn a_wait_of_many_turns_and_a_long_pause_are_kept() {
        check(
            &[10_000, 1_073, 1_074, 1_075, 5_000],
            &[
                (1_000, &[]),
                (1_074, &[1_073, 1_074]),
                (4_999, &[1_075]),
                (20_000, &[5_000, 10_000]),
            ],
        );
        check(
            &[1_000_000_000],
            &[(999_999_999, &[]), (1_000_000_000, &[1_000_000_000])],
        );
    }

    #[test]
    fn the_next_deadline_is_that_of_a_live_entry() {
        let mut wheel = Deadlines::new();
        assert_eq!(wheel.next(|_| true), None);
        for (n, deadline) in [3, 7, 7, 900].into_iter().enumerate() {
            wheel.enter(entry(n), ms(deadline));
        }
        let after = |deadline| Some(Stamp((tick(ms(deadline)) + 1) << TICK_BITS));
        assert_eq!(wheel.next(|_| true), after(3));
        assert_eq!(wheel.next(|entry| entry.key.sequence() > 0), after(7));
        assert_eq!(wheel.next(|entry| entry.key.sequence() > 2), after(900));
        assert_eq!(wheel.next(|_| false), None);
    }

    fn entry(n: usize) -> Entry {
        Entry {
            key: Key::new(0, n as u16),
            lap: 0,
        }
    }

    fn ms(ms: u64) -> Stamp {
        Stamp(ms * 1_000_000)
    }
}
