//! How does this program prove who it is?
//!
//! The mechanisms PLAIN (RFC 4616), LOGIN and XOAUTH2, in the exchange of RFC 4954, section 4.
//! Whether a server may be told is decided by the dialogue.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leadsman_core::options::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mechanism of SASL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mechanism {
    /// User and password at once.
    Plain,
    /// User and password, each when it is asked for.
    Login,
    /// User and a bearer token.
    Xoauth2,
}

/// Who this program is to a server.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// The mechanism to use; the first of PLAIN and LOGIN that is offered if none is given.
    pub(crate) mechanism: Option<Mechanism>,
    pub(crate) user: String,
    /// The password, or the token.
    pub(crate) secret: Secret,
}

/// An exchange under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    mechanism: Mechanism,
    rounds: u8,
}

impl Mechanism {
    /// The one of this name, if it is known.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::Plain, Self::Login, Self::Xoauth2];
        let mut all = all.into_iter();
        all.find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Its name in IANA's registry, or as it is known where it is not there.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::Xoauth2 => "XOAUTH2",
        }
    }
}

impl Credentials {
    /// The mechanism to use with a server that offers these.
    pub(crate) fn mechanism(&self, offered: &[Mechanism]) -> Option<Mechanism> {
        match self.mechanism {
            Some(mechanism) => offered.contains(&mechanism).then_some(mechanism),
            None => [Mechanism::Plain, Mechanism::Login]
                .into_iter()
                .find(|mechanism| offered.contains(mechanism)),
        }
    }
}

impl Exchange {
    /// Begins an exchange; returns it with the command.
    pub(crate) fn begin(mechanism: Mechanism, credentials: &Credentials) -> (Self, String) {
        let name = mechanism.name();
        let command = match first(mechanism, credentials) {
            Some(response) => format!("AUTH {name} {response}"),
            None => format!("AUTH {name}"),
        };
        let rounds = 0;
        (Self { mechanism, rounds }, command)
    }

    /// What to answer a challenge with; `None` if it makes no sense.
    pub(crate) fn answer(&mut self, challenge: &str, credentials: &Credentials) -> Option<String> {
        self.rounds += 1;
        STANDARD.decode(challenge).ok()?;
        match (self.mechanism, self.rounds) {
            // A server that has overlooked what came with the command.
            (Mechanism::Plain, 1) => first(Mechanism::Plain, credentials),
            // What they ask for is worded in many ways, but always in this order.
            (Mechanism::Login, 1) => Some(STANDARD.encode(&credentials.user)),
            (Mechanism::Login, 2) => Some(STANDARD.encode(credentials.secret.reveal())),
            // The challenge says why the token will not do; an empty answer brings the refusal.
            (Mechanism::Xoauth2, 1) => Some(String::new()),
            _ => None,
        }
    }
}

/// What is sent with the command.
fn first(mechanism: Mechanism, credentials: &Credentials) -> Option<String> {
    let (user, secret) = (&credentials.user, credentials.secret.reveal());
    let response = match mechanism {
        Mechanism::Plain => format!("\0{user}\0{secret}"),
        Mechanism::Login => return None,
        Mechanism::Xoauth2 => format!("user={user}\x01auth=Bearer {secret}\x01\x01"),
    };
    Some(STANDARD.encode(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mechanism_says_what_it_should_and_no_more() {
        let check = |mechanism, challenges: &[&str], expected: &[Option<&str>]| {
            let credentials = Credentials {
                mechanism: None,
                user: "tim".to_owned(),
                secret: "tanstaaf".to_owned().into(),
            };
            let (mut exchange, command) = Exchange::begin(mechanism, &credentials);
            let answers = challenges
                .iter()
                .map(|challenge| exchange.answer(challenge, &credentials));
            let said: Vec<_> = std::iter::once(Some(command)).chain(answers).collect();
            let said: Vec<_> = said.iter().map(Option::as_deref).collect();
            assert_eq!(said, expected);
        };
        let plain = Some("AHRpbQB0YW5zdGFhZg==");
        let command = Some("AUTH PLAIN AHRpbQB0YW5zdGFhZg==");
        check(Mechanism::Plain, &["", ""], &[command, plain, None]);
        let (user, password) = (Some("dGlt"), Some("dGFuc3RhYWY="));
        let asks = ["VXNlcm5hbWU6", "UGFzc3dvcmQ6", "UGFzc3dvcmQ6"];
        let expected = [Some("AUTH LOGIN"), user, password, None];
        check(Mechanism::Login, &asks, &expected);
        check(Mechanism::Login, &["?!"], &[Some("AUTH LOGIN"), None]);
        let command = "AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgdGFuc3RhYWYBAQ==";
        let expected = [Some(command), Some(""), None];
        check(Mechanism::Xoauth2, &["e30=", "e30="], &expected);
    }

    #[test]
    fn only_what_a_server_offers_is_used() {
        use Mechanism::{Login, Plain, Xoauth2};
        for (wanted, offered, expected) in [
            (None, &[Login, Plain][..], Some(Plain)),
            (None, &[Login], Some(Login)),
            (None, &[Xoauth2], None),
            (Some(Xoauth2), &[Plain, Xoauth2], Some(Xoauth2)),
            (Some(Login), &[Plain], None),
        ] {
            let credentials = Credentials {
                mechanism: wanted,
                user: String::new(),
                secret: Secret::default(),
            };
            assert_eq!(credentials.mechanism(offered), expected);
        }
    }
}
