//! What came of asking one address in a sweep?
//!
//! Small and flat, for there are 100,000 of them: sums instead of samples, and of the complaints
//! only the last. Loss is that of RFC 6673: requests that were not sent, or whose replies this host
//! may have dropped, say nothing about it.

use std::fmt;
use std::time::Duration;

use leadsman_core::{Blocker, Cause, Ending};
use leadsman_wire::{Answer, Arrived, Heard, Refusal, What};
use serde_json::{Map, Value};

use crate::round::cause;

/// The requests to one address, and what became of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Requests that have ended, sent or not.
    ended: u32,
    answered: u32,
    lost: u32,
    /// Requests that ended with an ICMP error or a bad reply.
    errors: u32,
    /// Requests whose replies this host may have dropped, or that it was late to send.
    suspect: u32,
    /// Requests that this host did not send.
    unsent: u32,
    duplicates: u32,
    shortest: Duration,
    longest: Duration,
    sum: Duration,
    /// The last answer in time that was no good reply: few have one.
    complaint: Option<Box<Answer>>,
    /// Why the last request that was not sent was not.
    refused: Option<Refusal>,
}

/// A tally in words.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) tally: &'a Tally,
    /// Why a request was not sent, in words.
    pub(crate) refused: Option<&'a str>,
}

impl Tally {
    /// Takes in what became known of a request.
    pub(crate) fn hear(&mut self, heard: &Heard) {
        self.ended += u32::from(heard.is_end());
        match heard {
            Heard::Answer(answer) => self.answer(answer),
            Heard::Silence(silence) if silence.suspect => self.suspect += 1,
            Heard::Silence(_) => self.lost += 1,
            Heard::NotSent(not_sent) => {
                self.unsent += 1;
                self.refused = Some(not_sent.refusal);
            }
        }
    }

    /// How many requests have ended.
    pub(crate) fn ended(&self) -> u32 {
        self.ended
    }

    /// Whether there was a good reply in time.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered > 0
    }

    /// How asking ended.
    pub(crate) fn ending(&self) -> Ending {
        if self.is_answered() {
            return Ending::Answered;
        }
        match &self.complaint {
            Some(answer) => Ending::Unanswered(cause(answer.what)),
            None if self.lost > 0 => Ending::Unanswered(Cause::Timeout),
            None if self.unsent > 0 => Ending::NotAsked(Blocker::Network),
            None => Ending::NotAsked(Blocker::Resources),
        }
    }

    /// Why a request could not be sent, unless it does not matter for others were.
    pub(crate) fn refused(&self) -> Option<Refusal> {
        self.refused.filter(|_| self.unsent == self.ended)
    }

    fn answer(&mut self, answer: &Answer) {
        let good = matches!(answer.what, What::Reply { .. });
        match answer.arrived {
            Arrived::InTime if good => self.reply(answer.rtt),
            Arrived::InTime => {
                self.errors += 1;
                self.complaint = Some(Box::new(answer.clone()));
            }
            Arrived::Late => {}
            Arrived::Again => self.duplicates += u32::from(good),
        }
    }

    fn reply(&mut self, rtt: Duration) {
        if self.answered == 0 || rtt < self.shortest {
            self.shortest = rtt;
        }
        self.longest = self.longest.max(rtt);
        self.sum += rtt;
        self.answered += 1;
    }

    /// Requests that left this host.
    fn sent(&self) -> u32 {
        self.ended - self.unsent
    }

    fn answers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, mean, max] = [self.shortest, self.mean(), self.longest].map(milliseconds);
        if self.sent() == 1 {
            write!(f, "answered, {mean:.3} ms")?;
        } else {
            let (answered, sent) = (self.answered, self.sent());
            write!(
                f,
                "{answered}/{sent} answered, {min:.3}/{mean:.3}/{max:.3} ms"
            )?;
        }
        match self.duplicates {
            0 => Ok(()),
            duplicates => write!(f, ", {duplicates} duplicates"),
        }
    }

    fn mean(&self) -> Duration {
        self.sum / self.answered.max(1)
    }
}

