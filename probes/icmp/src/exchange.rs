//! Which answer ends which echo request, and how did each request end?
//!
//! Decides on times that it is given and does no I/O. Every request ends exactly once; what comes
//! for it afterwards is late or a duplicate. Loss is that of RFC 6673: no good reply in time,
//! judged by when the reply arrived, not by when somebody found the time to look at it.

use std::collections::VecDeque;

use leadsman_wire::{Drops, Heard, What};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The requests of one flow: those in flight, and which of the recent ones were answered.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// In the order of sending, which is that of expiry too.
    in_flight: VecDeque<Request>,
    answered: Answered,
}

/// An echo request that was sent and has not ended yet.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) sequence: u64,
    pub(crate) sent: Instant,
    /// When it counts as lost.
    pub(crate) expires: Instant,
    /// What this host had dropped before.
    pub(crate) drops: Drops,
}

impl Exchange {
    /// Notes a request.
    pub(crate) fn sent(&mut self, request: Request) {
        self.answered.expect(request.sequence);
        self.in_flight.push_back(request);
    }

    /// When an answer to a request in flight arrived.
    ///
    /// The caller first takes out what had expired by then: an answer in the queue saves no
    /// request whose time was over when it arrived, and none that arrived later saves any.
    pub(crate) fn arrival(&self, heard: &Heard) -> Option<Instant> {
        let place = self.place(heard.sequence)?;
        Some(self.in_flight[place].sent + heard.rtt)
    }

    /// Says how an answer to `sequence` stands; in time, it ends its request.
    pub(crate) fn heard(&mut self, sequence: u64) -> Arrival {
        let first = self.answered.insert(sequence);
        let place = self.place(sequence);
        if place
            .and_then(|place| self.in_flight.remove(place))
            .is_some()
        {
            Arrival::InTime
        } else if first {
            Arrival::Late
        } else {
            Arrival::Again
        }
    }

    /// Takes out the oldest request whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Request> {
        self.next_expiry().filter(|expires| *expires <= now)?;
        self.give_up()
    }

    /// When the next request's time is over; `None` if none is in flight.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.in_flight.front().map(|request| request.expires)
    }

    /// Takes out the oldest request in flight, whatever its time.
    pub(crate) fn give_up(&mut self) -> Option<Request> {
        self.in_flight.pop_front()
    }

    fn place(&self, sequence: u64) -> Option<usize> {
        self.in_flight
            .binary_search_by_key(&sequence, |request| request.sequence)
            .ok()
    }
}

/// When an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrival {
    /// First, and while it was waited for.
    InTime,
    /// First, but too late: its request had been given up.
    Late,
    /// After another answer to the same request.
    Again,
}

/// What became of an echo request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// A good reply came in time.
    Ok,
    /// Nothing came in time.
    Timeout,
    /// Somebody reported that the target cannot be reached, or that the request is not understood.
    Unreachable,
    /// Somebody reported that its hops, or the time to reassemble its fragments, ran out.
    TtlExceeded,
    /// Somebody reported that it needs fragmentation where that is forbidden.
    FragNeeded,
    /// A reply came damaged.
    Corrupt,
    /// A good reply came from an address that was not asked.
    WrongSource,
    /// This host did not send it.
    SendError,
    /// Nothing came in time, but this host dropped packets meanwhile.
    LocalSuspect,
    /// The run was stopped while it was in flight.
    Abandoned,
}

impl Outcome {
    /// The values of the label `outcome`, in the order of the variants.
    pub(crate) const LABELS: &[&str] = &[
        "ok",
        "timeout",
        "unreachable",
        "ttl_exceeded",
        "frag_needed",
        "corrupt",
        "wrong_source",
        "send_error",
        "local_suspect",
        "abandoned",
    ];

    /// The value of the label `outcome`.
    pub(crate) fn label(self) -> &'static str {
        Self::LABELS[self as usize]
    }

    /// How a request ends whose time is over, if by then this host has dropped so much.
    pub(crate) fn of_silence(request: &Request, drops: Drops) -> Self {
        if request.drops == drops {
            Self::Timeout
        } else {
            Self::LocalSuspect
        }
    }

    /// How an answer in time ends its request.
    pub(crate) fn of(what: What) -> Self {
        match what {
            What::Reply { .. } => Self::Ok,
            What::Corrupt => Self::Corrupt,
            What::WrongSource => Self::WrongSource,
            What::Unreachable { .. } | What::ParameterProblem { .. } => Self::Unreachable,
            What::TimeExceeded { .. } => Self::TtlExceeded,
            What::TooBig { .. } => Self::FragNeeded,
        }
    }
}

/// Which of the most recent requests have had an answer; older ones count as unanswered, for
/// whatever comes for them is late before all else.
#[derive(Debug, Default)]
struct Answered {
    newest: u64,
    bits: [u64; 16],
}

