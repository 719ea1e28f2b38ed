//! What should a prober have made of what happened?
//!
//! The rule is the prober's contract, written once more and apart from it: the first answer in
//! time decides, and a request without one has timed out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::{Answer, Delivered, Ending, Record};

/// How one request ends for a prober that waits a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The answer that came first, in time and whole, from the address that was asked or as an
    /// error.
    Answered(Delivered),
    /// The first answer was a reply with a flipped bit.
    Corrupt(Delivered),
    /// The first answer was a reply from an address that was not asked.
    WrongSource(Delivered),
    /// None came in time.
    Timeout,
}

impl Verdict {
    /// Which of the outcomes it is.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Timeout => Outcome::Timeout,
            Self::Corrupt(_) => Outcome::Corrupt,
            Self::WrongSource(_) => Outcome::WrongSource,
            Self::Answered(delivered) => match delivered.answer {
                Answer::TimeExceeded => Outcome::TimeExceeded,
                Answer::Unreachable { .. } => Outcome::Unreachable,
                Answer::TooBig { .. } => Outcome::TooBig,
                Answer::EchoReply | Answer::SynAck | Answer::Reset => Outcome::Reply,
            },
        }
    }
}

/// How a request ended, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer that was hoped for.
    Reply,
    /// No answer in time.
    Timeout,
    /// A reply with a flipped bit.
    Corrupt,
    /// A reply from an address that was not asked.
    WrongSource,
    /// An error: the destination is unreachable.
    Unreachable,
    /// An error: the TTL ran out.
    TimeExceeded,
    /// An error: the packet is too long.
    TooBig,
    /// Not an end: an answer after the first, or after the time was over.
    Surplus,
}

/// Counts the outcomes of requests that a prober waits `wait` for, each answer more than the one
/// that ended its request as a surplus.
pub fn tally<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    wait: Duration,
) -> BTreeMap<Outcome, u64> {
    let mut tally = BTreeMap::new();
    for record in records {
        let outcome = record.verdict(wait).outcome();
        *tally.entry(outcome).or_default() += 1;
        let ended = u64::from(outcome != Outcome::Timeout);
        let surplus = record.heard().len() as u64 - ended;
        if surplus > 0 {
            *tally.entry(Outcome::Surplus).or_default() += surplus;
        }
    }
    tally
}

impl Record {
    /// Judges a request that a prober waits `wait` for.
    pub fn verdict(&self, wait: Duration) -> Verdict {
        let first = self.heard().first().copied();
        match first.filter(|first| self.round_trip(first) < wait) {
            None => Verdict::Timeout,
            Some(first) if first.is_corrupted => Verdict::Corrupt(first),
            Some(first) if !first.answer.is_error() && first.from != self.request.destination => {
                Verdict::WrongSource(first)
            }
            Some(first) => Verdict::Answered(first),
        }
    }

    /// Returns how long one of the answers took, from the prober and back.
    pub fn round_trip(&self, answer: &Delivered) -> Duration {
        answer.at.saturating_sub(self.entered)
    }

    /// Returns every answer that the prober can make out, in the order in which they came. A
    /// corrupted error is none, for what it quotes cannot be trusted.
    pub fn heard(&self) -> Vec<Delivered> {
        let delivered = self.endings.iter().filter_map(|ending| match ending {
            Ending::Delivered(delivered) => Some(*delivered),
            Ending::Travelling | Ending::Vanished { .. } => None,
        });
        let told = delivered
            .filter(|delivered| !delivered.is_corrupted || delivered.answer == Answer::EchoReply);
        let mut heard: Vec<Delivered> = told.collect();
        heard.sort_by_key(|delivered| delivered.at);
        heard
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::packet::ICMP;
    use crate::{NodeId, Request, Why};

    const ASKED: [u8; 4] = [10, 9, 0, 1];

    fn reply(at: u64) -> Delivered {
        Delivered {
            at: Duration::from_millis(at),
            by: Duration::from_millis(at),
            answer: Answer::EchoReply,
            node: NodeId(0),
            from: IpAddr::from(ASKED),
            is_corrupted: false,
        }
    }

    /// Judges a request sent at 1,000 ms that is waited for 100 ms.
    fn check(delivered: &[Delivered], expected: Verdict) {
        let lost = Ending::Vanished {
            node: NodeId(0),
            answered: false,
            why: Why::Loss,
        };
        let delivered = delivered.iter().copied().map(Ending::Delivered);
        let record = Record {
            entered: Duration::from_secs(1),
            request: Request {
                destination: IpAddr::from(ASKED),
                ttl: 64,
                protocol: ICMP,
                start: [0; 8],
            },
            endings: delivered.chain([lost]).collect(),
        };
        assert_eq!(record.verdict(Duration::from_millis(100)), expected);
    }

    #[test]
    fn the_first_answer_in_time_decides() {
        check(&[], Verdict::Timeout);
        check(&[reply(1_100)], Verdict::Timeout);
        check(&[reply(1_099)], Verdict::Answered(reply(1_099)));
        check(
            &[reply(1_090), reply(1_080)],
            Verdict::Answered(reply(1_080)),
        );
        let corrupt = Delivered {
            is_corrupted: true,
            ..reply(1_050)
        };
        check(&[reply(1_090), corrupt], Verdict::Corrupt(corrupt));
        let stranger = Delivered {
            from: IpAddr::from([10, 9, 0, 2]),
            ..reply(1_050)
        };
        check(&[stranger], Verdict::WrongSource(stranger));
        let error = Delivered {
            answer: Answer::TimeExceeded,
            ..stranger
        };
        check(&[error], Verdict::Answered(error));
        let unreadable = Delivered {
            is_corrupted: true,
            ..error
        };
        check(&[unreadable], Verdict::Timeout);
    }
}
