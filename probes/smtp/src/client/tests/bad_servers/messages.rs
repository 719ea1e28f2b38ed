//! What comes of a message that a server does not take as it should?

use std::time::Duration;

use leadsman_dial::{Laps, TcpConnection};
use serde_json::json;
use tokio::net::TcpSocket;

use super::super::QUIET;
use super::super::servers::Act::{Chunk, Deaf, Hear, Hold, Octets, Reset, Say};
use super::super::servers::{Act, greeting, scripted, taking};
use super::{case, data, letter, quit};
use crate::client::conversation::{Conversation, Happening, Limits};
use crate::client::dialogue::{Dialogue, Script, Until, Wanted};
use crate::client::phase::{Outcome, Phase};
use crate::client::wire::Wire;
use crate::mailbox::Mailbox;

#[tokio::test]
async fn a_message_ends_as_is_said() {
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
        let stream = TcpConnection::from_std(stream.into_std().unwrap());
        let wire = Wire::Plain(stream.unwrap());
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
