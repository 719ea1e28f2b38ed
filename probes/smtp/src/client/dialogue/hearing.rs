//! What does a reply mean?
//!
//! By its first digit, and by what was asked (RFC 5321, section 4.3.2). 421 ends everything at any
//! time. What comes without having been asked for is never taken for an answer.

use leadsman_core::Cause;

use super::{Dialogue, State, Until, Wanted};
use crate::client::offers::Offers;
use crate::client::phase::{Outcome, Phase};
use crate::client::reply::Reply;

impl Dialogue {
    /// Takes a reply into account.
    pub(super) fn hear(&mut self, reply: &Reply) {
        let phase = self.phase();
        if phase == Phase::Quit {
            // What it says to that changes nothing.
            self.state = State::Over;
            return;
        }
        self.facts.decisive = Some((phase, reply.clone()));
        if reply.code == 421 {
            self.refused(reply);
            self.state = State::Over;
            return;
        }
        if self.flight > 0 {
            self.flight -= 1;
        }
        let more = !self.reader.is_empty() && self.flight == 0;
        match (self.state, reply.class()) {
            // More came with it, which may have been put there by somebody else.
            (State::Waits(Phase::Starttls), 2) if more => {
                let detail = "more came with the reply to STARTTLS, outside of TLS".to_owned();
                self.fail(Outcome::StarttlsInjection, Cause::Protocol, detail);
                self.state = State::Over;
            }
            (_, 2 | 3) if more => self.unsolicited(),
            (State::Waits(Phase::Banner), 2) if reply.code == 220 => {
                if self.script.until == Until::Banner {
                    self.quit();
                } else {
                    self.greet(Phase::Ehlo);
                }
            }
            (State::Waits(Phase::Ehlo | Phase::EhloTls), 2) if reply.code == 250 => {
                self.facts.offers = Offers::read(reply);
                self.greeted();
            }
            (State::Helo, 2) if reply.code == 250 => {
                self.facts.offers = Offers::default();
                self.greeted();
            }
            (State::Waits(Phase::Ehlo), 5) if self.may_fall_back() => self.helo(),
            (State::Waits(Phase::Starttls), 2) => self.state = State::Handshake,
            // The server has thought better of it.
            (State::Waits(Phase::Starttls), 4 | 5)
                if self.script.tls == Wanted::Offered && self.script.until != Until::Tls =>
            {
                self.known();
            }
            (State::Waits(Phase::Starttls), 5) => {
                let detail = format!("the server refuses STARTTLS: {}", reply.told());
                self.fail(Outcome::TlsFailed, Cause::Tls, detail);
                self.quit();
            }
            (State::Waits(Phase::Auth), 2) => self.authenticated(),
            (State::Waits(Phase::Auth), 3) if reply.code == 334 => self.challenged(reply),
            (State::Waits(Phase::Auth), 5) => {
                let detail = format!("the server does not take the credentials: {}", reply.told());
                self.fail(Outcome::AuthFailed, Cause::Rejected, detail);
                self.quit();
            }
            (State::Waits(Phase::Mail), 2) => self.rcpt(),
            (State::Waits(Phase::Rcpt), 2) => self.data(),
            (State::Waits(Phase::Data), 3) if reply.code == 354 => {
                if self.failure.is_some() {
                    // The commands before were refused, and this one was sent with them: an empty
                    // message to nobody takes the server back (RFC 2920, section 3.1).
                    self.say(Phase::Data, ".".to_owned());
                    self.state = State::Empty;
                } else {
                    self.body();
                }
            }
            (State::Waits(Phase::Accept), 2) => {
                self.facts.is_accepted = true;
                self.quit();
            }
            (State::Empty, 2..=5) => self.quit(),
            (_, 4 | 5) => {
                self.refused(reply);
                self.after_refusal();
            }
            _ => self.out_of_place(reply),
        }
    }

    /// Whether HELO will do: not where something is wanted that only EHLO offers.
    fn may_fall_back(&self) -> bool {
        !self.script.is_lmtp
            && self.script.credentials.is_none()
            && self.script.tls != Wanted::Required
            && self.script.until != Until::Tls
    }

    fn challenged(&mut self, reply: &Reply) {
        let challenge = reply.lines.first().map_or("", |line| line.trim());
        let answer = match (&mut self.exchange, &self.script.credentials) {
            (Some(exchange), Some(credentials)) => exchange.answer(challenge, credentials),
            _ => None,
        };
        match answer {
            Some(answer) => self.say_as(Phase::Auth, answer, "<secret>".into()),
            None => self.out_of_place(reply),
        }
    }

    /// The server says no, or not now.
    pub(super) fn refused(&mut self, reply: &Reply) {
        let outcome = match reply.class() {
            4 if reply.code != 421 && reply.is_greylisting() => Outcome::Greylisted,
            4 => Outcome::TempFail,
            _ => Outcome::PermFail,
        };
        let asked = match self.phase() {
            Phase::Banner => "instead of a greeting",
            Phase::Ehlo | Phase::EhloTls => "to EHLO",
            Phase::Starttls => "to STARTTLS",
            Phase::Auth => "to AUTH",
            Phase::Mail => "to MAIL",
            Phase::Rcpt => "to RCPT",
            Phase::Data => "to DATA",
            _ => "to the message",
        };
        let detail = format!("the server says {asked}: {}", reply.told());
        self.fail(outcome, Cause::Rejected, detail);
    }

    /// Goes on with what is still to come of commands that went out together.
    fn after_refusal(&mut self) {
        match self.state {
            State::Waits(Phase::Mail) if self.flight > 0 => {
                self.state = State::Waits(Phase::Rcpt);
            }
            State::Waits(Phase::Rcpt) if self.flight > 0 => {
                self.state = State::Waits(Phase::Data);
            }
            _ => self.quit(),
        }
    }

    fn out_of_place(&mut self, reply: &Reply) {
        let detail = format!("the server's answer is out of place: {}", reply.told());
        self.fail(Outcome::ProtocolError, Cause::Protocol, detail);
        self.state = State::Over;
    }

    /// The server talks without being asked.
    pub(super) fn unsolicited(&mut self) {
        let detail = "the server says more than it was asked for".to_owned();
        self.fail(Outcome::ProtocolError, Cause::Protocol, detail);
        self.state = State::Over;
    }
}
