//! How does a connection of hyper's go on without a task of its own?
//!
//! It is polled beside whatever waits for it, so that a run which is dropped takes it along.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hyper::rt::Executor;

/// Everything that a connection needs done, until it is dropped.
pub(crate) struct Driver {
    tasks: FuturesUnordered<Task>,
    spawner: Spawner,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes in what hyper would spawn.
#[derive(Clone, Default)]
pub(crate) struct Spawner(Arc<Mutex<Vec<Task>>>);

impl Driver {
    /// Drives a connection, and what it has spawned through `spawner`.
    pub(crate) fn new(spawner: Spawner, connection: impl Future + Send + 'static) -> Self {
        let tasks = FuturesUnordered::new();
        tasks.push(Box::pin(async { drop(connection.await) }) as Task);
        Self { tasks, spawner }
    }

    /// Waits for `wanted` while the connection goes on.
    pub(crate) async fn beside<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        poll_fn(|cx| {
            // Twice, for what is wanted asks the connection for it, and the answer may be there.
            for _ in 0..2 {
                if let Poll::Ready(wanted) = wanted.as_mut().poll(cx) {
                    return Poll::Ready(wanted);
                }
                self.drive(cx);
            }
            wanted.as_mut().poll(cx)
        })
        .await
    }

    /// Lets the connection do what it can do at once, such as to say goodbye.
    pub(crate) fn nudge(&mut self) {
        self.drive(&mut Context::from_waker(Waker::noop()));
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        loop {
            let mut spawned = self
                .spawner
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let idle = spawned.is_empty();
            self.tasks.extend(spawned.drain(..));
            drop(spawned);
            let ended = self.tasks.poll_next_unpin(cx);
            if idle && !matches!(ended, Poll::Ready(Some(()))) {
                return;
            }
        }
    }
}

impl<F: Future + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, task: F) {
        let mut spawned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spawned.push(Box::pin(async { drop(task.await) }));
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({} tasks)", self.tasks.len())
    }
}
