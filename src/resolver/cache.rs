//! Which answers are known, how long are they good for, and who is asking already?
//!
//! An answer is served for its TTL, and one that is still wanted near its end is renewed before it
//! expires. When nobody can renew it, addresses are served on for a day (RFC 8767): a network
//! whose resolver is down is when probes matter most. "No such record" is an answer like any
//! other, but never outlives its own time: it blames the target, and must be true for that.
//! A failure is remembered for a few seconds (RFC 9520), so that a broken resolver is not asked
//! at the pace of the probes.
//!
//! All of it is decided from the `now` a caller passes. This module asks nobody and reads no
//! clock; whoever is handed a [`Look::depart`] does the asking and says what came of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::{Exchanger, Family, ResolveError};
use tokio::sync::watch;
use tokio::time::Instant;

/// What is known about names, and what is being asked.
#[derive(Debug)]
pub(super) struct Cache<T = IpAddr> {
    entries: HashMap<Question, Entry<T>>,
    capacity: usize,
}

impl<T: Held> Cache<T> {
    /// Makes an empty cache for `capacity` questions. Beyond that it forgets those that were not
    /// put for longest, but never one that is being asked.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            capacity,
        }
    }

    /// Says what to reply to a question, and whether the caller has to ask it.
    pub(super) fn look(&mut self, question: &Question, now: Instant) -> Look<T> {
        if let Some(entry) = self.entries.get_mut(question) {
            return entry.look(now);
        }
        if self.entries.len() >= self.capacity {
            self.make_room();
        }
        self.entry(question, now).look(now)
    }

    /// Ends the asking of a question: takes in what was learnt, and says what to serve for it.
    pub(super) fn settle(
        &mut self,
        question: &Question,
        learnt: Result<Answer<T>, ResolveError>,
        now: Instant,
    ) -> Settled<T> {
        let entry = self.entry(question, now);
        entry.flight = None;
        match learnt {
            Ok(answer) => {
                let held = Kept::new(answer, now);
                let verdict = held.verdict();
                entry.held = Some(held);
                entry.failure = None;
                Settled {
                    verdict,
                    report: false,
                }
            }
            Err(error) => entry.fail(error, now),
        }
    }

    fn entry(&mut self, question: &Question, now: Instant) -> &mut Entry<T> {
        self.entries
            .entry(question.clone())
            .or_insert_with(|| Entry {
                used: now,
                held: None,
                failure: None,
                flight: None,
                reported: None,
            })
    }

    /// Forgets an eighth at a time, so that the search for the oldest is paid once for many.
    fn make_room(&mut self) {
        let mut uses: Vec<Instant> = self.entries.values().map(|entry| entry.used).collect();
        let eighth = uses.len() / 8;
        let (_, cut, _) = uses.select_nth_unstable(eighth);
        self.entries
            .retain(|_, entry| entry.used > *cut || entry.in_flight().is_some());
    }
}

/// A record that is kept.
pub(super) trait Held: Clone {
    /// How long it is served past its TTL while nobody can renew it.
    const GRACE: Duration;
}

impl Held for IpAddr {
    /// RFC 8767, section 5, suggests 1 to 3 days.
    const GRACE: Duration = Duration::from_hours(24);
}

impl Held for Exchanger {
    /// That a domain's servers fail is what a probe of its mail should tell.
    const GRACE: Duration = Duration::ZERO;
}

/// A name, as it was written but for its case, and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// In lower case; a final dot is kept, for it tells a full name from one to search for.
    pub(super) name: Box<str>,
    pub(super) wanted: Wanted,
}

/// What is wanted of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    /// Its addresses of a family.
    Addresses(Family),
    /// Its mail exchangers.
    Exchangers,
    /// The name that it is an alias of.
    Alias,
}

impl Question {
    pub(super) fn new(name: &str, family: Family) -> Self {
        Self::of(name, Wanted::Addresses(family))
    }

    pub(super) fn of(name: &str, wanted: Wanted) -> Self {
        Self {
            name: name.to_lowercase().into(),
            wanted,
        }
    }
}

/// What somebody who knows has said about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer<T = IpAddr> {
    /// In the order that they were given; none if the name has no such record.
    pub(super) records: Arc<[T]>,
    /// How long this may be relied on, before the bounds of this cache.
    pub(super) ttl: Duration,
}

/// What to tell whoever wants to know: addresses, none if the name has no such record, or why
/// nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict<T = IpAddr>(pub(super) Result<Arc<[T]>, ResolveError>);

/// What to do about a question.
#[derive(Debug)]
pub(super) struct Look<T = IpAddr> {
    /// What to tell whoever put it.
    pub(super) reply: Reply<T>,
    /// Handed to exactly one caller per flight, who must ask, [settle](Cache::settle), and then
    /// send the verdict through this. Dropping it instead abandons the flight.
    pub(super) depart: Option<watch::Sender<Option<Verdict<T>>>>,
}

