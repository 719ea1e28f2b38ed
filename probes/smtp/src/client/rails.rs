//! What keeps this program from doing harm with mail?
//!
//! Counts of what it did, for the whole process and by recipient, so that neither another probe nor
//! a new configuration forgets them: how often mail is sent, how often a recipient was refused, and
//! who is being talked to. What is decided here is decided from the `now` of the caller; to wait
//! for one's turn is all that waits.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use crate::mailbox::{Domain, Mailbox};

/// The counts of this process.
pub(crate) static RAILS: LazyLock<Rails> = LazyLock::new(Rails::default);

/// Counts of what was done with mail.
#[derive(Debug, Default)]
pub(crate) struct Rails {
    ledger: Mutex<Ledger>,
    turns: Mutex<HashMap<SocketAddr, Arc<tokio::sync::Mutex<()>>>>,
}

/// How often mail may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// How long between two messages to one domain.
    pub(crate) interval: Duration,
    /// How many messages in a minute, to whomever.
    pub(crate) per_minute: u32,
}

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A message went to this domain not long ago.
    Domain {
        /// When the next may go.
        left: Duration,
    },
    /// There were too many messages in the last minute.
    Overall {
        /// When the next may go.
        left: Duration,
    },
    /// The recipient was refused again and again.
    BackOff {
        /// When it is tried again.
        left: Duration,
    },
}

/// The values of the label `reason`, in the order of [`Held`].
pub(crate) const REASONS: &[&str] = &["domain_rate", "overall_rate", "back_off"];

#[derive(Debug, Default)]
struct Ledger {
    /// When a message went to a domain last.
    domains: HashMap<Domain, Instant>,
    /// When messages went, in the last minute.
    minute: VecDeque<Instant>,
    /// How often in a row recipients were refused, and when last.
    refusals: HashMap<Mailbox, (u32, Instant)>,
}

impl Held {
    /// The value of the label `reason`.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Domain { .. } => REASONS[0],
            Self::Overall { .. } => REASONS[1],
            Self::BackOff { .. } => REASONS[2],
        }
    }
}

impl Rails {
    /// Asks whether a recipient may be named to a server.
    pub(crate) fn name(&self, to: &Mailbox, now: Instant) -> Result<(), Held> {
        let ledger = self.ledger();
        match ledger.refusals.get(to) {
            Some((times, last)) if *times >= PATIENCE => {
                let left = (*last + BACK_OFF).saturating_duration_since(now);
                if left.is_zero() {
                    Ok(())
                } else {
                    Err(Held::BackOff { left })
                }
            }
            _ => Ok(()),
        }
    }

    /// Asks whether a message may be sent, and if so, counts it as sent: one that is not sent after
    /// all is not given back.
    pub(crate) fn send(&self, to: &Mailbox, rate: Rate, now: Instant) -> Result<(), Held> {
        let mut ledger = self.ledger();
        let last = ledger.domains.get(to.domain());
        if let Some(last) = last {
            // A schedule is never punctual to the millisecond.
            let interval = rate.interval.mul_f64(0.95);
            let left = (*last + interval).saturating_duration_since(now);
            if !left.is_zero() {
                return Err(Held::Domain { left });
            }
        }
        while ledger
            .minute
            .front()
            .is_some_and(|sent| now.saturating_duration_since(*sent) >= MINUTE)
        {
            ledger.minute.pop_front();
        }
        let most = rate.per_minute as usize;
        if ledger.minute.len() >= most {
            // The one whose minute has to be over first.
            let first = ledger.minute.len() - most.max(1);
            let first = ledger.minute.get(first).copied().unwrap_or(now);
            let left = (first + MINUTE).saturating_duration_since(now);
            return Err(Held::Overall { left });
        }
        ledger.minute.push_back(now);
        ledger.domains.insert(to.domain().clone(), now);
        Ok(())
    }

