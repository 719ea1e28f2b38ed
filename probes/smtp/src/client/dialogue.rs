//! What is said to a server, and what does its answer mean?
//!
//! The whole dialogue as a sender of mail leads it (RFC 5321, section 4), from the greeting to QUIT,
//! decided from the bytes that came: no socket, no clock. The caller does what [`Dialogue::next`]
//! says, one step after the other. Nothing is said twice and no message is sent twice.
//!
//! What is asked of the server one by one is in [`commands`], what its answers mean in [`hearing`].

mod commands;
mod hearing;

use std::borrow::Cow;

use leadsman_core::Cause;

use super::auth::{Credentials, Exchange};
use super::offers::Offers;
use super::phase::{Outcome, Phase};
use super::reply::{Reader, Reply};
use crate::mailbox::Mailbox;

/// What is to be said, and how far to go.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(crate) struct Script {
    /// LMTP (RFC 2033) in place of SMTP.
    pub(crate) is_lmtp: bool,
    /// What this program calls itself.
    pub(crate) hello: String,
    pub(crate) tls: Wanted,
    pub(crate) credentials: Option<Credentials>,
    /// Whether credentials may go over a connection that anybody may read or answer.
    pub(crate) insecure_auth: bool,
    /// The sender; `None` is the empty path `<>`.
    pub(crate) from: Option<Mailbox>,
    pub(crate) to: Option<Mailbox>,
    /// How far to go.
    pub(crate) until: Until,
    /// Whether MAIL, RCPT and DATA go out at once (RFC 2920), if the server takes that.
    pub(crate) pipelining: bool,
    /// Whether the message goes out with BDAT (RFC 3030), if the server takes that.
    pub(crate) chunking: bool,
    /// What to ask the server to report about the message (RFC 3461), where it can.
    pub(crate) notify: &'static str,
}

/// Whether TLS is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It is not.
    Off,
    /// If the server offers STARTTLS.
    Offered,
    /// By STARTTLS, or the run fails.
    Required,
    /// From the first byte on (RFC 8314, section 3.3).
    Implicit,
}

/// The last step of a dialogue before QUIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Until {
    /// The greeting.
    Banner,
    /// The first EHLO.
    Ehlo,
    /// TLS, and EHLO within.
    Tls,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, without a message.
    Data,
    /// The message.
    Sent,
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Write this.
    Say(Line),
    /// Read, and [`Dialogue::feed`].
    Hear,
    /// Nothing: a reply is whole, and was taken into account.
    Heard(Phase, Reply),
    /// Make the message, and call [`Dialogue::content`] or [`Dialogue::give_up`].
    Compose,
    /// Agree on TLS, and call [`Dialogue::secured`] or [`Dialogue::give_up`].
    Handshake,
    /// Close the connection: the dialogue is over.
    Close,
}

/// Something to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The phase that it begins.
    pub(crate) phase: Phase,
    pub(crate) bytes: Vec<u8>,
    /// What people may see of it.
    pub(crate) shown: Cow<'static, str>,
}

/// Why a dialogue did not go as far as it was to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// `None` where this program could not do its part.
    pub(crate) outcome: Option<Outcome>,
    /// The target's cause; `None` if this program is to blame, or its options are.
    pub(crate) cause: Option<Cause>,
    pub(crate) phase: Phase,
    pub(crate) detail: String,
}

/// How a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The other side closed it or reset it.
    Broken(Cause),
    /// Nothing came in time.
    Late,
}

/// A dialogue with one server.
#[derive(Debug)]
pub(crate) struct Dialogue {
    script: Script,
    reader: Reader,
    state: State,
    line: Option<Line>,
    failure: Option<Failure>,
    pub(crate) facts: Facts,
    exchange: Option<Exchange>,
    content: Vec<u8>,
    /// Replies to come for commands that went out together.
    flight: usize,
}

/// What was found out about the server, and how far it went.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a finding of its own"
)]
pub(crate) struct Facts {
    pub(crate) offers: Offers,
    /// Whether STARTTLS was offered before TLS began.
    pub(crate) starttls_offered: bool,
    pub(crate) is_secure: bool,
    pub(crate) is_verified: bool,
    /// Whether anything was heard of the server.
    pub(crate) is_answered: bool,
    /// Whether a line of it ended without a carriage return.
    pub(crate) is_bare: bool,
    /// Whether the final dot is on its way, or the last chunk.
    pub(crate) is_sent: bool,
    /// Whether the server has taken the message.
    pub(crate) is_accepted: bool,
    /// The last reply that decided anything, and in which phase.
    pub(crate) decisive: Option<(Phase, Reply)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before TLS that comes first, or after STARTTLS was taken.
    Handshake,
    Compose,
    /// A reply is waited for, in this phase.
    Waits(Phase),
    /// The same, for HELO.
    Helo,
    /// The same, for a lone dot after commands that were refused.
    Empty,
    Over,
}