/// What to tell whoever put a question.
#[derive(Debug)]
pub(super) enum Reply<T = IpAddr> {
    /// What is known.
    Now(Verdict<T>),
    /// Nothing good enough: wait for the flight.
    Later {
        /// Carries the verdict once there is one.
        landing: watch::Receiver<Option<Verdict<T>>>,
        /// Until when to wait at most, and what to serve then.
        meanwhile: Option<(Instant, Verdict<T>)>,
    },
}

/// What came of asking.
#[derive(Debug)]
pub(super) struct Settled<T = IpAddr> {
    /// What to serve: after a failure the old addresses, as long as they may be.
    pub(super) verdict: Verdict<T>,
    /// Whether to tell people that old addresses are being served; at most once a minute.
    pub(super) report: bool,
}

#[derive(Debug)]
struct Entry<T> {
    used: Instant,
    held: Option<Kept<T>>,
    /// How the last flight failed, and until when the next one waits.
    failure: Option<(ResolveError, Instant)>,
    flight: Option<Flight<T>>,
    reported: Option<Instant>,
}

impl<T: Held> Entry<T> {
    fn look(&mut self, now: Instant) -> Look<T> {
        self.used = now;
        let fresh = self.held.as_ref().filter(|held| now < held.until);
        let due = fresh.is_none_or(|held| now >= held.renew_at);
        let fresh = fresh.map(Kept::verdict);
        let known = fresh.clone().or_else(|| self.fallback(now));
        let resting = self.failure.as_ref().is_some_and(|(_, end)| now < *end);
        if let Some(verdict) = known.clone().filter(|_| !due || resting) {
            return Look {
                reply: Reply::Now(verdict),
                depart: None,
            };
        }
        let (flight, depart) = self.board(now);
        let patience = flight.since + PATIENCE;
        let reply = match known {
            Some(verdict) if fresh.is_some() || now >= patience => Reply::Now(verdict),
            known => Reply::Later {
                landing: flight.landing,
                meanwhile: known.map(|verdict| (patience, verdict)),
            },
        };
        Look { reply, depart }
    }

    /// What there is to say while no answer is fresh: old addresses, else the last failure.
    fn fallback(&self, now: Instant) -> Option<Verdict<T>> {
        let stale = self.held.as_ref().filter(|held| now < held.stale_until);
        let failure = |(error, _): &(ResolveError, _)| Verdict(Err(error.clone()));
        stale
            .map(Kept::verdict)
            .or_else(|| self.failure.as_ref().map(failure))
    }

    fn fail(&mut self, error: ResolveError, now: Instant) -> Settled<T> {
        self.failure = Some((error.clone(), now + REST));
        let stale = self.held.as_ref().filter(|held| now < held.stale_until);
        let Some(held) = stale else {
            return Settled {
                verdict: Verdict(Err(error)),
                report: false,
            };
        };
        let reported = self.reported.filter(|last| now < *last + REPORT_INTERVAL);
        self.reported = reported.or(Some(now));
        Settled {
            verdict: held.verdict(),
            report: reported.is_none(),
        }
    }

    /// Joins the flight in progress, or starts one.
    fn board(&mut self, now: Instant) -> (Flight<T>, Option<watch::Sender<Option<Verdict<T>>>>) {
        if let Some(flight) = self.in_flight() {
            return (flight.clone(), None);
        }
        let (depart, landing) = watch::channel(None);
        let flight = Flight {
            since: now,
            landing,
        };
        self.flight = Some(flight.clone());
        (flight, Some(depart))
    }

    /// A flight whose sender is gone was abandoned: its task panicked or its runtime ended.
    fn in_flight(&self) -> Option<&Flight<T>> {
        let abandoned = |flight: &&Flight<T>| flight.landing.has_changed().is_err();
        self.flight.as_ref().filter(|flight| !abandoned(flight))
    }
}

/// An answer that is kept.
#[derive(Debug)]
struct Kept<T> {
    records: Arc<[T]>,
    renew_at: Instant,
    until: Instant,
    stale_until: Instant,
}

impl<T: Held> Kept<T> {
    fn new(answer: Answer<T>, now: Instant) -> Self {
        let (longest, grace) = if answer.records.is_empty() {
            (LONGEST_NEGATIVE, Duration::ZERO)
        } else {
            (LONGEST, T::GRACE)
        };
        let ttl = answer.ttl.clamp(SHORTEST, longest);
        let until = now + ttl;
        Self {
            records: answer.records,
            renew_at: until - ttl / 10,
            until,
            stale_until: until + grace,
        }
    }

    fn verdict(&self) -> Verdict<T> {
        Verdict(Ok(Arc::clone(&self.records)))
    }
}

/// A question being asked.
#[derive(Clone, Debug)]
struct Flight<T> {
    since: Instant,
    landing: watch::Receiver<Option<Verdict<T>>>,
}

/// A TTL of 0 would cost a query for each run.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(24);
/// A name that was just added to its zone should be found soon.
const LONGEST_NEGATIVE: Duration = Duration::from_mins(1);
/// How long after a flight began its passengers are content with what is known already. Short, for
/// it is taken from the time that a probe has for its run.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long after a failure nobody asks again.
const REST: Duration = Duration::from_secs(5);
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
