//! How did a discovery end?

use std::net::IpAddr;

use super::{BEYOND_BLOCK, Discovery, Hop, recurrence};
use crate::reply::Says;

/// How a discovery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The target answered.
    Reached {
        /// The lowest TTL from which it did.
        hops: u8,
        /// The least length that the path can have; less than `hops` if routers next to the
        /// target stayed silent, for each may be the target that did not answer.
        at_least: u8,
    },
    /// The target answered the packet with the high TTL only: the path is longer than could be
    /// asked, or the target seldom answers.
    ReachedBeyond {
        /// The highest TTL asked before that.
        after: u8,
        /// The length of the way back, if the answer told it, which often is that of the way there.
        estimate: Option<u8>,
    },
    /// A router turns packets away and nothing beyond it answered.
    Blocked {
        /// The router's TTL; `None` if only the packet with the high TTL was turned away.
        hops: Option<u8>,
        /// The router.
        by: IpAddr,
        /// Why, as on the wire (RFC 792, p. 4; RFC 4443, section 3.1).
        code: u8,
    },
    /// Packets go round in circles.
    Loop {
        /// The TTL at which they first enter the circle.
        from: u8,
        /// How many hops one round has.
        length: u8,
    },
    /// Nothing came from the target nor from as many TTLs in a row as may be silent.
    Unreached {
        /// The farthest TTL that answered.
        farthest: Option<u8>,
    },
}

impl Discovery {
    /// Decides how it ended, if it did.
    pub(super) fn decide(&self) -> Option<Verdict> {
        if self.arrived().is_some() {
            return self.reached();
        }
        if let Some(verdict) = self.looping() {
            return Some(verdict);
        }
        if let Some((hop, _)) = self.blocked() {
            let last = hop.ttl.hops().saturating_add(BEYOND_BLOCK);
            return self.turned_away().filter(|_| self.all_settled_to(last));
        }
        let done = self.all_settled_to(u8::MAX) && self.last_ditch_due().is_none();
        done.then(|| self.silent())
    }

    fn reached(&self) -> Option<Verdict> {
        let hops = self.arrived()?.hops();
        let answered = |hop: &&Hop| hop.ttl.hops() < hops && hop.reply.is_some();
        let before = self.hops.iter().rfind(answered);
        self.all_settled_to(hops).then_some(Verdict::Reached {
            hops,
            at_least: before.map_or(1, |hop| hop.ttl.hops() + 1),
        })
    }

    fn looping(&self) -> Option<Verdict> {
        let responders: Vec<Option<IpAddr>> = self
            .hops
            .iter()
            .map(|hop| hop.reply.as_ref())
            .map(|reply| Some(reply.filter(|reply| reply.says == Says::TimeExceeded)?.from))
            .collect();
        let (start, length) = recurrence(&responders)?;
        Some(Verdict::Loop {
            from: self.hops[start].ttl.hops(),
            length: length as u8,
        })
    }

    fn turned_away(&self) -> Option<Verdict> {
        let (hop, reply) = self.blocked()?;
        match reply.says {
            Says::Unreachable { code } => Some(Verdict::Blocked {
                hops: Some(hop.ttl.hops()),
                by: reply.from,
                code,
            }),
            _ => None,
        }
    }

    /// What silence at the end comes to, with what the packet with the high TTL found.
    fn silent(&self) -> Verdict {
        let farthest = self.hops.iter().rfind(|hop| hop.reply.is_some());
        let unreached = Verdict::Unreached {
            farthest: farthest.map(|hop| hop.ttl.hops()),
        };
        let Some(hop) = &self.last_ditch else {
            return unreached;
        };
        match &hop.reply {
            Some(reply) if reply.arrived_at(self.target) => Verdict::ReachedBeyond {
                after: self.hops.last().map_or(0, |hop| hop.ttl.hops()),
                estimate: reply.hop_limit.map(crate::reverse::reverse_hops),
            },
            Some(reply) => match reply.says {
                Says::Unreachable { code } => Verdict::Blocked {
                    hops: None,
                    by: reply.from,
                    code,
                },
                _ => unreached,
            },
            None => unreached,
        }
    }

    /// Whether everything up to this TTL was asked, as far as it is to be asked, and is settled.
    fn all_settled_to(&self, last: u8) -> bool {
        let mut asked = self.hops.iter().chain(&self.last_ditch);
        let settled = asked.all(|hop| hop.ttl.hops() > last || self.is_settled(hop));
        let complete = self.next_ttl().is_none_or(|next| next.hops() > last);
        settled && complete
    }
}
