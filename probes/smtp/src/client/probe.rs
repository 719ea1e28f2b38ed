//! How is one run made?
//!
//! What is made ready before anybody is asked, and what is kept from doing harm. Who is asked is in
//! [`super::course`], what is said to them in [`super::dialogue`].

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use leadsman_core::{Blocker, Cause, Context, Fault, Probe, async_trait};
use leadsman_dial::{Tls, TlsOptions};
use tokio::time::{Instant, timeout_at};

use super::auth::Credentials;
use super::conversation::Limits;
use super::dialogue::{Dialogue, Script, Until, Wanted};
use super::metrics;
use super::options::{self, ServerName, SmtpOptions};
use super::phase::{Outcome, Phase};
use super::rails::{Held, RAILS};
use super::trip::{Stop, Trip};
use crate::delivery::Account;
use crate::mailbox::{Mailbox, is_host};
use crate::maildir::Watcher;
use crate::message::{self, Letter, MessageError, Token};

/// SMTP aimed at a recipient or a server.
#[derive(Debug)]
pub(crate) struct SmtpProbe {
    pub(crate) options: Arc<SmtpOptions>,
    pub(crate) aimed: Aimed,
    pub(crate) account: Account,
    /// Who looks where messages arrive, once one was sent.
    watcher: Option<Arc<Watcher>>,
}

/// What is aimed at.
#[derive(Debug)]
pub(crate) struct Aimed {
    pub(crate) to: Option<Mailbox>,
    pub(crate) from: Option<Mailbox>,
    /// The server to ask, if not the exchangers of the recipient's domain.
    pub(crate) server: Option<ServerName>,
    /// The server's name for TLS where it is another than its host's.
    pub(crate) hostname: Option<String>,
    /// How far to go; `None` if nobody is connected to.
    pub(crate) until: Option<Until>,
}

/// What was made ready for a dialogue.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) until: Until,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
    credentials: Option<Credentials>,
    body: String,
}

impl SmtpProbe {
    pub(crate) fn new(options: Arc<SmtpOptions>, aimed: Aimed) -> Self {
        let account = Account::new(*options.written.delivery_timeout);
        Self {
            options,
            aimed,
            account,
            watcher: None,
        }
    }

    /// Sees to it that somebody looks where messages arrive, and says if that is in vain.
    fn watch(&mut self, cx: &Context<'_>) -> Result<(), Stop> {
        let written = &self.options.written;
        let Some(path) = &written.maildir else {
            return Ok(());
        };
        let watcher = match self.watcher.take() {
            Some(watcher) => watcher,
            None => Watcher::of(path, written.maildir_delete).map_err(Fault::own)?,
        };
        if let Some(why) = watcher.trouble() {
            cx.event("maildir", || serde_json::json!({ "detail": why }));
        }
        self.watcher = Some(watcher);
        Ok(())
    }

    async fn run(&self, trip: &mut Trip<'_, '_>) -> Result<(), Stop> {
        let ready = match self.aimed.until {
            None => None,
            Some(until) => {
                self.mind(trip.cx, until)?;
                Some(self.ready(until).await?)
            }
        };
        self.course(trip, ready.as_ref()).await
    }

    /// Keeps back what would do harm.
    fn mind(&self, cx: &Context<'_>, until: Until) -> Result<(), Stop> {
        let Some(to) = self.aimed.to.as_ref().filter(|_| until >= Until::Rcpt) else {
            return Ok(());
        };
        let now = Instant::now();
        let mut minded = RAILS.name(to, now);
        if minded.is_ok() && until == Until::Sent {
            minded = RAILS.send(to, self.options.written.rate(), now);
        }
        let Err(held) = minded else {
            return Ok(());
        };
        cx.add_for(&metrics::SUPPRESSED, held.label(), 1);
        let fault = match held {
            // What the server has said of it stands.
            Held::BackOff { left } => {
                cx.set(&metrics::BACK_OFF, left.as_secs_f64());
                let seconds = left.as_secs();
                let detail = format!(
                    "{to} was refused three times in a row and is left in peace for {seconds} s"
                );
                Fault::target(Cause::Rejected, detail)
            }
            Held::Domain { left } => {
                let detail = format!(
                    "a message went to the domain of {to} not long ago: the next may go in {} s",
                    left.as_secs_f64().ceil()
                );
                Fault::Own(Blocker::Other, detail.into())
            }
            Held::Overall { left } => {
                let detail = format!(
                    "too many messages went in the last minute: the next may go in {} s",
                    left.as_secs_f64().ceil()
                );
                Fault::Own(Blocker::Other, detail.into())
            }
        };
        Err(Stop::new(Outcome::RateLimited, fault))
    }

