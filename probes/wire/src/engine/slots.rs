//! Which request does an identifier and a sequence number on the wire stand for?
//!
//! Each identifier has a ring of sequence numbers. A slot that was used stays matchable until the
//! ring comes round, so that late answers and duplicates are recognised; the ring grows
//! rather than reuse a slot within [`HOLD`], and so memory follows the rate. No hash is computed.

use std::time::Duration;

use crate::clock::{KernelStamp, Reading, Stamp};
use crate::engine::{Key, PeerKey};

/// The requests of a block of identifiers.
#[derive(Debug)]
pub(super) struct Slots {
    rings: Vec<Ring>,
}

/// What is known about one request: 48 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// When it was handed to the kernel.
    pub(super) left: Reading,
    /// When it left, by the kernel's stamp.
    pub(super) departed: Option<KernelStamp>,
    pub(super) peer: PeerKey,
    /// The lower half of the flow's own number of the request.
    pub(super) sequence: u32,
    /// Microseconds to wait for an answer.
    pub(super) wait: u32,
    /// The lower half of what this host had dropped when it was asked.
    pub(super) drops: u16,
    /// Bytes by which it is larger than the flow's usual requests.
    pub(super) padding: u16,
    /// How often the slot has been used, wrapping.
    pub(super) lap: u16,
    pub(super) state: State,
    /// Whether this program was late to send it.
    pub(super) hurried: bool,
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is none, or it never left.
    Free,
    InFlight,
    /// It was answered.
    Done,
    /// Nothing came in time, and nothing has come since.
    TimedOut,
}

impl Slot {
    const UNUSED: Self = Self {
        left: Reading {
            at: Stamp(0),
            offset: 0,
        },
        departed: None,
        peer: PeerKey::NOBODY,
        sequence: 0,
        wait: 0,
        drops: 0,
        padding: 0,
        lap: 0,
        state: State::Free,
        hurried: false,
    };

    pub(super) fn waits(&self) -> Duration {
        Duration::from_micros(self.wait.into())
    }

    pub(super) fn deadline(&self) -> Stamp {
        self.left.at.after(self.waits())
    }
}

impl Slots {
    pub(super) fn new(identifiers: u16) -> Self {
        let rings = (0..identifiers).map(|_| Ring::default()).collect();
        Self { rings }
    }

    pub(super) fn identifiers(&self) -> u32 {
        self.rings.len() as u32
    }

    /// Takes the next slot of an identifier that is not waiting for its answer, as `waits` has it;
    /// `None` if that is far, and then it is looked for further on the next time.
    pub(super) fn take(
        &mut self,
        page: u16,
        now: Stamp,
        waits: impl Fn(&Slot) -> bool,
    ) -> Option<(Key, &mut Slot)> {
        let ring = &mut self.rings[usize::from(page)];
        let mut at = if ring.next == ring.len() {
            0
        } else {
            ring.next
        };
        let usable = |slot: &Slot| {
            slot.state == State::Free || !waits(slot) && now.since(slot.left.at) >= HOLD
        };
        if !ring.get(at).is_some_and(usable) {
            if ring.len() < FULL {
                at = ring.len();
                ring.grow();
            } else {
                // A few requests that are waited for long must not stop those that come round.
                let mut ahead = (at..at + LOOKED_AT).map(|at| at % FULL);
                let Some(found) = ahead.find(|at| !ring.get(*at).is_some_and(&waits)) else {
                    ring.next = (at + LOOKED_AT) % FULL;
                    return None;
                };
                at = found;
            }
        }
        ring.next = at + 1;
        let slot = ring.get_mut(at)?;
        slot.lap = slot.lap.wrapping_add(1);
        Some((Key::new(page, at as u16), slot))
    }

    pub(super) fn get(&self, key: Key) -> Option<&Slot> {
        let ring = self.rings.get(usize::from(key.page()))?;
        ring.get(usize::from(key.sequence()))
    }

