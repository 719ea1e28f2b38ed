//! When is each probe due?
//!
//! Every slot (one probe aimed at one target) runs on a grid of its own: its phase, a hash of who
//! it is, plus whole intervals since the Unix epoch. Runs are planned on the grid and never "now
//! plus an interval", so lateness does not add up, a restart or a reload moves nothing, and
//! starts spread evenly over the interval. What cannot start on time is dropped and counted, for
//! a queue of late runs would only make the next ones late too.
//!
//! To wake up costs more than most runs do, so the schedule is looked at no sooner than 7 ms after
//! a look that found work, or 4 ms after one that found much. What is due meanwhile starts
//! together, as much late; with less than some 50 runs a second most start when they are due. It is
//! less where intervals are so short that this matters to them.
//!
//! All of it is decided from the `now` a caller passes. This module does not sleep, read a clock,
//! run probes, keep deadlines, or measure lateness (a [`Due`] carries its planned time for that).
//! It looks at the wall clock once, in the [`Anchor`]: if that clock is stepped later on, the grid
//! stays where it was until the next start.

mod grid;
mod ring;

use std::collections::BTreeMap;

use tokio::time::Instant;

use self::grid::Point;
pub(crate) use self::grid::{Anchor, Identity, Interval};
use self::ring::{Ring, Wake};

/// Decides which slots start now, and which have missed their time.
#[derive(Debug)]
pub(crate) struct Schedule {
    anchor: Anchor,
    seed: u64,
    entries: Vec<Entry>,
    /// Where `add` goes first: places of removed slots, in their next generation.
    vacant: Vec<Slot>,
    /// The next grid points of the slots of each interval.
    rings: BTreeMap<Interval, Ring>,
    /// Before this the schedule is not looked at again.
    rest: Point,
    missed: Missed,
}

impl Schedule {
    /// Makes an empty schedule. Replicas with different seeds probe the same target at different
    /// times; one replica keeps its seed over restarts if its grid is to stay.
    pub(crate) fn new(anchor: Anchor, seed: u64) -> Self {
        Self {
            anchor,
            seed,
            entries: Vec::new(),
            vacant: Vec::new(),
            rings: BTreeMap::new(),
            rest: Point::default(),
            missed: Missed::default(),
        }
    }

    /// Plans runs from the first grid point strictly after `now`. The same identity and interval
    /// are always given the same grid.
    pub(crate) fn add(&mut self, identity: Identity, interval: Interval, now: Instant) -> Slot {
        let slot = self.vacant.pop().unwrap_or_else(|| Slot {
            index: u32::try_from(self.entries.len()).expect("memory ends before 2^32 entries"),
            generation: 0,
        });
        let entry = Entry {
            interval,
            state: State::Idle,
            generation: slot.generation,
        };
        match self.entries.get_mut(slot.index()) {
            Some(vacant) => *vacant = entry,
            None => self.entries.push(entry),
        }
        let now = self.anchor.point(now);
        self.rest = self.rest.min(interval.rest_after(now, 0));
        let at = interval.next_point(identity.phase(self.seed, interval), now);
        self.rings
            .entry(interval)
            .or_default()
            .add(Wake { at, slot });
        slot
    }

    /// Forgets a slot. A run in flight is left to its owner: its [`finished`](Self::finished) is
    /// ignored, as is removing a slot twice.
    pub(crate) fn remove(&mut self, slot: Slot) {
        let Some(entry) = live(&mut self.entries, slot) else {
            return;
        };
        entry.generation = entry.generation.wrapping_add(1);
        let (interval, generation) = (entry.interval, entry.generation);
        self.vacant.push(Slot { generation, ..slot });
        if let Some(ring) = self.rings.get_mut(&interval) {
            ring.removed(|wake| is_live(&self.entries, wake.slot));
            if ring.is_empty() {
                self.rings.remove(&interval);
            }
        }
    }