    /// Reads the files that a dialogue needs.
    async fn ready(&self, until: Until) -> Result<Ready, Stop> {
        let written = &self.options.written;
        let tls = match written.wanted_tls() {
            Wanted::Off => None,
            // Better TLS with anybody than none at all, where none at all would do.
            Wanted::Offered => {
                let lax = TlsOptions {
                    insecure_skip_verify: true,
                    ..written.tls_config.clone()
                };
                Some(self.options.lax_tls.tls(&lax).await)
            }
            Wanted::Required | Wanted::Implicit => {
                Some(self.options.tls.tls(&written.tls_config).await)
            }
        };
        let credentials = match &written.auth {
            None => None,
            Some(auth) => Some(Credentials {
                mechanism: auth.mechanism,
                user: auth.username.clone(),
                secret: match (&auth.password, &auth.password_file) {
                    (None, Some(path)) => {
                        let named = |source| PasswordFileError {
                            path: path.clone(),
                            source,
                        };
                        let read = tokio::fs::read_to_string(path).await.map_err(named);
                        let read = read.map_err(Fault::own)?;
                        read.trim_end_matches(['\r', '\n']).to_owned().into()
                    }
                    (password, _) => password.clone().unwrap_or_default(),
                },
            }),
        };
        let body = match (&written.body, &written.body_file) {
            (Some(body), _) => body.clone(),
            (None, Some(path)) if until == Until::Sent => {
                message::read_text(path).await.map_err(Fault::own)?
            }
            (None, _) => USUAL_BODY.to_owned(),
        };
        Ok(Ready {
            until,
            limits: Limits {
                greeting: *written.greeting_timeout,
                command: *written.command_timeout,
                accept: *written.accept_timeout,
            },
            tls: tls.transpose().map_err(Fault::own)?,
            credentials,
            body,
        })
    }

    /// A dialogue with a server that this host reaches from `local`.
    pub(crate) fn dialogue(&self, ready: &Ready, local: Option<std::net::IpAddr>) -> Dialogue {
        let written = &self.options.written;
        Dialogue::new(Script {
            is_lmtp: written.lmtp,
            hello: self.hello(local),
            tls: written.wanted_tls(),
            credentials: ready.credentials.clone(),
            insecure_auth: written.allow_insecure_auth,
            from: self.aimed.from.clone(),
            to: self.aimed.to.clone(),
            until: ready.until,
            pipelining: written.pipelining,
            chunking: written.chunking,
            notify: written.notify.word(),
        })
    }

    /// What this program calls itself.
    fn hello(&self, local: Option<std::net::IpAddr>) -> String {
        let own = self.options.written.hello.as_ref().or(HOST.as_ref());
        match (own, local.map(|local| local.to_canonical())) {
            (Some(own), _) => own.clone(),
            (None, Some(local)) => crate::mailbox::Domain::Literal(local).to_string(),
            (None, None) => "localhost".to_owned(),
        }
    }

    /// The message, made new.
    pub(crate) fn compose(
        &self,
        ready: &Ready,
        dialogue: &Dialogue,
        local: Option<std::net::IpAddr>,
    ) -> Result<(Token, Vec<u8>), Fault> {
        let token = Token::fresh().map_err(Fault::own)?;
        let host = self.hello(local);
        let Some(to) = &self.aimed.to else {
            return Err(Fault::own("a message needs a recipient"));
        };
        let from = match &self.aimed.from {
            Some(from) => from.clone(),
            None => options::author(&host).map_err(Fault::own)?,
        };
        let letter = Letter {
            from: &from,
            name: None,
            to,
            subject: self.options.written.subject.as_deref(),
            host: &host,
            body: &ready.body,
            eight_bit: dialogue.facts.offers.has("8BITMIME"),
        };
        let content: Result<_, MessageError> = message::build(&letter, &token, SystemTime::now());
        Ok((token, content.map_err(Fault::own)?))
    }
}

#[async_trait]
impl Probe for SmtpProbe {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let mut trip = Trip::begin(cx);
        metrics::record_nothing(cx);
        self.account.record(cx, Instant::now());
        let ended = match self.watch(cx) {
            Ok(()) => timeout_at(cx.deadline(), self.run(&mut trip)).await,
            Err(stop) => Ok(Err(stop)),
        };
        // A sink of this very process has seen it before it was accepted.
        self.account.record(cx, Instant::now());
        match (ended, trip.laps.running()) {
            (Ok(ended), _) => trip.ended(ended),
            (Err(_), Some(Phase::Mx | Phase::Resolve)) => {
                trip.outcome = Some(Outcome::DnsTemporary);
                // The core knows that it was for want of a resolver.
                std::future::pending().await
            }
            (Err(_), Some(phase)) => {
                let (outcome, what) = match phase {
                    Phase::Accept => (Outcome::UnknownDelivery, ": nobody knows what came of it"),
                    _ => (Outcome::Timeout, ""),
                };
                let detail = format!("the time was over in the phase {}{what}", phase.label());
                let fault = Fault::target(Cause::Timeout, detail);
                trip.ended(Err(Stop::new(outcome, fault)))
            }
            (Err(_), None) => {
                let fault = Fault::target(Cause::Timeout, "the time was over");
                trip.ended(Err(Stop::new(Outcome::Timeout, fault)))
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read {}, the file of `password_file`", .path.display())]
struct PasswordFileError {
    path: PathBuf,
    source: io::Error,
}

/// The name of this host, if it has a domain and can be said in EHLO.
static HOST: LazyLock<Option<String>> = LazyLock::new(|| {
    let name = rustix::system::uname();
    let name = name.nodename().to_str().ok()?;
    let is_full = name.contains('.') && is_host(name);
    is_full.then(|| name.to_owned())
});

/// The text of a message that was given none.
const USUAL_BODY: &str = "This message was sent by a program that watches whether mail arrives.\n";
