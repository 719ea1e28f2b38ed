//! What comes of servers that do not do as they should?
//!
//! Each by its number, with what it does and how a run ends; none may lead to a panic, to a second
//! message, or to a wait without end.

use std::sync::LazyLock;
use std::time::Duration;

use leadsman_core::testing::Bench;
use leadsman_dial::Laps;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::servers::Act::{
    Bytes, Chunk, Deaf, Drip, Flood, Hear, Hold, Letter, Octets, Pause, Reset, Say, Tls,
};
use super::servers::{Act, Certified, greeting, scripted, taking};
use super::{QUIET, bench, outcome, recipient};
use crate::client::conversation::{Conversation, Happening, Limits};
use crate::client::dialogue::{Dialogue, Script, Until, Wanted};
use crate::client::phase::{Outcome, Phase};
use crate::client::wire::Wire;
use crate::mailbox::Mailbox;

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

static TRUSTED: LazyLock<Certified> = LazyLock::new(|| Certified::new("mx.test", true));
static EXPIRED: LazyLock<Certified> = LazyLock::new(|| Certified::new("mx.test", false));
static OTHER: LazyLock<Certified> = LazyLock::new(|| Certified::new("other.test", true));

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

#[tokio::test]
async fn greetings() {
    let short = json!({ "greeting_timeout": "150ms" });
    let rest = || {
        [
            vec![
                Hear("EHLO"),
                Say("250 mx.test\r\n"),
                Hear("MAIL"),
                Say("250 ok\r\n"),
            ],
            vec![Hear("RCPT"), Say("250 ok\r\n")],
            quit(),
        ]
        .concat()
    };
    for case in [
        case("s1 no greeting", [hold()], "timeout", "timeout").with(short.clone()),
        case(
            "s2 byte by byte",
            [vec![Drip("220-mx\r\n220 test\r\n")], rest()],
            "ok",
            "",
        ),
        case(
            "s3 without end",
            [vec![Flood(b"220-a\r\n", 1_000_000)]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s4 a line without end",
            [vec![Flood(&[b'2'; 1000], 1000)]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s5 554",
            [vec![Say("554 go away\r\n")], quit()],
            "permfail",
            "rejected",
        ),
        case(
            "s6 421",
            [vec![Say("421 not now\r\n")]],
            "tempfail",
            "rejected",
        ),
        case(
            "s7 HTTP",
            [vec![Say("HTTP/1.1 400 Bad Request\r\n\r\n")]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s8 TLS",
            [vec![Bytes(b"\x15\x03\x01\0\x02\x02\n")]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s8 TLS that waits",
            [vec![Tls(&TRUSTED)]],
            "timeout",
            "timeout",
        )
        .with(short.clone()),
        case(
            "s45 before it is asked",
            [vec![Say("220 a\r\n250 b\r\n")], hold()],
            "protocol_error",
            "protocol",
        ),
        case(
            "s45 instead of a greeting",
            [vec![Say("250 b\r\n")], hold()],
            "protocol_error",
            "protocol",
        ),
        case("closes at once", [vec![]], "disconnected", "closed"),
    ] {
        case.check().await;
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "most of them are cases")]
async fn replies() {
    let hello = || vec![Say("220 a\r\n"), Hear("EHLO")];
    let old = vec![
        Say("500 what?\r\n"),
        Hear("HELO"),
        Say("250 mx\r\n"),
        Hear("MAIL"),
        Say("250 ok\r\n"),
        Hear("RCPT"),
        Say("250 ok\r\n"),
    ];
    let coalesced = greeting("250-mx\r\n250 PIPELINING\r\n");
    let flight = vec![
        Hear("MAIL"),
        Hear("RCPT"),
        Hear("DATA"),
        Say("250 ok\r\n250 ok\r\n354 go on\r\n"),
        Letter,
        Say("250 ok\r\n"),
    ];
    let refused = vec![
        Hear("MAIL"),
        Hear("RCPT"),
        Hear("DATA"),
        Say("250 ok\r\n550 no\r\n354 go on\r\n"),
        Hear("."),
        Say("554 nobody\r\n"),
    ];
    let pipelining = json!({ "pipelining": true });
    let split = "250-mx\r\n250-SIZE 10\r\n250 HELP\r\n";
    let bare = vec![
        Say("220 a\n"),
        Hear("EHLO"),
        Say("250-a\n250 b\n"),
        Hear("MAIL"),
        Say("250\n"),
    ];
    for case in [
        case("s9 EHLO 500", [hello(), old.clone(), quit()], "ok", ""),
        case(
            "s9 but TLS is wanted",
            [hello(), old[..1].to_vec(), quit()],
            "permfail",
            "rejected",
        )
        .with(json!({ "starttls": "required" })),
        case(
            "s10 EHLO 421",
            [hello(), vec![Say("421 no\r\n"), Hold]],
            "tempfail",
            "rejected",
        ),
        case(
            "s11 code changes",
            [hello(), vec![Say("250-a\r\n251 b\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s12 no text",
            [
                hello(),
                vec![
                    Say("250\r\n"),
                    Hear("MAIL"),
                    Say("250 \r\n"),
                    Hear("RCPT"),
                    Say("250\r\n"),
                ],
                quit(),
            ],
            "ok",
            "",
        ),
        case(
            "s13 250x",
            [hello(), vec![Say("250x\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s14 99",
            [hello(), vec![Say("99 a\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s14 600",
            [hello(), vec![Say("600 a\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s15 octets",
            [
                hello(),
                vec![
                    Bytes(b"250 \xff\0\x1b[2J\r\n"),
                    Hear("MAIL"),
                    Say("550 \x07\r\n"),
                ],
                quit(),
            ],
            "permfail",
            "rejected",
        ),
        case(
            "s37 two replies",
            [hello(), vec![Say("250 a\r\n250 b\r\n"), Hold]],
            "protocol_error",
            "protocol",
        ),
        case(
            "s40 bare line feeds",
            [bare, vec![Hear("RCPT"), Say("250 x\n")], quit()],
            "ok",
            "",
        ),
        case(
            "s41 split everywhere",
            [
                hello(),
                vec![
                    Drip(split),
                    Hear("MAIL"),
                    Drip("250-a\r\n250 b\r\n"),
                    Hear("RCPT"),
                    Drip("250 ok\r\n"),
                ],
                quit(),
            ],
            "ok",
            "",
        ),
        case(
            "s44 coalesced",
            [coalesced.clone(), flight, quit()],
            "ok",
            "",
        )
        .with(pipelining.clone())
        .sending(1),
        case(
            "s44 one of them refused",
            [coalesced, refused, quit()],
            "permfail",
            "rejected",
        )
        .with(pipelining)
        .sending(0),
        case(
            "3yz to MAIL",
            [
                greeting("250 a\r\n"),
                vec![Hear("MAIL"), Say("354 go on\r\n"), Hold],
            ],
            "protocol_error",
            "protocol",
        ),
    ] {
        case.check().await;
    }
}

#[tokio::test]
async fn tls() {
    let offered = || greeting("250-mx.test\r\n250 STARTTLS\r\n");
    let within = || {
        vec![
            Hear("EHLO"),
            Say("250 mx.test\r\n"),
            Hear("MAIL"),
            Say("250 ok\r\n"),
            Hear("RCPT"),
            Say("250 ok\r\n"),
        ]
    };
    let off = || vec![Hear("STARTTLS"), Say("454 not now\r\n")];
    let in_the_clear = vec![
        Hear("MAIL"),
        Say("250 ok\r\n"),
        Hear("RCPT"),
        Say("250 ok\r\n"),
    ];
    let stall = json!({ "starttls": "required", "command_timeout": "150ms" });
    let mut auth = required(&TRUSTED);
    auth["auth"] = json!({ "username": "me", "password": "secret" });
    let before = greeting("250-mx.test\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
    let starts = vec![Hear("STARTTLS"), Say("220 go\r\n"), Tls(&TRUSTED)];
    let injected = "220 go on\r\n250-mx.test\r\n250 AUTH PLAIN\r\n";
    let opportunistic = json!({ "tls_config": { "server_name": "mx.test" } });
    for case in [
        case("TLS", [starting(), vec![Tls(&TRUSTED)], within(), quit()], "ok", "").with(required(&TRUSTED)),
        case("TLS from the first octet on", [vec![Tls(&TRUSTED), Say("220 a\r\n")], within(), quit()], "ok", "")
            .with(json!({ "tls": true, "tls_config": { "ca": TRUSTED.authority, "server_name": "mx.test" } })),
        case("s16 not offered", [greeting("250 mx.test\r\n"), quit()], "tls_failed", "tls").with(required(&TRUSTED)),
        case("s17 454", [offered(), off(), quit()], "tempfail", "rejected").with(required(&TRUSTED)),
        case("s17 454 where it need not be", [offered(), off(), in_the_clear, quit()], "ok", ""),
        case("s18 injected", [offered(), vec![Hear("STARTTLS"), Say(injected), Hold]], "starttls_injection", "protocol").with(required(&TRUSTED)),
        case("s18 injected where it need not be", [offered(), vec![Hear("STARTTLS"), Say(injected), Hold]], "starttls_injection", "protocol"),
        case("s19 in the clear", [starting(), vec![Pause(Duration::from_millis(20)), Say("250 mx.test\r\n"), Hold]], "tls_failed", "tls").with(required(&TRUSTED)),
        case("s20 stalls", [starting(), vec![Deaf]], "timeout", "timeout").with(stall),
        case("s21 expired", [starting(), vec![Tls(&EXPIRED)]], "tls_failed", "tls").with(required(&EXPIRED)),
        case("s21 wrong name", [starting(), vec![Tls(&OTHER)]], "tls_failed", "tls").with(required(&OTHER)),
        case("s21 unknown authority", [starting(), vec![Tls(&TRUSTED)]], "tls_failed", "tls").with(required(&OTHER)),
        case("s21 where it need not be", [starting(), vec![Tls(&EXPIRED)], within(), quit()], "ok", "").with(opportunistic),
        case("s22 AUTH is gone", [before, starts, vec![Hear("EHLO"), Say("250 a\r\n")], quit()], "auth_failed", "rejected").with(auth),
    ] {
        case.check().await;
    }
}

#[tokio::test]
async fn credentials() {
    let with = |mechanism, answer: Vec<Act>, outcome, reason| {
        let (acts, options) = authenticating(mechanism);
        case(mechanism, [acts, answer], outcome, reason).with(options)
    };
    let ok = vec![
        Say("235 ok\r\n"),
        Hear("MAIL"),
        Say("250 ok\r\n"),
        Hear("RCPT"),
        Say("250 ok\r\n"),
    ];
    let login = vec![
        Say("334 VXNlcm5hbWU6\r\n"),
        Hear("bWU="),
        Say("334 UGFzc3dvcmQ6\r\n"),
        Hear("c2VjcmV0"),
    ];
    let token = vec![Say("334 e30=\r\n"), Hear(""), Say("535 5.7.8 no\r\n")];
    let mut kept = authenticating("plain").1;
    kept["allow_insecure_auth"] = json!(false);
    for case in [
        with("plain", [ok.clone(), quit()].concat(), "ok", ""),
        with("login", [login, ok, quit()].concat(), "ok", ""),
        with(
            "login",
            vec![Say("334 ?!\r\n"), Hold],
            "protocol_error",
            "protocol",
        ),
        with(
            "plain",
            [vec![Say("535 5.7.8 no\r\n")], quit()].concat(),
            "auth_failed",
            "rejected",
        ),
        with(
            "plain",
            [vec![Say("454 4.7.0 later\r\n")], quit()].concat(),
            "tempfail",
            "rejected",
        ),
        with(
            "xoauth2",
            [token, quit()].concat(),
            "auth_failed",
            "rejected",
        ),
        with(
            "plain",
            vec![Say("334 \r\n"), Hear(""), Say("334 \r\n"), Hold],
            "protocol_error",
            "protocol",
        ),
        // Without TLS they are not told at all.
        case(
            "kept back",
            [greeting("250-a\r\n250 AUTH PLAIN\r\n"), quit()],
            "auth_failed",
            "tls",
        )
        .with(kept),
    ] {
        case.check().await;
    }
}

#[tokio::test]
async fn envelopes() {
    let mail = |answer| {
        [
            greeting("250 a\r\n"),
            vec![Hear("MAIL"), Say(answer)],
            quit(),
        ]
        .concat()
    };
    let rcpt = |answer| [mailing(), vec![Say(answer)], quit()].concat();
    let small = greeting("250-a\r\n250 SIZE 100\r\n");
    for case in [
        case(
            "s26 452",
            [mail("452 4.3.1 full\r\n")],
            "tempfail",
            "rejected",
        ),
        case(
            "s26 552",
            [mail("552 5.3.4 too big\r\n")],
            "permfail",
            "rejected",
        ),
        case(
            "s27 greylisted",
            [rcpt("450 4.7.1 come again\r\n")],
            "greylisted",
            "rejected",
        ),
        case(
            "s27 in words",
            [rcpt("451 Greylisting in action\r\n")],
            "greylisted",
            "rejected",
        ),
        case(
            "s27 as a success",
            [rcpt("450 4.7.1 come again\r\n")],
            "greylisted",
            "",
        )
        .with(json!({ "tempfail_is": "success" })),
        case(
            "s28 unknown",
            [rcpt("550 5.1.1 who?\r\n")],
            "permfail",
            "rejected",
        ),
        case("s29 251", [rcpt("251 will forward\r\n")], "ok", ""),
        case("s29 252", [rcpt("252 will try\r\n")], "ok", ""),
        case("s42 SIZE 100", [small, quit()], "permfail", "rejected").sending(0),
        case(
            "s43 no SMTPUTF8",
            [greeting("250 a\r\n"), quit()],
            "permfail",
            "rejected",
        ),
        case(
            "no further than DATA",
            [data(), vec![Say("354 go on\r\n"), Hold]],
            "ok",
            "",
        )
        .with(json!({ "stop_after": "data" })),
        case(
            "LMTP",
            [
                vec![
                    Say("220 a\r\n"),
                    Hear("LHLO"),
                    Say("250 a\r\n"),
                    Hear("MAIL"),
                    Say("250 ok\r\n"),
                ],
                vec![Hear("RCPT"), Say("250 ok\r\n")],
                quit(),
            ],
            "ok",
            "",
        )
        .with(json!({ "lmtp": true })),
    ] {
        case.check().await;
    }
}

#[tokio::test]
async fn messages() {
    let late = json!({ "accept_timeout": "150ms" });
    let end = |end: Act| [letter(), vec![Say("250 ok\r\n"), Hear("QUIT"), end]].concat();
    let bye = |acts: &[Act]| [letter(), acts.to_vec()].concat();
    let chunks = greeting("250-a\r\n250 CHUNKING\r\n");
    let bdat = vec![
        Hear("MAIL"),
        Say("250 ok\r\n"),
        Hear("RCPT"),
        Say("250 ok\r\n"),
        Chunk,
        Say("250 ok\r\n"),
    ];
    for case in [
        case("a message", [taking()], "ok", "").sending(1),
        case(
            "s30 DATA 250",
            [data(), vec![Say("250 ok\r\n"), Hold]],
            "protocol_error",
            "protocol",
        )
        .sending(0),
        case(
            "s31 DATA 421",
            [data(), vec![Say("421 bye\r\n")]],
            "tempfail",
            "rejected",
        )
        .sending(0),
        case("s32 closes", [data(), vec![]], "disconnected", "closed").sending(0),
        case(
            "s34 at once",
            [data(), vec![Say("354 go on\r\n250 taken\r\n"), Hold]],
            "protocol_error",
            "protocol",
        )
        .sending(0),
        case(
            "s35 550",
            [bye(&[Say("550 spam\r\n")]), quit()],
            "permfail",
            "rejected",
        )
        .sending(1),
        case(
            "s36 no answer",
            [bye(&[Hold])],
            "unknown_delivery",
            "timeout",
        )
        .with(late)
        .sending(1),
        case("s36 closes", [bye(&[])], "unknown_delivery", "closed").sending(1),
        case("s36 resets", [bye(&[Reset])], "unknown_delivery", "reset").sending(1),
        case("s38 resets at QUIT", [end(Reset)], "ok", "").sending(1),
        case("s39 closes at QUIT", [end(Hold)], "ok", "").sending(1),
        case("in chunks", [chunks, bdat, quit()], "ok", "")
            .with(json!({ "chunking": true, "body": "" }))
            .sending(1),
    ] {
        case.check().await;
    }
}

/// Below the probe, for only a small buffer fills before the whole message is in it.
#[tokio::test]
async fn a_message_is_broken_off_when_the_server_does() {
    let _others = QUIET.read().await;
    let begins = |acts: &[Act]| [&data()[..], &[Say("354 go on\r\n")], acts].concat();
    for (name, acts, expected) in [
        ("s33 reads no more", begins(&[Deaf]), Outcome::Timeout),
        (
            "s34 answers in the middle",
            begins(&[Octets(10_000), Say("250 taken\r\n"), Deaf]),
            Outcome::ProtocolError,
        ),
        (
            "refuses in the middle",
            begins(&[Octets(10_000), Say("552 too much\r\n"), Deaf]),
            Outcome::PermFail,
        ),
        (
            "closes in the middle",
            begins(&[Octets(10_000)]),
            Outcome::Disconnected,
        ),
    ] {
        let (address, ear) = scripted(acts);
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(8 * 1024).unwrap();
        let stream = socket.connect(address).await.unwrap();
        let dialogue = Dialogue::new(Script {
            is_lmtp: false,
            hello: "client.test".to_owned(),
            tls: Wanted::Off,
            credentials: None,
            insecure_auth: false,
            from: None,
            to: Mailbox::parse("probe@middle.test").ok(),
            until: Until::Sent,
            pipelining: false,
            chunking: false,
            notify: "",
        });
        let mut laps = Laps::begin(Phase::Connect);
        let limits = Limits {
            greeting: Duration::from_secs(5),
            command: Duration::from_millis(500),
            accept: Duration::from_mins(1),
        };
        let wire = Wire::Plain(stream);
        let mut talk = Conversation::begin(dialogue, wire, address, &mut laps, limits, None);
        loop {
            match talk.advance().await {
                Happening::Compose => talk.dialogue.content(vec![b'a'; 1 << 20]),
                Happening::Over => break,
                _ => {}
            }
        }
        let failure = talk.dialogue.failure().unwrap();
        assert_eq!(failure.outcome, Some(expected), "{name}: {failure:?}");
        assert!(!talk.dialogue.facts.is_sent, "{name}");
        assert_eq!(ear.messages(), 0, "{name}");
        assert_eq!(laps.running(), Some(Phase::Body), "{name}");
    }
}