    /// When to call [`due`](Self::due) next; `None` if nothing is planned. It may be for nothing:
    /// the time may be that of a removed slot, or of one still in flight.
    pub(crate) fn next(&self) -> Option<Instant> {
        let next = self.rings.values().filter_map(Ring::next).min()?;
        Some(self.anchor.instant(next.max(self.rest)))
    }

    /// Appends the runs to start now, at most one of each slot, and holds them to be in flight
    /// until [`finished`](Self::finished).
    pub(crate) fn due(&mut self, now: Instant, due: &mut Vec<Due>) {
        let now = self.anchor.point(now);
        let before = due.len();
        for ring in self.rings.values_mut() {
            ring.sort();
            while let Some(wake) = ring.pop(now) {
                let Some(entry) = live(&mut self.entries, wake.slot) else {
                    continue;
                };
                let lost = entry.interval.points_lost(wake.at, now);
                self.missed.overload += lost;
                let planned = entry.interval.later(wake.at, lost);
                if planned > now {
                    ring.put(Wake {
                        at: planned,
                        ..wake
                    });
                    continue;
                }
                let next = entry.interval.later(planned, 1);
                ring.put(Wake { at: next, ..wake });
                match entry.state {
                    State::Idle => {
                        entry.state = State::InFlight;
                        due.push(Due {
                            slot: wake.slot,
                            planned: self.anchor.instant(planned),
                        });
                    }
                    State::InFlight => entry.state = State::Tardy(planned),
                    State::Tardy(_) => {
                        self.missed.overrun += 1;
                        entry.state = State::Tardy(planned);
                    }
                }
            }
        }
        if due.len() > before
            && let Some((shortest, _)) = self.rings.first_key_value()
        {
            self.rest = shortest.rest_after(now, due.len() - before);
            due[before..].sort_by_key(|due| due.planned);
        }
    }

    /// Ends the run in flight. If it outlasted the slot's next time by no more than the tolerance,
    /// that run is handed back, to start at once: else "every 1s, timeout 1s" would lose every
    /// second run of a target that does not answer. If it lasted longer, the time is missed.
    pub(crate) fn finished(&mut self, slot: Slot, now: Instant) -> Option<Due> {
        let entry = live(&mut self.entries, slot)?;
        let State::Tardy(planned) = entry.state else {
            entry.state = State::Idle;
            return None;
        };
        if entry.interval.points_lost(planned, self.anchor.point(now)) > 0 {
            self.missed.overrun += 1;
            entry.state = State::Idle;
            return None;
        }
        entry.state = State::InFlight;
        Some(Due {
            slot,
            planned: self.anchor.instant(planned),
        })
    }

    /// Grid points without a run since the start, over all slots, removed ones included.
    pub(crate) fn missed(&self) -> Missed {
        self.missed
    }
}

/// A place in the schedule. Not valid after `remove`, even if its index is given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    index: u32,
    generation: u32,
}

impl Slot {
    /// Its place, below the most slots that there ever were at a time.
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }
}

/// A run to start now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// What to run; owes a [`Schedule::finished`].
    pub(crate) slot: Slot,
    /// The grid point it should start at. What is later than that is the program's own lateness.
    pub(crate) planned: Instant,
}

/// How many runs did not take place, by whose fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Missed {
    /// The run before lasted too long; counted when it ends or at the grid point after.
    pub(crate) overrun: u64,
    /// `due` was called too late: the process was overloaded, stopped or suspended.
    pub(crate) overload: u64,
}

#[derive(Debug)]
struct Entry {
    interval: Interval,
    state: State,
    generation: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    InFlight,
    /// In flight, and the time of the next run has come.
    Tardy(Point),
}

fn live(entries: &mut [Entry], slot: Slot) -> Option<&mut Entry> {
    entries
        .get_mut(slot.index())
        .filter(|entry| entry.generation == slot.generation)
}

fn is_live(entries: &[Entry], slot: Slot) -> bool {
    entries[slot.index()].generation == slot.generation
}

#[cfg(test)]
mod tests;
