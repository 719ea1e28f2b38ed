//! Where does a flow find what became of its requests?
//!
//! A short queue and the task that waits for it. Nothing is decided here, and nobody is woken while
//! a lock is held: whoever puts something in wakes the task afterwards.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use crate::Heard;
use crate::lane::lock;

/// What a flow has not heard yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Option<Waker>,
    /// What is heard next. Most flows hear one thing at a time, and it is kept here, for memory of
    /// its own would have to be fetched.
    next: Option<Heard>,
    /// What is heard after that; empty while there is no next.
    later: VecDeque<Heard>,
}

impl Queue {
    fn take(&mut self) -> Option<Heard> {
        std::mem::replace(&mut self.next, self.later.pop_front())
    }
}

impl Inbox {
    /// Keeps something for [`Inbox::next`]; returns who is to be woken.
    ///
    /// A flood must not fill the memory: too much of what ends no request is dropped. There are
    /// no more ends than the flow has sent requests.
    pub(crate) fn put(&self, heard: Heard) -> Option<Waker> {
        let mut queue = lock(&self.0);
        if queue.next.is_none() {
            queue.next = Some(heard);
        } else if queue.later.len() + 1 < UNHEARD || heard.is_end() {
            queue.later.push_back(heard);
        }
        queue.waiting.take()
    }

    /// Takes the next thing, if there is one.
    pub(crate) fn take(&self) -> Option<Heard> {
        lock(&self.0).take()
    }

    /// Waits for the next thing. Cancel safe; one task at a time.
    pub(crate) async fn next(&self) -> Heard {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Heard> {
        let mut queue = lock(&self.0);
        if let Some(heard) = queue.take() {
            return Poll::Ready(heard);
        }
        match &mut queue.waiting {
            Some(waiting) => waiting.clone_from(cx.waker()),
            waiting => *waiting = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

/// Answers kept for a flow that does not listen, beyond the ends of its requests.
const UNHEARD: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Silence;
    use crate::heard::{Answer, Arrived, What};
    use crate::trip::RttSource;

    #[tokio::test]
    async fn what_is_put_in_is_heard_in_order() {
        let inbox = Inbox::default();
        let put = async {
            for sequence in 0..3 {
                if let Some(waiting) = inbox.put(end(sequence)) {
                    waiting.wake();
                }
            }
        };
        let hear = async { [inbox.next().await, inbox.next().await, inbox.next().await] };
        // The first of the two waits before anything is there.
        let (heard, ()) = tokio::join!(hear, put);
        assert_eq!(heard.map(|heard| heard.sequence()), [0, 1, 2]);
        assert_eq!(inbox.take(), None);
    }

    #[test]
    fn a_flood_is_cut_but_no_end_is_lost() {
        let inbox = Inbox::default();
        for _ in 0..2 * UNHEARD {
            inbox.put(duplicate());
        }
        inbox.put(end(1));
        let heard: Vec<_> = std::iter::from_fn(|| inbox.take()).collect();
        assert_eq!(heard.len(), UNHEARD + 1);
        assert_eq!(heard.last(), Some(&end(1)));
    }

    fn end(sequence: u64) -> Heard {
        Heard::Silence(Silence {
            sequence,
            waited: Duration::ZERO,
            suspect: false,
        })
    }

    fn duplicate() -> Heard {
        Heard::Answer(Answer {
            sequence: 0,
            arrived: Arrived::Again,
            rtt: Duration::ZERO,
            rtt_source: RttSource::User,
            from: [192, 0, 2, 1].into(),
            hop_limit: None,
            what: What::Corrupt,
            remarks: None,
        })
    }
}
