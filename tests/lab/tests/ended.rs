//! How is what an engine says of a request held against the network's record?

use std::net::IpAddr;
use std::time::Duration;

use leadsman_lab::{Answer, Delivered, Load, Outcome, Record, Verdict};
use leadsman_wire::{Arrived, Heard, What};

/// How a request ended, in words that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    from: Option<IpAddr>,
    /// The code or the MTU of an error.
    detail: u32,
}

/// What an engine said of all requests of a load.
#[derive(Debug)]
pub(crate) struct Told {
    count: u64,
    /// How each request ended and its round trip, host by host.
    ends: Vec<Option<(Ended, Duration)>>,
    /// How many answers came late or again.
    pub(crate) surplus: u64,
}

impl Told {
    pub(crate) fn nothing(load: &Load) -> Self {
        Self {
            count: load.count.into(),
            ends: vec![None; load.requests().count()],
            surplus: 0,
        }
    }

    /// Takes in what an engine says of a host's request.
    pub(crate) fn hear(&mut self, host: usize, heard: Heard) {
        if !heard.is_end() {
            self.surplus += 1;
            return;
        }
        let sequence = heard.sequence();
        let ended = match heard {
            Heard::Answer(answer) => {
                assert_eq!(answer.arrived, Arrived::InTime);
                let (outcome, detail) = what(answer.what);
                let from = Some(answer.from);
                let ended = Ended {
                    outcome,
                    from,
                    detail,
                };
                (ended, answer.rtt)
            }
            Heard::Silence(_) => (SILENCE, Duration::ZERO),
            Heard::NotSent(not_sent) => panic!("{not_sent:?}"),
        };
        let place = host as u64 * self.count + sequence;
        let before = self.ends[place as usize].replace(ended);
        assert_eq!(before, None, "a request ends once");
    }

    /// Checks that each request ended as its record has it, and returns by how much the round trips
    /// differ from the record's, in seconds. `asked` says which request each record is about.
    ///
    /// An answer that came within `margin` of the deadline may be in time for the one and late for
    /// the other.
    pub(crate) fn check(
        &self,
        name: &str,
        load: &Load,
        records: &[Record],
        asked: &[(usize, u64)],
        margin: Duration,
    ) -> Vec<f64> {
        let sent = self.ends.len();
        assert_eq!((records.len(), asked.len()), (sent, sent), "{name}");
        let mut errors = Vec::new();
        for (record, (host, sequence)) in records.iter().zip(asked) {
            let place = *host as u64 * self.count + sequence;
            let (ended, rtt) = self.ends[place as usize].expect("every request ends");
            let (expected, delivered) = truly(record.verdict(*load.wait));
            let first = record.heard().first().map(|first| record.round_trip(first));
            let is_close = first.is_some_and(|trip| trip.abs_diff(*load.wait) < margin);
            assert!(
                ended == expected || is_close,
                "{name}: {ended:?} {record:?}"
            );
            if let (Some(delivered), true) = (delivered, ended == expected) {
                let truth = record.round_trip(&delivered);
                errors.push(rtt.as_secs_f64() - truth.as_secs_f64());
            }
        }
        errors
    }
}

fn what(what: What) -> (Outcome, u32) {
    match what {
        What::Reply { .. } => (Outcome::Reply, 0),
        What::Corrupt => (Outcome::Corrupt, 0),
        What::WrongSource => (Outcome::WrongSource, 0),
        What::Unreachable { code } => (Outcome::Unreachable, code.into()),
        What::TimeExceeded { code } => (Outcome::TimeExceeded, code.into()),
        What::TooBig { mtu } => (Outcome::TooBig, mtu.unwrap_or_default()),
        What::Refused | What::ParameterProblem { .. } => panic!("no node sends {what:?}"),
    }
}

fn truly(verdict: Verdict) -> (Ended, Option<Delivered>) {
    let outcome = verdict.outcome();
    let delivered = match verdict {
        Verdict::Timeout => return (SILENCE, None),
        Verdict::Answered(delivered)
        | Verdict::Corrupt(delivered)
        | Verdict::WrongSource(delivered) => delivered,
    };
    let detail = match delivered.answer {
        Answer::Unreachable { code } => code.into(),
        Answer::TooBig { mtu } => mtu,
        _ => 0,
    };
    let from = Some(delivered.from);
    let ended = Ended {
        outcome,
        from,
        detail,
    };
    (ended, Some(delivered))
}

const SILENCE: Ended = Ended {
    outcome: Outcome::Timeout,
    from: None,
    detail: 0,
};
