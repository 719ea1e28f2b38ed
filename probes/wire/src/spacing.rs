//! Do two flows to one destination leave it room to answer?
//!
//! Many hosts and routers answer only so many requests at a time, and flows that know nothing of
//! each other often run on the same grid. So the requests of two flows to one destination leave at
//! least [`APART`]; those of one flow are its own affair. This host itself answers all that is
//! asked of its loopback, so there nobody waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use slab::Slab;

use crate::clock::Stamp;
use crate::engine::PeerKey;

/// Who asked which destination last.
///
/// A flow is led to its destination by its index: to look for the address was a fiftieth of what an
/// echo costs, for with many flows nothing of that is in the processor's caches.
#[derive(Debug, Default)]
pub(crate) struct Spacing {
    /// The keys of the destinations, by the flows' indexes, and whose they are; none for a flow that
    /// waits for nobody.
    led: Vec<Option<(PeerKey, u32)>>,
    destinations: Slab<Shared>,
    known: HashMap<IpAddr, u32>,
}

#[derive(Debug)]
struct Shared {
    destination: IpAddr,
    flows: u32,
    last: Option<(PeerKey, Stamp)>,
}

impl Spacing {
    /// Takes in a flow to a destination.
    pub(crate) fn admit(&mut self, destination: IpAddr, flow: PeerKey) {
        if destination.is_loopback() {
            return;
        }
        let key = *self.known.entry(destination).or_insert_with(|| {
            self.destinations.insert(Shared {
                destination,
                flows: 0,
                last: None,
            }) as u32
        });
        self.destinations[key as usize].flows += 1;
        let flows = self.led.len().max(flow.index() + 1);
        self.led.resize(flows, None);
        self.led[flow.index()] = Some((flow, key));
    }

    /// Lets a flow go.
    pub(crate) fn forget(&mut self, flow: PeerKey) {
        let Some(key) = self.key(flow) else {
            return;
        };
        self.led[flow.index()] = None;
        let shared = &mut self.destinations[key as usize];
        shared.flows -= 1;
        if shared.flows == 0 {
            self.known.remove(&shared.destination);
            self.destinations.remove(key as usize);
        }
    }

    /// Whether a flow may ask its destination now, which it then does.
    pub(crate) fn take(&mut self, flow: PeerKey, now: Stamp) -> bool {
        let Some(key) = self.key(flow) else {
            return true;
        };
        let shared = &mut self.destinations[key as usize];
        if let Some((last, at)) = shared.last
            && last != flow
            && now.since(at) < APART
        {
            return false;
        }
        shared.last = Some((flow, now));
        true
    }

    /// The key of a flow's destination, unless the flow was let go.
    fn key(&self, flow: PeerKey) -> Option<u32> {
        let (whose, key) = (*self.led.get(flow.index())?)?;
        (whose == flow).then_some(key)
    }
}

const APART: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Framing};
    use crate::{Family, RequestOptions};

    #[test]
    fn two_flows_to_one_destination_are_kept_apart() {
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let mut engine = Engine::new(Family::V4, Framing::Message, 0, 1);
        let mut spacing = Spacing::default();
        let [a, b, c] = [one, one, other].map(|destination| {
            let flow = engine.admit(destination, &RequestOptions::default());
            spacing.admit(destination, flow);
            flow
        });
        let us = |us: u64| Stamp(us * 1_000);
        for (flow, at, expected) in [
            (a, 0, true),
            (a, 10, true),
            (b, 20, false),
            (c, 20, true),
            (b, 1_009, false),
            (b, 1_010, true),
            (a, 1_500, false),
        ] {
            assert_eq!(spacing.take(flow, us(at)), expected, "{at} us");
        }
        // What is still asked for a flow that was let go takes no turn of the next at its index.
        spacing.forget(a);
        engine.forget(a);
        let d = engine.admit(other, &RequestOptions::default());
        assert_eq!(d.index(), a.index());
        spacing.admit(other, d);
        assert!(spacing.take(c, us(5_000)));
        assert!(spacing.take(a, us(5_010)));
        assert!(!spacing.take(d, us(5_020)));
        spacing.forget(a);
        assert!(!spacing.take(d, us(5_020)));
        for flow in [b, c, d] {
            spacing.forget(flow);
        }
        assert!(spacing.known.is_empty() && spacing.destinations.is_empty());
    }

    #[test]
    fn who_asks_the_loopback_waits_for_nobody() {
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut engine = Engine::new(Family::V4, Framing::Message, 0, 1);
        let mut spacing = Spacing::default();
        for _ in 0..2 {
            let flow = engine.admit(here, &RequestOptions::default());
            spacing.admit(here, flow);
            assert!(spacing.take(flow, Stamp(7)));
        }
    }
}