impl Dialogue {
    /// A dialogue over a connection that is there.
    pub(crate) fn new(script: Script) -> Self {
        Self {
            state: if script.tls == Wanted::Implicit {
                State::Handshake
            } else {
                State::Waits(Phase::Banner)
            },
            script,
            reader: Reader::default(),
            line: None,
            failure: None,
            facts: Facts::default(),
            exchange: None,
            content: Vec::new(),
            flight: 0,
        }
    }

    /// Says what to do next.
    pub(crate) fn next(&mut self) -> Step {
        if let Some(line) = self.line.take() {
            return Step::Say(line);
        }
        match self.state {
            State::Handshake => return Step::Handshake,
            State::Compose => return Step::Compose,
            State::Over => return Step::Close,
            State::Waits(_) | State::Helo | State::Empty => {}
        }
        let phase = self.phase();
        match self.reader.next() {
            Ok(Some(reply)) => {
                self.facts.is_answered = true;
                self.facts.is_bare |= reply.is_bare;
                self.hear(&reply);
                Step::Heard(phase, reply)
            }
            Ok(None) => Step::Hear,
            Err(flaw) => {
                self.fail(
                    Outcome::ProtocolError,
                    Cause::Protocol,
                    format!("the server cannot be understood: {flaw}"),
                );
                self.state = State::Over;
                Step::Close
            }
        }
    }

    /// Takes in what came.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.reader.feed(bytes);
    }

    /// TLS is agreed on; `verified` if the server's certificate is to be trusted for its name.
    pub(crate) fn secured(&mut self, verified: bool) {
        self.facts.is_secure = true;
        self.facts.is_verified = verified;
        if self.script.tls == Wanted::Implicit {
            self.state = State::Waits(Phase::Banner);
        } else {
            self.greet(Phase::EhloTls);
        }
    }

    /// The message, with its lines ended by CRLF, before dots are stuffed.
    pub(crate) fn content(&mut self, content: Vec<u8>) {
        self.content = content;
        self.mail();
    }

    /// What was asked of the caller did not come about.
    pub(crate) fn give_up(
        &mut self,
        outcome: Option<Outcome>,
        cause: Option<Cause>,
        detail: String,
    ) {
        let phase = self.phase();
        self.failure.get_or_insert(Failure {
            outcome,
            cause,
            phase,
            detail,
        });
        if self.state == State::Compose {
            self.quit();
        } else {
            self.state = State::Over;
        }
    }

    /// The connection is of no use any more.
    pub(crate) fn lost(&mut self, loss: Loss, detail: String) {
        if self.state != State::Waits(Phase::Quit) && self.failure.is_none() {
            let phase = self.phase();
            let (outcome, cause) = match loss {
                Loss::Broken(cause) => (Outcome::Disconnected, cause),
                Loss::Late => (Outcome::Timeout, Cause::Timeout),
            };
            // Whatever has become of the message, it is never sent again.
            let outcome = if self.facts.is_sent && !self.facts.is_accepted {
                Outcome::UnknownDelivery
            } else {
                outcome
            };
            self.failure = Some(Failure {
                outcome: Some(outcome),
                cause: Some(cause),
                phase,
                detail,
            });
        }
        self.state = State::Over;
    }

    /// The caller has written all of the message, its end included.
    pub(crate) fn sent(&mut self) {
        self.facts.is_sent = true;
    }

    /// Something came before it was asked for. Tells whether to go on writing.
    pub(crate) fn interrupted(&mut self) -> bool {
        match self.reader.next() {
            Ok(None) if self.reader.is_empty() => true,
            Ok(Some(reply)) if reply.class() >= 4 => {
                self.refused(&reply);
                self.state = State::Over;
                false
            }
            _ => {
                self.unsolicited();
                false
            }
        }
    }

    /// Why it did not go as far as it was to; `None` if it did, or is under way.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The phase that is under way.
    pub(crate) fn phase(&self) -> Phase {
        match self.state {
            State::Waits(phase) => phase,
            State::Helo => Phase::Ehlo,
            State::Empty => Phase::Data,
            State::Handshake => Phase::Tls,
            State::Compose => Phase::Own,
            State::Over => Phase::Quit,
        }
    }

    fn say(&mut self, phase: Phase, text: String) {
        let shown = text.clone().into();
        self.say_as(phase, text, shown);
    }

    fn say_as(&mut self, phase: Phase, text: String, shown: Cow<'static, str>) {
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        self.line = Some(Line {
            phase,
            bytes,
            shown,
        });
        self.state = State::Waits(phase);
    }

    fn quit(&mut self) {
        self.say(Phase::Quit, "QUIT".to_owned());
    }

    fn fail(&mut self, outcome: Outcome, cause: Cause, detail: String) {
        let phase = self.phase();
        self.failure.get_or_insert(Failure {
            outcome: Some(outcome),
            cause: Some(cause),
            phase,
            detail,
        });
    }
}

#[cfg(test)]
mod tests;
