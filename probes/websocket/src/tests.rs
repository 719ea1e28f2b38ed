//! Does the probe do on real sockets what it says?
//!
//! On loopback only, against servers that answer as they are told to.

mod servers;

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use leadsman_core::Plugin;
use leadsman_core::testing::conformance::Kit;
use leadsman_core::testing::{Bench, assert_connection_causes, assert_manual};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::metrics::{DURATION, FAILED_REGEX, STATUS, UPGRADED};
use servers::{OPEN, accepting, listen, scripted, secured, talking};

#[tokio::test]
async fn the_plugin_conforms() {
    let good = talking(listen).await;
    let (secure, trusting) = secured(bench(), "127.0.0.1").await;
    Kit::of(bench().option("preferred_ip_protocol", "ip4"))
        .good(format!("ws://{good}/"))
        .tcp_servers(|hostile| format!("ws://{hostile}/"))
        .provoking("secure", trusting, format!("wss://{secure}/"))
        .assert()
        .await;
}

#[test]
fn all_that_can_befall_a_connection_is_declared() {
    assert_connection_causes(plugin());
}

#[test]
fn the_manual_is_up_to_date() {
    assert_manual(plugin(), concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
}

#[tokio::test]
async fn a_dialogue_goes_step_by_step_and_pings_are_answered() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&calls);
    let server = talking(move |mut socket| {
        let kept = Arc::clone(&kept);
        async move {
            socket.send(Message::text("incoming_test")).await.unwrap();
            socket
                .send(Message::Ping("are you there".into()))
                .await
                .unwrap();
            while let Some(Ok(message)) = socket.next().await {
                let answer = match &message {
                    Message::Text(text) if text.as_str() == "outgoing_test" => Some("passed"),
                    Message::Binary(bytes) if bytes[..] == *b"\0\x01" => Some("in full"),
                    _ => None,
                };
                kept.lock().unwrap().push(message);
                if let Some(answer) = answer {
                    socket.send(Message::text(answer)).await.unwrap();
                }
            }
        }
    });
    let bench = bench().option(
        "query_response",
        json!([
            { "expect": "incoming_(.+)", "send": "outgoing_${1}" },
            { "expect": "^passed", "send_bytes": "\0\u{1}" },
            { "expect_bytes": "in full" },
        ]),
    );
    let found = bench.run(&format!("ws://{}/", server.await)).await;
    assert_eq!(found.ending(), "good", "{:?}", found.run.result);
    assert_eq!(found.gauge(&STATUS, None), Some(101.0));
    assert_eq!(found.gauge(&UPGRADED, None), Some(1.0));
    assert_eq!(found.gauge(&FAILED_REGEX, None), Some(0.0));
    for phase in ["resolve", "connect", "processing", "transfer"] {
        assert!(found.gauge(&DURATION, Some(phase)).is_some(), "{phase}");
    }
    assert_eq!(found.gauge(&DURATION, Some("tls")), None);
    assert_eq!(
        found.said("closed").next().unwrap().fields()["politely"],
        true
    );
    let calls = calls.lock().unwrap();
    let pongs = calls.iter().filter(|message| message.is_pong()).count();
    assert_eq!(
        (pongs, calls.last().unwrap().is_close()),
        (1, true),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_request_says_who_asks_for_what() {
    let (server, calls) = scripted(OPEN.into()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "from a file\n").unwrap();
    let bench = bench()
        .timeout(Duration::from_secs(2))
        .option(
            "http_config",
            json!({ "basic_auth": { "username": "user", "password": "pass" } }),
        )
        .option(
            "headers",
            json!({
                "X-Token": { "secrets": ["a"], "files": [file] },
                "Origin": "https://a.test",
                "Sec-WebSocket-Protocol": "chat",
            }),
        );
    let found = bench.run(&format!("ws://{server}/a?b=c#d")).await;
    // The server never closes, which has no part in the result.
    assert_eq!(found.ending(), "good", "{:?}", found.run.result);
    assert_eq!(
        found.said("closed").next().unwrap().fields()["politely"],
        false
    );
    let calls = calls.lock().unwrap();
    let head = calls[0].to_ascii_lowercase();
    let host = format!("host: {server}");
    for line in [
        "get /a?b=c http/1.1",
        &host,
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-protocol: chat",
        "authorization: basic dxnlcjpwyxnz",
        "x-token: a",
        "x-token: from a file",
        "origin: https://a.test",
    ] {
        assert!(head.lines().any(|other| other == line), "{line}: {head}");
    }
}

#[tokio::test]
async fn whatever_happens_in_place_of_a_dialogue_has_a_reason() {
    let behind = |bytes: &[u8]| [OPEN.as_bytes(), bytes].concat();
    let answer = |text: &str| text.as_bytes().to_vec();
    let cases = [
        (behind(b"\x81\x02no"), "mismatch", 101.0, 1.0, 1.0),
        (behind(b"\x82\x01\xff"), "mismatch", 101.0, 1.0, 1.0),
        (behind(b"\x81\x01\xff"), "protocol", 101.0, 1.0, 0.0),
        (
            behind(b"\x88\x07\x03\xf0down\x1b"),
            "closed",
            101.0,
            1.0,
            0.0,
        ),
        (behind(b"\x88\0"), "closed", 101.0, 1.0, 0.0),
        // Masked, reserved bits, a fragment of nothing, longer than any may be.
        (behind(b"\x81\x82\0\0\0\0ok"), "protocol", 101.0, 1.0, 0.0),
        (behind(b"\xf1\x02ok"), "protocol", 101.0, 1.0, 0.0),
        (behind(b"\x80\x02ok"), "protocol", 101.0, 1.0, 0.0),
        (
            behind(b"\x81\x7f\0\0\0\0\x7f\0\0\0"),
            "protocol",
            101.0,
            1.0,
            0.0,
        ),
        (behind(b"\x81\x04o"), "timeout", 101.0, 1.0, 0.0),
        (behind(b""), "timeout", 101.0, 1.0, 0.0),
        (
            answer(&OPEN.replace("ACCEPT", "nonsense")),
            "protocol",
            101.0,
            0.0,
            0.0,
        ),
        (
            answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            "rejected",
            200.0,
            0.0,
            0.0,
        ),
        (
            answer("HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
            "rejected",
            301.0,
            0.0,
            0.0,
        ),
        (answer("SSH-2.0-x\r\n"), "protocol", 0.0, 0.0, 0.0),
    ];
    // All at once, for some take as long as they may.
    let runs = cases.map(|(answer, reason, status, upgraded, regex)| async move {
        let (server, _) = scripted(answer.clone()).await;
        let bench = bench()
            .timeout(Duration::from_secs(1))
            .option("query_response", json!([{ "expect": "^ok$" }]));
        let found = bench.run(&format!("http://{server}/")).await;
        let told = format!("{}: {:?}", answer.escape_ascii(), found.run.result);
        assert_eq!(found.ending(), reason, "{told}");
        assert_eq!(found.gauge(&STATUS, None), Some(status), "{told}");
        assert_eq!(found.gauge(&UPGRADED, None), Some(upgraded), "{told}");
        assert_eq!(found.gauge(&FAILED_REGEX, None), Some(regex), "{told}");
    });
    join_all(runs).await;
}

#[tokio::test]
async fn who_cannot_be_reached_opens_nothing() {
    let closing = accepting(|stream| async move { drop(stream) }).await;
    for (address, reasons) in [
        ("ws://127.0.0.1:1/".to_owned(), &["refused"][..]),
        ("ws://nowhere.test/".to_owned(), &["resolve"]),
        (format!("ws://{closing}/"), &["closed", "reset"]),
    ] {
        let found = bench().run(&address).await;
        assert!(reasons.contains(&found.ending()), "{:?}", found.run.result);
        assert_eq!(found.gauge(&STATUS, None), Some(0.0));
        assert_eq!(found.gauge(&UPGRADED, None), Some(0.0));
    }
}

#[tokio::test]
async fn what_is_said_is_cut_short_and_escaped() {
    let long = format!("\u{1b}[2J{}", "x".repeat(2000));
    let server = talking(move |mut socket| {
        let long = long.clone();
        async move {
            socket.send(Message::text(long)).await.ok();
            listen(socket).await;
        }
    });
    let bench = bench().option("query_response", json!([{ "expect": "^ok$" }]));
    let found = bench.run(&format!("ws://{}/", server.await)).await;
    assert_eq!(found.ending(), "mismatch");
    let said = found.run.result.unwrap_err().to_string();
    assert!(said.contains("\\u{1b}[2Jx") && said.len() < 400, "{said}");
}

#[tokio::test]
async fn a_certificate_is_judged() {
    for (name, reason) in [("127.0.0.1", "good"), ("other.test", "tls")] {
        let (server, bench) = secured(bench(), name).await;
        let found = bench.run(&format!("wss://{server}/")).await;
        assert_eq!(found.ending(), reason, "{:?}", found.run.result);
        assert!(found.gauge(&DURATION, Some("tls")) > Some(0.0));
        let gauge = |name| found.named(name, None).is_some();
        assert!(gauge("probe_tls_certificate_trusted"));
        assert_eq!(gauge("probe_ssl_earliest_cert_expiry"), reason == "good");
        assert!(gauge("probe_tcp_rtt_seconds") || reason == "tls");
    }
}

/// The plugin as this crate submits it.
fn plugin() -> &'static Plugin {
    Bench::linked("websocket").plugin()
}

fn bench() -> Bench {
    Bench::of(plugin())
}
