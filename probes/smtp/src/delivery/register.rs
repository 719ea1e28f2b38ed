//! Which messages are on their way, and of whom?
//!
//! Decides, and takes the time as an argument. It forgets: what never arrives is known for a day, so
//! that it is told as late if it does, and of one account no more than some hundred messages are
//! known.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::message::Token;

/// All messages that are expected, by account.
#[derive(Debug)]
pub(super) struct Register {
    // A map that needs no hasher to be made, so that this can be a static.
    accounts: BTreeMap<AccountId, Book>,
}

/// Tells one account from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AccountId(u64);

/// What it means that a message was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It has arrived, so long after it was sent.
    InTime(Duration),
    /// It has arrived after its time was over.
    Late(Duration),
    /// It was seen before, or is so old that it was forgotten, or nobody is there any more who
    /// waits for it.
    Unknown,
}

/// What has become of an account's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many may still arrive in time.
    pub(crate) pending: usize,
    /// Whether the last one that was decided about has arrived in time.
    pub(crate) last: Option<bool>,
    /// How long the last one took that has.
    pub(crate) took: Option<Duration>,
    /// How many have come too late since the last tally.
    pub(crate) late: u64,
}

/// One account's messages.
#[derive(Debug)]
struct Book {
    patience: Duration,
    awaited: HashMap<Token, Awaited>,
    tally: Tally,
}

#[derive(Clone, Copy, Debug)]
struct Awaited {
    since: Instant,
    is_given_up: bool,
}

impl AccountId {
    /// One that was never there before.
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Relaxed))
    }
}

impl Register {
    /// Nothing is expected.
    pub(super) const fn new() -> Self {
        Self {
            accounts: BTreeMap::new(),
        }
    }

    /// Expects a message from now on.
    pub(super) fn expect(&mut self, id: AccountId, patience: Duration, token: Token, now: Instant) {
        let book = self.accounts.entry(id).or_insert_with(|| Book {
            patience,
            awaited: HashMap::new(),
            tally: Tally::default(),
        });
        book.settle(now);
        if book.awaited.len() >= MOST {
            book.drop_oldest();
        }
        book.awaited.insert(
            token,
            Awaited {
                since: now,
                is_given_up: false,
            },
        );
    }

    /// Its time begins now, unless it was seen already.
    pub(super) fn sent(&mut self, id: AccountId, token: Token, now: Instant) {
        let book = self.accounts.get_mut(&id);
        if let Some(awaited) = book.and_then(|book| book.awaited.get_mut(&token)) {
            awaited.since = now;
        }
    }

    /// It has not been sent after all.
    pub(super) fn withdraw(&mut self, id: AccountId, token: Token) {
        if let Some(book) = self.accounts.get_mut(&id) {
            book.awaited.remove(&token);
        }
    }

    /// It was seen.
    pub(super) fn taken(&mut self, token: Token, now: Instant) -> Taken {
        let mut books = self.accounts.values_mut();
        let found = books.find_map(|book| Some((book.awaited.remove(&token)?, book)));
        let Some((awaited, book)) = found else {
            return Taken::Unknown;
        };
        // By whose clock it was seen may be read before its sender knows that it has left.
        let took = now.saturating_duration_since(awaited.since);
        if !awaited.is_given_up && took <= book.patience {
            book.tally.last = Some(true);
            book.tally.took = Some(took);
            return Taken::InTime(took);
        }
        if !awaited.is_given_up {
            book.tally.last = Some(false);
        }
        book.tally.late += 1;
        Taken::Late(took)
    }

    /// What has become of an account's messages until now.
    pub(super) fn tally(&mut self, id: AccountId, now: Instant) -> Tally {
        let Some(book) = self.accounts.get_mut(&id) else {
            return Tally::default();
        };
        book.settle(now);
        let pending = book.awaited.values().filter(|a| !a.is_given_up).count();
        let tally = Tally {
            pending,
            ..book.tally
        };
        book.tally.late = 0;
        tally
    }

    /// Nobody waits for its messages any more.
    pub(super) fn close(&mut self, id: AccountId) {
        self.accounts.remove(&id);
    }
}

impl Book {
    /// Gives up what has not arrived in time, and forgets what was given up long ago.
    fn settle(&mut self, now: Instant) {
        let (patience, last) = (self.patience, &mut self.tally.last);
        self.awaited.retain(|_, awaited| {
            let waited = now.saturating_duration_since(awaited.since);
            if waited > patience && !awaited.is_given_up {
                awaited.is_given_up = true;
                *last = Some(false);
            }
            waited <= patience + REMEMBERED
        });
    }

    fn drop_oldest(&mut self) {
        let oldest = self.awaited.iter().min_by_key(|(_, awaited)| awaited.since);
        let Some((token, awaited)) = oldest.map(|(token, awaited)| (*token, *awaited)) else {
            return;
        };
        self.awaited.remove(&token);
        if !awaited.is_given_up {
            self.tally.last = Some(false);
        }
    }
}

