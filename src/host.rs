//! What is in force right now, and how does it change while everything runs?
//!
//! The host ties the parts together: the configuration in force, the series, the history, the
//! driver's helm and the responders. A reload is all or nothing up to the plan: a configuration
//! with a mistake changes nothing and everything keeps running. One that cannot be read, because its
//! disk hangs, holds up the reloads after it and nothing else, least of all the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use leadsman_core::{Registry, Stop};
use leadsman_metrics::Store;
use tokio::sync::Mutex;
use tokio::task::JoinError;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::config::{Config, Problems};
use crate::drive::{Helm, Plan};
use crate::responders::{Responders, RespondersError};
use crate::services::Services;
use crate::source::Source;

/// Everything that the web surface and the signals reach.
#[derive(Debug)]
pub(crate) struct Host {
    /// What was linked into this program.
    pub(crate) registry: Registry,
    /// The configuration in force.
    pub(crate) config: ArcSwap<Config>,
    /// The series of all targets.
    pub(crate) store: Store,
    /// What runs need.
    pub(crate) services: Arc<Services>,
    /// Asked for when the program is to end.
    pub(crate) stop: Stop,
    source: Source,
    helm: Helm,
    ready: AtomicBool,
    /// Held during a reload, reading included, so that the last one asked for is the last in force.
    responders: Mutex<Responders>,
}

/// Why a configuration was not put in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// It has mistakes.
    #[error("{0}")]
    Config(Problems),
    /// A responder could not be opened.
    #[error("{0}")]
    Responder(#[from] RespondersError),
    /// A plugin panicked.
    #[error(
        "it made leadsman or one of its plugins panic, which is a mistake in there; please report \
         it: {0}"
    )]
    Panic(#[from] JoinError),
    /// The program is ending.
    #[error("leadsman is stopping, so nothing is reloaded")]
    Stopping,
}

impl Host {
    /// Puts the first configuration in force and returns the host.
    pub(crate) async fn start(
        registry: Registry,
        source: Source,
        config: Config,
        store: Store,
        services: Arc<Services>,
        helm: Helm,
        stop: Stop,
    ) -> Result<Arc<Self>, ReloadError> {
        let responders = Mutex::new(Responders::new(services.own.clone()));
        let host = Arc::new(Self {
            registry,
            config: ArcSwap::from_pointee(Config::default()),
            store,
            services,
            stop,
            source,
            helm,
            ready: AtomicBool::new(false),
            responders,
        });
        host.adopt(&mut *host.responders.lock().await, config)
            .await?;
        host.services.own.reloaded(true);
        host.ready.store(true, Ordering::Release);
        Ok(host)
    }

    /// Reads the configuration again and puts it in force; says in log and metrics how it went.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<(), ReloadError> {
        let host = Arc::clone(self);
        // A task of its own: a plugin that panics ends only that.
        let reload = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = host.stop.requested() => Err(ReloadError::Stopping),
                outcome = host.reread() => outcome,
            }
        });
        let outcome = reload.await.unwrap_or_else(|why| Err(why.into()));
        self.services.own.reloaded(outcome.is_ok());
        match &outcome {
            Ok(()) => info!(source = %self.source, "configuration reloaded"),
            Err(why) => error!(
                source = %self.source,
                "configuration not reloaded, the one before stays in force: {why}"
            ),
        }
        outcome
    }

    /// Reloads whenever the file has changed, looking at it so often, until the end.
    pub(crate) async fn follow(self: Arc<Self>, interval: Duration) {
        // What was tried last, be it in force or not: a file with a mistake is told of once.
        let mut tried = Some(self.config.load().digest.clone());
        loop {
            tokio::select! {
                () = self.stop.requested() => return,
                () = sleep(interval) => {}
            }
            let host = Arc::clone(&self);
            let digest = tokio::task::spawn_blocking(move || host.source.digest());
            // A file that is not there for now is being replaced.
            let Ok(Some(digest)) = digest.await else {
                continue;
            };
            if tried.as_ref() != Some(&digest) {
                tried = Some(digest);
                // How it went is in the log and in the metrics.
                _ = self.reload().await;
            }
        }
    }

    /// Whether the first plan is in force and nobody has asked for the end.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.stop.is_requested()
    }

    /// Ends the responders, each in good order.
    pub(crate) async fn close(&self) {
        self.responders.lock().await.close().await;
    }

    async fn reread(self: &Arc<Self>) -> Result<(), ReloadError> {
        let mut responders = self.responders.lock().await;
        let host = Arc::clone(self);
        // A file of 100,000 targets takes long enough to delay the probes of this thread.
        let read = tokio::task::spawn_blocking(move || {
            // What is in force already is not to be put in force.
            let is_new = host.source.digest() != Some(host.config.load().digest.clone());
            is_new.then(|| host.source.read(&host.registry)).transpose()
        });
        let Some((config, warnings)) = read.await?.map_err(ReloadError::Config)? else {
            return Ok(());
        };
        for warning in warnings.lines() {
            warn!("{warning}");
        }
        self.adopt(&mut responders, config).await
    }

    async fn adopt(
        self: &Arc<Self>,
        responders: &mut Responders,
        config: Config,
    ) -> Result<(), ReloadError> {
        responders.adopt(&config.responders).await?;
        let (host, config) = (Arc::clone(self), Arc::new(config));
        let wanted = Arc::clone(&config);
        let seed = self.helm.seed();
        // Series for 100,000 targets take as long as their file.
        let plan = move || Plan::new(&wanted, &host.store, seed);
        let plan = tokio::task::spawn_blocking(plan).await?;
        // Before the first run, for only the first failure of a target is told.
        self.services.follow_ups.adopt(&config);
        if !self.helm.steer(plan).await {
            return Err(ReloadError::Stopping);
        }
        self.services.history.adopt(&config);
        self.config.store(config);
        Ok(())
    }
}
