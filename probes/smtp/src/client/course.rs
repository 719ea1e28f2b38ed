//! Who is asked, one after the other?
//!
//! The exchangers of the recipient's domain and their addresses, or one server. As long as nobody
//! has answered the next is tried; what one has answered is final, and no message goes to a second.

use std::net::IpAddr;

use leadsman_core::{Cause, Context, Fault};
use leadsman_dial::connect;
use leadsman_dial::metrics::{record_answered, record_connection, record_shown};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::conversation::{Conversation, Happening};
use super::events::{Connected, Heard, Mx, Resolved, Said, Secured};
use super::exchangers::{Candidate, MxFlaw, Plan, plan};
use super::metrics;
use super::offers::EXTENSIONS;
use super::options::MxPolicy;
use super::phase::{Outcome, Phase};
use super::probe::{Ready, SmtpProbe};
use super::rails::RAILS;
use super::reach::is_private;
use super::trip::{Stop, Trip};
use super::wire::Wire;
use crate::mailbox::Domain;

/// What came of a server.
struct Tried {
    ended: Result<(), Stop>,
    /// Whether it has said anything, so that no other is tried.
    is_answered: bool,
}

impl SmtpProbe {
    /// Finds out who is to be asked, and asks them; with `None` only finds out.
    pub(crate) async fn course(
        &self,
        trip: &mut Trip<'_, '_>,
        ready: Option<&Ready>,
    ) -> Result<(), Stop> {
        let usual = self.options.written.usual_port();
        if let Some(server) = &self.aimed.server {
            let port = server.port.unwrap_or(usual);
            let tried = self.host(trip, &server.host, port, None, ready).await;
            return tried.ended;
        }
        let domain = match self.aimed.to.as_ref().map(|to| to.domain()) {
            Some(Domain::Name(name)) => name,
            Some(Domain::Literal(address)) => {
                let host = address.to_string();
                return self.host(trip, &host, usual, None, ready).await.ended;
            }
            None => return Err(Fault::own("there is neither a server nor a recipient").into()),
        };
        let plan = self.exchangers(trip, domain).await?;
        let policy = self.options.written.mx;
        let mut first: Option<Stop> = None;
        let mut is_any_good = false;
        for candidate in &plan.candidates {
            let implicit = if plan.is_implicit { "true" } else { "false" };
            let of_mx = Some((candidate, implicit));
            let tried = self.host(trip, &candidate.host, usual, of_mx, ready).await;
            let is_final = match policy {
                MxPolicy::First => true,
                MxPolicy::All => false,
                MxPolicy::Fallback => tried.is_answered || tried.ended.is_ok(),
            };
            match tried.ended {
                Ok(()) => is_any_good = true,
                // A host that cannot be found says less than one that could not be reached.
                Err(stop) => match &first {
                    Some(before) if before.outcome != Some(Outcome::DnsPermanent) => {}
                    _ => first = Some(stop),
                },
            }
            // To find out alone, all are looked at.
            if is_final && ready.is_some() {
                break;
            }
        }
        match first {
            Some(stop) if !is_any_good || policy == MxPolicy::All => Err(stop),
            Some(stop) if ready.is_some() && policy == MxPolicy::First => Err(stop),
            _ => Ok(()),
        }
    }

    /// Looks up who takes the domain's mail.
    async fn exchangers(&self, trip: &mut Trip<'_, '_>, domain: &str) -> Result<Plan, Stop> {
        trip.enter(Phase::Mx);
        let written = &self.options.written;
        let found = trip.cx.exchangers(domain, written.dns_server).await;
        let seed = written.seed.unwrap_or_else(|| fastrand::u64(..));
        let cx = trip.cx;
        cx.set(
            &metrics::MX_RECORDS,
            found.as_ref().map_or(0, Vec::len) as f64,
        );
        for flaw in super::exchangers::FLAWS {
            cx.set_for(&metrics::MX_FLAW, flaw, 0.0);
        }
        let plan = match plan(domain, &found, seed) {
            Ok(plan) => plan,
            Err(nobody) => {
                for (flaw, _) in &nobody.flaws {
                    add_flaw(cx, &nobody.flaws, *flaw);
                }
                let fault = match found {
                    Err(why) => why.into(),
                    Ok(_) => Fault::target(Cause::Resolve, nobody.detail),
                };
                return Err(Stop::new(nobody.outcome, fault));
            }
        };
        for (flaw, _) in &plan.flaws {
            add_flaw(cx, &plan.flaws, *flaw);
        }
        trip.tell(Mx::NAME, |at| Mx {
            domain: domain.to_owned(),
            exchangers: plan
                .candidates
                .iter()
                .map(|candidate| (candidate.preference, candidate.host.clone()))
                .collect(),
            implicit: plan.is_implicit,
            flaws: plan
                .flaws
                .iter()
                .map(|(flaw, name)| (flaw.label().into(), name.clone()))
                .collect(),
            at,
        });
        Ok(plan)
    }