/// How long it is known of a message that it has not arrived in time.
const REMEMBERED: Duration = Duration::from_hours(24);
/// Messages of one account.
const MOST: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(5);

    fn second(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    /// A register with one account, and when it was made.
    fn opened() -> (Register, AccountId, Instant) {
        (Register::new(), AccountId::next(), Instant::now())
    }

    fn token() -> Token {
        Token::fresh().unwrap()
    }

    #[test]
    fn what_arrives_in_time_is_a_success_and_counted_once() {
        let (mut register, id, begin) = opened();
        let (first, second_one) = (token(), token());
        assert_eq!(register.tally(id, begin), Tally::default());
        register.expect(id, PATIENCE, first, begin);
        register.expect(id, PATIENCE, second_one, begin);
        assert_eq!(register.tally(id, begin).pending, 2);
        register.sent(id, first, begin + second(1));
        // It was seen before its sender knew that it had left.
        assert_eq!(register.taken(first, begin), Taken::InTime(second(0)));
        assert_eq!(register.taken(first, begin), Taken::Unknown);
        register.sent(id, second_one, begin + second(1));
        let seen = begin + second(1) + PATIENCE;
        assert_eq!(register.taken(second_one, seen), Taken::InTime(PATIENCE));
        let tally = Tally {
            pending: 0,
            last: Some(true),
            took: Some(PATIENCE),
            late: 0,
        };
        assert_eq!(register.tally(id, seen), tally);
        // A run that sends nothing finds the same.
        assert_eq!(register.tally(id, seen + second(60)), tally);
    }

    #[test]
    fn what_comes_too_late_is_counted_whether_or_not_somebody_has_looked_before() {
        for looks in [false, true] {
            let (mut register, id, begin) = opened();
            let token = token();
            register.expect(id, PATIENCE, token, begin);
            register.sent(id, token, begin);
            let seen = begin + PATIENCE + second(1);
            if looks {
                let tally = register.tally(id, seen);
                assert_eq!((tally.pending, tally.last), (0, Some(false)));
            }
            let late = Taken::Late(PATIENCE + second(1));
            assert_eq!(register.taken(token, seen), late);
            let tally = register.tally(id, seen);
            assert_eq!((tally.last, tally.took, tally.late), (Some(false), None, 1));
            assert_eq!(register.tally(id, seen).late, 0);
        }
    }

    #[test]
    fn later_decision_replaces_the_one_before() {
        let (mut register, id, begin) = opened();
        let (lost, found) = (token(), token());
        register.expect(id, PATIENCE, lost, begin);
        let later = begin + PATIENCE + second(1);
        assert_eq!(register.tally(id, later).last, Some(false));
        register.expect(id, PATIENCE, found, later);
        assert_eq!(register.tally(id, later).last, Some(false));
        register.taken(found, later);
        assert_eq!(register.tally(id, later).last, Some(true));
        // That the lost one comes after all does not make the last one a failure.
        register.taken(lost, later);
        let tally = register.tally(id, later);
        assert_eq!((tally.last, tally.late), (Some(true), 1));
    }

    #[test]
    fn what_was_not_sent_is_not_missed() {
        let (mut register, id, begin) = opened();
        let token = token();
        register.expect(id, PATIENCE, token, begin);
        register.withdraw(id, token);
        assert_eq!(register.tally(id, begin + PATIENCE * 2), Tally::default());
        assert_eq!(register.taken(token, begin), Taken::Unknown);
    }

    #[test]
    fn it_is_forgotten_after_a_day_or_when_there_are_too_many_or_nobody_waits() {
        let (mut register, id, begin) = opened();
        let old = token();
        register.expect(id, PATIENCE, old, begin);
        let next_day = begin + PATIENCE + REMEMBERED;
        register.tally(id, next_day);
        assert!(matches!(register.taken(old, next_day), Taken::Late(_)));
        register.expect(id, PATIENCE, old, begin);
        register.tally(id, next_day + second(1));
        assert_eq!(register.taken(old, next_day), Taken::Unknown);

        let (mut register, id, begin) = opened();
        let tokens: Vec<Token> = (0..=MOST).map(|_| token()).collect();
        for (at, token) in tokens.iter().enumerate() {
            let now = begin + Duration::from_millis(at as u64);
            register.expect(id, PATIENCE, *token, now);
        }
        let now = begin + second(1);
        let tally = register.tally(id, now);
        assert_eq!((tally.pending, tally.last), (MOST, Some(false)));
        assert_eq!(register.taken(tokens[0], now), Taken::Unknown);
        assert!(matches!(
            register.taken(tokens[MOST], now),
            Taken::InTime(_)
        ));
        register.close(id);
        assert_eq!(register.taken(tokens[1], now), Taken::Unknown);
        assert_eq!(register.tally(id, now), Tally::default());
    }
}
