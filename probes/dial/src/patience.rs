//! How does a probe say for what it was still waiting when the time was over?

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use leadsman_core::Context;
use tokio::time::Instant;

/// Waits for `wanted` until the deadline of the run; `None` if it did not come.
///
/// It asks for no timer of its own, which costs a call of the system in most runs: the core wakes a
/// run at its deadline anyway, and looks at what it measures before it ends it.
pub async fn in_time<F: Future>(cx: &Context<'_>, wanted: F) -> Option<F::Output> {
    let mut wanted = pin!(wanted);
    poll_fn(|task| match wanted.as_mut().poll(task) {
        Poll::Ready(found) => Poll::Ready(Some(found)),
        Poll::Pending if Instant::now() >= cx.deadline() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}
