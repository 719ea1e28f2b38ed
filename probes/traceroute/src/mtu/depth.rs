//! How far does a packet of one size get, where routers do not say what they refuse?
//!
//! All hops are asked at once, with packets that are to go no farther: a router answers that the
//! hops ran out before it looks whether the packet fits the next link (RFC 1812, section 5.2.1.2
//! has that order, and Linux keeps it). Those that stay silent beyond the farthest that answers
//! are asked three times.

use std::time::Duration;

use leadsman_wire::Ttl;

/// One such question.
#[derive(Debug)]
pub struct Depth {
    wait: Duration,
    /// By TTL.
    hops: Vec<Asked>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepthStep {
    /// Send a packet with this TTL that may not be fragmented, then ask again at once.
    Send(Ttl),
    /// There is nothing to do before this time unless something is heard.
    Wait(Duration),
    /// All is known.
    Done,
}

#[derive(Debug)]
struct Asked {
    ttl: Ttl,
    tries: u32,
    sent: Duration,
    ended: bool,
    answered: bool,
}

impl Depth {
    /// Prepares to ask these hops, the nearest first, which should be known to answer; each answer
    /// is waited for so long.
    pub fn new(hops: impl IntoIterator<Item = Ttl>, wait: Duration) -> Self {
        let asked = |ttl| Asked {
            ttl,
            tries: 0,
            sent: Duration::ZERO,
            ended: false,
            answered: false,
        };
        Self {
            wait,
            hops: hops.into_iter().map(asked).collect(),
        }
    }

    /// Says what to do next.
    pub fn poll(&mut self, now: Duration) -> DepthStep {
        let wait = self.wait;
        let beyond = self.hops.iter().rposition(|hop| hop.answered);
        let open = self.hops.iter_mut().skip(beyond.map_or(0, |at| at + 1));
        let mut end = None;
        for hop in open.filter(|hop| !hop.ended) {
            if hop.tries > 0 && hop.sent + wait > now {
                end = Some(end.unwrap_or(Duration::MAX).min(hop.sent + wait));
            } else if hop.tries < TRIES {
                hop.tries += 1;
                hop.sent = now;
                return DepthStep::Send(hop.ttl);
            } else {
                hop.ended = true;
            }
        }
        end.map_or(DepthStep::Done, DepthStep::Wait)
    }

    /// A packet got as far as its TTL let it.
    pub fn answered(&mut self, ttl: Ttl) {
        if let Some(hop) = self.hops.iter_mut().find(|hop| hop.ttl == ttl) {
            hop.ended = true;
            hop.answered = true;
        }
    }

    /// A router refused a packet with this TTL for its size.
    pub fn refused(&mut self, ttl: Ttl) {
        if let Some(hop) = self.hops.iter_mut().find(|hop| hop.ttl == ttl) {
            hop.ended = true;
        }
    }

    /// The farthest hop that is known to be reached.
    pub fn farthest(&self) -> Option<Ttl> {
        let hop = self.hops.iter().rfind(|hop| hop.answered)?;
        Some(hop.ttl)
    }
}

/// As in a search for the MTU.
const TRIES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_that_answers_is_found_and_those_beyond_are_asked_again() {
        check(4, 0, false, Some(4), 4);
        check(4, 2, false, Some(2), 4 + 2 * 2);
        check(4, 4, false, None, 3 * 4);
    }

    #[test]
    fn what_is_refused_is_not_asked_again() {
        check(4, 2, true, Some(2), 4);
    }

    /// Asks so many hops, of which so many at the end are beyond a narrow link.
    fn check(hops: u8, beyond: u8, tells: bool, farthest: Option<u8>, packets: u32) {
        let ttl = |hops| Ttl::new(hops).unwrap();
        let mut depth = Depth::new((1..=hops).map(ttl), Duration::from_millis(100));
        let mut now = Duration::ZERO;
        let mut sent = 0;
        let mut heard = Vec::new();
        loop {
            match depth.poll(now) {
                DepthStep::Send(ttl) => {
                    sent += 1;
                    heard.push(ttl);
                }
                DepthStep::Wait(until) => {
                    for ttl in heard.drain(..) {
                        if ttl.hops() <= hops - beyond {
                            depth.answered(ttl);
                        } else if tells {
                            depth.refused(ttl);
                        }
                    }
                    now = until;
                }
                DepthStep::Done => break,
            }
        }
        assert_eq!(depth.farthest().map(Ttl::hops), farthest);
        assert_eq!(sent, packets);
    }
}