    /// Asks one host, at one address after the other.
    async fn host(
        &self,
        trip: &mut Trip<'_, '_>,
        host: &str,
        port: u16,
        of_mx: Option<(&Candidate, &str)>,
        ready: Option<&Ready>,
    ) -> Tried {
        trip.enter(Phase::Resolve);
        let mut ended = Err(Stop::new(
            Outcome::ConnectFailed,
            Fault::target(Cause::Timeout, format!("{host} was not tried any more")),
        ));
        let addresses = match self.addresses(trip, host, of_mx).await {
            Ok(addresses) => addresses,
            Err(stop) => {
                return Tried {
                    ended: Err(stop),
                    is_answered: false,
                };
            }
        };
        let Some(ready) = ready else {
            return Tried {
                ended: Ok(()),
                is_answered: false,
            };
        };
        for (index, address) in addresses.iter().enumerate() {
            if of_mx.is_some() && trip.attempt() >= MOST_ADDRESSES {
                break;
            }
            if of_mx.is_none() {
                trip.attempt();
            }
            // Strangers are not asked by two at once.
            trip.enter(Phase::Own);
            let _turn = match of_mx {
                Some(_) => Some(RAILS.turn((*address, port).into()).await),
                None => None,
            };
            let tried = self.address(trip, host, *address, port, ready).await;
            let is_last = index + 1 == addresses.len();
            if tried.is_answered || tried.ended.is_ok() || is_last {
                return tried;
            }
            ended = tried.ended;
        }
        Tried {
            ended,
            is_answered: false,
        }
    }

    /// Finds the addresses of a host that may be asked; there is at least one.
    async fn addresses(
        &self,
        trip: &Trip<'_, '_>,
        host: &str,
        of_mx: Option<(&Candidate, &str)>,
    ) -> Result<Vec<IpAddr>, Stop> {
        let (written, cx) = (&self.options.written, trip.cx);
        let tell = |addresses: &[IpAddr], alias: Option<String>, why: Option<String>| {
            trip.tell(Resolved::NAME, |at| Resolved {
                host: host.to_owned(),
                addresses: addresses.to_vec(),
                alias,
                why,
                at,
            });
        };
        let dns = |fault: Fault| match &fault {
            Fault::Target(..) => Stop::new(Outcome::DnsPermanent, fault),
            Fault::Own(..) => Stop::new(Outcome::DnsTemporary, fault),
        };
        let Some((candidate, implicit)) = of_mx else {
            let found = match written.dns_server {
                None => cx.resolve_all(host, written.preference()).await,
                server => {
                    let found = cx.addresses_at(host, written.preference(), server).await;
                    found.map(|(addresses, _)| addresses)
                }
            };
            let addresses = found.map_err(dns)?;
            tell(&addresses, None, None);
            return Ok(addresses);
        };
        cx.set(&metrics::MX_PREFERENCE, f64::from(candidate.preference));
        cx.inform(&metrics::MX_INFO, &[host, implicit]);
        let found = cx
            .addresses_at(host, written.preference(), written.dns_server)
            .await;
        let (addresses, alias) = match found {
            Ok(found) => found,
            Err(fault) => {
                if matches!(fault, Fault::Target(..)) {
                    cx.set_for(&metrics::MX_FLAW, MxFlaw::Dangling.label(), 1.0);
                }
                tell(&[], None, Some(fault.to_string()));
                return Err(dns(fault));
            }
        };
        if alias.is_some() && implicit == "false" {
            cx.set_for(&metrics::MX_FLAW, MxFlaw::Alias.label(), 1.0);
        }
        let usable: Vec<_> = addresses
            .iter()
            .copied()
            .filter(|address| written.allow_private || !is_private(*address))
            .collect();
        if usable.is_empty() {
            let private: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let detail = format!(
                "{host} is at {}, where mail for others is not brought: `allow_private` does it \
                 all the same",
                private.join(", ")
            );
            tell(&addresses, alias, Some(detail.clone()));
            return Err(Stop::new(Outcome::Forbidden, Fault::own(detail)));
        }
        tell(&usable, alias, None);
        Ok(usable)
    }

