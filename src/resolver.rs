//! Which addresses or mail exchangers does a name have, without making a probe wait for it?
//!
//! One cache serves the whole process. A name that is known and fresh is answered at once; the
//! rest is a flight, a task of its own that all who want the name wait for and that outlives any
//! of them. What to serve, and when to ask anew, is decided in [`cache`]; what this machine was
//! told about names is in [`system`], and how resolvers are asked in [`upstream`].
//!
//! This is not the DNS probe: nothing here is timed or checked, and a resolver that is wrong is
//! believed.

mod cache;
mod names;
mod system;
mod upstream;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use leadsman_core::{Exchanger, Family, Resolve, ResolveError};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use self::cache::{Answer, Cache, Held, Look, Question, Reply, Verdict, Wanted};
use self::names::{Named, Names};
use self::system::{Configuration, System};
use self::upstream::Upstream;

/// Looks up names for all probes, and remembers them.
#[derive(Debug)]
pub(crate) struct Resolver(Arc<Shared>);

impl Resolver {
    /// Resolves as this machine is configured to. Reads nothing yet: what is wrong with the
    /// configuration appears when a name is asked for that needs it.
    pub(crate) fn system() -> Self {
        Self::with(System::usual())
    }

    async fn listed(&self, name: &str, wanted: Wanted) -> Result<Arc<[Exchanger]>, ResolveError> {
        let question = Question::of(name, wanted);
        let Look { reply, depart } = self.0.exchangers().look(&question, Instant::now());
        if let Some(depart) = depart {
            tokio::spawn(Arc::clone(&self.0).fly_for_exchangers(question, depart));
        }
        told(reply, name).await
    }

    fn with(system: System) -> Self {
        Self(Arc::new(Shared {
            cache: Mutex::new(Cache::new(CAPACITY)),
            exchangers: Mutex::new(Cache::new(CAPACITY)),
            others: Mutex::default(),
            system,
            queries: Semaphore::new(QUERIES),
            names: Mutex::default(),
            name_queries: Semaphore::new(NAME_QUERIES),
        }))
    }
}

#[async_trait]
impl Resolve for Resolver {
    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, ResolveError> {
        if let Ok(address) = name.parse() {
            return if Family::of(address) == family {
                Ok(vec![address])
            } else {
                Err(ResolveError::NoRecord(name.into()))
            };
        }
        let question = Question::new(name, family);
        let Look { reply, depart } = self.0.cache().look(&question, Instant::now());
        if let Some(depart) = depart {
            tokio::spawn(Arc::clone(&self.0).fly(question, depart));
        }
        let addresses = told(reply, name).await?;
        if addresses.is_empty() {
            return Err(ResolveError::NoRecord(name.into()));
        }
        Ok(addresses.to_vec())
    }

    async fn name_of(&self, address: IpAddr) -> Option<String> {
        let address = address.to_canonical();
        let shared = &self.0;
        if let Some(held) = shared.names().known(address, Instant::now()) {
            return held.name.clone();
        }
        let learnt = timeout(NAME_PATIENCE, shared.ask_name(address)).await;
        let learnt = learnt.ok().flatten();
        let name = learnt.as_ref().and_then(|named| named.name.clone());
        shared.names().keep(address, learnt, Instant::now());
        name
    }

    async fn exchangers(&self, domain: &str) -> Result<Vec<Exchanger>, ResolveError> {
        let found = self.listed(domain, Wanted::Exchangers).await?;
        Ok(found.to_vec())
    }

    async fn alias(&self, name: &str) -> Option<String> {
        if name.parse::<IpAddr>().is_ok() {
            return None;
        }
        let found = self.listed(name, Wanted::Alias).await.ok()?;
        found.first().map(|alias| alias.host.to_string())
    }

    fn at(&self, server: SocketAddr) -> Option<Arc<dyn Resolve>> {
        let others = self.0.others.lock();
        let mut others = others.unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(&server) {
            return Some(Arc::clone(known) as Arc<dyn Resolve>);
        }
        let upstream = Upstream::only(server).ok()?;
        let other = Arc::new(Self::with(System::asking(upstream)));
        others.insert(server, Arc::clone(&other));
        Some(other)
    }
}

#[derive(Debug)]
struct Shared {
    cache: Mutex<Cache>,
    /// Mail exchangers, and aliases as if they were such.
    exchangers: Mutex<Cache<Exchanger>>,
    /// Those that ask one DNS server each: as many as the configuration names.
    others: Mutex<HashMap<SocketAddr, Arc<Resolver>>>,
    system: System,
    queries: Semaphore,
    names: Mutex<Names>,
    /// Of their own, so that names for people to read delay no probe.
    name_queries: Semaphore,
}

