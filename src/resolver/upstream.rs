//! How are the configured resolvers asked?
//!
//! In their order, each a second after the one before or as soon as that has failed: a resolver
//! that is down costs a second and one that refuses costs nothing, where waiting for each would
//! cost more than a probe has. The first that knows decides. The search list is tried name by
//! name, and "no such record" is believed only if no name on it failed: otherwise a failing
//! resolver would look like a name that has gone.
//!
//! Each resolver has a client of its own, for within one client the first reply of any resolver is
//! final, even a refusal. Nothing is remembered here, and the time for it all is the caller's.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use leadsman_core::{Exchanger, ResolveError};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cache::{Answer, Question, Wanted};
use super::names::Named;
use super::system::record_type;

/// The resolvers to ask, and what to ask them for when a name is not a full one.
#[derive(Debug)]
pub(super) struct Upstream {
    servers: Vec<Server>,
    search: Vec<Name>,
    ndots: usize,
    /// How long to wait for an answer altogether.
    pub(super) patience: Duration,
}

impl Upstream {
    /// Takes what `resolv.conf` says, which names at least one resolver. Opens no socket.
    pub(super) fn new(config: ResolverConfig, mut options: ResolverOpts) -> Result<Self, NetError> {
        let (domain, mut search, servers) = config.into_parts();
        if search.is_empty() {
            search.extend(domain);
        }
        // The hosts file and the cache are ours, and asking again is decided by the cache.
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        options.attempts = 1;
        let servers = servers
            .into_iter()
            .map(|server| Server::new(server, &options))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            servers,
            search,
            ndots: options.ndots,
            patience: options.timeout,
        })
    }

    /// Takes one DNS server, which is asked full names alone.
    pub(super) fn only(server: SocketAddr) -> Result<Self, NetError> {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        let config = ResolverConfig::from_name_servers(vec![config]);
        let mut options = ResolverOpts::default();
        options.ndots = 0;
        Self::new(config, options)
    }

    /// Asks for the addresses of a name.
    pub(super) async fn ask(&self, question: &Question) -> Result<Answer, ResolveError> {
        let name = named(question)?;
        let Wanted::Addresses(family) = question.wanted else {
            unreachable!("the cache of addresses is asked for nothing else")
        };
        let mut failure = None;
        let mut nothing = Duration::MAX;
        for candidate in candidates(name, &self.search, self.ndots) {
            match self.race(&candidate, record_type(family)).await {
                Ok(records) => {
                    let addresses = records.data.iter().filter_map(RData::ip_addr);
                    let addresses: Arc<[IpAddr]> = addresses.collect();
                    let ttl = records.ttl;
                    if !addresses.is_empty() {
                        return Ok(Answer {
                            records: addresses,
                            ttl,
                        });
                    }
                    nothing = nothing.min(ttl);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            Some(failure) => Err(self.explain(&question.name, &failure)),
            None => Ok(Answer {
                records: Arc::new([]),
                ttl: nothing,
            }),
        }
    }

    /// Asks for the mail exchangers of a full name, or for the name that it is an alias of.
    pub(super) async fn ask_exchangers(
        &self,
        question: &Question,
    ) -> Result<Answer<Exchanger>, ResolveError> {
        let mut name = named(question)?;
        name.set_fqdn(true);
        let wanted = match question.wanted {
            Wanted::Alias => RecordType::CNAME,
            _ => RecordType::MX,
        };
        let told = self.race(&name, wanted).await;
        let records = told.map_err(|failure| self.explain(&question.name, &failure))?;
        if records.nonexistent {
            return Err(ResolveError::NoName(question.name.to_string()));
        }
        let exchangers = records.data.iter().filter_map(|data| match data {
            RData::MX(mx) => Some(Exchanger {
                preference: mx.preference,
                host: spelt(&mx.exchange).into(),
            }),
            RData::CNAME(alias) if wanted == RecordType::CNAME => Some(Exchanger {
                preference: 0,
                host: spelt(alias).into(),
            }),
            _ => None,
        });
        Ok(Answer {
            records: exchangers.collect(),
            ttl: records.ttl,
        })
    }

    /// Asks for the name of an address; nothing if nobody can tell.
    pub(super) async fn name_of(&self, address: IpAddr) -> Option<Named> {
        let records = self.race(&address.into(), RecordType::PTR).await.ok()?;
        let mut names = records.data.iter().filter_map(|data| match data {
            RData::PTR(name) => Some(spelt(name)),
            _ => None,
        });
        Some(Named {
            name: names.next(),
            ttl: records.ttl,
        })
    }

    /// Says that nobody has answered within [`patience`](Self::patience).
    pub(super) fn silence(&self, name: &str) -> ResolveError {
        let patience = self.patience;
        let servers = self.servers();
        let why = format!(
            "no resolver answered within {patience:?} (asked {servers}): \
             check the way to it, and that it runs"
        );
        ResolveError::Unanswered(name.into(), why)
    }

    async fn race(&self, name: &Name, record_type: RecordType) -> Result<Records, Failure> {
        let mut asked = JoinSet::new();
        let mut servers = self.servers.iter();
        let mut telling = None;
        loop {
            if let Some(server) = servers.next() {
                let server = server.clone();
                let name = name.clone();
                asked.spawn(async move { server.ask(name, record_type).await });
            }
            let ended = if servers.len() == 0 {
                asked.join_next().await
            } else if let Ok(ended) = timeout(STAGGER, asked.join_next()).await {
                ended
            } else {
                continue;
            };
            let Some(ended) = ended else {
                return Err(telling.expect("there is a server, and each has failed"));
            };
            let failure = match ended.expect("a task that asks neither panics nor is aborted") {
                Ok(records) => return Ok(records),
                Err(failure) => failure,
            };
            if telling.is_none() || failure.is_of_the_name() {
                telling = Some(failure);
            }
        }
    }

    fn explain(&self, name: &str, failure: &Failure) -> ResolveError {
        let Failure { server, error } = failure;
        match error {
            NetError::Timeout => self.silence(name),
            NetError::Dns(DnsError::ResponseCode(code)) if failure.is_of_the_name() => {
                let why = format!(
                    "the resolver {server} answered \"{code}\": the servers of this name are \
                     broken or cannot be reached"
                );
                ResolveError::Failed(name.into(), why)
            }
            NetError::Dns(DnsError::ResponseCode(code)) => {
                let why = format!("the resolver {server} will not answer us: it says \"{code}\"");
                ResolveError::Unanswered(name.into(), why)
            }
            error => {
                let why = format!("cannot ask the resolver {server}: {error}");
                ResolveError::Unanswered(name.into(), why)
            }
        }
    }

    fn servers(&self) -> String {
        let servers: Vec<&str> = self.servers.iter().map(|server| &*server.shown).collect();
        servers.join(", ")
    }
}

fn named(question: &Question) -> Result<Name, ResolveError> {
    Name::from_str_relaxed(&question.name).map_err(|error| {
        let why = format!("this is not the name of a host: {error}");
        ResolveError::Failed(question.name.to_string(), why)
    })
}

/// The full names to ask for in place of one that may not be full, in this order. One with fewer
/// dots than `ndots` is most likely meant to be completed.
fn candidates(mut name: Name, search: &[Name], ndots: usize) -> Vec<Name> {
    if name.is_fqdn() {
        return vec![name];
    }
    let dots = usize::from(name.num_labels()).saturating_sub(1);
    // A name that gets too long by a suffix does not exist with it.
    let completed = |suffix| name.clone().append_domain(suffix).ok();
    let mut candidates: Vec<Name> = search.iter().filter_map(completed).collect();
    let at = if dots >= ndots { 0 } else { candidates.len() };
    name.set_fqdn(true);
    candidates.insert(at, name);
    candidates
}

/// One resolver, and its client.
#[derive(Clone, Debug)]
struct Server {
    /// Its address, and its port unless that is the usual one.
    shown: Arc<str>,
    client: TokioResolver,
}

impl Server {
    fn new(config: NameServerConfig, options: &ResolverOpts) -> Result<Self, NetError> {
        let ports = config.connections.iter().map(|connection| connection.port);
        let shown = match ports.max() {
            None | Some(DNS_PORT) => config.ip.to_string(),
            Some(port) => SocketAddr::new(config.ip, port).to_string(),
        };
        let config = ResolverConfig::from_name_servers(vec![config]);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options.clone();
        Ok(Self {
            shown: shown.into(),
            client: builder.build()?,
        })
    }

    async fn ask(self, name: Name, record_type: RecordType) -> Result<Records, Failure> {
        match self.client.lookup(name, record_type).await {
            Ok(lookup) => Ok(records(&lookup)),
            Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => Ok(Records {
                nonexistent: nothing.response_code == ResponseCode::NXDomain,
                data: Vec::new(),
                // RFC 2308, section 5: without a SOA it should not be kept.
                ttl: Duration::from_secs(nothing.negative_ttl.unwrap_or(0).into()),
            }),
            Err(error) => Err(Failure {
                server: self.shown,
                error,
            }),
        }
    }
}

/// Why one resolver gave no answer.
#[derive(Debug)]
struct Failure {
    server: Arc<str>,
    error: NetError,
}

impl Failure {
    /// Whether it says something of the name, rather than of the resolver or the way to it.
    fn is_of_the_name(&self) -> bool {
        let code = ResponseCode::ServFail;
        matches!(&self.error, NetError::Dns(DnsError::ResponseCode(said)) if *said == code)
    }
}

/// What a name was found to have.
struct Records {
    /// Whether it is known not to exist at all.
    nonexistent: bool,
    /// Nothing if it has no such record.
    data: Vec<RData>,
    /// How long that may be relied on.
    ttl: Duration,
}

/// All records, good for as long as each of them.
fn records(lookup: &Lookup) -> Records {
    let records = lookup.answers();
    let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
    Records {
        nonexistent: false,
        data: records.iter().map(|record| record.data.clone()).collect(),
        ttl: Duration::from_secs(ttl.into()),
    }
}

/// A full name as people write it, without the final dot.
pub(super) fn spelt(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

const DNS_PORT: u16 = 53;
/// How long one resolver is waited for before the next is asked as well.
const STAGGER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_completed_first_and_long_ones_last() {
        let check = |name: &str, ndots, expected: &[&str]| {
            let search = ["corp.test", "test"].map(|suffix| Name::from_ascii(suffix).unwrap());
            let name = Name::from_ascii(name).unwrap();
            let candidates = candidates(name, &search, ndots);
            let names: Vec<String> = candidates.iter().map(Name::to_string).collect();
            assert_eq!(names, expected);
        };
        check("web.", 1, &["web."]);
        check("web", 1, &["web.corp.test.", "web.test.", "web."]);
        check("web", 0, &["web.", "web.corp.test.", "web.test."]);
        check("a.web", 1, &["a.web.", "a.web.corp.test.", "a.web.test."]);
        check("a.web", 2, &["a.web.corp.test.", "a.web.test.", "a.web."]);
    }
}
