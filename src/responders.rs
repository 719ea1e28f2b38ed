//! Which responders run, and how does a reload change them?
//!
//! A responder that the new configuration still has as it was goes on without a gap. What it serves
//! is its own affair.

use std::error::Error;
use std::sync::Arc;

use leadsman_core::options::Secret;
use leadsman_core::{Open, ResponderPlugin, Stopper};
use tokio::task::JoinHandle;
use tracing::{error, info};

/// A responder as the configuration asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// What it is.
    pub(crate) plugin: &'static ResponderPlugin,
    /// How it is opened.
    pub(crate) options: Arc<dyn Open>,
}

/// The responders that run.
#[derive(Debug, Default)]
pub(crate) struct Responders(Vec<Running>);

/// Why a responder is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the {name} responder: {source}")]
pub(crate) struct RespondersError {
    name: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

#[derive(Debug)]
struct Running {
    wanted: Wanted,
    stopper: Stopper,
    task: JoinHandle<()>,
}

impl Wanted {
    /// Whether both ask for the same responder. Options that hold a secret never count as the
    /// same, since what is not shown may have changed.
    fn is(&self, other: &Self) -> bool {
        let shown = self.options.shown();
        std::ptr::eq(self.plugin, other.plugin)
            && shown == other.options.shown()
            && !shown.to_string().contains(Secret::MASK)
    }
}

impl Responders {
    /// Ends what is no longer wanted and opens what is new.
    ///
    /// What is no longer wanted ends first, for its address may be wanted again. If one cannot be
    /// opened, those opened before it stay, and the configuration is not put in force.
    pub(crate) async fn adopt(&mut self, wanted: &[Wanted]) -> Result<(), RespondersError> {
        let (kept, gone): (Vec<_>, Vec<_>) = self
            .0
            .drain(..)
            .partition(|running| wanted.iter().any(|wanted| wanted.is(&running.wanted)));
        self.0 = kept;
        Self(gone).close().await;
        for wanted in wanted {
            if !self.0.iter().any(|running| running.wanted.is(wanted)) {
                self.0.push(Running::open(wanted).await?);
            }
        }
        Ok(())
    }

    /// Ends all of them and waits until they have ended.
    pub(crate) async fn close(&mut self) {
        for running in &self.0 {
            running.stopper.stop();
        }
        for running in self.0.drain(..) {
            if let Err(why) = running.task.await {
                error!(responder = running.wanted.plugin.name(), %why, "responder panicked");
            }
        }
    }
}

impl Running {
    async fn open(wanted: &Wanted) -> Result<Self, RespondersError> {
        let name = wanted.plugin.name();
        let opened = wanted.options.open().await;
        let responder = opened.map_err(|source| RespondersError { name, source })?;
        let address = responder.address();
        info!(responder = name, %address, "responder open");
        let (stopper, stop) = Stopper::new();
        let task = tokio::spawn(async move {
            if let Err(why) = responder.serve(stop).await {
                error!(responder = name, %address, %why, "responder ended");
            }
        });
        Ok(Self {
            wanted: wanted.clone(),
            stopper,
            task,
        })
    }
}
