//! The contract between the leadsman host and its probes.
//!
//! A probe is a crate that depends on this one and on nothing else of leadsman. It declares
//! [`Options`], which aim a [`Probe`] at a [`Target`]; the probe measures, records into its
//! [`Context`], and says with a [`Fault`] whose fault a failure was; a [`Plugin`] describes it all
//! and registers it. `probes/README.md` shows one whole.
//!
//! For the host there are the [`Registry`] of what was linked, [`perform`] to carry out one run,
//! and [`Sink`] for everyone who reads its result. This crate decides nothing about when to probe,
//! knows no configuration format and no exposition format.

#![forbid(unsafe_code)]

mod context;
mod difference;
pub mod draw;
mod fault;
mod fence;
pub mod manual;
mod meter;
pub mod metric;
pub mod options;
mod perform;
mod plugin;
mod probe;
mod recording;
mod registry;
mod resolve;
mod responder;
mod sink;
mod stop;
mod sweep;
mod target;
#[cfg(feature = "testing")]
pub mod testing;

pub use async_trait::async_trait;
pub use inventory;
pub use schemars;

pub use context::Context;
pub use difference::Difference;
pub use fault::{Blocker, Cause, Fault};
pub use fence::Fence;
pub use meter::{Count, Meter, Sample};
pub use metric::{Counter, Gauge, Histogram, Info};
pub use options::OptionsError;
pub use perform::{Order, perform};
pub use plugin::{Command, Need, Plugin, Subject};
pub use probe::{Aim, Options, Probe};
pub use recording::{Layout, Place, Recording};
pub use registry::{Registry, RegistryError};
pub use resolve::{Exchanger, Family, Preference, Resolve, ResolveError};
pub use responder::{
    Open, Responder, ResponderOptions, ResponderPlugin, ServeCommand, Stage, Staged,
};
pub use sink::{Details, Event, Run, Sink, Word};
pub use stop::{Stop, Stopper};
pub use sweep::{Ending, Finding, Progress, Sweep, SweepOrder, Watcher};
pub use target::Target;

/// Compiles what `probes/README.md` shows.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../../README.md")]
struct Manual;
