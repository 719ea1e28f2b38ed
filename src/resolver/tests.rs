//! The resolver before small DNS servers on loopback, each with a script of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::sync::Notify;

use super::upstream::Upstream;
use super::*;

impl Resolver {
    /// Asks these resolvers, and heeds no file of this machine.
    fn asking(servers: &[SocketAddr]) -> Self {
        Self::completing(servers, &[])
    }

    /// Asks these resolvers, and completes short names with these suffixes.
    fn completing(servers: &[SocketAddr], search: &[&str]) -> Self {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let search = search
            .iter()
            .map(|suffix| Name::from_ascii(suffix).unwrap());
        let config = ResolverConfig::from_parts(None, search.collect(), servers.collect());
        let upstream = Upstream::new(config, ResolverOpts::default()).unwrap();
        Self::with(System::asking(upstream))
    }

    /// Puts an answer into the cache that was given some time ago.
    fn remember(&self, name: &str, address: &str, ttl: u64, ago: u64) {
        let question = Question::new(name, Family::V4);
        let answer = Answer {
            records: Arc::new([address.parse().unwrap()]),
            ttl: Duration::from_secs(ttl),
        };
        let given = Instant::now() - Duration::from_secs(ago);
        self.0.cache().settle(&question, Ok(answer), given);
    }
}

/// A DNS server on UDP that replies to each query as `script` says.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    /// Told of each query.
    heard: Arc<Notify>,
    /// What to wait for before replying, while held.
    release: Arc<Semaphore>,
}

impl Server {
    async fn start(script: fn(&Message) -> Message) -> Self {
        let server = Self::held(script).await;
        server.release.add_permits(1_000);
        server
    }

    /// Starts a server that replies once for each permit added to `release`.
    async fn held(script: fn(&Message) -> Message) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: socket.local_addr().unwrap(),
            asked: Arc::default(),
            heard: Arc::default(),
            release: Arc::new(Semaphore::new(0)),
        };
        let asked = Arc::clone(&server.asked);
        let heard = Arc::clone(&server.heard);
        let release = Arc::clone(&server.release);
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                asked.fetch_add(1, Ordering::Relaxed);
                heard.notify_one();
                let query = Message::from_vec(&buffer[..length]).unwrap();
                release.acquire().await.unwrap().forget();
                let reply = script(&query).to_vec().unwrap();
                socket.send_to(&reply, from).await.unwrap();
            }
        });
        server
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// A small zone: an IPv4 host, an alias of it in another zone, nothing else.
fn zone(query: &Message) -> Message {
    let name = query.queries[0].name().to_string();
    let mut reply = reply(query, ResponseCode::NoError);
    let v4 = query.queries[0].query_type() == RecordType::A;
    match name.as_str() {
        "web.test." if v4 => {
            reply.add_answer(record("web.test.", 60, a(1)));
            reply.add_answer(record("web.test.", 60, a(2)));
        }
        "alias.test." if v4 => {
            let middle = CNAME(Name::from_ascii("middle.test.").unwrap());
            let web = CNAME(Name::from_ascii("web.test.").unwrap());
            reply.add_answer(record("alias.test.", 300, RData::CNAME(middle)));
            reply.add_answer(record("middle.test.", 20, RData::CNAME(web)));
            reply.add_answer(record("web.test.", 60, a(1)));
        }
        "web.test." | "alias.test." => {
            reply.add_authority(record("test.", 900, soa()));
        }
        "7.2.0.192.in-addr.arpa." => {
            let name = PTR(Name::from_ascii("Core-1.test.").unwrap());
            reply.add_answer(record("7.2.0.192.in-addr.arpa.", 60, RData::PTR(name)));
        }
        "six.test." if !v4 => {
            let address = AAAA("2001:db8::1".parse().unwrap());
            reply.add_answer(record("six.test.", 60, RData::AAAA(address)));
        }
        _ => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.add_authority(record("test.", 900, soa()));
        }
    }
    reply
}

fn broken(query: &Message) -> Message {
    reply(query, ResponseCode::ServFail)
}

fn refusing(query: &Message) -> Message {
    reply(query, ResponseCode::Refused)
}

fn reply(query: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::error_msg(query.metadata.id, query.metadata.op_code, code);
    reply.add_query(query.queries[0].clone());
    reply
}

fn record(name: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(Name::from_ascii(name).unwrap(), ttl, data)
}

