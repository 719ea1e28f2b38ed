//! How long is an answer waited for?
//!
//! Where something farther on the path has answered, silence is known to be the router's own, and
//! its answer would have come about when its neighbours' did: a quarter later than the slower of
//! the two, and a little for routers that answer at leisure. Waiting on would tell nothing of the
//! path, so it is not done, and how long was waited is told.
//!
//! Where nothing farther has answered, the next link may cross an ocean or go by satellite: then
//! the full wait is waited, or twice the slowest answer if that is longer.

use std::time::Duration;

use super::{Discovery, Hop};

impl Discovery {
    /// How long after the last packet to it a silent TTL is given up.
    pub(super) fn patience(&self, hop: &Hop) -> Duration {
        let answered = |other: &&Hop| other.reply.is_some();
        let rtt = |other: &Hop| other.reply.as_ref().map(|reply| reply.rtt);
        let mut farther = self.hops.iter().chain(&self.last_ditch);
        let beyond = farther.find(|other| other.ttl > hop.ttl && answered(other));
        // A router that turns packets away answers for whatever is beyond.
        let beyond = beyond.or_else(|| self.blocked().map(|(hop, _)| hop));
        let mut nearer = self.hops.iter().rev();
        let before = nearer.find(|other| other.ttl < hop.ttl && answered(other));
        match beyond.and_then(rtt) {
            Some(beyond) => {
                let slower = before.and_then(rtt).map_or(beyond, |rtt| rtt.max(beyond));
                slower + slower / 4 + LEISURE
            }
            None => self.limits.wait.max(self.slowest() * 2),
        }
    }

    fn slowest(&self) -> Duration {
        let replies = self.hops.iter().filter_map(|hop| hop.reply.as_ref());
        replies.map(|reply| reply.rtt).max().unwrap_or_default()
    }
}

const LEISURE: Duration = Duration::from_millis(3);
