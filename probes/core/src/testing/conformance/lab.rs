//! Where do the kit's runs take place, so that none can hang the kit?
//!
//! On the threads of a runtime of the lab's own, watched from the kit's thread by the plain clock:
//! a run that never yields would stop any timer of its own runtime. Nothing else runs there, so
//! the tasks that are left over after a run are the probe's.

use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::peer::Peer;
use super::seen::Seen;
use crate::Target;
use crate::testing::Finished;

/// A runtime for the runs, and what was seen of them all.
#[derive(Debug)]
pub(super) struct Lab {
    /// What the runs against a peer recorded and said so far.
    pub(super) seen: Seen,
    /// Present until the lab is dropped.
    runtime: Option<Runtime>,
}

/// Why a run did not come to an end that could be judged. No more runs are made after one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stuck {
    /// It kept its thread.
    #[error(
        "{0}: still running {GRACE:?} after its deadline, so it blocks its thread: await instead, \
         or use tokio::task::spawn_blocking"
    )]
    Blocked(String),
    /// It panicked where the core does not expect it; the message is on standard error.
    #[error("{0}: panicked outside of `measure`, when it was aimed or dropped")]
    Panicked(String),
}

impl Lab {
    pub(super) fn new() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("conformance")
            .enable_all()
            .build()
            .expect("the system has two threads and a few descriptors left");
        Self {
            seen: Seen::default(),
            runtime: Some(runtime),
        }
    }

    /// Runs once against a peer and remembers what was seen.
    pub(super) fn run(&mut self, peer: &Peer) -> Result<Finished, Stuck> {
        let (bench, address) = (peer.bench.clone(), peer.address.clone());
        let limit = bench.patience();
        let finished = self.watch(&peer.name, limit, async move { bench.run(&address).await })?;
        self.seen.note(peer, &finished);
        Ok(finished)
    }

    /// As [`Lab::run`], for the time until the run has ended and released what it held.
    pub(super) fn time(&mut self, peer: &Peer, timeout: Duration) -> Result<Duration, Stuck> {
        let bench = peer.bench.clone().timeout(timeout);
        let target = Arc::new(Target::new(peer.address.as_str()));
        let (took, finished) = self.watch(&peer.name, timeout, async move {
            let mut probe = bench.aimed(&target);
            let begin = Instant::now();
            let finished = bench.measure(&mut *probe, &target).await;
            (begin.elapsed(), finished)
        })?;
        self.seen.note(peer, &finished);
        Ok(took)
    }

    /// Waits for a job that should take `limit` at most, and a little longer than that.
    pub(super) fn watch<T: Send + 'static>(
        &self,
        name: &str,
        limit: Duration,
        job: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Stuck> {
        let (tell, told) = mpsc::sync_channel(1);
        self.runtime().spawn(async move {
            // Nobody listens any more if this comes too late.
            tell.send(job.await).ok();
        });
        told.recv_timeout(limit + GRACE).map_err(|error| {
            let name = name.to_owned();
            match error {
                RecvTimeoutError::Timeout => Stuck::Blocked(name),
                RecvTimeoutError::Disconnected => Stuck::Panicked(name),
            }
        })
    }

    /// How many tasks are alive.
    pub(super) fn tasks(&self) -> usize {
        self.runtime().metrics().num_alive_tasks()
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("only drop takes the runtime")
    }
}

impl Drop for Lab {
    /// Leaves a blocked thread behind rather than wait for it.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How long after its deadline a run that yields must have ended, on the busiest machine.
const GRACE: Duration = Duration::from_secs(2);
