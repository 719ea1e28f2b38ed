//! How does a connection of hyper's go on without a task of its own?
//!
//! It is polled beside whatever waits for it, so that a run which is dropped takes it along.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use hyper::rt::Executor;

/// Everything that a connection needs done, until it is dropped.
pub struct Driver {
    /// Few, so that all are looked at whenever one may go on.
    tasks: Vec<Task>,
    spawner: Option<Spawner>,
    bell: Arc<Bell>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes in what hyper would spawn; to be given to its builder, and to the [`Driver`].
#[derive(Clone, Default)]
pub struct Spawner(Arc<Mutex<Vec<Task>>>);

impl Driver {
    /// Drives a connection, and what it has spawned through `spawner`.
    pub fn new(spawner: Spawner, connection: impl Future + Send + 'static) -> Self {
        Self {
            spawner: Some(spawner),
            ..Self::of(async { drop(connection.await) })
        }
    }

    /// Drives a connection that spawns nothing.
    pub fn of(connection: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            tasks: vec![Box::pin(connection)],
            spawner: None,
            bell: Arc::default(),
        }
    }

    /// Waits for `wanted` while the connection goes on.
    pub async fn beside<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        let bell = Arc::clone(&self.bell);
        let waker = Waker::from(Arc::clone(&bell));
        poll_fn(|cx| {
            bell.outside().clone_from(cx.waker());
            for _ in 0..ROUNDS {
                bell.mute();
                let mut inside = Context::from_waker(&waker);
                if let Poll::Ready(wanted) = wanted.as_mut().poll(&mut inside) {
                    return Poll::Ready(wanted);
                }
                self.drive(&mut inside);
                if bell.unmute() {
                    return Poll::Pending;
                }
            }
            bell.give_up();
            Poll::Pending
        })
        .await
    }

    /// Drives this too.
    pub fn add(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(Box::pin(task));
    }

    /// Lets the connection do what it can do at once, such as to say goodbye.
    pub fn nudge(&mut self) {
        self.drive(&mut Context::from_waker(Waker::noop()));
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        let mut next = 0;
        loop {
            if let Some(spawner) = &self.spawner {
                let spawned = spawner.0.lock();
                let mut spawned = spawned.unwrap_or_else(PoisonError::into_inner);
                self.tasks.append(&mut spawned);
            }
            if next == self.tasks.len() {
                return;
            }
            while let Some(task) = self.tasks.get_mut(next) {
                match task.as_mut().poll(cx) {
                    // The last one comes to its place, and has not had its turn.
                    Poll::Ready(()) => drop(self.tasks.swap_remove(next)),
                    Poll::Pending => next += 1,
                }
            }
        }
    }
}

/// Wakes the task when there is something to do, but not while it is at it anyway: what is wanted
/// and the connection wake each other at every step, and each time the whole task would be queued
/// once more and another thread be roused to look for it.
struct Bell {
    state: AtomicU8,
    outside: Mutex<Waker>,
}

/// Nobody is at it: who rings is heard outside.
const LOUD: u8 = 0;
/// The task is at it.
const MUTE: u8 = 1;
/// The task is at it, and should look again.
const RUNG: u8 = 2;

impl Bell {
    fn outside(&self) -> MutexGuard<'_, Waker> {
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mute(&self) {
        self.state.store(MUTE, Ordering::SeqCst);
    }

    /// Returns whether it is loud again: nobody has rung in the meantime.
    fn unmute(&self) -> bool {
        let order = Ordering::SeqCst;
        let unmuted = self.state.compare_exchange(MUTE, LOUD, order, order);
        unmuted.is_ok()
    }

    /// Passes on that somebody has rung.
    fn give_up(&self) {
        self.state.store(LOUD, Ordering::SeqCst);
        self.outside().wake_by_ref();
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self {
            state: AtomicU8::new(LOUD),
            outside: Mutex::new(Waker::noop().clone()),
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let rung = |state| (state != LOUD).then_some(RUNG);
        let order = Ordering::SeqCst;
        let muted = self.state.fetch_update(order, order, rung);
        if muted.is_err() {
            self.outside().wake_by_ref();
        }
    }
}

impl<F: Future + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, task: F) {
        let mut spawned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spawned.push(Box::pin(async { drop(task.await) }));
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Driver({} tasks)", self.tasks.len())
    }
}

/// How often a task looks again before it lets others have their turn. Two are enough for a request
/// and for each piece of its answer; tokio makes who never pauses ring without end.
const ROUNDS: usize = 4;

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts how often a task was woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Wakes itself so often before it is ready.
    fn restless(times: usize) -> impl Future<Output = ()> {
        let mut polls = 0;
        poll_fn(move |cx| {
            polls += 1;
            if polls > times {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    #[test]
    fn who_is_at_it_is_woken_only_to_let_others_have_their_turn() {
        for (times, ready, woken) in [(1, true, 0), (ROUNDS - 1, true, 0), (99, false, 1)] {
            let outside = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&outside));
            let mut driver = Driver::new(Spawner::default(), pending::<()>());
            let mut beside = pin!(driver.beside(restless(times)));
            let polled = beside.as_mut().poll(&mut Context::from_waker(&waker));
            assert_eq!(polled.is_ready(), ready, "{times}");
            assert_eq!(outside.0.load(Ordering::SeqCst), woken, "{times}");
        }
    }

    #[test]
    fn who_waits_is_woken() {
        let outside = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&outside));
        let inside = Arc::new(Mutex::new(None::<Waker>));
        let kept = Arc::clone(&inside);
        let wanted = poll_fn(move |cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        });
        let mut driver = Driver::new(Spawner::default(), pending::<()>());
        let mut beside = pin!(driver.beside(wanted));
        for woken in 0..3 {
            let polled = beside.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            assert_eq!(outside.0.load(Ordering::SeqCst), woken);
            inside.lock().unwrap().take().unwrap().wake();
        }
    }
}