    /// Asks one address.
    async fn address(
        &self,
        trip: &mut Trip<'_, '_>,
        host: &str,
        address: IpAddr,
        port: u16,
        ready: &Ready,
    ) -> Tried {
        let (written, cx) = (&self.options.written, trip.cx);
        trip.enter(Phase::Connect);
        cx.address(address);
        let one = [address];
        let connecting = connect(cx, &one, port, written.source_ip_address);
        let patience = *written.connect_timeout;
        let connected = timeout(patience, connecting).await.unwrap_or_else(|_| {
            let detail = format!("cannot connect to {address}, port {port}, within {patience:?}");
            Err(Fault::target(Cause::Timeout, detail))
        });
        let connected = match connected {
            Ok(connected) => connected,
            Err(fault) => {
                let outcome = matches!(fault, Fault::Target(..)).then_some(Outcome::ConnectFailed);
                let ended = Err(Stop {
                    outcome,
                    fault,
                    phase: Some(Phase::Connect),
                });
                return Tried {
                    ended,
                    is_answered: false,
                };
            }
        };
        let peer = connected.peer;
        trip.tell(Connected::NAME, |at| Connected {
            host: host.to_owned(),
            peer,
            at,
        });
        self.converse(trip, host, connected.stream, peer, ready)
            .await
    }

    async fn converse(
        &self,
        trip: &mut Trip<'_, '_>,
        host: &str,
        stream: TcpStream,
        peer: std::net::SocketAddr,
        ready: &Ready,
    ) -> Tried {
        let local = stream.local_addr().ok().map(|local| local.ip());
        let own = self.options.written.tls_config.server_name.clone();
        let name = own.or_else(|| self.aimed.hostname.clone());
        let name = name.unwrap_or_else(|| host.to_owned());
        let tls = ready.tls.clone().map(|tls| (tls, name));
        let dialogue = self.dialogue(ready, local);
        let (cx, begun) = (trip.cx, trip.begun());
        let tell = Teller { cx, begun };
        let mut expected = None;
        let mut talk = Conversation::begin(
            dialogue,
            Wire::Plain(stream),
            peer,
            &mut trip.laps,
            ready.limits,
            tls,
        );
        loop {
            match talk.advance().await {
                Happening::Said(line) => {
                    if talk.dialogue.facts.is_sent
                        && line.phase == Phase::Body
                        && let Some(expected) = &mut expected
                    {
                        crate::delivery::Expected::sent(expected, Instant::now());
                    }
                    let secure = talk.dialogue.facts.is_secure;
                    tell.say(Said::NAME, |at| Said {
                        phase: line.phase.label().into(),
                        lines: line.shown.lines().map(str::to_owned).collect(),
                        secure,
                        at,
                    });
                }
                Happening::Heard(phase, reply) => {
                    cx.set_for(&metrics::REPLY_CODE, phase.label(), f64::from(reply.code));
                    let secure = talk.dialogue.facts.is_secure;
                    tell.say(Heard::NAME, |at| Heard {
                        phase: phase.label().into(),
                        code: reply.code,
                        lines: reply.lines,
                        secure,
                        at,
                    });
                }
                Happening::Shook => {
                    if let Some(shown) = &talk.shown {
                        record_shown(cx, shown);
                    }
                    let (shown, agreed) = (&talk.shown, &talk.agreed);
                    tell.say(Secured::NAME, |at| {
                        let trust = shown.as_ref().map(|shown| &shown.trust);
                        Secured {
                            agreed: agreed
                                .as_ref()
                                .map(|agreed| format!("{}, {}", agreed.version, agreed.cipher)),
                            verified: trust.is_some_and(Result::is_ok),
                            distrust: trust
                                .and_then(|trust| trust.as_ref().err())
                                .map(ToString::to_string),
                            at,
                        }
                    });
                }
                Happening::Compose => match self.compose(ready, &talk.dialogue, local) {
                    Ok((token, content)) => {
                        expected = Some(self.account.expect(token, Instant::now()));
                        talk.dialogue.content(content);
                    }
                    Err(fault) => talk.dialogue.give_up(None, None, fault.to_string()),
                },
                Happening::Over => break,
            }
        }
        let facts = talk.dialogue.facts.clone();
        if let (Some(shown), Some(agreed)) = (&talk.shown, &talk.agreed) {
            record_answered(cx, shown, agreed);
        }
        if let Some(info) = talk.wire.info() {
            record_connection(cx, &info);
        }
        let failure = talk.dialogue.failure().cloned();
        drop(talk);
        let outcome = failure.as_ref().map_or(Some(Outcome::Ok), |f| f.outcome);
        let no = [Outcome::PermFail, Outcome::TempFail, Outcome::Greylisted];
        if let Some(expected) = expected
            && outcome.is_some_and(|outcome| no.contains(&outcome))
        {
            expected.refused();
        }
        record(cx, &facts);
        let named = failure.as_ref().is_none_or(|failure| {
            [Phase::Rcpt, Phase::Data, Phase::Accept].contains(&failure.phase)
        });
        if let (Some(to), true, true) = (
            &self.aimed.to,
            named,
            ready.until >= super::dialogue::Until::Rcpt,
        ) {
            match outcome {
                Some(Outcome::Ok) => RAILS.answered(to, false, Instant::now()),
                Some(Outcome::PermFail) => RAILS.answered(to, true, Instant::now()),
                _ => {}
            }
        }
        let not_now = [Outcome::TempFail, Outcome::Greylisted];
        let ended = match &failure {
            None => Ok(()),
            Some(failure)
                if self.options.written.tempfail_is == super::options::TempFailIs::Success
                    && failure.outcome.is_some_and(|o| not_now.contains(&o)) =>
            {
                trip.outcome = failure.outcome;
                Ok(())
            }
            Some(failure) => Err(failure.into()),
        };
        Tried {
            ended,
            is_answered: facts.is_answered,
        }
    }
}

