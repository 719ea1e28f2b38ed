//! How is one run carried out for whoever asks over the web?
//!
//! The answers, their status codes and the order of the checks are `blackbox_exporter`'s, so that
//! Prometheus's configuration for it works unchanged. A probe that failed is an answer like any
//! other: only a request that cannot be carried out is refused. Each request aims a probe of its
//! own, and nothing here keeps one run from another: that is for whoever may reach the port.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hyper::header::RETRY_AFTER;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use leadsman_core::{
    Aim, Event, Fault, Fence, OptionsError, Order, Probe, Recording, Run, Sink, Target, perform,
};
use tokio::time::Instant;

use super::budget::{BudgetError, budget};
use super::caller::Caller;
use super::limits::whole;
use super::query::{Query, decoded};
use super::reply::{Body, text};
use super::transcript::transcript;
use super::{Surface, scrape};
use crate::cli::LogLevel;
use crate::config::{Compatibility, Config, Module};
use crate::drive::Crowd;
use crate::history::Entry;
use crate::log;

/// Why no run is carried out.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("You ask more often than is permitted here; come again in {} s", whole(*.0))]
    TooOften(Duration),
    #[error("Too many runs are under way; come again in a second")]
    Busy,
    #[error("Unknown module {0:?}")]
    UnknownModule(String),
    #[error("Failed to parse timeout from Prometheus header: {0}")]
    Budget(#[from] BudgetError),
    #[error("Target parameter is missing")]
    NoTarget,
    #[error("The hostname parameter contradicts the module: {0}")]
    Hostname(OptionsError),
}

/// What a request asks for. It is read before the run begins, for as long as the head of a request
/// lives so does the memory that it came in.
struct Asked {
    config: Arc<Config>,
    module: Arc<Module>,
    target: Arc<Target>,
    timeout: Duration,
    debug: bool,
    gzip: bool,
}

/// Carries out one run and answers with what it measured.
///
/// The run ends when this future is dropped, as it is when the scraper goes away. It ends with an
/// answer when the surface is in a hurry.
pub(super) async fn answer(surface: &Surface, caller: &Caller, head: Parts) -> Response<Body> {
    let asked = Asked::read(surface, caller, &head);
    drop(head);
    surface.pulse.asked();
    let carried_out = match asked {
        Ok(asked) => {
            let (debug, gzip) = (asked.debug, asked.gzip);
            let entry = asked.carry_out(surface).await;
            entry.map(|entry| (entry, debug, gzip))
        }
        Err(refusal) => Err(refusal),
    };
    match carried_out {
        Ok((entry, true, _)) => text(StatusCode::OK, transcript(&entry)),
        Ok((entry, false, gzip)) => scrape::one(&entry.run, gzip),
        Err(refusal) => refusal.answer(),
    }
}

impl Asked {
    fn read(surface: &Surface, caller: &Caller, head: &Parts) -> Result<Self, Refusal> {
        let (host, limits) = (&surface.host, &surface.limits);
        let config = host.config.load_full();
        let rules = &config.web.probe;
        if let Some(rate) = rules.per_client_rate {
            let asked = limits.ask(caller.address, rate, Instant::now());
            asked.map_err(|wait| {
                host.services.own.too_often();
                Refusal::TooOften(wait)
            })?;
        }
        let query = Query::of(&head.uri);
        let name = query.value("module").unwrap_or(DEFAULT_MODULE);
        let Some(module) = config.modules.get(name) else {
            host.services.own.module_unknown();
            return Err(Refusal::UnknownModule(name.to_owned()));
        };
        let offset = *config.web.timeout_offset;
        let timeout = budget(&head.headers, module.timeout, offset)?;
        let address = query.value("target").ok_or(Refusal::NoTarget)?;
        let target = Target {
            hostname: query.value("hostname").map(Box::from),
            foreign: true,
            ..Target::new(address)
        };
        Ok(Self {
            module: Arc::clone(module),
            target: Arc::new(target),
            timeout,
            debug: query.value("debug") == Some("true"),
            gzip: scrape::is_gzip_accepted(&head.headers),
            config,
        })
    }

    async fn carry_out(self, surface: &Surface) -> Result<Arc<Entry>, Refusal> {
        let (services, rules) = (&surface.host.services, &self.config.web.probe);
        let Self {
            module, timeout, ..
        } = self;
        let (plugin, options) = (module.plugin, &module.options);
        let most = rules.concurrency;
        let place = most.map(|most| surface.limits.begin(most.get()));
        if matches!(place, Some(None)) {
            services.own.too_busy();
            return Err(Refusal::Busy);
        }
        let log = services.log_prober;
        let ear = Ear {
            heard: Mutex::default(),
            log: log.map(|level| (level, &*module.name, &*self.target.address)),
        };
        let mut target = Arc::clone(&self.target);
        let run = match aimed(options, &mut target) {
            Ok(mut probe) => {
                let order = Order {
                    plugin,
                    target: &target,
                    layout: plugin.layout(),
                    timeout,
                    stop: &surface.hurried,
                    resolver: &*services.resolver,
                    sink: &ear,
                    compatible: self.config.web.compatibility == Compatibility::Blackbox,
                    fence: rules.allow.as_ref().map(|allow| allow as &dyn Fence),
                };
                let mut alone = Crowd::new();
                alone.add(perform(&mut *probe, order));
                let mut ended = poll_fn(|cx| alone.poll_some(cx)).await;
                ended.pop().expect("it was the one that has ended")
            }
            // The module would do for the target under the name that it has there.
            Err(why)
                if target.hostname.is_some()
                    && options.aim(&Target::new(&*target.address)).is_ok() =>
            {
                return Err(Refusal::Hostname(why));
            }
            Err(why) => Run {
                plugin,
                target,
                started: SystemTime::now(),
                duration: Duration::ZERO,
                timeout,
                result: Err(Fault::own(why)),
                recording: Recording::new(plugin.layout()),
            },
        };
        Ok(services.history.asked(&module, run, ear.heard()))
    }
}

/// Aims at `target`, or at what it stands for once it is decoded again: some write a target into a
/// URL that had been escaped before. What makes sense as it is is taken as it is.
fn aimed(options: &Arc<dyn Aim>, target: &mut Arc<Target>) -> Result<Box<dyn Probe>, OptionsError> {
    options.aim(target).or_else(|why| {
        let again = decoded(&target.address).ok_or_else(|| why.clone())?;
        let again = Arc::new(Target {
            address: again.into(),
            ..Target::clone(target)
        });
        let probe = options.aim(&again).map_err(|_| why)?;
        *target = again;
        Ok(probe)
    })
}

impl Refusal {
    fn answer(&self) -> Response<Body> {
        let mut reply = text(self.status(), format!("{self}\n"));
        let wait = match self {
            Self::TooOften(wait) => whole(*wait),
            Self::Busy => 1,
            _ => return reply,
        };
        // RFC 9110, section 10.2.3.
        reply.headers_mut().insert(RETRY_AFTER, wait.into());
        reply
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
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