fn a(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

fn soa() -> RData {
    let name = Name::from_ascii("test.").unwrap();
    RData::SOA(SOA::new(name.clone(), name, 1, 3600, 600, 86400, 42))
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn known_name_is_answered_without_asking_and_without_waiting() {
    let server = Server::start(zone).await;
    let resolver = Resolver::asking(&[server.address]);
    let expected = Ok(addresses(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(resolver.addresses("web.test", Family::V4).await, expected);
    let asked = server.asked();
    let again = std::future::poll_fn(|context| {
        let mut look_up = resolver.addresses("Web.Test", Family::V4);
        std::task::Poll::Ready(look_up.as_mut().poll(context))
    });
    assert_eq!(again.await, std::task::Poll::Ready(expected));
    assert_eq!(server.asked(), asked);
}

#[tokio::test]
async fn an_address_has_the_name_that_its_owner_tells_and_none_if_nobody_does() {
    let server = Server::start(zone).await;
    let resolver = Resolver::asking(&[server.address]);
    let name = async |last: u8| resolver.name_of([192, 0, 2, last].into()).await;
    assert_eq!(name(7).await.as_deref(), Some("Core-1.test"));
    assert_eq!(name(8).await, None);
    let asked = server.asked();
    assert_eq!(name(7).await.as_deref(), Some("Core-1.test"));
    assert_eq!(name(8).await, None);
    assert_eq!(server.asked(), asked);
    let broken = Server::start(broken).await;
    let resolver = Resolver::asking(&[broken.address]);
    assert_eq!(resolver.name_of([192, 0, 2, 7].into()).await, None);
}

#[tokio::test]
async fn name_has_only_the_records_that_it_has() {
    let server = Server::start(zone).await;
    let resolver = Resolver::asking(&[server.address]);
    let none = |name: &str| Err(ResolveError::NoRecord(name.into()));
    let check = async |name: &str, family, expected| {
        assert_eq!(
            resolver.addresses(name, family).await,
            expected,
            "{name} {family}"
        );
    };
    check("web.test", Family::V6, none("web.test")).await;
    check(
        "web.test",
        Family::V4,
        Ok(addresses(&["192.0.2.1", "192.0.2.2"])),
    )
    .await;
    check("six.test", Family::V4, none("six.test")).await;
    check("six.test", Family::V6, Ok(addresses(&["2001:db8::1"]))).await;
    check("alias.test", Family::V4, Ok(addresses(&["192.0.2.1"]))).await;
    check("nowhere.test", Family::V4, none("nowhere.test")).await;
}

#[tokio::test]
async fn ttl_is_the_shortest_on_the_way() {
    let server = Server::start(zone).await;
    let resolver = Resolver::asking(&[server.address]);
    let check = async |name, family, expected| {
        let question = Question::new(name, family);
        let answer = resolver.0.ask(&question).await.unwrap();
        assert_eq!(answer.ttl, Duration::from_secs(expected), "{name} {family}");
    };
    check("web.test", Family::V4, 60).await;
    check("alias.test", Family::V4, 20).await;
    // RFC 2308, section 5: the MINIMUM of the SOA, where it is shorter than the SOA's own TTL.
    check("web.test", Family::V6, 42).await;
    check("nowhere.test", Family::V4, 42).await;
}

#[tokio::test]
async fn failing_servers_are_told_from_a_refusing_resolver() {
    let check = async |script, expected: fn(&ResolveError) -> bool, words: &str| {
        let server = Server::start(script).await;
        let resolver = Resolver::asking(&[server.address]);
        let error = resolver
            .addresses("web.test", Family::V4)
            .await
            .unwrap_err();
        assert!(expected(&error), "{error:?}");
        let words = format!("web.test: the resolver {} {words}", server.address);
        assert!(error.to_string().starts_with(&words), "{error}");
    };
    let failed = |error: &ResolveError| matches!(error, ResolveError::Failed(..));
    check(broken, failed, "answered \"Server Failure\"").await;
    let unanswered = |error: &ResolveError| matches!(error, ResolveError::Unanswered(..));
    check(refusing, unanswered, "will not answer us").await;
}

#[tokio::test]
async fn address_stays_in_use_while_its_servers_fail() {
    let server = Server::start(broken).await;
    let resolver = Resolver::asking(&[server.address]);
    resolver.remember("web.test", "192.0.2.9", 60, 3600);
    let expected = Ok(addresses(&["192.0.2.9"]));
    assert_eq!(resolver.addresses("web.test", Family::V4).await, expected);
    assert!(server.asked() > 0);
}

#[tokio::test]
async fn address_near_its_end_is_renewed_behind_the_scenes() {
    let server = Server::start(zone).await;
    let resolver = Resolver::asking(&[server.address]);
    resolver.remember("web.test", "192.0.2.9", 1000, 950);
    let old = Ok(addresses(&["192.0.2.9"]));
    assert_eq!(resolver.addresses("web.test", Family::V4).await, old);
    server.heard.notified().await;
    while resolver.addresses("web.test", Family::V4).await == old {
        tokio::task::yield_now().await;
    }
    let new = Ok(addresses(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(resolver.addresses("web.test", Family::V4).await, new);
}

#[tokio::test]
async fn many_who_ask_share_one_query_that_outlives_the_first_of_them() {
    let server = Server::held(zone).await;
    let resolver = Arc::new(Resolver::asking(&[server.address]));
    let look_up = || {
        let resolver = Arc::clone(&resolver);
        tokio::spawn(async move { resolver.addresses("web.test", Family::V4).await })
    };
    let first = look_up();
    server.heard.notified().await;
    let others = [look_up(), look_up()];
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    // One reply is all that there will be: a query of their own would not be answered.
    server.release.add_permits(1);
    for other in others {
        let expected = Ok(addresses(&["192.0.2.1", "192.0.2.2"]));
        assert_eq!(other.await.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_within_the_timeout() {
    let server = Server::held(zone).await;
    let resolver = Resolver::asking(&[server.address]);
    let begin = Instant::now();
    let error = resolver
        .addresses("web.test", Family::V4)
        .await
        .unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), 5);
    let address = server.address;
    let expected = format!(
        "web.test: no resolver answered within 5s (asked {address}): check the way to it, and \
         that it runs"
    );
    assert_eq!(error.to_string(), expected);
    assert!(matches!(error, ResolveError::Unanswered(..)));
}

#[tokio::test]
async fn next_resolver_is_asked_when_one_will_not_answer() {
    let good = Server::start(zone).await;
    for script in [broken, refusing] {
        let bad = Server::start(script).await;
        let resolver = Resolver::asking(&[bad.address, good.address]);
        let expected = Ok(addresses(&["192.0.2.1", "192.0.2.2"]));
        assert_eq!(resolver.addresses("web.test", Family::V4).await, expected);
        assert!(bad.asked() > 0);
    }
}

#[tokio::test]
async fn short_name_is_completed_and_a_failure_on_the_way_is_not_taken_for_its_absence() {
    let server = Server::start(|query| match query.queries[0].name().to_string().as_str() {
        "web.broken." => broken(query),
        _ => zone(query),
    });
    let server = server.await;
    let check = async |search: &[&str], name: &str, expected: fn(&Result<_, _>) -> bool| {
        let resolver = Resolver::completing(&[server.address], search);
        let found = resolver.addresses(name, Family::V4).await;
        assert!(expected(&found), "{search:?} {name}: {found:?}");
    };
    check(&["lan", "test"], "web", Result::is_ok).await;
    check(&["broken", "test"], "web", Result::is_ok).await;
    check(&["lan"], "web", |found| {
        matches!(found, Err(ResolveError::NoRecord(_)))
    })
    .await;
    check(&["broken", "lan"], "web", |found| {
        matches!(found, Err(ResolveError::Failed(..)))
    })
    .await;
    check(&["test"], "web.", |found| {
        matches!(found, Err(ResolveError::NoRecord(_)))
    })
    .await;
}

#[tokio::test]
async fn what_is_not_a_name_is_called_so() {
    let resolver = Resolver::asking(&[]);
    for name in ["a..b", "two words"] {
        let error = resolver.addresses(name, Family::V4).await.unwrap_err();
        let expected = format!("{name}: this is not the name of a host");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[tokio::test]
async fn addresses_in_place_of_names_and_names_of_this_machine_need_no_resolver() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    let resolv_conf = folder.path().join("resolv.conf");
    std::fs::write(&hosts, "192.0.2.7 printer Printer.lan # upstairs\n").unwrap();
    let resolver = Resolver::with(System::of(hosts, resolv_conf.clone()));
    let check = async |name: &str, family, expected| {
        assert_eq!(
            resolver.addresses(name, family).await,
            expected,
            "{name} {family}"
        );
    };
    let none = |name: &str| Err(ResolveError::NoRecord(name.into()));
    check("192.0.2.1", Family::V4, Ok(addresses(&["192.0.2.1"]))).await;
    check("192.0.2.1", Family::V6, none("192.0.2.1")).await;
    check("localhost", Family::V4, Ok(addresses(&["127.0.0.1"]))).await;
    check("localhost", Family::V6, Ok(addresses(&["::1"]))).await;
    check("a.localhost.", Family::V6, Ok(addresses(&["::1"]))).await;
    check("PRINTER", Family::V4, Ok(addresses(&["192.0.2.7"]))).await;
    check("printer.lan", Family::V4, Ok(addresses(&["192.0.2.7"]))).await;
    check("printer", Family::V6, none("printer")).await;
    let printer = resolver.name_of([192, 0, 2, 7].into()).await;
    assert_eq!(printer.as_deref(), Some("printer"));
    assert_eq!(resolver.name_of([192, 0, 2, 8].into()).await, None);
    let error = resolver
        .addresses("web.test", Family::V4)
        .await
        .unwrap_err();
    let path = resolv_conf.display();
    let expected = format!("web.test: no resolver is known: cannot read {path}: No such file");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(matches!(error, ResolveError::Unanswered(..)));
}

/// Domains with exchangers, with an alias of such, with none, and one that does not exist.
fn mail(query: &Message) -> Message {
    let name = query.queries[0].name().to_string();
    let kind = query.queries[0].query_type();
    let mut reply = reply(query, ResponseCode::NoError);
    let alias = || {
        let canonical = Name::from_ascii("mail.test.").unwrap();
        record("alias.test.", 60, RData::CNAME(CNAME(canonical)))
    };
    let mx = |owner: &str, preference, exchange: &str| {
        let exchange = Name::from_ascii(exchange).unwrap();
        record(owner, 300, RData::MX(MX::new(preference, exchange)))
    };
    match (name.as_str(), kind) {
        ("mail.test.", RecordType::MX) => {
            reply.add_answer(mx("mail.test.", 20, "Mx2.mail.test."));
            reply.add_answer(mx("mail.test.", 10, "mx1.mail.test."));
        }
        ("null.test.", RecordType::MX) => {
            reply.add_answer(mx("null.test.", 0, "."));
        }
        ("alias.test.", RecordType::MX) => {
            reply.add_answer(alias());
            reply.add_answer(mx("mail.test.", 10, "mx1.mail.test."));
        }
        ("alias.test.", RecordType::CNAME) => {
            reply.add_answer(alias());
        }
        ("gone.test.", _) => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.add_authority(record("test.", 900, soa()));
        }
        ("broken.test.", _) => reply.metadata.response_code = ResponseCode::ServFail,
        ("refused.test.", _) => reply.metadata.response_code = ResponseCode::Refused,
        _ => {
            reply.add_authority(record("test.", 900, soa()));
        }
    }
    reply
}

#[tokio::test]
async fn exchangers_are_found_and_what_is_none_is_told_apart() {
    let server = Server::start(mail).await;
    // Through one that nobody answers, for what is asked is the server that was named.
    let resolver = Resolver::asking(&[]).at(server.address).unwrap();
    let check = async |domain: &str, expected: &str| {
        let found = match resolver.exchangers(domain).await {
            Ok(found) => found
                .iter()
                .map(|Exchanger { preference, host }| format!("{preference} {host}"))
                .collect::<Vec<_>>()
                .join(", "),
            Err(ResolveError::NoName(_)) => "no name".to_owned(),
            Err(ResolveError::NoRecord(_)) => "no record".to_owned(),
            Err(ResolveError::Failed(..)) => "failed".to_owned(),
            Err(ResolveError::Unanswered(..)) => "unanswered".to_owned(),
        };
        assert_eq!(found, expected, "{domain}");
    };
    check("mail.test", "20 Mx2.mail.test, 10 mx1.mail.test").await;
    check("alias.test", "10 mx1.mail.test").await;
    check("null.test", "0 ").await;
    check("web.test", "").await;
    check("gone.test", "no name").await;
    check("broken.test", "failed").await;
    check("refused.test", "unanswered").await;
    let alias = resolver.alias("alias.test").await;
    assert_eq!(alias.as_deref(), Some("mail.test"));
    assert_eq!(resolver.alias("mail.test").await, None);
    let asked = server.asked();
    check("mail.test", "20 Mx2.mail.test, 10 mx1.mail.test").await;
    check("web.test", "").await;
    assert_eq!(server.asked(), asked, "both are remembered");
}
