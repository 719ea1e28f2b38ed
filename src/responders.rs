//! Which responders run, and how does a reload change them?
//!
//! A responder that the new configuration still has as it was goes on without a gap, and one that
//! had ended by itself is opened anew. Where a new one cannot be opened, those from before are put
//! back. What a responder serves is its own affair.

use std::error::Error;
use std::sync::Arc;

use leadsman_core::options::Secret;
use leadsman_core::{Open, ResponderPlugin, Stopper};
use leadsman_metrics::{Own, Watch};
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
#[derive(Debug)]
pub(crate) struct Responders {
    running: Vec<Running>,
    own: Own,
}

/// Why the responders are not those that were wanted.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", told("", .failed), told(", but without one that ran before: ", .lost))]
pub(crate) struct RespondersError {
    /// Those that are new.
    failed: Vec<NotOpened>,
    /// Those that ran before and could not be opened again.
    lost: Vec<NotOpened>,
}

/// Why a responder is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the {name} responder: {source}")]
struct NotOpened {
    name: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

#[derive(Debug)]
struct Running {
    wanted: Wanted,
    stopper: Stopper,
    task: JoinHandle<()>,
    _watch: Option<Watch>,
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
    /// None yet; what they count will stand among the program's own metrics.
    pub(crate) fn new(own: Own) -> Self {
        Self {
            running: Vec::new(),
            own,
        }
    }

    /// Ends what is no longer wanted and opens what is new, or else leaves those running that ran
    /// before.
    ///
    /// What is no longer wanted ends first, for its address may be wanted again. So it has to be
    /// opened again if what is new cannot be; the error says so if that fails as well.
    pub(crate) async fn adopt(&mut self, wanted: &[Wanted]) -> Result<(), RespondersError> {
        self.running.retain(Running::runs);
        let before: Vec<Wanted> = self.running.iter().map(|ran| ran.wanted.clone()).collect();
        let failed = self.change(wanted).await;
        if failed.is_empty() {
            return Ok(());
        }
        let lost = self.change(&before).await;
        Err(RespondersError { failed, lost })
    }

    /// Returns those that could not be opened.
    async fn change(&mut self, wanted: &[Wanted]) -> Vec<NotOpened> {
        let gone = |running: &mut Running| !wanted.iter().any(|wanted| wanted.is(&running.wanted));
        end(self.running.extract_if(.., gone).collect()).await;
        let mut failed = Vec::new();
        for wanted in wanted {
            if !self.running.iter().any(|running| running.wanted.is(wanted)) {
                match Running::open(wanted, &self.own).await {
                    Ok(running) => self.running.push(running),
                    Err(why) => failed.push(why),
                }
            }
        }
        failed
    }

    /// Ends all of them and waits until they have ended.
    pub(crate) async fn close(&mut self) {
        end(self.running.drain(..).collect()).await;
    }
}

async fn end(ending: Vec<Running>) {
    for running in &ending {
        running.stopper.stop();
    }
    for running in ending {
        if let Err(why) = running.task.await {
            error!(responder = running.wanted.plugin.name(), %why, "responder panicked");
        }
    }
}

impl Running {
    async fn open(wanted: &Wanted, own: &Own) -> Result<Self, NotOpened> {
        let name = wanted.plugin.name();
        let opened = wanted.options.open().await;
        let responder = opened.map_err(|source| NotOpened { name, source })?;
        let address = responder.address();
        let watched = responder.meter();
        let watched = watched.map(|meter| own.watch(wanted.plugin, address, meter));
        let watch = watched.transpose();
        let watch = watch.map_err(|source| NotOpened { name, source })?;
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
            _watch: watch,
        })
    }

    /// Whether it has not ended by itself; one that has does not count as open.
    fn runs(&self) -> bool {
        !self.task.is_finished()
    }
}

/// Errors in a row after `intro`; nothing if there are none.
fn told(intro: &str, errors: &[NotOpened]) -> String {
    let errors: Vec<_> = errors.iter().map(NotOpened::to_string).collect();
    if errors.is_empty() {
        return String::new();
    }
    format!("{intro}{}", errors.join("; "))
}

#[cfg(test)]
mod tests;
