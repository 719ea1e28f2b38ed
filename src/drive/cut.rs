//! How does a run end whose target is no longer to be probed?
//!
//! There is one of these for each job and not for each run: runs come by the thousand a second,
//! and hardly any is cut. It only drops the run; who is told is decided elsewhere.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// Ends the run of a job, once and for all.
#[derive(Debug, Default)]
pub(super) struct Cut {
    is_cut: AtomicBool,
    run: AtomicWaker,
}

impl Cut {
    /// Ends the run in flight, and any that would start.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.run.wake();
    }

    /// Carries on `run` until it is cut, which is `None`; one run at a time.
    pub(super) async fn or<T>(&self, mut run: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        poll_fn(|cx| {
            if self.is_cut() {
                return Poll::Ready(None);
            }
            if let Poll::Ready(output) = run.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            self.run.register(cx.waker());
            // Whoever cut it meanwhile woke nobody.
            if self.is_cut() {
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }
}
