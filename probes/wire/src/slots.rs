//! Which request does an identifier and a sequence number on the wire stand for?
//!
//! Requests of one identifier take slots in ring order, so that one is reused as late as possible; until then it
//! stays matchable, answered or not, and late answers and duplicates are recognised. Nothing here
//! expires: time is the caller's.

use std::num::NonZeroU64;

use etherparse::IcmpEchoHeader;

use crate::clock::KernelStamp;
use crate::trip::Departure;

/// Identifiers in a raw socket's block: with 65,536 sequence numbers each, a million slots.
pub(crate) const RAW_BLOCK: u16 = 16;

/// Sequence numbers of an identifier.
const PAGE: usize = 1 << 16;

/// Hands out the identifiers of a block, and the sequence numbers of each over and over.
///
/// A flow keeps its identifier, by which some routers choose the way and some firewalls know it.
#[derive(Debug)]
pub(crate) struct Ring {
    first: u16,
    next: Vec<u16>,
}

impl Ring {
    pub(crate) fn new(first: u16, identifiers: u16) -> Self {
        Self {
            first,
            next: vec![0; usize::from(identifiers)],
        }
    }

    pub(crate) fn advance(&mut self, flow: FlowKey) -> IcmpEchoHeader {
        let page = (flow.0.get() % self.next.len() as u64) as u16;
        let next = &mut self.next[usize::from(page)];
        let echo = IcmpEchoHeader {
            id: self.first.wrapping_add(page),
            seq: *next,
        };
        *next = next.wrapping_add(1);
        echo
    }
}

/// Names a flow of a lane; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FlowKey(pub(crate) NonZeroU64);

/// A request that was sent and may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outstanding {
    pub(crate) flow: FlowKey,
    /// The flow's own number of the request.
    pub(crate) sequence: u64,
    pub(crate) departure: Departure,
}

/// The requests of a block, found by identifier and sequence number without a hash.
#[derive(Debug)]
pub(crate) struct Slots {
    first: u16,
    /// One page per identifier, grown as its sequence numbers come into use: 40 bytes a slot.
    /// Room for a whole page is reserved at once, for a page must not move while a request waits
    /// to be sent; the kernel gives memory only for what is used.
    pages: Vec<Vec<Option<Outstanding>>>,
}

impl Slots {
    pub(crate) fn new(first: u16, identifiers: u16) -> Self {
        Self {
            first,
            pages: vec![Vec::new(); usize::from(identifiers)],
        }
    }

    /// Puts a request into its slot, in place of an older one.
    pub(crate) fn put(&mut self, echo: IcmpEchoHeader, request: Outstanding) {
        let Some(page) = self
            .pages
            .get_mut(usize::from(echo.id.wrapping_sub(self.first)))
        else {
            return;
        };
        let slot = usize::from(echo.seq);
        if page.len() <= slot {
            page.reserve_exact(PAGE - page.len());
            page.resize(slot + 1, None);
        }
        page[slot] = Some(request);
    }

    /// Empties the slot of a request that did not leave after all.
    pub(crate) fn clear(&mut self, echo: IcmpEchoHeader) {
        if let Some(slot) = self.slot(echo) {
            *slot = None;
        }
    }

    /// Notes when the request in a slot left, by the kernel's stamp.
    pub(crate) fn departed(&mut self, echo: IcmpEchoHeader, stamp: KernelStamp) {
        if let Some(Some(request)) = self.slot(echo) {
            request.departure.kernel = Some(stamp);
        }
    }

    pub(crate) fn find(&self, echo: IcmpEchoHeader) -> Option<Outstanding> {
        let page = self
            .pages
            .get(usize::from(echo.id.wrapping_sub(self.first)))?;
        *page.get(usize::from(echo.seq))?
    }

    fn slot(&mut self, echo: IcmpEchoHeader) -> Option<&mut Option<Outstanding>> {
        let page = self
            .pages
            .get_mut(usize::from(echo.id.wrapping_sub(self.first)))?;
        page.get_mut(usize::from(echo.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Reading, Stamp};

    #[test]
    fn a_flow_keeps_its_identifier_and_uses_all_sequence_numbers_before_the_first_again() {
        let mut ring = Ring::new(0xfffe, 16);
        let flow = |key| FlowKey(NonZeroU64::new(key).unwrap());
        for seq in (0..=0xffff).chain([0, 1]) {
            assert_eq!(ring.advance(flow(5)), IcmpEchoHeader { id: 3, seq });
        }
        // Another flow with the same identifier takes the next numbers, one with another its own.
        assert_eq!(ring.advance(flow(21)), IcmpEchoHeader { id: 3, seq: 2 });
        assert_eq!(
            ring.advance(flow(16)),
            IcmpEchoHeader { id: 0xfffe, seq: 0 }
        );
    }

    #[test]
    fn a_request_is_found_until_its_slot_is_taken_or_cleared() {
        let mut slots = Slots::new(0xfff0, RAW_BLOCK);
        let echo = IcmpEchoHeader { id: 0xffff, seq: 7 };
        assert_eq!(slots.find(echo), None);
        slots.put(echo, request(1));
        slots.put(echo, request(2));
        assert_eq!(slots.find(echo), Some(request(2)));
        assert_eq!(
            slots.find(echo),
            Some(request(2)),
            "an answered request stays"
        );
        let stamp = KernelStamp::new(1).unwrap();
        slots.departed(echo, stamp);
        let departed = slots.find(echo).unwrap().departure;
        assert_eq!(departed.kernel, Some(stamp));
        slots.clear(echo);
        slots.departed(echo, stamp);
        assert_eq!(slots.find(echo), None);
    }

    #[test]
    fn identifiers_of_others_stand_for_nothing() {
        let mut slots = Slots::new(0x10, RAW_BLOCK);
        slots.put(IcmpEchoHeader { id: 0x10, seq: 0 }, request(1));
        for id in [0, 0x0f, 0x20, 0xffff] {
            assert_eq!(slots.find(IcmpEchoHeader { id, seq: 0 }), None, "{id:#x}");
        }
    }

    fn request(sequence: u64) -> Outstanding {
        Outstanding {
            flow: FlowKey(NonZeroU64::MIN),
            sequence,
            departure: Departure {
                user: Reading {
                    at: Stamp(0),
                    offset: 0,
                },
                kernel: None,
            },
        }
    }
}