impl Shared {
    /// Asks a question and lets everybody know.
    async fn fly(self: Arc<Self>, question: Question, depart: watch::Sender<Option<Verdict>>) {
        let learnt = self.ask(&question).await;
        let error = learnt.as_ref().err().map(ToString::to_string);
        let settled = self.cache().settle(&question, learnt, Instant::now());
        if settled.report {
            warn!(
                error,
                "cannot renew an address, and go on with the last one"
            );
        }
        depart.send_replace(Some(settled.verdict));
    }

    /// The same for exchangers, which are never served past their time.
    async fn fly_for_exchangers(
        self: Arc<Self>,
        question: Question,
        depart: watch::Sender<Option<Verdict<Exchanger>>>,
    ) {
        let configuration = self.system.current();
        let asks = async |upstream: &Upstream| upstream.ask_exchangers(&question).await;
        let learnt = self.ask_upstream(&configuration, &question, asks).await;
        let settled = self.exchangers().settle(&question, learnt, Instant::now());
        depart.send_replace(Some(settled.verdict));
    }

    async fn ask(&self, question: &Question) -> Result<Answer, ResolveError> {
        let configuration = self.system.current();
        if let Some(answer) = configuration.local(question) {
            return Ok(answer);
        }
        let asks = async |upstream: &Upstream| upstream.ask(question).await;
        self.ask_upstream(&configuration, question, asks).await
    }

    async fn ask_upstream<T>(
        &self,
        configuration: &Configuration,
        question: &Question,
        asks: impl AsyncFnOnce(&Upstream) -> Result<Answer<T>, ResolveError>,
    ) -> Result<Answer<T>, ResolveError> {
        let unanswered = |why: &String| {
            let why = format!("no resolver is known: {why}");
            ResolveError::Unanswered(question.name.to_string(), why)
        };
        let upstream = configuration.upstream.as_ref().map_err(unanswered)?;
        let Ok(_turn) = timeout(upstream.patience, self.queries.acquire()).await else {
            let why =
                format!("{QUERIES} other names are being looked up and none has come to an end");
            return Err(ResolveError::Unanswered(question.name.to_string(), why));
        };
        let answered = timeout(upstream.patience, asks(upstream)).await;
        answered.unwrap_or_else(|_| Err(upstream.silence(&question.name)))
    }

    async fn ask_name(&self, address: IpAddr) -> Option<Named> {
        let configuration = self.system.current();
        if let Some(named) = configuration.local_name(address) {
            return Some(named);
        }
        let _turn = self.name_queries.acquire().await.ok()?;
        configuration.upstream.as_ref().ok()?.name_of(address).await
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchangers(&self) -> MutexGuard<'_, Cache<Exchanger>> {
        let exchangers = self.exchangers.lock();
        exchangers.unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // A panic inside leaves at worst an entry without its last change.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the cache tells about a name, now or once it is known.
async fn told<T: Held>(reply: Reply<T>, name: &str) -> Result<Arc<[T]>, ResolveError> {
    let Verdict(found) = match reply {
        Reply::Now(verdict) => verdict,
        Reply::Later { landing, meanwhile } => landed(landing, meanwhile, name).await,
    };
    found
}

/// Waits for the end of a flight, or until it is time to serve what is known already.
async fn landed<T: Held>(
    mut landing: watch::Receiver<Option<Verdict<T>>>,
    meanwhile: Option<(Instant, Verdict<T>)>,
    name: &str,
) -> Verdict<T> {
    let verdict = async {
        let verdict = landing.wait_for(Option::is_some).await.ok()?;
        verdict.clone()
    };
    let Some((until, known)) = meanwhile else {
        return verdict.await.unwrap_or_else(|| {
            let why = "the look-up was abandoned".to_owned();
            Verdict(Err(ResolveError::Unanswered(name.into(), why)))
        });
    };
    timeout_at(until, verdict)
        .await
        .ok()
        .flatten()
        .unwrap_or(known)
}

/// Questions that are remembered: both families of 100,000 targets. At worst about 100 MB.
const CAPACITY: usize = 200_000;
/// Questions that are asked at the same time. Each takes up to three descriptors for each resolver
/// that is silent, and the usual limit of a process is 1024.
const QUERIES: usize = 64;
/// Addresses whose names are asked for at the same time.
const NAME_QUERIES: usize = 16;
/// How long somebody waits for a name, the wait for a turn included.
const NAME_PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