    /// Takes in whether a server refused a recipient for good.
    pub(crate) fn answered(&self, to: &Mailbox, refused: bool, now: Instant) {
        let mut ledger = self.ledger();
        if refused {
            let refusals = ledger.refusals.entry(to.clone()).or_insert((0, now));
            refusals.0 = refusals.0.saturating_add(1);
            refusals.1 = now;
        } else {
            ledger.refusals.remove(to);
        }
    }

    /// Waits until nobody else of this process talks to a server.
    pub(crate) async fn turn(&self, server: SocketAddr) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            // Whose only owner is this list is waited for by nobody.
            if turns.len() >= MANY {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(server).or_default())
        };
        turn.lock_owned().await
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refusals in a row before a recipient is left in peace.
const PATIENCE: u32 = 3;
/// For how long.
const BACK_OFF: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);
/// Servers that are remembered before those that nobody talks to are forgotten.
const MANY: usize = 1000;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const RATE: Rate = Rate {
        interval: Duration::from_mins(1),
        per_minute: 3,
    };

    fn to(text: &str) -> Mailbox {
        Mailbox::parse(text).unwrap()
    }

    #[test]
    fn a_domain_gets_one_message_in_its_interval_whoever_sends_it() {
        let (rails, now) = (Rails::default(), Instant::now());
        let check = |address: &str, after: u64, expected: Result<(), u64>| {
            let at = now + Duration::from_secs(after);
            let held = rails
                .send(&to(address), RATE, at)
                .map_err(|held| match held {
                    Held::Domain { left } => left.as_secs(),
                    other => panic!("{other:?}"),
                });
            assert_eq!(held, expected, "{address} after {after} s");
        };
        check("a@a.test", 0, Ok(()));
        check("b@A.test", 1, Err(56));
        check("a@b.test", 2, Ok(()));
        check("a@a.test", 56, Err(1));
        check("a@a.test", 60, Ok(()));
        check("a@a.test", 61, Err(56));
    }

    #[test]
    fn no_more_than_so_many_go_in_a_minute() {
        let (rails, now) = (Rails::default(), Instant::now());
        let send = |n: u64, after: u64| {
            let to = to(&format!("a@{n}.test.example"));
            let sent = rails.send(&to, RATE, now + Duration::from_secs(after));
            sent.map_err(|held| match held {
                Held::Overall { left } => left.as_secs(),
                other => panic!("{other:?}"),
            })
        };
        for n in 0..3 {
            assert_eq!(send(n, n * 10), Ok(()));
        }
        assert_eq!(send(3, 30), Err(30));
        assert_eq!(send(4, 60), Ok(()));
        assert_eq!(send(5, 61), Err(9));
    }

    #[test]
    fn who_is_refused_three_times_is_left_in_peace_for_an_hour() {
        let (rails, now) = (Rails::default(), Instant::now());
        let (me, other) = (to("me@a.test"), to("other@a.test"));
        let at = |secs| now + Duration::from_secs(secs);
        for n in 0..3 {
            assert_eq!(rails.name(&me, at(n)), Ok(()));
            rails.answered(&me, true, at(n));
        }
        let left = Duration::from_secs(3600 - 8);
        assert_eq!(rails.name(&me, at(10)), Err(Held::BackOff { left }));
        assert_eq!(rails.name(&other, at(10)), Ok(()));
        assert_eq!(rails.name(&me, at(3602)), Ok(()));
        rails.answered(&me, true, at(3602));
        assert!(rails.name(&me, at(3603)).is_err(), "once more is enough");
        rails.answered(&me, false, at(9000));
        rails.answered(&me, true, at(9001));
        assert_eq!(rails.name(&me, at(9002)), Ok(()));
    }

    #[tokio::test]
    async fn nobody_talks_to_a_server_beside_another() {
        let rails = Rails::default();
        let server: SocketAddr = "192.0.2.1:25".parse().unwrap();
        let other: SocketAddr = "192.0.2.2:25".parse().unwrap();
        let first = rails.turn(server).await;
        let _elsewhere = rails.turn(other).await;
        let mut second = Box::pin(rails.turn(server));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        second.await;
    }
}
