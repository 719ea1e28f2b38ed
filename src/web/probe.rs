//! How is one run carried out for whoever asks over the web?
//!
//! The answers, their status codes and the order of the checks are `blackbox_exporter`'s, so that
//! Prometheus's configuration for it works unchanged. A probe that failed is an answer like any
//! other: only a request that cannot be carried out is refused. Each request aims a probe of its
//! own, and nothing here keeps one run from another: that is for whoever may reach the port.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use leadsman_core::{
    Event, Fault, OptionsError, Order, Recording, Run, Sink, Stop, Target, perform,
};

use super::budget::{BudgetError, budget};
use super::query::Query;
use super::reply::{Body, text};
use super::scrape;
use super::transcript::transcript;
use crate::cli::LogLevel;
use crate::drive::Crowd;
use crate::history::Entry;
use crate::host::Host;
use crate::log;

/// Why no run is carried out.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("Unknown module {0:?}")]
    UnknownModule(String),
    #[error("Failed to parse timeout from Prometheus header: {0}")]
    Budget(#[from] BudgetError),
    #[error("Target parameter is missing")]
    NoTarget,
    #[error("Unknown prober {0:?}")]
    UnknownProber(String),
    #[error("The hostname parameter contradicts the module: {0}")]
    Hostname(OptionsError),
}

/// Carries out one run and answers with what it measured.
///
/// The run ends when this future is dropped, as it is when the scraper goes away. It ends with an
/// answer when `hurried` asks for it.
pub(super) async fn answer(host: &Host, hurried: &Stop, head: &Parts) -> Response<Body> {
    let query = Query::of(&head.uri);
    let entry = match carry_out(host, hurried, head, &query).await {
        Ok(entry) => entry,
        Err(refusal) => return text(refusal.status(), format!("{refusal}\n")),
    };
    if query.value("debug") == Some("true") {
        return text(StatusCode::OK, transcript(&entry));
    }
    scrape::one(&entry.run, &head.headers)
}

async fn carry_out(
    host: &Host,
    hurried: &Stop,
    head: &Parts,
    query: &Query<'_>,
) -> Result<Arc<Entry>, Refusal> {
    let config = host.config.load_full();
    let name = query.value("module").unwrap_or(DEFAULT_MODULE);
    let Some(module) = config.modules.get(name) else {
        host.services.own.module_unknown();
        return Err(Refusal::UnknownModule(name.to_owned()));
    };
    let timeout = budget(&head.headers, module.timeout, *config.web.timeout_offset)?;
    let address = query.value("target").ok_or(Refusal::NoTarget)?;
    let Some((plugin, options)) = &module.options else {
        return Err(Refusal::UnknownProber(module.prober.clone()));
    };
    let target = Arc::new(Target {
        hostname: query.value("hostname").map(Box::from),
        ..Target::new(address)
    });
    let ear = Ear {
        heard: Mutex::default(),
        log: host.services.log_prober.map(|level| (level, name, address)),
    };
    let run = match options.aim(&target) {
        Ok(mut probe) => {
            let order = Order {
                plugin,
                target: &target,
                layout: plugin.layout(),
                timeout,
                stop: hurried,
                resolver: &*host.services.resolver,
                sink: &ear,
                compatible: false,
            };
            let mut alone = Crowd::new();
            alone.add(perform(&mut *probe, order));
            let mut ended = poll_fn(|cx| alone.poll_some(cx)).await;
            ended.pop().expect("it was the one that has ended")
        }
        // The module would do for the target under the name that it has there.
        Err(why) if target.hostname.is_some() && options.aim(&Target::new(address)).is_ok() => {
            return Err(Refusal::Hostname(why));
        }
        Err(why) => Run {
            plugin,
            target,
            started: SystemTime::now(),
            duration: Duration::ZERO,
            result: Err(Fault::own(why)),
            recording: Recording::new(plugin.layout()),
        },
    };
    Ok(host.services.history.asked(module, run, ear.heard()))
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Budget(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Hears what a run says, up to [`MOST_EVENTS`].
struct Ear<'a> {
    heard: Mutex<Vec<Event>>,
    /// At which severity to log it, and which module and target it is about.
    log: Option<(LogLevel, &'a str, &'a str)>,
}

impl Ear<'_> {
    fn heard(self) -> Vec<Event> {
        self.heard
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Ear<'_> {
    fn wants_events(&self) -> bool {
        true
    }

    fn event(&self, event: Event) {
        if let Some((level, module, target)) = self.log {
            log::said(level, module, target, &event);
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < MOST_EVENTS {
            heard.push(event);
        }
    }

    fn finished(&self, _: &Run) {}
}

/// What `blackbox_exporter` takes if a request names no module.
const DEFAULT_MODULE: &str = "http_2xx";
/// How much of what a run says is kept: each of its events stays in memory with the history.
const MOST_EVENTS: usize = 1000;