/// Says what happens while the trip's stopwatch is in other hands.
struct Teller<'a, 'c> {
    cx: &'a Context<'c>,
    begun: Instant,
}

impl Teller<'_, '_> {
    fn say<T: serde::Serialize>(&self, name: &'static str, fields: impl FnOnce(f64) -> T) {
        let at = self.begun.elapsed().as_secs_f64();
        self.cx.event(name, || fields(at));
    }
}

fn add_flaw(cx: &Context<'_>, flaws: &[(MxFlaw, String)], flaw: MxFlaw) {
    let same = flaws.iter().filter(|(other, _)| *other == flaw);
    cx.set_for(&metrics::MX_FLAW, flaw.label(), same.count() as f64);
}

/// Records what was found out about a server.
fn record(cx: &Context<'_>, facts: &super::dialogue::Facts) {
    let yes = |yes: bool| f64::from(u8::from(yes));
    cx.set(&metrics::SECURE, yes(facts.is_secure));
    let verified = facts.is_secure && facts.is_verified;
    cx.set(&metrics::VERIFIED, yes(verified));
    cx.set(&metrics::STARTTLS_OFFERED, yes(facts.starttls_offered));
    cx.set(&metrics::BARE, yes(facts.is_bare));
    cx.set(&metrics::MESSAGE_SENT, yes(facts.is_accepted));
    if facts.is_accepted {
        cx.add(&metrics::MESSAGES, 1);
    }
    for extension in EXTENSIONS {
        let offered = facts.offers.has(extension);
        cx.set_for(&metrics::EXTENSION, extension, yes(offered));
    }
    cx.set(&metrics::SIZE_LIMIT, facts.offers.size.unwrap_or(0) as f64);
    if let Some((phase, reply)) = &facts.decisive {
        cx.set(&metrics::STATUS_CODE, f64::from(reply.code));
        if let Some(status) = reply.status() {
            let labels = [phase.label(), &status.to_string()];
            cx.inform(&metrics::STATUS_INFO, &labels);
        }
    }
}

/// How many addresses of exchangers are tried at most.
const MOST_ADDRESSES: usize = 5;
