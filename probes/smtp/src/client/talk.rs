//! What is seen of a dialogue, and what is it worth?
//!
//! A dialogue is led to its end, everything that happens is told and recorded, and what it came to
//! is judged. What is said is decided in [`super::dialogue`].

use std::net::{IpAddr, SocketAddr};

use leadsman_core::{Context, Details};
use leadsman_dial::TcpConnection;
use leadsman_dial::metrics::{record_answered, record_connection, record_shown};
use tokio::time::Instant;

use super::conversation::{Conversation, Happening};
use super::course::Tried;
use super::dialogue::{Facts, Failure, Line, Until};
use super::events::{Heard, Said, Secured};
use super::metrics;
use super::offers::EXTENSIONS;
use super::options::TempFailIs;
use super::phase::{Outcome, Phase};
use super::probe::{Ready, SmtpProbe};
use super::rails::RAILS;
use super::reply::Reply;
use super::trip::Trip;
use super::wire::Wire;
use crate::delivery::Expected;

impl SmtpProbe {
    /// Talks with a server over a connection that is there.
    pub(crate) async fn talk(
        &self,
        trip: &mut Trip<'_, '_>,
        host: &str,
        stream: TcpConnection,
        peer: SocketAddr,
        ready: &Ready,
    ) -> Tried {
        let local = stream.local_addr().ok().map(|local| local.ip());
        let own = self.options.written.tls_config.server_name.clone();
        let name = own.or_else(|| self.aimed.hostname.clone());
        let name = name.unwrap_or_else(|| host.to_owned());
        let tls = ready.tls.clone().map(|tls| (tls, name));
        let dialogue = self.dialogue(ready, local);
        let teller = Teller {
            cx: trip.cx,
            begun: trip.begun(),
        };
        let wire = Wire::Plain(stream);
        let (laps, limits) = (&mut trip.laps, ready.limits);
        let mut talk = Conversation::begin(dialogue, wire, peer, laps, limits, tls);
        let mut expected = None;
        loop {
            match talk.advance().await {
                Happening::Said(line) => {
                    let facts = &talk.dialogue.facts;
                    if facts.is_sent
                        && line.phase == Phase::Body
                        && let Some(expected) = &mut expected
                    {
                        Expected::sent(expected, Instant::now());
                    }
                    teller.said(&line, facts.is_secure);
                }
                Happening::Heard(phase, reply) => {
                    teller.heard(phase, reply, talk.dialogue.facts.is_secure);
                }
                Happening::Shook => teller.shook(&talk),
                Happening::Compose => {
                    expected = self.give_content(&mut talk, ready, local);
                }
                Happening::Over => break,
            }
        }
        if let (Some(shown), Some(agreed)) = (&talk.shown, &talk.agreed) {
            record_answered(teller.cx, shown, agreed);
        }
        if let Some(info) = talk.wire.info() {
            record_connection(teller.cx, &info);
        }
        let failure = talk.dialogue.failure().cloned();
        let facts = talk.dialogue.facts;
        record(teller.cx, &facts);
        self.remember(failure.as_ref(), expected, ready.until);
        self.judged(trip, failure.as_ref(), &facts)
    }

    /// Makes the message that the dialogue wants, and expects it to arrive.
    fn give_content(
        &self,
        talk: &mut Conversation<'_>,
        ready: &Ready,
        local: Option<IpAddr>,
    ) -> Option<Expected> {
        match self.compose(ready, &talk.dialogue, local) {
            Ok((token, content)) => {
                let expected = self.account.expect(token, Instant::now());
                talk.dialogue.content(content);
                Some(expected)
            }
            Err(fault) => {
                talk.dialogue.give_up(None, None, fault.to_string());
                None
            }
        }
    }

    /// Keeps for later runs what the server made of recipient and message.
    fn remember(&self, failure: Option<&Failure>, expected: Option<Expected>, until: Until) {
        let outcome = failure.map_or(Some(Outcome::Ok), |failure| failure.outcome);
        let no = [Outcome::PermFail, Outcome::TempFail, Outcome::Greylisted];
        if let Some(expected) = expected
            && outcome.is_some_and(|outcome| no.contains(&outcome))
        {
            expected.refused();
        }
        let of_recipient = [Phase::Rcpt, Phase::Data, Phase::Accept];
        let is_of_recipient = failure.is_none_or(|failure| of_recipient.contains(&failure.phase));
        let Some(to) = self
            .aimed
            .to
            .as_ref()
            .filter(|_| is_of_recipient && until >= Until::Rcpt)
        else {
            return;
        };
        match outcome {
            Some(Outcome::Ok) => RAILS.answered(to, false, Instant::now()),
            Some(Outcome::PermFail) => RAILS.answered(to, true, Instant::now()),
            _ => {}
        }
    }

    fn judged(&self, trip: &mut Trip<'_, '_>, failure: Option<&Failure>, facts: &Facts) -> Tried {
        let not_now = [Outcome::TempFail, Outcome::Greylisted];
        let ended = match failure {
            None => Ok(()),
            Some(failure)
                if self.options.written.tempfail_is == TempFailIs::Success
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
    fn said(&self, line: &Line, secure: bool) {
        self.tell(Said::NAME, |at| Said {
            phase: line.phase.label().into(),
            lines: line.shown.lines().map(str::to_owned).collect(),
            secure,
            at,
        });
    }

    fn heard(&self, phase: Phase, reply: Reply, secure: bool) {
        let code = f64::from(reply.code);
        self.cx.set_for(&metrics::REPLY_CODE, phase.label(), code);
        self.tell(Heard::NAME, |at| Heard {
            phase: phase.label().into(),
            code: reply.code,
            lines: reply.lines,
            secure,
            at,
        });
    }

    fn shook(&self, talk: &Conversation<'_>) {
        let (shown, agreed) = (&talk.shown, &talk.agreed);
        if let Some(shown) = shown {
            record_shown(self.cx, shown);
        }
        self.tell(Secured::NAME, |at| {
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

    fn tell<T: Details>(&self, name: &'static str, fields: impl FnOnce(f64) -> T) {
        let at = self.begun.elapsed().as_secs_f64();
        self.cx.event(name, || fields(at));
    }
}

/// Records what was found out about a server.
fn record(cx: &Context<'_>, facts: &Facts) {
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
