//! What comes of servers that do not do as they should?
//!
//! Each by its number, with what it does and how a run ends; none may lead to a panic, to a second
//! message, or to a wait without end. Here is how one case is tried, and how far a server comes that
//! goes wrong later; the cases are in a file for each step of the dialogue.

mod credentials;
mod envelopes;
mod greetings;
mod messages;
mod replies;
mod tls;

use std::sync::LazyLock;

use leadsman_core::testing::Bench;
use leadsman_dial::testing::Certified;
use rcgen::date_time_ymd;
use serde_json::{Value, json};

use super::servers::Act::{Hear, Hold, Letter, Say};
use super::servers::{Act, greeting, scripted};
use super::{QUIET, bench, outcome, recipient};

/// What a server does, and what is to come of it.
struct Case {
    name: &'static str,
    acts: Vec<Act>,
    options: Value,
    outcome: &'static str,
    /// The reason of the failure; none for a good run.
    reason: Option<&'static str>,
    /// How many messages the server may have got, whole.
    messages: usize,
}

fn case(
    name: &'static str,
    acts: impl IntoIterator<Item = Vec<Act>>,
    outcome: &'static str,
    reason: &'static str,
) -> Case {
    Case {
        name,
        acts: acts.into_iter().flatten().collect(),
        options: json!({}),
        outcome,
        reason: Some(reason).filter(|reason| !reason.is_empty()),
        messages: 0,
    }
}

impl Case {
    fn with(mut self, options: Value) -> Self {
        self.options = options;
        self
    }

    /// It sends a message, of which so many may come whole.
    fn sending(mut self, messages: usize) -> Self {
        self.options["send"] = json!(true);
        self.messages = messages;
        self
    }

    async fn check(self) {
        let _others = QUIET.read().await;
        let (address, ear) = scripted(self.acts);
        let mut bench: Bench = bench().option("server", address.to_string());
        for (key, value) in self.options.as_object().unwrap() {
            bench = bench.option(key, value);
        }
        let name = self.name;
        let to = if name.starts_with("s43") {
            format!("j\u{fc}rgen{}", recipient())
        } else {
            recipient()
        };
        let found = bench.run(&to).await;
        let said = || {
            let words = found.run.result.as_ref().err().map(ToString::to_string);
            format!("{name}: {words:?}, heard {:?}", ear.lines())
        };
        assert_eq!(outcome(&found), self.outcome, "{}", said());
        assert_eq!(found.reason(), self.reason, "{}", said());
        assert_eq!(ear.messages(), self.messages, "{}", said());
        assert!(
            !ear.lines().iter().any(|line| line.starts_with("(not")),
            "{}",
            said()
        );
    }
}

static TRUSTED: LazyLock<Certified> = LazyLock::new(|| Certified::new(&["mx.test"]));
static EXPIRED: LazyLock<Certified> = LazyLock::new(|| {
    Certified::with(&["mx.test"], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    })
});
static OTHER: LazyLock<Certified> = LazyLock::new(|| Certified::new(&["other.test"]));

/// Trusts an authority, and wants TLS by STARTTLS.
fn required(authority: &Certified) -> Value {
    json!({
        "starttls": "required",
        "tls_config": { "ca": authority.authority, "server_name": "mx.test" },
    })
}

/// Until STARTTLS was answered.
fn starting() -> Vec<Act> {
    [
        greeting("250-mx.test\r\n250 STARTTLS\r\n"),
        vec![Hear("STARTTLS"), Say("220 2.0.0 go on\r\n")],
    ]
    .concat()
}

/// Until MAIL was taken.
fn mailing() -> Vec<Act> {
    let mail = vec![Hear("MAIL"), Say("250 ok\r\n"), Hear("RCPT")];
    [greeting("250 mx.test\r\n"), mail].concat()
}

/// Until the answer to DATA.
fn data() -> Vec<Act> {
    [mailing(), vec![Say("250 ok\r\n"), Hear("DATA")]].concat()
}

/// Until the message was read.
fn letter() -> Vec<Act> {
    [data(), vec![Say("354 go on\r\n"), Letter]].concat()
}

/// Until the answer to AUTH, over a connection that anybody may read.
fn authenticating(mechanism: &'static str) -> (Vec<Act>, Value) {
    let acts = [
        greeting("250-mx.test\r\n250 AUTH PLAIN LOGIN XOAUTH2\r\n"),
        vec![Hear("AUTH")],
    ];
    let auth = json!({ "username": "me", "password": "secret", "mechanism": mechanism });
    (
        acts.concat(),
        json!({ "auth": auth, "allow_insecure_auth": true }),
    )
}

fn quit() -> Vec<Act> {
    vec![Hear("QUIT"), Say("221 bye\r\n")]
}

fn hold() -> Vec<Act> {
    vec![Hold]
}
