//! How is one run carried out, whatever the probe does?
//!
//! The deadline is kept even if the probe forgets it, and a panic becomes an internal error of this
//! run alone. When to run, and who reads the result, is the caller's affair.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    Blocker, Cause, Context, Fault, Plugin, Probe, Recording, Resolve, Run, Sink, Stop, Target,
};

/// One run that is to be carried out.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a sink has nothing to show")]
pub struct Order<'a> {
    /// Which probe measures.
    pub plugin: &'static Plugin,
    /// What it is aimed at.
    pub target: &'a Arc<Target>,
    /// How long it may take.
    pub timeout: Duration,
    /// Ends an open-ended run.
    pub stop: &'a Stop,
    /// Looks up names.
    pub resolver: &'a dyn Resolve,
    /// Hears the events and the finished run.
    pub sink: &'a dyn Sink,
}

/// Carries out one run, tells the sink, and returns it.
///
/// After a panic the probe's state is not to be trusted: aim anew.
pub async fn perform(probe: &mut dyn Probe, order: Order<'_>) -> Run {
    let recording = Mutex::new(Recording::new(order.plugin.layout()));
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
    );
    let measured = AssertUnwindSafe(probe.measure(&cx)).catch_unwind();
    let result = tokio::select! {
        biased;
        measured = measured => measured.unwrap_or_else(|panic| Err(panicked(&*panic))),
        () = sleep_until(deadline) => Err(Fault::target(
            Cause::Timeout,
            format!("no answer within {:?}", order.timeout),
        )),
        () = async { order.stop.requested().await; sleep(FAREWELL).await } => Err(Fault::target(
            Cause::Timeout,
            "stopped before there was an answer",
        )),
    };
    let run = Run {
        plugin: order.plugin,
        target: Arc::clone(order.target),
        started,
        duration: begin.elapsed(),
        result,
        recording: recording
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
    };
    order.sink.finished(&run);
    run
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