impl Found<'_> {
    /// The figures for programs.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let tally = self.tally;
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        put("sent", tally.sent().into());
        put("answered", tally.answered.into());
        put("lost", tally.lost.into());
        put("errors", tally.errors.into());
        put("local_suspect", tally.suspect.into());
        put("not_sent", tally.unsent.into());
        put("duplicates", tally.duplicates.into());
        if tally.is_answered() {
            put("rtt_min_seconds", tally.shortest.as_secs_f64().into());
            put("rtt_mean_seconds", tally.mean().as_secs_f64().into());
            put("rtt_max_seconds", tally.longest.as_secs_f64().into());
        }
        if let Some(answer) = &tally.complaint {
            put("error", answer.to_string().into());
            put("error_from", answer.from.to_string().into());
        }
        if let Some(refused) = self.refused {
            put("error", refused.into());
        }
        fields
    }
}

/// Says it in a line, such as `3/3 answered, 0.101/0.123/0.144 ms`.
impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = self.tally;
        match (&tally.complaint, self.refused) {
            _ if tally.is_answered() => tally.answers(f),
            (Some(answer), _) => write!(f, "{answer}, says {}", answer.from),
            (None, Some(refused)) => f.write_str(refused),
            (None, None) if tally.lost == 1 => f.write_str("no answer"),
            (None, None) if tally.lost > 1 => write!(f, "no answer to {} requests", tally.lost),
            (None, None) => {
                f.write_str("unknown, for this host dropped packets meanwhile or was late to send")
            }
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use leadsman_wire::{NotSent, RttSource, Silence};

    use super::*;

    use Arrived::{Again, InTime, Late};

    const REPLY: What = What::Reply { bytes: 64 };

    #[test]
    fn what_came_of_asking_is_said_in_a_line() {
        let reply = |arrived, ms| answer(arrived, REPLY, ms);
        let host = What::Unreachable { code: 1 };
        let answered = Ending::Answered;
        check(&[reply(InTime, 1)], "answered, 1.000 ms", answered);
        check(
            &[
                reply(InTime, 1),
                reply(Again, 2),
                silence(false),
                reply(InTime, 3),
            ],
            "2/3 answered, 1.000/2.000/3.000 ms, 1 duplicates",
            answered,
        );
        check(
            &[silence(false)],
            "no answer",
            Ending::Unanswered(Cause::Timeout),
        );
        check(
            &[silence(false), silence(false), reply(Late, 9)],
            "no answer to 2 requests",
            Ending::Unanswered(Cause::Timeout),
        );
        check(
            &[silence(false), answer(InTime, host, 1)],
            "Destination Host Unreachable, says 192.0.2.1",
            Ending::Unanswered(Cause::Unreachable),
        );
        check(&[NOT_SENT], "why", Ending::NotAsked(Blocker::Network));
        check(
            &[NOT_SENT, reply(InTime, 1)],
            "answered, 1.000 ms",
            answered,
        );
        check(
            &[silence(true)],
            "unknown, for this host dropped packets meanwhile or was late to send",
            Ending::NotAsked(Blocker::Resources),
        );
    }

    #[track_caller]
    fn check(heard: &[Heard], line: &str, ending: Ending) {
        let mut tally = Tally::default();
        for heard in heard {
            tally.hear(heard);
        }
        let found = Found {
            tally: &tally,
            refused: tally.refused().map(|_| "why"),
        };
        assert_eq!((found.to_string().as_str(), tally.ending()), (line, ending));
        let fields = found.fields();
        assert_eq!(fields["sent"], tally.sent(), "{fields:?}");
        let parts = ["answered", "lost", "errors", "local_suspect"];
        let parts = parts.map(|part| fields[part].as_u64().unwrap());
        assert_eq!(fields["sent"], parts.iter().sum::<u64>(), "{fields:?}");
        assert_eq!(fields.contains_key("rtt_min_seconds"), tally.is_answered());
    }

    fn answer(arrived: Arrived, what: What, ms: u64) -> Heard {
        Heard::Answer(Answer {
            sequence: 0,
            arrived,
            rtt: Duration::from_millis(ms),
            rtt_source: RttSource::Kernel,
            from: IpAddr::from([192, 0, 2, 1]),
            hop_limit: None,
            what,
            remarks: None,
        })
    }

    fn silence(suspect: bool) -> Heard {
        Heard::Silence(Silence {
            sequence: 0,
            waited: Duration::from_secs(1),
            suspect,
        })
    }

    const NOT_SENT: Heard = Heard::NotSent(NotSent {
        sequence: 0,
        refusal: Refusal::Kernel(101),
    });
}
