//! Who is asked, one after the other?
//!
//! The exchangers of the recipient's domain and their addresses, or one server. As long as nobody
//! has answered the next is tried; what one has answered is final, and no message goes to a second.

use std::net::IpAddr;

use leadsman_core::{Cause, Context, Fault};
use leadsman_dial::connect;
use tokio::time::timeout;

use super::events::{Connected, Mx, Resolved};
use super::exchangers::{Candidate, MxFlaw, Plan, plan};
use super::metrics;
use super::options::MxPolicy;
use super::phase::{Outcome, Phase};
use super::probe::{Ready, SmtpProbe};
use super::rails::RAILS;
use super::reach::is_private;
use super::trip::{Stop, Trip};
use crate::mailbox::{Domain, Mailbox};

/// What came of a server.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) ended: Result<(), Stop>,
    /// Whether it has said anything, so that no other is tried.
    pub(crate) is_answered: bool,
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
        let domain = match self.aimed.to.as_ref().map(Mailbox::domain) {
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
        self.talk(trip, host, connected.stream, peer, ready).await
    }
}

fn add_flaw(cx: &Context<'_>, flaws: &[(MxFlaw, String)], flaw: MxFlaw) {
    let same = flaws.iter().filter(|(other, _)| *other == flaw);
    cx.set_for(&metrics::MX_FLAW, flaw.label(), same.count() as f64);
}

/// How many addresses of exchangers are tried at most.
const MOST_ADDRESSES: usize = 5;
