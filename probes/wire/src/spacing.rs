//! Do two flows to one destination leave it room to answer?
//!
//! Many hosts and routers answer only so many requests at a time, and flows that know nothing of
//! each other often run on the same grid. So the requests of two flows to one destination leave at
//! least [`APART`]; those of one flow are its own affair. This host itself answers all that is
//! asked of its loopback, so there nobody waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Stamp;
use crate::engine::PeerKey;

/// Who asked which destination last.
#[derive(Debug, Default)]
pub(crate) struct Spacing(HashMap<IpAddr, Shared>);

#[derive(Debug, Default)]
struct Shared {
    flows: u32,
    last: Option<(PeerKey, Stamp)>,
}

impl Spacing {
    /// Takes in a flow to a destination.
    pub(crate) fn admit(&mut self, destination: IpAddr) {
        if destination.is_loopback() {
            return;
        }
        self.0.entry(destination).or_default().flows += 1;
    }

    /// Lets a flow to a destination go.
    pub(crate) fn forget(&mut self, destination: IpAddr) {
        if let Some(shared) = self.0.get_mut(&destination) {
            shared.flows -= 1;
            if shared.flows == 0 {
                self.0.remove(&destination);
            }
        }
    }

    /// Whether a flow may ask its destination now, which it then does.
    pub(crate) fn take(&mut self, destination: IpAddr, flow: PeerKey, now: Stamp) -> bool {
        let Some(shared) = self.0.get_mut(&destination) else {
            return true;
        };
        if let Some((last, at)) = shared.last
            && last != flow
            && now.since(at) < APART
        {
            return false;
        }
        shared.last = Some((flow, now));
        true
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
            spacing.admit(destination);
            engine.admit(destination, &RequestOptions::default())
        });
        let us = |us: u64| Stamp(us * 1_000);
        for (destination, flow, at, expected) in [
            (one, a, 0, true),
            (one, a, 10, true),
            (one, b, 20, false),
            (other, c, 20, true),
            (one, b, 1_009, false),
            (one, b, 1_010, true),
            (one, a, 1_500, false),
        ] {
            assert_eq!(spacing.take(destination, flow, us(at)), expected, "{at} us");
        }
        for destination in [one, one, other] {
            spacing.forget(destination);
        }
        assert!(spacing.0.is_empty());
    }

    #[test]
    fn who_asks_the_loopback_waits_for_nobody() {
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut engine = Engine::new(Family::V4, Framing::Message, 0, 1);
        let mut spacing = Spacing::default();
        for _ in 0..2 {
            spacing.admit(here);
            let flow = engine.admit(here, &RequestOptions::default());
            assert!(spacing.take(here, flow, Stamp(7)));
        }
    }
}
