//! What is known about one hop after many rounds?
//!
//! Counts are exact at every moment: sent = answered + late + lost + under way. A probe that this
//! host did not send, or whose answer it may have dropped itself, counts nowhere.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::loss::Tally;
use crate::statistics::Statistics;

/// What came of the probes with one TTL, at most one of them in each round.
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
    history: VecDeque<Outcome>,
}

/// What became of one probe.
#[derive(Debug, Clone)]
struct Outcome {
    round: u32,
    sent: Duration,
    /// `None` while it is under way.
    answered: Option<bool>,
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
        known.filter_map(|outcome| Some((outcome.sent, outcome.answered?)))
    }

    /// Who answered most often.
    pub fn responder(&self) -> Option<IpAddr> {
        // Of several the first: `max_by_key` would take the last.
        let responders = self.responders.iter().rev();
        let most = responders.max_by_key(|(_, count)| *count);
        most.map(|(address, _)| *address)
    }

    /// The probe of a round leaves, `sent` on any clock that never goes back.
    pub fn note_sent(&mut self, round: u32, sent: Duration) {
        self.sent += 1;
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        let answered = None;
        self.history.push_back(Outcome {
            round,
            sent,
            answered,
        });
    }

    /// Nothing will be known of a probe: undoes [`Record::note_sent`].
    pub fn note_unknown(&mut self, round: u32) {
        self.sent -= 1;
        self.history.retain(|outcome| outcome.round != round);
    }

    /// A probe was not answered in time.
    pub fn note_lost(&mut self, round: u32) {
        self.lost += 1;
        self.settle(round, false);
    }

    /// A probe was answered in time.
    pub fn note_answer(&mut self, round: u32, from: IpAddr, rtt: Duration) {
        self.answered += 1;
        self.statistics.add(round.into(), rtt);
        self.settle(round, true);
        self.note_responder(from);
    }

    /// A probe that was taken for lost was answered after all. One of which nothing was to be
    /// known, or which 128 others have followed, counts no more.
    pub fn note_late(&mut self, round: u32, from: IpAddr) {
        let mut known = self.history.iter();
        if !known.any(|outcome| outcome.round == round && outcome.answered == Some(false)) {
            return;
        }
        self.lost -= 1;
        self.late += 1;
        self.settle(round, true);
        self.note_responder(from);
    }

    fn note_responder(&mut self, from: IpAddr) {
        let mut known = self.responders.iter_mut();
        if let Some((_, count)) = known.find(|(known, _)| *known == from) {
            *count += 1;
        } else if self.responders.len() < MOST_RESPONDERS {
            self.responders.push((from, 1));
        }
    }

    fn settle(&mut self, round: u32, answered: bool) {
        let mut known = self.history.iter_mut();
        if let Some(outcome) = known.find(|outcome| outcome.round == round) {
            outcome.answered = Some(answered);
        }
    }
}

const HISTORY: usize = 128;
const MOST_RESPONDERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_is_accounted_for_whatever_comes_in_which_order() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut record = Record::default();
        let from = IpAddr::from([192, 0, 2, 1]);
        let (mut open, mut lost) = (Vec::new(), Vec::new());
        for round in 0..10_000 {
            record.note_sent(round, Duration::from_secs(round.into()));
            open.push(round);
            let ended = open.swap_remove(random.usize(..open.len()));
            match random.u8(..4) {
                0 => record.note_answer(ended, from, Duration::from_millis(1)),
                1 => record.note_unknown(ended),
                2 => {
                    record.note_lost(ended);
                    lost.push(ended);
                }
                _ => open.push(ended),
            }
            if random.u8(..3) == 0
                && let Some(late) = lost.pop_if(|lost| *lost + HISTORY as u32 / 2 > round)
            {
                record.note_late(late, from);
            }
            let known = record.answered + record.late + record.lost;
            assert_eq!(record.sent, known + record.under_way());
            assert_eq!(record.under_way(), open.len() as u64);
            assert_eq!(record.statistics.count(), record.answered);
            assert_eq!(record.tally().missed, lost.len() as u64);
        }
        assert!(record.late > 100 && record.answered > 1_000);
        let heard: u64 = record.responders.iter().map(|(_, count)| count).sum();
        assert_eq!(heard, record.answered + record.late);
    }

    #[test]
    fn an_answer_to_a_probe_of_which_nothing_is_known_counts_nowhere() {
        let mut record = Record::default();
        let from = IpAddr::from([192, 0, 2, 1]);
        record.note_sent(0, Duration::ZERO);
        record.note_unknown(0);
        record.note_late(0, from);
        assert_eq!((record.sent, record.late, record.lost), (0, 0, 0));
        for round in 1..=HISTORY as u32 + 1 {
            record.note_sent(round, Duration::ZERO);
            record.note_lost(round);
        }
        record.note_late(1, from);
        record.note_late(2, from);
        record.note_late(2, from);
        assert_eq!((record.late, record.lost), (1, HISTORY as u64));
        assert_eq!(record.responders, [(from, 1)]);
    }

    #[test]
    fn who_answers_most_often_stands_for_the_hop() {
        let mut record = Record::default();
        assert_eq!(record.responder(), None);
        for (round, last) in [1, 2, 3, 3, 2, 2].into_iter().enumerate() {
            let round = round as u32;
            record.note_sent(round, Duration::ZERO);
            record.note_answer(round, [192, 0, 2, last].into(), Duration::ZERO);
        }
        assert_eq!(record.responder(), Some([192, 0, 2, 2].into()));
    }
}
