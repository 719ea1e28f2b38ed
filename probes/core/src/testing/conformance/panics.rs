//! Does a panic stop anything but its own run?
//!
//! The kit panics in the middle of the plugin's own run, so that whatever the probe holds is
//! dropped by unwinding. A run beside it and one after it must not notice.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;

use super::lab::{Lab, Stuck};
use super::peer::Peer;
use crate::testing::Finished;
use crate::{Blocker, Context, Fault, Probe, Target};

/// Panics against every good peer.
pub(super) fn check(lab: &Lab, good: &[Peer]) -> Result<Vec<String>, Stuck> {
    let mut mistakes = Vec::new();
    for peer in good {
        let bench = peer.bench.clone();
        let target = Arc::new(Target::new(peer.address.as_str()));
        let (panicked, beside, after) =
            lab.watch(&peer.name, 2 * bench.patience(), async move {
                let (mut first, mut second) = (bench.aimed(&target), bench.aimed(&target));
                let mut panicking = Panicking(bench.aimed(&target));
                let (panicked, beside) = tokio::join!(
                    bench.measure(&mut panicking, &target),
                    bench.measure(&mut *first, &target),
                );
                drop(panicking);
                (panicked, beside, bench.measure(&mut *second, &target).await)
            })?;
        let name = &peer.name;
        if !matches!(panicked.run.result, Err(Fault::Own(Blocker::Panic, _))) {
            mistakes.push(format!(
                "{name}: a panic ended as {:?}",
                panicked.run.result
            ));
        }
        let told = |when, finished: Finished| {
            let fault = finished.run.result.err()?;
            Some(format!(
                "{name}: the run {when} one that panicked fails: {fault}"
            ))
        };
        mistakes.extend(told("beside", beside));
        mistakes.extend(told("after", after));
    }
    Ok(mistakes)
}

/// Panics when the probe waits for the first time, or has ended without waiting.
struct Panicking(Box<dyn Probe>);

#[async_trait]
impl Probe for Panicking {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let mut run = self.0.measure(cx);
        let waits = poll_fn(|task| Poll::Ready(run.as_mut().poll(task).is_pending())).await;
        panic!("the conformance kit panics to see what becomes of it (waiting: {waits})");
    }
}
