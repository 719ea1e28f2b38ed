//! How does one task carry on many futures, and look only at those that can go on?
//!
//! Each future has a waker of its own, which notes whose it is and then wakes the task. Unlike
//! `FuturesUnordered`, which looks in again whenever all of its futures wait, a crowd that waits
//! leaves the task alone, and it keeps the memory of futures that have ended for the next ones.
//! One that is woken while the crowd is looked at, as by itself to let the others go first, is
//! looked at again in the same look: to have the runtime see to it would wake another thread.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// At most 63 futures that are carried on together.
pub(crate) struct Crowd<F> {
    /// In the order of their bits in `woken`.
    seats: Vec<Seat<F>>,
    /// Seats that were taken since the crowd was empty.
    taken: usize,
    left: usize,
    shared: Arc<Shared>,
}

/// The place of one future, empty once that has ended.
struct Seat<F> {
    waker: Waker,
    future: Pin<Box<Option<F>>>,
}

/// What a crowd shares with its wakers.
#[derive(Default)]
struct Shared {
    /// A bit for each seat that was woken since its future was last polled, and [`LOOKING`].
    woken: AtomicU64,
    task: AtomicWaker,
}

/// Wakes one seat of a crowd.
struct Bell {
    bit: u64,
    shared: Arc<Shared>,
}

impl<F: Future> Crowd<F> {
    pub(crate) fn new() -> Self {
        Self {
            seats: Vec::new(),
            taken: 0,
            left: 0,
            shared: Arc::default(),
        }
    }

    /// Whether all have ended.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Takes in a future, to be polled a first time.
    ///
    /// # Panics
    /// If it is the 64th since the crowd was empty.
    pub(crate) fn add(&mut self, future: F) {
        if self.is_empty() {
            self.taken = 0;
        }
        let bit = 1 << self.taken;
        assert!(bit < LOOKING, "a crowd is at most 63 futures");
        if self.taken == self.seats.len() {
            let shared = Arc::clone(&self.shared);
            self.seats.push(Seat {
                waker: Waker::from(Arc::new(Bell { bit, shared })),
                future: Box::pin(None),
            });
        }
        self.seats[self.taken].future.set(Some(future));
        self.taken += 1;
        self.left += 1;
        self.shared.woken.fetch_or(bit, Ordering::Relaxed);
    }

    /// Carries on those that were woken, until some have ended; returns what came of these.
    pub(crate) fn poll_some(&mut self, cx: &Context<'_>) -> Poll<Vec<F::Output>> {
        // Before the bits are taken, so that whoever sets one later finds the waker.
        self.shared.task.register(cx.waker());
        let mut ended = Vec::new();
        let all = (0..MOST_LOOKS).any(|_| {
            let mut woken = self.shared.woken.swap(LOOKING, Ordering::AcqRel) & !LOOKING;
            while woken != 0 {
                let Seat { waker, future } = &mut self.seats[woken.trailing_zeros() as usize];
                woken &= woken - 1;
                // One that has ended may still be woken.
                let Some(running) = future.as_mut().as_pin_mut() else {
                    continue;
                };
                if let Poll::Ready(output) = running.poll(&mut Context::from_waker(waker)) {
                    future.set(None);
                    if ended.is_empty() {
                        ended.reserve(self.left);
                    }
                    self.left -= 1;
                    ended.push(output);
                }
            }
            let woken = &self.shared.woken;
            let waits = woken.compare_exchange(LOOKING, 0, Ordering::AcqRel, Ordering::Relaxed);
            waits.is_ok()
        });
        if !all {
            self.shared.woken.fetch_and(!LOOKING, Ordering::AcqRel);
            cx.waker().wake_by_ref();
        }
        if ended.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(ended)
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let before = self.shared.woken.fetch_or(self.bit, Ordering::AcqRel);
        // Else whoever set the first bit has woken the task, and it has not looked yet, or it is
        // looking and will look again.
        if before == 0 {
            self.shared.task.wake();
        }
    }
}

/// The bit that is set while the crowd is looked at.
const LOOKING: u64 = 1 << 63;
/// How often one look goes over those that were woken meanwhile, before others have their turn.
const MOST_LOOKS: usize = 4;

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::poll_fn;

    use super::*;

    /// Counts how often it was rung.
    #[derive(Default)]
    struct Count(AtomicU64);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_who_was_woken_is_polled_and_the_task_is_woken_once_for_all() {
        let polled = RefCell::new(Vec::new());
        let wakers = RefCell::new(vec![None; 63]);
        let ends = RefCell::new(vec![false; 63]);
        let futures = (0..63).map(|number| {
            let (polled, wakers, ends) = (&polled, &wakers, &ends);
            poll_fn(move |cx| {
                polled.borrow_mut().push(number);
                wakers.borrow_mut()[number] = Some(cx.waker().clone());
                if ends.borrow()[number] {
                    Poll::Ready(number)
                } else {
                    Poll::Pending
                }
            })
        });
        let mut crowd = Crowd::new();
        futures.for_each(|future| crowd.add(future));
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        let ring = |number: usize| {
            let waker = wakers.borrow()[number].clone();
            waker.expect("it was polled").wake();
        };

        assert_eq!(crowd.poll_some(&cx), Poll::Pending);
        assert_eq!(polled.take(), (0..63).collect::<Vec<_>>());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);

        for number in [62, 7, 7] {
            ends.borrow_mut()[7] = true;
            ring(number);
        }
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(crowd.poll_some(&cx), Poll::Ready(vec![7]));
        assert_eq!(polled.take(), [7, 62]);

        ring(7);
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        assert_eq!(crowd.poll_some(&cx), Poll::Pending);
        assert_eq!(polled.take(), [0; 0]);

        ends.borrow_mut().fill(true);
        (0..63).for_each(ring);
        assert!(!crowd.is_empty());
        assert!(matches!(crowd.poll_some(&cx), Poll::Ready(ended) if ended.len() == 62));
        assert!(crowd.is_empty());
    }

    #[test]
    fn who_lets_the_others_go_first_goes_on_in_the_same_look() {
        let steps = RefCell::new(Vec::new());
        let mut crowd = Crowd::new();
        for number in 0..2 {
            let steps = &steps;
            let mut polls = 0;
            crowd.add(poll_fn(move |cx| {
                steps.borrow_mut().push(number);
                polls += 1;
                if polls == 2 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
        }
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        let looked = crowd.poll_some(&Context::from_waker(&waker));
        assert_eq!(looked, Poll::Ready(vec![(), ()]));
        assert_eq!(steps.take(), [0, 1, 0, 1]);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_never_waits_leaves_others_their_turn() {
        let mut crowd = Crowd::new();
        crowd.add(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        for looks in 1..=2 {
            assert_eq!(crowd.poll_some(&cx), Poll::Pending);
            assert_eq!(count.0.load(Ordering::Relaxed), looks);
        }
    }
}
