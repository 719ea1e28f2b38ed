//! What is asked of a server next?
//!
//! Each step is taken only if the one before went well, and only as far as the script goes. Every
//! value in a command was parsed before, so that none can hold the end of a line.

use std::fmt::Write as _;

use leadsman_core::Cause;

use super::{Dialogue, Line, State, Until, Wanted};
use crate::client::auth::Exchange;
use crate::client::phase::{Outcome, Phase};
use crate::mailbox::Mailbox;
use crate::message;

impl Dialogue {
    /// Says who this program is.
    pub(super) fn greet(&mut self, phase: Phase) {
        let verb = if self.script.is_lmtp { "LHLO" } else { "EHLO" };
        let hello = format!("{verb} {}", self.script.hello);
        self.say(phase, hello);
    }

    /// The same to a server that does not know EHLO.
    pub(super) fn helo(&mut self) {
        let hello = format!("HELO {}", self.script.hello);
        self.say(Phase::Ehlo, hello);
        self.state = State::Helo;
    }

    /// The server is known.
    pub(super) fn greeted(&mut self) {
        if self.script.until == Until::Ehlo {
            return self.quit();
        }
        let offered = self.facts.offers.has("STARTTLS");
        if !self.facts.is_secure {
            self.facts.starttls_offered = offered;
            let only_for_this = self.script.until == Until::Tls;
            match self.script.tls {
                Wanted::Off | Wanted::Implicit => {}
                Wanted::Offered | Wanted::Required if offered => {
                    return self.say(Phase::Starttls, "STARTTLS".to_owned());
                }
                Wanted::Offered if !only_for_this => {}
                Wanted::Offered | Wanted::Required => {
                    let detail = "the server does not offer STARTTLS".to_owned();
                    self.fail(Outcome::TlsFailed, Cause::Tls, detail);
                    return self.quit();
                }
            }
        }
        self.known();
    }

    /// There is TLS, or it is done without.
    pub(super) fn known(&mut self) {
        if self.script.until == Until::Tls {
            return self.quit();
        }
        let Some(credentials) = &self.script.credentials else {
            return self.authenticated();
        };
        if !self.facts.is_verified && !self.script.insecure_auth {
            let detail = "the credentials were kept back: without TLS and a certificate to be \
                          trusted, anybody may read them; `allow_insecure_auth` sends them anyway"
                .to_owned();
            self.fail(Outcome::AuthFailed, Cause::Tls, detail);
            return self.quit();
        }
        let Some(mechanism) = credentials.mechanism(&self.facts.offers.mechanisms) else {
            let detail = match credentials.mechanism {
                Some(wanted) => format!("the server does not offer AUTH {}", wanted.name()),
                None => "the server offers neither AUTH PLAIN nor AUTH LOGIN".to_owned(),
            };
            self.fail(Outcome::AuthFailed, Cause::Rejected, detail);
            return self.quit();
        };
        let (exchange, command) = Exchange::begin(mechanism, credentials);
        self.exchange = Some(exchange);
        let shown = format!("AUTH {} <secret>", mechanism.name());
        self.say_as(Phase::Auth, command, shown.into());
    }

    /// The server knows who this is, or need not.
    pub(super) fn authenticated(&mut self) {
        match self.script.until {
            Until::Auth => self.quit(),
            Until::Sent => self.state = State::Compose,
            _ => self.mail(),
        }
    }

    /// Says from whom the message is, and all that goes with it.
    pub(super) fn mail(&mut self) {
        let offers = &self.facts.offers;
        let Some(to) = &self.script.to else {
            // No script goes further without one.
            return self.quit();
        };
        let is_international = |mailbox: &Mailbox| mailbox.is_international();
        let from = self.script.from.as_ref();
        let international = from.is_some_and(is_international) || to.is_international();
        let size = self.content.len() as u64;
        let refusal = if international && !offers.has("SMTPUTF8") {
            Some(
                "the server does not take addresses beyond ASCII: it offers no SMTPUTF8".to_owned(),
            )
        } else {
            let fits = message::fits(&self.content, offers.size);
            fits.err().map(|why| why.to_string())
        };
        if let Some(detail) = refusal {
            self.state = State::Waits(Phase::Mail);
            self.fail(Outcome::PermFail, Cause::Rejected, detail);
            return self.quit();
        }
        let from = from.map(ToString::to_string).unwrap_or_default();
        let mut mail = format!("MAIL FROM:<{from}>");
        if size > 0 && offers.has("SIZE") {
            write!(mail, " SIZE={size}").expect("a String takes whatever is written to it");
        }
        if offers.has("8BITMIME") && !self.content.is_ascii() {
            mail.push_str(" BODY=8BITMIME");
        }
        if international {
            mail.push_str(" SMTPUTF8");
        }
        let rcpt = self.recipient(to);
        if !(self.script.pipelining && offers.has("PIPELINING")) || self.script.until < Until::Rcpt
        {
            return self.say(Phase::Mail, mail);
        }
        let mut flight = vec![mail, rcpt];
        if self.script.until >= Until::Data && !self.uses_chunks() {
            flight.push("DATA".to_owned());
        }
        self.flight = flight.len();
        self.say_as(Phase::Mail, flight.join("\r\n"), flight.join("\n").into());
    }

    /// Says to whom.
    pub(super) fn rcpt(&mut self) {
        if self.flight > 0 {
            self.state = State::Waits(Phase::Rcpt);
            return;
        }
        if self.script.until == Until::Mail {
            return self.quit();
        }
        match &self.script.to {
            Some(to) => self.say(Phase::Rcpt, self.recipient(to)),
            None => self.quit(),
        }
    }

    fn recipient(&self, to: &Mailbox) -> String {
        let notify = self.script.notify;
        let sends = self.script.until == Until::Sent;
        if sends && !notify.is_empty() && self.facts.offers.has("DSN") {
            format!("RCPT TO:<{to}> NOTIFY={notify}")
        } else {
            format!("RCPT TO:<{to}>")
        }
    }

    /// Asks whether the message may come, or sends it.
    pub(super) fn data(&mut self) {
        if self.flight > 0 {
            self.state = State::Waits(Phase::Data);
        } else if self.script.until == Until::Rcpt || self.failure.is_some() {
            self.quit();
        } else if self.uses_chunks() {
            let content = std::mem::take(&mut self.content);
            let size = content.len();
            let bytes = [format!("BDAT {size} LAST\r\n").into_bytes(), content].concat();
            self.send(bytes, format!("BDAT {size} LAST"));
        } else {
            self.say(Phase::Data, "DATA".to_owned());
        }
    }

    /// The message may come.
    pub(super) fn body(&mut self) {
        if self.script.until == Until::Data {
            // There is no way back but to close: what has no final dot is no message.
            self.state = State::Over;
            return;
        }
        let content = message::stuffed(&std::mem::take(&mut self.content));
        let shown = format!("({} octets of message)", content.len());
        self.send(content, shown);
    }

    fn send(&mut self, bytes: Vec<u8>, shown: String) {
        self.line = Some(Line {
            phase: Phase::Body,
            bytes,
            shown: shown.into(),
        });
        self.state = State::Waits(Phase::Accept);
    }

    fn uses_chunks(&self) -> bool {
        self.script.chunking
            && self.script.until == Until::Sent
            && self.facts.offers.has("CHUNKING")
    }
}
