//! What has arrived in a mailbox?
//!
//! A Maildir is a directory in which every message is a file, put into `new` when it is complete. A
//! thread looks there once a second, for as long as a probe wants it to, and says which messages of
//! this process it has seen. Nothing else is read, changed or told of what lies there.

mod look;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tracing::{info, warn};

use look::Look;

/// Watches one Maildir until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    trouble: Arc<Mutex<Option<String>>>,
    /// Nothing is ever sent; the thread ends when this is gone.
    _presence: Sender<()>,
}

impl Watcher {
    /// Watches the Maildir at `path`, the directory that has `new` in it, and deletes the messages of
    /// this process that it sees there if `deletes`. Whoever asks for the same gets the same.
    ///
    /// # Errors
    ///
    /// The system gives no thread. That there is no Maildir is told by [`Self::trouble`], for it may
    /// come later.
    pub(crate) fn of(path: &Path, deletes: bool) -> io::Result<Arc<Self>> {
        let mut watchers = WATCHERS.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|_, watcher| watcher.strong_count() > 0);
        let key = (path.to_owned(), deletes);
        if let Some(watcher) = watchers.get(&key).and_then(Weak::upgrade) {
            return Ok(watcher);
        }
        let (presence, absence) = channel();
        let trouble = Arc::default();
        let look = Look::new(path, deletes);
        let shared = Arc::clone(&trouble);
        thread::Builder::new()
            .name("maildir".to_owned())
            .spawn(move || watch(look, &absence, &shared))?;
        let watcher = Arc::new(Self {
            trouble,
            _presence: presence,
        });
        watchers.insert(key, Arc::downgrade(&watcher));
        Ok(watcher)
    }

    /// Why the last look was in vain, if it was: then that nothing has arrived says nothing.
    pub(crate) fn trouble(&self) -> Option<String> {
        locked(&self.trouble).clone()
    }
}

/// Looks once a second until nobody wants it any more.
fn watch(mut look: Look, absence: &Receiver<()>, trouble: &Mutex<Option<String>>) {
    loop {
        let looked = look.again(Instant::now(), SystemTime::now());
        let why = looked.err().map(|why| why.to_string());
        let mut before = locked(trouble);
        match &why {
            Some(why) if before.as_ref() != Some(why) => warn!(%why, "cannot see what arrives"),
            None if before.is_some() => info!("sees again what arrives"),
            _ => {}
        }
        *before = why;
        drop(before);
        if absence.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a message may lie there unseen.
const INTERVAL: Duration = Duration::from_secs(1);

/// Those that are there, by path and by whether they delete.
static WATCHERS: Mutex<BTreeMap<(PathBuf, bool), Weak<Watcher>>> = Mutex::new(BTreeMap::new());

#[cfg(test)]
mod tests;