    /// The keys of those slots of which this is so.
    pub(super) fn keys(&self, is_so: impl Fn(&Slot) -> bool) -> Vec<Key> {
        let rings = self.rings.iter().enumerate();
        let slots = rings.flat_map(|(page, ring)| {
            let slots = ring.pages.iter().flatten().enumerate();
            slots.map(move |(at, slot)| (Key::new(page as u16, at as u16), slot))
        });
        let those = slots.filter(|(_, slot)| is_so(slot));
        those.map(|(key, _)| key).collect()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Slot> {
        let ring = self.rings.get_mut(usize::from(key.page()))?;
        ring.get_mut(usize::from(key.sequence()))
    }
}

#[derive(Debug, Default)]
struct Ring {
    pages: Vec<Box<[Slot]>>,
    next: usize,
}

impl Ring {
    fn len(&self) -> usize {
        match self.pages.len() {
            0 => 0,
            pages => PAGE << (pages - 1),
        }
    }

    /// Doubles the ring, so that it seldom grows.
    fn grow(&mut self) {
        let added = self.len().max(PAGE);
        self.pages.push(vec![Slot::UNUSED; added].into());
    }

    fn get(&self, at: usize) -> Option<&Slot> {
        let (page, at) = place(at);
        self.pages.get(page)?.get(at)
    }

    fn get_mut(&mut self, at: usize) -> Option<&mut Slot> {
        let (page, at) = place(at);
        self.pages.get_mut(page)?.get_mut(at)
    }
}

/// Each page but the first is as long as all before it.
fn place(at: usize) -> (usize, usize) {
    match (at / PAGE).checked_ilog2() {
        None => (0, at),
        Some(bit) => (bit as usize + 1, at - (PAGE << bit)),
    }
}

/// For how long a slot is at least kept for late answers and duplicates, so long as there are
/// others. An answer that is older than this is rarely told from a stranger's by anybody.
const HOLD: Duration = Duration::from_secs(10);

/// Slots of a ring to begin with.
const PAGE: usize = 64;

/// Slots that are looked at for one that does not wait.
const LOOKED_AT: usize = 1_024;

/// Sequence numbers of an identifier.
const FULL: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Stamp = Stamp(1_000_000_000);

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 48);
    }

    #[test]
    fn a_ring_comes_round_when_its_slots_are_old_and_grows_before() {
        let mut slots = Slots::new(1);
        let mut take = |now| sent(&mut slots, now).map(|key| usize::from(key.sequence()));
        for expected in 0..PAGE {
            assert_eq!(take(SECOND), Some(expected));
        }
        // The first is too young to be used again, and ten seconds later it is not.
        assert_eq!(take(SECOND.after(HOLD / 2)), Some(PAGE));
        for expected in PAGE + 1..2 * PAGE {
            assert_eq!(take(SECOND.after(HOLD / 2)), Some(expected));
        }
        for expected in 0..PAGE {
            assert_eq!(take(SECOND.after(HOLD)), Some(expected));
        }
        assert_eq!(take(SECOND.after(HOLD)), Some(2 * PAGE));
        assert_eq!(slots.rings[0].len(), 4 * PAGE);
    }

    #[test]
    fn a_full_ring_reuses_the_oldest_unless_it_waits() {
        let mut slots = Slots::new(1);
        for expected in 0..FULL {
            let key = sent(&mut slots, SECOND).unwrap();
            assert_eq!(usize::from(key.sequence()), expected);
        }
        assert_eq!(sent(&mut slots, SECOND), None);
        // Others that wait are passed over, however many there are.
        let free = Key::new(0, 3 * LOOKED_AT as u16 - 1);
        slots.get_mut(free).unwrap().state = State::Done;
        let mut taken = (0..FULL / LOOKED_AT).map(|_| sent(&mut slots, SECOND));
        assert_eq!(taken.next(), Some(None));
        assert_eq!(taken.next(), Some(Some(free)));
        assert_eq!(taken.flatten().next(), None);
        assert_eq!(slots.get(free).unwrap().lap, 2);
    }

    fn sent(slots: &mut Slots, now: Stamp) -> Option<Key> {
        // Those of the first second are answered after it.
        let waits = |slot: &Slot| slot.state == State::InFlight && now == SECOND;
        let (key, slot) = slots.take(0, now, waits)?;
        slot.state = State::InFlight;
        slot.left.at = now;
        Some(key)
    }
}
