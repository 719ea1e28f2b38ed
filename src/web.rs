//! What does the program answer over HTTP?
//!
//! The paths, and which part of the program answers each. Scraping, probing on demand, the status
//! page and the few paths for operators are all there is, so a `match` is the whole router. Who is
//! let in, and how they are spoken with, is written in a file of its own, see [`crate::access`].

mod budget;
mod caller;
mod door;
mod fast_path;
mod gate;
mod limits;
mod logs;
mod page;
mod patience;
mod prefix;
mod probe;
mod pulse;
mod query;
mod reply;
mod scrape;
mod transcript;

use std::sync::Arc;

use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use leadsman_core::{Stop, Stopper};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::caller::Caller;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::gate::credentials;
use self::limits::Limits;
use self::prefix::Elsewhere;
pub(crate) use self::prefix::Prefix;
use self::pulse::Pulse;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::query::query_value;
use self::reply::{Body, moved, not_allowed, text};
use self::scrape::Readers;
use crate::access::Access;
use crate::host::Host;

/// Answers on all `listeners` until the host is to stop, at most so many connections of each at a
/// time. Runs asked for then have a few seconds left, after which they are ended and answered as
/// they are.
pub(crate) async fn serve(
    listeners: Vec<TcpListener>,
    most: usize,
    host: Arc<Host>,
    access: Arc<Access>,
    prefix: Prefix,
) {
    let surface = Arc::new(Surface {
        access,
        prefix,
        ..Surface::new(host)
    });
    let mut doors = JoinSet::new();
    for listener in listeners {
        doors.spawn(door::attend(listener, Arc::clone(&surface), most));
    }
    let answered = async { while doors.join_next().await.is_some() {} };
    tokio::select! {
        () = answered => {}
        () = surface.pulse.beat() => {}
    }
}

/// Everything that can be asked for.
#[derive(Debug)]
struct Surface {
    host: Arc<Host>,
    access: Arc<Access>,
    prefix: Prefix,
    readers: Readers,
    limits: Limits,
    pulse: Pulse,
    /// Ends the runs under way.
    hurry: Stopper,
    hurried: Stop,
}

impl Surface {
    /// For everybody, at the root.
    fn new(host: Arc<Host>) -> Self {
        let (hurry, hurried) = Stopper::new();
        Self {
            host,
            access: Arc::default(),
            prefix: Prefix::default(),
            readers: Readers::default(),
            limits: Limits::default(),
            pulse: Pulse::default(),
            hurry,
            hurried,
        }
    }

    /// Answers one request, if it may be.
    async fn receive(&self, caller: &Caller, head: Parts) -> Response<Body> {
        let rules = self.access.rules();
        let admitted = gate::admit(&self.access, &rules, &self.limits, &head.headers).await;
        let mut reply = match admitted {
            Ok(()) => self.answer(caller, head).await,
            Err(refusal) => refusal,
        };
        for (name, value) in &rules.headers {
            reply.headers_mut().insert(name.clone(), value.clone());
        }
        reply
    }

    /// Answers one request; what its body may hold is of no interest to any path.
    async fn answer(&self, caller: &Caller, head: Parts) -> Response<Body> {
        let path = match self.prefix.strip(head.uri.path()) {
            Ok(path) => path,
            Err(Elsewhere::Home) => return moved(self.prefix.home()),
            Err(Elsewhere::Nowhere) => return nothing(),
        };
        match (path, &head.method) {
            ("/probe", _) => probe::answer(self, caller, head).await,
            ("/-/reload", &Method::POST | &Method::PUT) => self.reload().await,
            ("/-/reload", _) => not_allowed("POST, PUT"),
            (path, &Method::GET | &Method::HEAD) => match path {
                "/" => page::answer(&self.host),
                "/metrics" => scrape::all(self, &caller.leave, &head.headers).await,
                "/logs" => logs::answer(&self.host.services.history, &head.uri),
                "/config" => text(StatusCode::OK, self.host.config.load().shown()),
                "/-/healthy" => text(StatusCode::OK, "Healthy\n"),
                "/-/ready" => self.ready(),
                _ => nothing(),
            },
            _ => not_allowed("GET, HEAD"),
        }
    }

    /// Whether probes run as configured, for whoever waits with sending requests.
    fn ready(&self) -> Response<Body> {
        if self.host.is_ready() {
            text(StatusCode::OK, "Ready\n")
        } else {
            text(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not ready: starting or stopping\n",
            )
        }
    }

    async fn reload(&self) -> Response<Body> {
        let host = Arc::clone(&self.host);
        // A task of its own: whoever asked may go away in the middle.
        let reload = tokio::spawn(async move { host.reload().await });
        match reload.await.expect("a reload does not panic") {
            Ok(()) => text(StatusCode::OK, "Configuration reloaded\n"),
            Err(why) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("failed to reload config: {why}\n"),
            ),
        }
    }
}

fn nothing() -> Response<Body> {
    let words = "There is nothing here; all there is: /\n";
    text(StatusCode::NOT_FOUND, words)
}

#[cfg(test)]
mod tests;
