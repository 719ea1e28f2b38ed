//! Does the web surface answer as promised, to patient readers and to others?

mod answers;
mod connections;
mod fast_path;
mod lead;
mod limits;

use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper::{HeaderMap, Request, Response, StatusCode};
use leadsman_core::{Family, Registry, Resolve, ResolveError, Stop, Stopper};
use leadsman_metrics::{Own, Store};

use super::Surface;
use super::caller::Caller;
use super::prefix::Prefix;
use super::reply::Body;
use crate::access::Access;
use crate::config::Config;
use crate::drive::Driver;
use crate::follow_up::FollowUps;
use crate::history::History;
use crate::host::Host;
use crate::services::Services;
use crate::source::Source;

/// What the tests of this module run with; no target of theirs is ever due.
const CONFIG: &str = "
web: { history: 10 }
probes:
  - name: harbour
    every: 1000h
    lead: {}
    targets: [deep, '<script>alert(1)</script>']
modules:
  well: { prober: lead, timeout: 2s, lead: { password: hunter2 } }
  slow: { prober: lead }
";

#[derive(Debug)]
struct NoNames;

#[async_trait]
impl Resolve for NoNames {
    async fn addresses(&self, name: &str, _: Family) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError::NoRecord(name.to_owned()))
    }
}

/// A running host with this configuration, and what stops it.
async fn host(config: &str) -> (Arc<Host>, Stopper) {
    host_from(config, "no-such-file.yml").await
}

/// A host that will read its configuration from this file when it reloads.
async fn host_from(config: &str, file: impl Into<PathBuf>) -> (Arc<Host>, Stopper) {
    let registry = Registry::of([&lead::PLUGIN], []).unwrap();
    let source = Source::choose(Some(file.into()), &registry).unwrap();
    let (config, _) = Config::parse("test.yml", config, &registry).unwrap();
    let (stopper, stop) = Stopper::new();
    let own = Own::new("1.2.3");
    let store = Store::new([&lead::PLUGIN], own.clone()).unwrap();
    let services = Arc::new(Services {
        resolver: Arc::new(NoNames),
        own,
        history: History::new(config.web.history),
        follow_ups: FollowUps::new().0,
        log_prober: None,
    });
    let (driver, helm) = Driver::new(Arc::clone(&services), 0);
    tokio::spawn(driver.run(Stop::never()));
    let host = Host::start(registry, source, config, store, services, helm, stop);
    (host.await.unwrap(), stopper)
}

/// A configuration whose scrape is larger than what sockets on loopback buffer.
fn large() -> String {
    let mut config = CONFIG.replace("'<script>alert(1)</script>']", "many]");
    config.truncate(config.find("many]").unwrap());
    for target in 0..4000 {
        write!(config, "target-of-the-large-scrape-{target}, ").unwrap();
    }
    config + "]\n"
}

async fn surface() -> Surface {
    Surface::new(host(CONFIG).await.0)
}

/// An answer with its body read to the end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// Asks for a path, with headers if they stand in the list, by another method if it stands before
/// the path.
async fn begin(surface: &Surface, line: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let (method, uri) = line.split_once(' ').unwrap_or(("GET", line));
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    surface.receive(&Caller::default(), head).await
}

async fn ask(surface: &Surface, line: &str, headers: &[(&str, &str)]) -> Answer {
    let (head, body) = begin(surface, line, headers).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}
