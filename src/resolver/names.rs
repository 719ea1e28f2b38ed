//! Which names of addresses are known, and for how long?
//!
//! They are for people to read and nothing waits for them, so this is simpler than the cache of
//! addresses: what has expired is asked anew, and a name that nobody told is as good as none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// The names of the addresses that were asked for.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<IpAddr, Held>);

/// What somebody who knows has said about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Without the final dot; `None` if it has no name.
    pub(super) name: Option<String>,
    /// How long this may be relied on, before the bounds of this cache.
    pub(super) ttl: Duration,
}

/// What is kept of that.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) name: Option<String>,
    until: Instant,
}

impl Names {
    /// What is known of an address; `None` if that has to be asked.
    pub(super) fn known(&self, address: IpAddr, now: Instant) -> Option<&Held> {
        self.0.get(&address).filter(|held| now < held.until)
    }

    /// Keeps what was learnt; of nothing, that nothing was.
    pub(super) fn keep(&mut self, address: IpAddr, learnt: Option<Named>, now: Instant) {
        if self.0.len() >= CAPACITY {
            self.0.retain(|_, held| now < held.until);
        }
        if self.0.len() >= CAPACITY {
            self.0.clear();
        }
        let Named { name, ttl } = learnt.unwrap_or(Named {
            name: None,
            ttl: Duration::ZERO,
        });
        let until = now + ttl.clamp(SHORTEST, LONGEST);
        self.0.insert(address, Held { name, until });
    }
}

/// Addresses that are remembered, at worst about 4 MB.
const CAPACITY: usize = 10_000;
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn names_are_known_for_their_ttl_and_few_are_kept() {
        let mut names = Names::default();
        let now = Instant::now();
        let router = IpAddr::from([192, 0, 2, 1]);
        let learnt = Named {
            name: Some("a.test".to_owned()),
            ttl: Duration::from_mins(10),
        };
        let known = |names: &Names, minutes| {
            let held = names.known(router, now + Duration::from_mins(minutes));
            held.map(|held| held.name.clone().unwrap_or_default())
        };
        assert_eq!(known(&names, 0), None);
        names.keep(router, Some(learnt), now);
        assert_eq!(known(&names, 9).as_deref(), Some("a.test"));
        assert_eq!(known(&names, 10), None);
        names.keep(router, None, now);
        assert_eq!(known(&names, 0).as_deref(), Some(""));
        assert_eq!(known(&names, 1), None);
        for number in 0..3 * CAPACITY as u32 {
            names.keep(number.to_be_bytes().into(), None, now);
            assert!(names.0.len() <= CAPACITY);
        }
    }
}
