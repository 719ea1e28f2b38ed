//! Is this the password?
//!
//! To compare one with its hash takes a tenth of a second by design. So it is done on a thread that
//! nobody waits for but who asked, one at a time, and what was right once is known again. Wrong ones
//! are not remembered; that is for want of a use, and those who guess wait in a queue. How long it
//! takes tells nothing: not how much of a password is right, nor whether a user exists.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bcrypt::HashParts;
use leadsman_core::options::Secret;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Compares passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    /// Of this process alone, so that what is known is of no use to anybody else.
    key: hmac::Key,
    /// Of each user, hash and password that were right together.
    right: Mutex<HashSet<Vec<u8>>>,
    slot: Semaphore,
    waiting: AtomicUsize,
}

/// Too many wait to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue;

impl Default for Passwords {
    fn default() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Self {
            key: key.expect("the system has random numbers"),
            right: Mutex::default(),
            slot: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl Passwords {
    /// Whether this is the user's password.
    pub(crate) async fn are_right(
        &self,
        users: &BTreeMap<String, Secret>,
        user: &str,
        password: &str,
    ) -> Result<bool, Queue> {
        let known = users.get(user);
        let hash = match known {
            Some(hash) => hash.reveal().to_owned(),
            // Takes as long as that of somebody who exists.
            None => nobody(users),
        };
        let tag = self.tag(&[user, &hash, password]);
        if known.is_some() && self.right().contains(&tag) {
            return Ok(true);
        }
        let _place = Place::take(&self.waiting).ok_or(Queue)?;
        let _turn = self.slot.acquire().await.expect("it is never closed");
        let password = Secret::from(password.to_owned());
        let compared = spawn_blocking(move || bcrypt::verify(password.reveal(), &hash));
        // A hash that cannot be compared with is nobody's.
        let right = matches!(compared.await, Ok(Ok(true))) && known.is_some();
        if right {
            let mut known = self.right();
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(tag);
        }
        Ok(right)
    }

    fn right(&self) -> std::sync::MutexGuard<'_, HashSet<Vec<u8>>> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tag(&self, parts: &[&str]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            // The length in front, or ("ab", "c") would be ("a", "bc").
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().to_vec()
    }
}

/// A hash that no password has, of the highest cost of all.
fn nobody(users: &BTreeMap<String, Secret>) -> String {
    let costs = users.values().filter_map(|hash| {
        let parts = hash.reveal().parse::<HashParts>();
        Some(parts.ok()?.get_cost())
    });
    let cost = costs.max().unwrap_or(10);
    // Salt and hash are all zeros.
    format!("$2b${cost:02}${}", ".".repeat(53))
}

/// A place in the queue.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let order = Ordering::Relaxed;
        let taken = waiting.fetch_update(order, order, |waiting| {
            (waiting < MOST_WAITING).then(|| waiting + 1)
        });
        taken.ok().map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Those who wait to be let in: what a few seconds are enough for.
const MOST_WAITING: usize = 32;
/// Passwords that are known again. Of each user there is one, but for those that have changed.
const MOST_KNOWN: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> BTreeMap<String, Secret> {
        let hash = bcrypt::hash_with_salt("sesame", 4, [7; 16]).unwrap();
        [("alice".to_owned(), Secret::from(hash.to_string()))].into()
    }

    #[tokio::test]
    async fn a_password_is_right_for_its_user_until_it_changes() {
        let (passwords, mut users) = (Passwords::default(), users());
        for (user, password, expected) in [
            ("alice", "sesame", true),
            ("alice", "sesame", true),
            ("alice", "Sesame", false),
            ("alice", "", false),
            ("bob", "sesame", false),
            ("", "", false),
            ("alice\0", "sesame", false),
        ] {
            let right = passwords.are_right(&users, user, password).await;
            assert_eq!(right, Ok(expected), "{user} {password}");
        }
        assert_eq!(passwords.right().len(), 1);
        let other = bcrypt::hash_with_salt("other", 4, [7; 16]).unwrap();
        users.insert("alice".to_owned(), other.to_string().into());
        assert_eq!(
            passwords.are_right(&users, "alice", "sesame").await,
            Ok(false)
        );
        assert_eq!(
            passwords.are_right(&users, "alice", "other").await,
            Ok(true)
        );
        users.clear();
        assert_eq!(
            passwords.are_right(&users, "alice", "other").await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn those_who_guess_wait_and_those_who_know_do_not() {
        let (passwords, users) = (Passwords::default(), users());
        assert_eq!(
            passwords.are_right(&users, "alice", "sesame").await,
            Ok(true)
        );
        let held = passwords.slot.acquire().await.unwrap();
        let guesses = (0..=MOST_WAITING).map(|_| passwords.are_right(&users, "alice", "?"));
        let mut guesses: Vec<_> = guesses.map(Box::pin).collect();
        let last = guesses.pop().unwrap();
        for guess in &mut guesses {
            assert!(futures_util::poll!(guess).is_pending());
        }
        assert_eq!(last.await, Err(Queue));
        assert_eq!(
            passwords.are_right(&users, "alice", "sesame").await,
            Ok(true)
        );
        drop(held);
        for guess in guesses {
            assert_eq!(guess.await, Ok(false));
        }
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_hash_of_nobody_is_one() {
        let hash = nobody(&users());
        assert_eq!(hash.parse::<HashParts>().unwrap().get_cost(), 4);
        assert_eq!(bcrypt::verify("x", &hash).ok(), Some(false));
    }
}
