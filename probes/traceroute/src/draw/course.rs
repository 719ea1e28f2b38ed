//! What has become known of a path in its rounds so far?
//!
//! Counts what the events tell; says nothing itself.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use leadsman_core::draw::{Mark, Strip};

use crate::events::{Arrival, DISCOVERY, Hop, Said};
use crate::limiter::{Limit, limit};
use crate::loss::{HopLoss, losses};
use crate::record::Record;

/// The path to one target, round after round.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// The number of the last round that began; 0 before the first.
    pub(super) round: u32,
    /// The TTL at which the target is, or would be if it answered.
    pub(super) reach: u8,
    hops: BTreeMap<u8, Station>,
}

/// One TTL.
#[derive(Debug, Default)]
pub(super) struct Station {
    pub(super) record: Record,
    pub(super) strip: Strip,
    /// The newest answer.
    pub(super) latest: Option<Box<Hop>>,
}

impl Course {
    /// Takes in what was said `at` a time on any clock that does not go back.
    pub(super) fn take(&mut self, said: &Said, at: Duration) {
        match said {
            Said::Round(begun) => {
                self.round = begun.round;
                self.reach = begun.reach;
            }
            Said::Sent(sent) if sent.round != DISCOVERY => {
                let hop = self.at(sent.ttl);
                hop.record.note_sent(sent.round, at);
                hop.strip.sent(sent.round.into());
            }
            Said::Hop(hop) => self.at(hop.ttl).hear(hop),
            Said::Lost(lost) if lost.local_suspect => self.at(lost.ttl).miss(lost.round),
            Said::Lost(lost) => {
                let hop = self.at(lost.ttl);
                hop.record.note_lost(lost.round);
                hop.strip.ended(lost.round.into(), Mark::Lost);
            }
            Said::NotSent(not_sent) => self.at(not_sent.ttl).miss(not_sent.round),
            _ => {}
        }
    }

    /// Each TTL up to the target with its loss, if that can be told.
    pub(super) fn hops(&self) -> Vec<(u8, &Station, Option<HopLoss>)> {
        let hops: Vec<_> = self.hops.range(..=self.reach).collect();
        let tallies: Vec<_> = hops.iter().map(|(_, hop)| hop.record.tally()).collect();
        let hops = hops.into_iter().zip(losses(&tallies));
        hops.map(|((ttl, hop), loss)| (*ttl, hop, loss)).collect()
    }

    /// Whether the target has answered.
    pub(super) fn is_reached(&self) -> bool {
        let arrived = |hop: &Station| hop.latest.as_ref().is_some_and(|latest| latest.arrived);
        self.hops.values().any(arrived)
    }

    fn at(&mut self, ttl: u8) -> &mut Station {
        self.hops.entry(ttl).or_default()
    }
}

impl Station {
    /// Who stands for it: who has answered most often.
    pub(super) fn responder(&self) -> Option<IpAddr> {
        let latest = self.latest.as_ref().map(|latest| latest.from);
        self.record.responder().or(latest)
    }

    /// The round trip of the last answer in time, that of the discovery before any other.
    pub(super) fn last(&self) -> Option<Duration> {
        let latest = self.latest.as_ref().map(|latest| latest.rtt);
        self.record.statistics.last().or(latest)
    }

    /// How it limits its answers, if it does by a pattern that can be recognised.
    pub(super) fn limit(&self) -> Option<Limit> {
        limit(self.record.outcomes())
    }

    fn hear(&mut self, hop: &Hop) {
        let record = &mut self.record;
        match hop.arrival {
            _ if hop.round == DISCOVERY => {}
            Arrival::InTime => {
                record.note_answer(hop.round, hop.from, hop.rtt);
                let mark = match hop.what {
                    Some(_) => Mark::Error,
                    None => Mark::Reply(hop.rtt),
                };
                self.strip.ended(hop.round.into(), mark);
            }
            Arrival::Late => record.note_late(hop.round, hop.from),
            Arrival::Again => record.duplicates += 1,
        }
        self.latest = Some(Box::new(hop.clone()));
    }

    /// Nothing will be known of the packet of a round.
    fn miss(&mut self, round: u32) {
        self.record.note_unknown(round);
        self.strip.ended(round.into(), Mark::Unknown);
    }
}
