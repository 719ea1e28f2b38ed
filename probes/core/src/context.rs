//! What does a probe have while it measures?

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use smol_str::SmolStr;
use tokio::time::Instant;

use crate::fence::{Fence, Fenced};
use crate::metric::{Counter, Gauge, Histogram, Info, common};
use crate::recording::BEFORE_ANY;
use crate::{
    Blocker, Cause, Details, Event, Exchanger, Fault, Preference, Recording, Resolve, ResolveError,
    Sink, Stop, Target,
};

/// What a probe has while it measures: its target, its deadline, and where to record.
pub struct Context<'a> {
    target: &'a Target,
    deadline: Instant,
    stop: &'a Stop,
    resolver: &'a dyn Resolve,
    sink: &'a dyn Sink,
    recording: &'a Mutex<Recording>,
    compatible: bool,
    fenced: Option<Fenced<'a>>,
    /// The name that is being looked up, and since when.
    looking_up: Mutex<Option<(String, Instant)>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        target: &'a Target,
        deadline: Instant,
        stop: &'a Stop,
        resolver: &'a dyn Resolve,
        sink: &'a dyn Sink,
        recording: &'a Mutex<Recording>,
        compatible: bool,
    ) -> Self {
        Self {
            target,
            deadline,
            stop,
            resolver,
            sink,
            recording,
            compatible,
            fenced: None,
            looking_up: Mutex::new(None),
        }
    }

    /// The same where only those may be asked whom `fence` admits, if there is one.
    #[must_use]
    pub(crate) fn within(self, fence: Option<&'a dyn Fence>) -> Self {
        Self {
            fenced: fence.map(Fenced::new),
            ..self
        }
    }

    /// What is being probed.
    pub fn target(&self) -> &Target {
        self.target
    }

    /// When this run ends at the latest, whatever it waits for.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether somebody wants exactly what `blackbox_exporter` would say, its oddities included, such
    /// as 0 for what was not measured. A probe with the same options as one of its probers then does
    /// as that one does; others need not ask.
    pub fn is_compatible(&self) -> bool {
        self.compatible
    }

    /// Whether this run may ask `peer`; port 0 for a protocol without ports. Ask before anything is
    /// sent to an address, be it the target's or one that an answer has led to. Names that were
    /// looked up by way of this context are known; the `connect` of leadsman-dial asks by itself.
    ///
    /// The fault says that it is not permitted, which is never the target's.
    pub fn permits(&self, peer: SocketAddr) -> Result<(), Fault> {
        let Some(fenced) = &self.fenced else {
            return Ok(());
        };
        fenced.permits(peer)
    }

    /// Whether this run may have somebody else ask `host` at `port`, such as a proxy that looks up
    /// names itself.
    pub fn permits_name(&self, host: &str, port: u16) -> Result<(), Fault> {
        let Some(fenced) = &self.fenced else {
            return Ok(());
        };
        fenced.permits_name(host, port)
    }

    /// Whether this run may ask the socket at a path of the file system.
    pub fn permits_path(&self, path: &str) -> Result<(), Fault> {
        let Some(fenced) = &self.fenced else {
            return Ok(());
        };
        fenced.permits_path(path)
    }

    /// Completes when a person ends an open-ended run, such as a ping without a count.
    pub async fn stopped(&self) {
        self.stop.requested().await;
    }

    /// Adds to a counter.
    pub fn add(&self, counter: &'static Counter, amount: u64) {
        self.recording().add(counter, None, amount as f64);
    }

    /// Adds to the counter's series of this label value.
    pub fn add_for(&self, counter: &'static Counter, label: &str, amount: u64) {
        self.recording().add(counter, Some(label), amount as f64);
    }

    /// Sets a gauge.
    pub fn set(&self, gauge: &'static Gauge, value: f64) {
        self.recording().set(gauge, None, value);
    }

    /// Sets the gauge's series of this label value.
    pub fn set_for(&self, gauge: &'static Gauge, label: &str, value: f64) {
        self.recording().set(gauge, Some(label), value);
    }

    /// Counts one observation, in seconds.
    pub fn observe(&self, histogram: &'static Histogram, duration: Duration) {
        self.recording().observe(histogram, duration.as_secs_f64());
    }

    /// Replaces the text of an info; one value for each of its labels, in their order.
    pub fn inform(&self, info: &'static Info, labels: &[&str]) {
        self.recording().inform(info, labels);
    }

    /// Replaces the labels of an open info, names and values; a name may be given once.
    pub fn inform_as(&self, info: &'static Info, labels: &[(&str, &str)]) {
        self.recording().inform_as(info, labels);
    }

    /// Records several things at once, for a probe whose runs are so short that it matters: each of
    /// the other ways takes a lock of its own. Record in `write` by what it is given alone; the
    /// context would wait for itself.
    pub fn record(&self, write: impl FnOnce(&mut Recording)) {
        write(&mut self.recording());
    }

    /// Begins a phase of the run, such as `connect`: a fault is told with the phase in which it
    /// came, a missed deadline too. A word out of a closed set, for it becomes a label value; those
    /// of the plugin's own metric of phases, if it has one. Looking up the target is the phase
    /// `resolve`, and begins by itself.
    pub fn enter(&self, phase: &'static str) {
        self.recording().enter(phase);
    }

    /// Says what just happened, for the log of the run and for whoever watches it.
    ///
    /// `fields` must serialize to a map, which it does only once somebody looks. It is not even
    /// called while nobody listens.
    pub fn event<T: Details>(&self, name: &'static str, fields: impl FnOnce() -> T) {
        if self.sink.wants_events() {
            let event = Event::new(SystemTime::now(), name, fields());
            self.sink.event(event);
        }
    }

    /// Whether somebody reads what this run says, as by hand or after a failure: then every detail
    /// matters more than what it costs.
    pub fn is_watched(&self) -> bool {
        self.sink.wants_events()
    }

    /// Says something that is worth keeping even if nobody listens, such as that a path has
    /// changed. For what seldom happens: it is always made, kept with the run and logged.
    pub fn note(&self, name: &'static str, fields: impl Details) {
        self.sink.noted(Event::new(SystemTime::now(), name, fields));
    }

    /// Finds the address of a host, and records how long that took and what came of it.
    ///
    /// An address in place of a name is taken as it is, if its family is acceptable.
    pub async fn resolve(&self, host: &str, preference: Preference) -> Result<IpAddr, Fault> {
        match self.literal(host, preference) {
            Some(found) => found,
            None => Ok(self.look_up(host, preference).await?[0]),
        }
    }

    /// The same for a probe that tries one address after the other: all of the family that was
    /// chosen, never none. [`Context::address`] says which one it is in the end, if not the first.
    pub async fn resolve_all(
        &self,
        host: &str,
        preference: Preference,
    ) -> Result<Vec<IpAddr>, Fault> {
        match self.literal(host, preference) {
            Some(found) => found.map(|address| vec![address]),
            None => self.look_up(host, preference).await,
        }
    }

    /// Takes an address that stands in place of a name, if one does; else only begins to look it up.
    fn literal(&self, host: &str, preference: Preference) -> Option<Result<IpAddr, Fault>> {
        let found = preference.take_literally(host);
        // Written in the one way that there is. To write it anew would be a twelfth of what an echo
        // costs this program, and to time what takes no time another.
        if let Some(Ok(address @ IpAddr::V4(_))) = found
            && self.fenced.is_none()
        {
            self.looked_up_as(host, Duration::ZERO, address, host);
            return Some(Ok(address));
        }
        self.looks_up();
        let found = found?.and_then(|address| self.let_through(host, vec![address]));
        self.looked_up(host, Duration::ZERO, found.as_deref().ok());
        Some(found.map(|addresses| addresses[0]))
    }

    /// Finds the addresses behind a name.
    async fn look_up(&self, host: &str, preference: Preference) -> Result<Vec<IpAddr>, Fault> {
        let begin = Instant::now();
        // In a box, for it is large and most targets are addresses.
        let found = Box::pin(self.addresses(host, preference)).await;
        self.looked_up(host, begin.elapsed(), found.as_deref().ok());
        found
    }

    /// Finds the addresses of somebody else than the target, such as a proxy, and records nothing.
    /// There is at least one.
    pub async fn addresses(
        &self,
        host: &str,
        preference: Preference,
    ) -> Result<Vec<IpAddr>, Fault> {
        *self.looking_up() = Some((host.to_owned(), Instant::now()));
        let found = preference.look_up(host, self.resolver).await;
        *self.looking_up() = None;
        self.let_through(host, found?)
    }

    /// Of the addresses of a host those that may be asked, never none.
    fn let_through(&self, host: &str, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Fault> {
        match &self.fenced {
            Some(fenced) => fenced.let_through(host, addresses),
            None => Ok(addresses),
        }
    }

    /// Finds the name of whoever has this address, for people to read; records nothing. It is what
    /// the owner of the address says it is, so that nothing should be decided by it.
    pub async fn name_of(&self, address: IpAddr) -> Option<String> {
        self.resolver.name_of(address).await
    }

    /// Finds the mail exchangers of a domain, and records nothing; see [`Resolve::exchangers`].
    /// `server` is the DNS server to ask, if not the host's.
    pub async fn exchangers(
        &self,
        domain: &str,
        server: Option<SocketAddr>,
    ) -> Result<Vec<Exchanger>, ResolveError> {
        *self.looking_up() = Some((domain.to_owned(), Instant::now()));
        let found = match self.directory(domain, server)? {
            Some(directory) => directory.exchangers(domain).await,
            None => self.resolver.exchangers(domain).await,
        };
        *self.looking_up() = None;
        found
    }

    /// Finds the addresses of a mail exchanger, or of somebody else whom the target leads to, and
    /// what its name is an alias of, if it is; records nothing. `server` is the DNS server to ask,
    /// if not the host's.
    pub async fn addresses_at(
        &self,
        host: &str,
        preference: Preference,
        server: Option<SocketAddr>,
    ) -> Result<(Vec<IpAddr>, Option<String>), Fault> {
        let directory = self.directory(host, server)?;
        let resolver = directory.as_deref().unwrap_or(self.resolver);
        *self.looking_up() = Some((host.to_owned(), Instant::now()));
        let found = tokio::join!(preference.look_up(host, resolver), resolver.alias(host));
        *self.looking_up() = None;
        let (addresses, alias) = found;
        Ok((self.let_through(host, addresses?)?, alias))
    }

    /// Whoever asks this DNS server; `None` where it is the host's.
    fn directory(
        &self,
        name: &str,
        server: Option<SocketAddr>,
    ) -> Result<Option<Arc<dyn Resolve>>, ResolveError> {
        let Some(server) = server else {
            return Ok(None);
        };
        let found = self.resolver.at(server);
        let why = || format!("cannot ask {server}: this resolver asks no other");
        let found = found.ok_or_else(|| ResolveError::Unanswered(name.to_owned(), why()));
        found.map(Some)
    }

    fn looks_up(&self) {
        self.record(|recording| {
            recording.enter(RESOLVE);
            recording.set(&common::PROTOCOL, None, 0.0);
            recording.set(&common::ADDRESS_HASH, None, 0.0);
        });
    }

    fn looked_up(&self, host: &str, took: Duration, found: Option<&[IpAddr]>) {
        match found.and_then(<[IpAddr]>::first) {
            Some(address) => self.looked_up_as(host, took, *address, &address.to_string()),
            None => self.set(&common::LOOKUP, took.as_secs_f64()),
        }
    }

    fn looked_up_as(&self, host: &str, took: Duration, address: IpAddr, text: &str) {
        self.record(|recording| {
            recording.enter(RESOLVE);
            recording.set(&common::LOOKUP, None, took.as_secs_f64());
            found_at(recording, address, text);
        });
        self.event("resolved", || Resolved {
            host: host.into(),
            address,
        });
    }

    /// Records the address at which the target is asked.
    pub fn address(&self, address: IpAddr) {
        self.record(|recording| found_at(recording, address, &address.to_string()));
    }

    /// Whose fault it is that the run was not over at its deadline: the target's, unless it was not
    /// even asked because no resolver had said where it is.
    pub(crate) fn overdue(&self, timeout: Duration) -> Fault {
        let Some((host, since)) = self.looking_up().take() else {
            let mut detail = format!("no answer within {timeout:?}");
            match self.recording().phase() {
                BEFORE_ANY => {}
                phase => detail.extend([", it was in the phase ", phase]),
            }
            return Fault::target(Cause::Timeout, detail);
        };
        self.set(&common::LOOKUP, since.elapsed().as_secs_f64());
        let detail = format!("no resolver has said within {timeout:?} what address {host} has");
        Fault::Own(Blocker::Resolver, detail.into())
    }

    fn looking_up(&self) -> MutexGuard<'_, Option<(String, Instant)>> {
        self.looking_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn recording(&self) -> MutexGuard<'_, Recording> {
        // A panic inside left counts that are at worst one short; they are still worth having.
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("target", &self.target)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// The phase in which a name is looked up, or an address taken in place of one.
const RESOLVE: &str = "resolve";

/// The event of a name that was looked up.
#[derive(Serialize)]
struct Resolved {
    host: SmolStr,
    address: IpAddr,
}

/// Records where the target is; `text` is the address as it is written.
fn found_at(recording: &mut Recording, address: IpAddr, text: &str) {
    let protocol = if address.is_ipv4() { 4.0 } else { 6.0 };
    recording.set(&common::PROTOCOL, None, protocol);
    recording.set(&common::ADDRESS_HASH, None, f64::from(hash(address)));
    recording.inform(&common::TARGET_INFO, &[text]);
}

/// FNV-1a, 32 bits, over the 4 or 16 bytes of the address.
fn hash(address: IpAddr) -> u32 {
    let fold = |bytes: &[u8]| {
        bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        })
    };
    match address {
        IpAddr::V4(address) => fold(&address.octets()),
        IpAddr::V6(address) => fold(&address.octets()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use async_trait::async_trait;

    use super::*;
    use crate::metric::Declared;
    use crate::{Family, Layout, ResolveError, Run};

    /// What a resolver says of each family, and after how many milliseconds.
    #[derive(Debug)]
    struct Says {
        v4: (u64, Result<IpAddr, ResolveError>),
        v6: (u64, Result<IpAddr, ResolveError>),
    }

    #[async_trait]
    impl Resolve for Says {
        async fn addresses(&self, _: &str, family: Family) -> Result<Vec<IpAddr>, ResolveError> {
            let (millis, found) = match family {
                Family::V4 => self.v4.clone(),
                Family::V6 => self.v6.clone(),
            };
            if millis > 0 {
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
            found.map(|address| vec![address])
        }
    }

    struct Deaf;

    impl Sink for Deaf {
        fn finished(&self, _: &Run) {}
    }

    /// Does something with a context that has this resolver and this fence.
    async fn within<T>(
        resolver: &dyn Resolve,
        fence: Option<&dyn Fence>,
        act: impl AsyncFnOnce(&Context<'_>) -> T,
    ) -> T {
        let metrics = common::ALL.map(|metric| metric as &'static dyn Declared);
        let recording = Mutex::new(Recording::new(Box::leak(Box::new(Layout::new(metrics)))));
        let target = Target::new("name.test");
        let (deadline, stop) = (Instant::now() + Duration::from_mins(1), Stop::never());
        let cx = Context::new(&target, deadline, &stop, resolver, &Deaf, &recording, false);
        act(&cx.within(fence)).await
    }

    /// Looks up a name, IPv6 preferred; returns the address or the reason, and how long it took.
    async fn look_up(resolver: Says) -> (String, u64) {
        let begin = Instant::now();
        let any = Preference::new("ip6", true);
        let found = within(&resolver, None, async |cx| {
            cx.resolve("name.test", any).await
        })
        .await;
        let said = found.map_or_else(|fault| fault.reason().to_owned(), |at| at.to_string());
        (said, begin.elapsed().as_millis() as u64)
    }

    #[tokio::test(start_paused = true)]
    async fn a_family_that_is_not_told_does_not_keep_back_the_other() {
        let none = || Err(ResolveError::NoRecord("name.test".into()));
        let a = || Ok([192, 0, 2, 1].into());
        let aaaa = || Ok([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into());
        let failed = || Err(ResolveError::Failed("name.test".into(), "SERVFAIL".into()));
        for (v6, v4, expected, millis) in [
            ((0, aaaa()), (9000, none()), "2001:db8::1", 0),
            ((20, aaaa()), (10, a()), "2001:db8::1", 20),
            ((9000, aaaa()), (10, a()), "192.0.2.1", 310),
            ((10, none()), (20, a()), "192.0.2.1", 20),
            ((10, failed()), (20, a()), "192.0.2.1", 20),
            ((20, aaaa()), (10, failed()), "2001:db8::1", 20),
            ((10, none()), (20, none()), "resolve", 20),
        ] {
            let (said, took) = look_up(Says { v4, v6 }).await;
            assert_eq!(said, expected);
            assert!(
                took.abs_diff(millis) <= 2,
                "{expected}: {took} ms, not {millis}"
            );
        }
    }

    /// Knows where two mail exchangers are, as does the server 192.0.2.53, which it can ask.
    #[derive(Debug)]
    struct Post;

    #[async_trait]
    impl Resolve for Post {
        async fn addresses(&self, name: &str, _: Family) -> Result<Vec<IpAddr>, ResolveError> {
            let addresses: &[[u8; 4]] = match name {
                "mx.test" => &[[192, 0, 2, 25], [127, 0, 0, 1]],
                "evil.test" => &[[192, 0, 2, 25]],
                _ => return Err(ResolveError::NoRecord(name.into())),
            };
            Ok(addresses.iter().copied().map(IpAddr::from).collect())
        }

        fn at(&self, server: SocketAddr) -> Option<Arc<dyn Resolve>> {
            (server == SERVER).then(|| Arc::new(Self) as _)
        }
    }

    const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53)), 53);

    /// Admits what is named `mx.test` and is not loopback, at port 25, and no address without a name.
    #[derive(Debug)]
    struct Mail;

    impl Fence for Mail {
        fn admits(&self, host: Option<&str>, address: IpAddr, port: Option<u16>) -> bool {
            host == Some("mx.test") && !address.is_loopback() && port.is_none_or(|port| port == 25)
        }

        fn admits_name(&self, _: &str, _: u16) -> bool {
            false
        }

        fn admits_path(&self, _: &str) -> bool {
            false
        }

        fn place(&self) -> &'static str {
            "the list"
        }
    }

    #[tokio::test]
    async fn addresses_of_a_mail_exchanger_are_admitted_by_its_name_or_not_at_all() {
        let mx: IpAddr = [192, 0, 2, 25].into();
        let other = SocketAddr::new([192, 0, 2, 54].into(), 53);
        let fence: Option<&dyn Fence> = Some(&Mail);
        for (fence, host, server, expected, permitted) in [
            // Of what its name leads to, loopback is kept out.
            (fence, "mx.test", None, Ok("192.0.2.25"), true),
            (fence, "mx.test", Some(SERVER), Ok("192.0.2.25"), true),
            // A name that is not admitted opens no way to the address of one that is.
            (fence, "evil.test", None, Err("permission"), false),
            (fence, "evil.test", Some(SERVER), Err("permission"), false),
            (fence, "192.0.2.25", None, Err("permission"), false),
            // Who has learnt no address may ask none.
            (fence, "nobody.test", None, Err("resolve"), false),
            (fence, "mx.test", Some(other), Err("resolver"), false),
            (None, "mx.test", None, Ok("192.0.2.25 127.0.0.1"), true),
            (None, "evil.test", None, Ok("192.0.2.25"), true),
        ] {
            within(&Post, fence, async |cx| {
                let any = Preference::new("ip4", true);
                let found = cx.addresses_at(host, any, server).await;
                let found = found.map(|(addresses, _)| {
                    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                    addresses.join(" ")
                });
                let found = found.as_deref().map_err(Fault::reason);
                assert_eq!(found, expected, "{host} {server:?}");
                let smtp = cx.permits(SocketAddr::new(mx, 25));
                assert_eq!(smtp.is_ok(), permitted, "{host} {server:?}");
                let ssh = cx.permits(SocketAddr::new(mx, 22));
                assert_eq!(ssh.is_ok(), fence.is_none(), "{host} {server:?}");
            })
            .await;
        }
    }
}
