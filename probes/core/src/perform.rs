//! How is one run carried out, whatever the probe does?
//!
//! The deadline is kept even if the probe forgets it, and a panic becomes an internal error of this
//! run alone. When to run, and who reads the result, is the caller's affair.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::Fuse;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    Blocker, Cause, Context, Fault, Fence, Layout, Plugin, Probe, Recording, Resolve, Run, Sink,
    Stop, Target,
};

/// One run that is to be carried out.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a sink has nothing to show")]
pub struct Order<'a> {
    /// Which probe measures.
    pub plugin: &'static Plugin,
    /// What it is aimed at.
    pub target: &'a Arc<Target>,
    /// Where what it records stands: [`Plugin::layout`], or with other buckets.
    pub layout: &'static Layout,
    /// How long it may take.
    pub timeout: Duration,
    /// Ends an open-ended run.
    pub stop: &'a Stop,
    /// Looks up names.
    pub resolver: &'a dyn Resolve,
    /// Hears the events and the finished run.
    pub sink: &'a dyn Sink,
    /// Whether to record what `blackbox_exporter` would, its oddities included:
    /// [`Context::is_compatible`].
    pub compatible: bool,
    /// Whom the run may ask; anybody, if there is none.
    pub fence: Option<&'a dyn Fence>,
}

/// Carries out one run, tells the sink, and returns it.
///
/// After a panic the probe's state is not to be trusted: aim anew.
pub async fn perform(probe: &mut dyn Probe, order: Order<'_>) -> Run {
    let recording = Mutex::new(Recording::new(order.layout));
    let started = SystemTime::now();
    let begin = Instant::now();
    let deadline = begin + order.timeout.min(FOREVER);
    let cx = Context::new(
        order.target,
        deadline,
        order.stop,
        order.resolver,
        order.sink,
        &recording,
        order.compatible,
    )
    .within(order.fence);
    let result = {
        // In a block of its own, for even to make the future may panic.
        let measured = AssertUnwindSafe(async { probe.measure(&cx).await }).catch_unwind();
        let mut measured = pin!(measured.fuse());
        let result = tokio::select! {
            biased;
            measured = measured.as_mut() => {
                Some(measured.unwrap_or_else(|panic| Err(panicked(&*panic))))
            }
            // Unconstrained, or a probe that is never without work would use up what tokio grants
            // a task, and the clock would not be looked at.
            () = unconstrained(at(deadline)) => None,
            () = unconstrained(farewell(order.stop)) => Some(Err(Fault::target(
                Cause::Timeout,
                "stopped before there was an answer",
            ))),
        };
        // What a run held is dropped here and not at the end of the scope, for that may panic too,
        // and may tell in which phase it was.
        let dropped = catch_unwind(AssertUnwindSafe(|| measured.set(Fuse::terminated())));
        match (dropped, result) {
            (Err(panic), _) => Err(panicked(&*panic)),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(cx.overdue(order.timeout)),
        }
    };
    let run = Run {
        plugin: order.plugin,
        target: Arc::clone(order.target),
        started,
        duration: begin.elapsed(),
        timeout: order.timeout,
        result,
        recording: recording
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
    };
    order.sink.finished(&run);
    run
}

/// Completes at the deadline. It asks for a timer only when it is polled again, which it sees to
/// itself: a timer costs more than a run that ends when it is polled a second time.
async fn at(deadline: Instant) {
    let mut polled = false;
    poll_fn(|cx| {
        if polled {
            return Poll::Ready(());
        }
        polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    sleep_until(deadline).await;
}

/// Completes when an open-ended run was asked to end and has had time to.
async fn farewell(stop: &Stop) {
    stop.requested().await;
    sleep(FAREWELL).await;
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    Fault::Own(
        Blocker::Panic,
        format!("the probe panicked, please report it: {message}").into(),
    )
}

/// The longest timeout: the clock cannot add up to more.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 30);

/// How long an open-ended run has to come to its end in good order once it is asked to.
const FAREWELL: Duration = Duration::from_millis(50);

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use async_trait::async_trait;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use tokio::task::consume_budget;

    use super::*;
    use crate::testing::Bench;
    use crate::{Family, Options, OptionsError, Preference, ResolveError};

    static UNRULY: Plugin = Plugin::new::<Unruly>("unruly", "Whatever a probe should not do");

    /// What the probe does wrong.
    #[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Unruly {
        #[default]
        NeverIdle,
        PanicsWhenDropped,
        LooksUp,
    }

    impl Options for Unruly {
        type Probe = Self;

        fn aim(self: &Arc<Self>, _: &Target) -> Result<Self, OptionsError> {
            Ok(**self)
        }
    }

    #[async_trait]
    impl Probe for Unruly {
        async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
            match self {
                Self::LooksUp => {
                    let anything = Preference::new("ip4", true);
                    cx.resolve("somebody.test", anything).await.map(drop)
                }
                Self::NeverIdle => loop {
                    consume_budget().await;
                },
                Self::PanicsWhenDropped => {
                    let _bomb = Bomb;
                    std::future::pending().await
                }
            }
        }
    }

    /// Never says anything.
    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl Resolve for Silent {
        async fn addresses(&self, _: &str, _: Family) -> Result<Vec<IpAddr>, ResolveError> {
            std::future::pending().await
        }
    }

    struct Deaf;

    impl Sink for Deaf {
        fn finished(&self, _: &Run) {}
    }

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }

    async fn run(manner: Unruly) -> Run {
        let mut probe = manner;
        let bench = Bench::of(&UNRULY).timeout(Duration::from_millis(50));
        let target = Arc::new(Target::new("somebody"));
        bench.measure(&mut probe, &target).await.run
    }

    #[tokio::test]
    async fn a_probe_that_is_never_idle_ends_at_its_deadline() {
        let run = run(Unruly::NeverIdle).await;
        assert_eq!(run.result.unwrap_err().reason(), "timeout");
        // Without the exemption from tokio's budget it goes on for seconds.
        assert!(run.duration < Duration::from_secs(1), "{:?}", run.duration);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_resolver_is_not_the_targets_fault() {
        let order = Order {
            plugin: &UNRULY,
            target: &Arc::new(Target::new("somebody.test")),
            layout: UNRULY.layout(),
            timeout: Duration::from_secs(2),
            stop: &Stop::never(),
            resolver: &Silent,
            sink: &Deaf,
            compatible: false,
            fence: None,
        };
        let run = perform(&mut Unruly::LooksUp, order).await;
        let fault = run.result.unwrap_err();
        assert_eq!(fault.reason(), "resolver");
        assert!(fault.to_string().contains("somebody.test"), "{fault}");
        let looked_up = &run.recording.layout().places()[0];
        assert_eq!(run.recording.values(looked_up).next(), Some(Some(2.0)));
    }

    #[tokio::test]
    async fn a_run_that_panics_when_it_is_dropped_is_an_internal_error() {
        let fault = run(Unruly::PanicsWhenDropped).await.result.unwrap_err();
        assert_eq!(
            (fault.reason(), fault.to_string().contains("boom")),
            ("panic", true)
        );
    }
}
