//! Does a run that is dropped while it waits leave anything behind?
//!
//! A run is dropped when it is pending for the first time, another one the second time, and so on
//! until one completes before its turn. Descriptors and tasks must then be as they were. What is
//! opened on first use and kept for the process does not count, for earlier checks have opened it.

use std::collections::BTreeSet;
use std::fs;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::deadline;
use super::lab::{Lab, Stuck};
use super::peer::{Peer, Peers};
use crate::Target;

/// Cuts runs short against every peer; after each, the same probe must still reach a good one.
pub(super) fn check(lab: &Lab, peers: &Peers) -> Result<Vec<String>, Stuck> {
    let mut mistakes = Vec::new();
    for peer in &peers.good {
        mistakes.extend(cut_short_everywhere(lab, peer, true)?);
    }
    for peer in &peers.hostile {
        let bench = peer.bench.clone().timeout(deadline::TIMEOUT);
        let peer = Peer {
            bench,
            ..peer.clone()
        };
        mistakes.extend(cut_short_everywhere(lab, &peer, false)?);
    }
    Ok(mistakes)
}

/// The first mistake that is found at this peer.
///
/// How often a run waits depends on what the kernel has ready, so each wait gets a few tries. Other
/// tests of the same program open descriptors too, so what is left behind once is no leak yet.
fn cut_short_everywhere(lab: &Lab, peer: &Peer, good: bool) -> Result<Option<String>, Stuck> {
    for wait in 1..=MOST_WAITS {
        let (mut reached, mut leaks) = (false, 0);
        for _ in 0..TRIES {
            match cut_short(lab, peer, wait, good)? {
                Ended::Before => {}
                Ended::Dropped => {
                    reached = true;
                    break;
                }
                Ended::Leaked(_) if leaks == 0 => leaks += 1,
                Ended::Leaked(words) | Ended::Broken(words) => {
                    return Ok(Some(format!(
                        "{}, dropped at wait {wait}: {words}",
                        peer.name
                    )));
                }
            }
        }
        if !reached {
            break;
        }
    }
    Ok(None)
}

/// How a run that was to be cut short came to its end.
enum Ended {
    /// It completed before its turn came.
    Before,
    /// It was dropped.
    Dropped,
    /// It was dropped, and the same probe cannot reach a good peer any more.
    Broken(String),
    /// It completed or was dropped, and something is left behind.
    Leaked(String),
}

fn cut_short(lab: &Lab, peer: &Peer, wait: u32, good: bool) -> Result<Ended, Stuck> {
    let bench = peer.bench.clone();
    let target = Arc::new(Target::new(peer.address.as_str()));
    let before = Holding::now(lab);
    let ended = lab.watch(&peer.name, 2 * bench.patience(), async move {
        let mut probe = bench.aimed(&target);
        let run = bench.measure(&mut *probe, &target);
        if until_wait(wait, run).await.is_some() {
            return Ended::Before;
        }
        if !good {
            return Ended::Dropped;
        }
        match bench.measure(&mut *probe, &target).await.run.result {
            Ok(()) => Ended::Dropped,
            Err(fault) => Ended::Broken(format!("the next run fails: {fault}")),
        }
    })?;
    Ok(match before.left_behind(lab) {
        Some(left) => Ended::Leaked(format!("left behind are {left}")),
        None => ended,
    })
}

/// Drives a future until it is pending for the n-th time, and then drops it.
async fn until_wait<F: Future>(n: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut waits = 0;
    poll_fn(|task| match future.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => {
            waits += 1;
            if waits == n {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}

/// What runs hold.
struct Holding {
    /// Number and kind of every open descriptor of the process.
    descriptors: BTreeSet<(String, String)>,
    tasks: usize,
}

impl Holding {
    fn now(lab: &Lab) -> Self {
        let open = fs::read_dir("/proc/self/fd").expect("Linux tells a process its descriptors");
        let descriptors = open
            .filter_map(|entry| {
                let entry = entry.ok()?;
                // One that is gone by now, such as that of the listing itself, has no kind.
                let kind = fs::read_link(entry.path()).ok()?;
                let number = entry.file_name().to_string_lossy().into_owned();
                Some((number, kind.to_string_lossy().into_owned()))
            })
            .collect();
        Self {
            descriptors,
            tasks: lab.tasks(),
        }
    }

    /// What is held now and was not before, in words; nothing is how it should be.
    ///
    /// Closing takes the other side a moment: a server in the same process closes once it has
    /// heard that the probe did. The kernel announces no end of that, so this looks repeatedly.
    fn left_behind(&self, lab: &Lab) -> Option<String> {
        let end = Instant::now() + MOMENT;
        loop {
            let now = Self::now(lab);
            let mut left: Vec<_> = now.descriptors.difference(&self.descriptors).collect();
            left.retain(|(_, kind)| !kind.starts_with("/proc/"));
            let tasks = now.tasks.saturating_sub(self.tasks);
            if left.is_empty() && tasks == 0 {
                return None;
            }
            if Instant::now() > end {
                let kinds: Vec<_> = left.iter().map(|(_, kind)| kind.as_str()).collect();
                let kinds = kinds.join(", ");
                return Some(format!("tasks {tasks}, descriptors [{kinds}]"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Waits of one run that are tried: enough to come through any handshake, and an end where a peer
/// sends without end.
const MOST_WAITS: u32 = 64;
/// Tries for each wait, two of which have to leak for it to be one.
const TRIES: u8 = 3;
/// How long the other side has to close as well.
const MOMENT: Duration = Duration::from_millis(500);
