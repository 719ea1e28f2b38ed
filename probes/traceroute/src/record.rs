//! What is known about one hop after many rounds?
//!
//! Counts are exact at every moment: sent = answered + late + lost + under way.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::loss::Tally;
use crate::reply::Reply;
use crate::statistics::Statistics;

/// What came of all probes with one TTL and flow.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// How many were sent.
    pub sent: u64,
    /// How many were answered in time.
    pub answered: u64,
    /// How many were answered after they had been taken for lost.
    pub late: u64,
    /// How many were not answered in time nor since.
    pub lost: u64,
    /// How many further answers came to probes already answered.
    pub duplicates: u64,
    /// The round trips of answers that came in time.
    pub statistics: Statistics,
    /// Who answered how often, in the order first heard; at most 64 are told apart.
    pub responders: Vec<(IpAddr, u64)>,
    /// The newest answer.
    pub latest: Option<Reply>,
    /// When the newest probes left and whether each was answered, once that is known.
    history: VecDeque<(Duration, Option<bool>)>,
}

impl Record {
    /// How many may still be answered in time.
    pub fn under_way(&self) -> u64 {
        self.sent - self.answered - self.late - self.lost
    }

    /// Its part in telling loss from silence.
    pub fn tally(&self) -> Tally {
        Tally {
            settled: self.sent - self.under_way(),
            missed: self.lost,
        }
    }

    /// When each of the newest 128 probes left and whether it was answered, oldest first; those
    /// under way are left out.
    pub fn outcomes(&self) -> impl Iterator<Item = (Duration, bool)> {
        let known = self.history.iter();
        known.filter_map(|(sent, answered)| Some((*sent, (*answered)?)))
    }

    pub(crate) fn note_sent(&mut self, now: Duration) {
        self.sent += 1;
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back((now, None));
    }

    /// Undoes [`Record::note_sent`].
    pub(crate) fn note_unsent(&mut self, sent: Duration) {
        self.sent -= 1;
        self.history
            .retain(|(other, answered)| *other != sent || answered.is_some());
    }

    pub(crate) fn note_lost(&mut self, sent: Duration) {
        self.lost += 1;
        self.settle(sent, false);
    }

    pub(crate) fn note_answer(&mut self, round: u32, sent: Duration, reply: Reply) {
        self.answered += 1;
        self.statistics.add(round.into(), reply.rtt);
        self.settle(sent, true);
        self.note_responder(reply);
    }

    pub(crate) fn note_late(&mut self, sent: Duration, reply: Reply) {
        self.lost -= 1;
        self.late += 1;
        self.settle(sent, true);
        self.note_responder(reply);
    }

    fn note_responder(&mut self, reply: Reply) {
        let mut known = self.responders.iter_mut();
        if let Some((_, count)) = known.find(|(from, _)| *from == reply.from) {
            *count += 1;
        } else if self.responders.len() < MOST_RESPONDERS {
            self.responders.push((reply.from, 1));
        }
        self.latest = Some(reply);
    }

    fn settle(&mut self, sent: Duration, answered: bool) {
        let found = self.history.iter_mut().find(|(other, _)| *other == sent);
        if let Some((_, outcome)) = found {
            *outcome = Some(answered);
        }
    }
}

const HISTORY: usize = 128;
const MOST_RESPONDERS: usize = 64;