impl Answered {
    const WINDOW: u64 = 16 * 64;

    fn expect(&mut self, sequence: u64) {
        self.newest = sequence;
        let (word, bit) = Self::place(sequence);
        self.bits[word] &= !bit;
    }

    /// Returns whether this is the first answer.
    fn insert(&mut self, sequence: u64) -> bool {
        if sequence + Self::WINDOW <= self.newest {
            return true;
        }
        let (word, bit) = Self::place(sequence);
        let first = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        first
    }

    fn place(sequence: u64) -> (usize, u64) {
        let place = sequence % Self::WINDOW;
        ((place / 64) as usize, 1 << (place % 64))
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::net::IpAddr;
    use std::time::Duration;

    use leadsman_wire::RttSource;

    use super::*;

    use Arrival::{Again, InTime, Late};

    /// Request 0 leaves at 0 ms, request 1 at 10 ms and so on; each is waited for 25 ms. What is
    /// heard (sequence, arrival in ms) is judged in order; the rest expires.
    #[track_caller]
    fn check(requests: u64, heard: &[(u64, u64)], expected: &[Arrival], lost: &[u64]) {
        let (mut exchange, begin) = sent(requests);
        let mut expired = Vec::new();
        let mut judged = Vec::new();
        for (sequence, ms) in heard {
            let heard = answer(*sequence, ms - 10 * sequence);
            if let Some(arrival) = exchange.arrival(&heard) {
                expired.extend(iter::from_fn(|| exchange.expire(arrival)));
            }
            judged.push(exchange.heard(*sequence));
        }
        let end = begin + Duration::from_secs(1);
        expired.extend(iter::from_fn(|| exchange.expire(end)));
        assert_eq!(judged, expected);
        let expired: Vec<_> = expired.iter().map(|request| request.sequence).collect();
        assert_eq!(expired, lost);
    }

    #[test]
    fn each_request_ends_with_its_own_answer_in_any_order() {
        check(
            4,
            &[(2, 21), (0, 22), (3, 40)],
            &[InTime, InTime, InTime],
            &[1],
        );
    }

    #[test]
    fn an_answer_is_in_time_by_its_arrival_however_late_it_is_looked_at() {
        check(2, &[(0, 24), (1, 34)], &[InTime, InTime], &[]);
        check(2, &[(1, 34), (0, 25)], &[InTime, Late], &[0]);
        check(2, &[(0, 26), (1, 35)], &[Late, Late], &[0, 1]);
    }

    #[test]
    fn only_the_first_answer_counts() {
        check(1, &[(0, 1), (0, 2), (0, 99)], &[InTime, Again, Again], &[]);
        check(1, &[(0, 30), (0, 31)], &[Late, Again], &[0]);
    }

    #[test]
    fn a_request_expires_on_the_dot_and_the_oldest_first() {
        let (mut exchange, begin) = sent(2);
        let at = |ms| begin + Duration::from_millis(ms);
        assert_eq!(exchange.next_expiry(), Some(at(25)));
        assert!(exchange.expire(at(24)).is_none());
        assert_eq!(exchange.expire(at(25)).unwrap().sequence, 0);
        assert_eq!(exchange.next_expiry(), Some(at(35)));
        assert_eq!(exchange.give_up().unwrap().sequence, 1);
        assert_eq!(exchange.next_expiry(), None);
    }

    #[test]
    fn answers_are_told_apart_for_the_last_1024_requests() {
        let (mut exchange, begin) = sent(1);
        assert_eq!(exchange.heard(0), InTime);
        for (newest, expected) in [(1_023, Again), (1_024, Late), (5_000, Late)] {
            exchange.sent(request(newest, begin));
            assert_eq!(exchange.heard(0), expected, "{newest}");
        }
    }

    #[test]
    fn an_outcome_is_labelled_as_it_is_written_in_events() {
        for outcome in [Outcome::Ok, Outcome::TtlExceeded, Outcome::Abandoned] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.label());
        }
        assert_eq!(Outcome::Abandoned as usize + 1, Outcome::LABELS.len());
    }

    fn sent(requests: u64) -> (Exchange, Instant) {
        let begin = Instant::now();
        let mut exchange = Exchange::default();
        for sequence in 0..requests {
            exchange.sent(request(
                sequence,
                begin + Duration::from_millis(10 * sequence),
            ));
        }
        (exchange, begin)
    }

    fn request(sequence: u64, sent: Instant) -> Request {
        Request {
            sequence,
            sent,
            expires: sent + Duration::from_millis(25),
            drops: Drops::default(),
        }
    }

    fn answer(sequence: u64, rtt: u64) -> Heard {
        Heard {
            sequence,
            rtt: Duration::from_millis(rtt),
            rtt_source: RttSource::Kernel,
            from: IpAddr::from([192, 0, 2, 1]),
            hop_limit: Some(64),
            what: What::Corrupt,
        }
    }
}
