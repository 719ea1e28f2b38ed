//! Does the probe do on real sockets what it says?
//!
//! On loopback only, against servers that answer as they are told to.

mod servers;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use h2::Reason;
use leadsman_core::Plugin;
use leadsman_core::testing::conformance::Kit;
use leadsman_core::testing::{Bench, assert_connection_causes, assert_manual};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::health::NAMES;
use crate::metrics::{CHECK, DURATION, HEALTH, SSL, STATUS};
use servers::{GRPC, Script, accepting, listening, says, scripted, secured};

#[tokio::test]
async fn the_plugin_conforms() {
    let good = scripted(says(1)).await;
    let (secure, trusting) = secured(bench(), &["127.0.0.1"], says(1)).await;
    Kit::of(bench().option("preferred_ip_protocol", "ip4"))
        .good(good.to_string())
        .tcp_servers(|hostile| hostile.to_string())
        .provoking("secure", trusting, secure.to_string())
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
async fn a_service_is_as_it_says() {
    for (number, name, ending) in [
        (1, "SERVING", "good"),
        (0, "UNKNOWN", "rejected"),
        (2, "NOT_SERVING", "rejected"),
        (3, "SERVICE_UNKNOWN", "rejected"),
        (9, "", "protocol"),
    ] {
        let server = scripted(says(number)).await;
        let found = bench().run(&server.to_string()).await;
        assert_eq!(found.ending(), ending, "{:?}", found.run.result);
        for other in NAMES {
            let expected = f64::from(u8::from(other == name));
            assert_eq!(found.gauge(&HEALTH, Some(other)), Some(expected), "{name}");
        }
        assert_eq!(found.gauge(&STATUS, None), Some(0.0));
        assert_eq!(found.gauge(&SSL, None), Some(0.0));
        let whole = found.gauge(&DURATION, Some("check")).unwrap();
        let parts = ["connect", "processing", "transfer"];
        let parts = parts.map(|part| found.gauge(&CHECK, Some(part)).unwrap());
        assert!(
            (whole - parts.iter().sum::<f64>()).abs() < 1e-6,
            "{parts:?}"
        );
        assert_eq!(found.gauge(&CHECK, Some("tls")), None);
        assert!(found.gauge(&DURATION, Some("resolve")).is_some());
    }
}

#[tokio::test]
async fn a_call_says_whom_it_asks_and_how_long_it_waits() {
    let (server, calls) = listening(says(1), "127.0.0.1:0").await;
    let bench = bench()
        .option("service", "shop.Cart")
        .option(
            "metadata",
            json!({ "X-Tenant": ["a", "b"], "id-bin": ["\u{1}"] }),
        )
        .host("name.test", [[127, 0, 0, 1].into()]);
    let asked = bench.run(&format!("name.test:{}", server.port())).await;
    let mimicked = bench.clone().compatible().run(&server.to_string()).await;
    assert_eq!((asked.ending(), mimicked.ending()), ("good", "good"));
    let calls = calls.lock().unwrap();
    let (head, body) = &calls[0];
    let uri = format!(
        "http://name.test:{}/grpc.health.v1.Health/Check",
        server.port()
    );
    assert_eq!((head.method.as_str(), head.uri.to_string()), ("POST", uri));
    assert_eq!(&body[..], b"\0\0\0\0\x0b\x0a\x09shop.Cart");
    let field = |name: &str| -> Vec<&str> {
        let values = head.headers.get_all(name).into_iter();
        values.map(|value| value.to_str().unwrap()).collect()
    };
    for (name, expected) in [
        ("content-type", &["application/grpc"][..]),
        ("te", &["trailers"]),
        ("grpc-accept-encoding", &["identity"]),
        ("x-tenant", &["a", "b"]),
        ("id-bin", &["AQ"]),
    ] {
        assert_eq!(field(name), expected);
    }
    let timeout = field("grpc-timeout")[0].strip_suffix('m').unwrap();
    assert!((1..=5000).contains(&timeout.parse::<u32>().unwrap()));
    assert!(calls[1].0.headers.get("grpc-timeout").is_none());
}

#[tokio::test]
async fn whatever_happens_in_place_of_an_answer_has_a_reason_and_a_status() {
    let empty = Script {
        body: Vec::new(),
        trailers: None,
        ..says(1)
    };
    let reset = |reason| Script {
        reset: Some(reason),
        ..empty.clone()
    };
    let mute = accepting("127.0.0.1:0", |mut stream| async move {
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    let web = accepting("127.0.0.1:0", |mut stream| async move {
        let page = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(page).await.ok();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    let closing = accepting("127.0.0.1:0", |stream| async move { drop(stream) });
    let cases: [(SocketAddr, _, _); 10] = [
        (([127, 0, 0, 1], 1).into(), "refused", 14.0),
        (mute.await, "timeout", 4.0),
        (web.await, "protocol", 14.0),
        (closing.await, "closed or reset", 14.0),
        (
            scripted(reset(Reason::REFUSED_STREAM)).await,
            "closed",
            14.0,
        ),
        (
            scripted(reset(Reason::ENHANCE_YOUR_CALM)).await,
            "closed",
            8.0,
        ),
        (
            scripted(Script {
                trailers: None,
                reset: Some(Reason::CANCEL),
                ..says(1)
            })
            .await,
            "closed",
            1.0,
        ),
        (
            scripted(Script {
                body: vec![0; 9000],
                ..says(1)
            })
            .await,
            "protocol",
            8.0,
        ),
        (
            scripted(Script {
                head: vec![GRPC, ("grpc-status", "5"), ("grpc-message", "no%20such%1b")],
                ..empty.clone()
            })
            .await,
            "rejected",
            5.0,
        ),
        (
            scripted(Script {
                status: 404,
                head: vec![],
                ..empty.clone()
            })
            .await,
            "rejected",
            12.0,
        ),
    ];
    // All at once, for some take as long as they may.
    let runs = cases.map(|(server, reason, status)| async move {
        let bench = bench().timeout(Duration::from_secs(1));
        let found = bench.run(&server.to_string()).await;
        let ending = found.ending();
        let told = format!("{server}: {:?}", found.run.result);
        assert!(
            reason.split(" or ").any(|reason| reason == ending),
            "{told}"
        );
        assert_eq!(found.gauge(&STATUS, None), Some(status), "{told}");
        for name in NAMES {
            assert_eq!(found.gauge(&HEALTH, Some(name)), Some(0.0), "{told}");
        }
    });
    join_all(runs).await;
}

#[tokio::test]
async fn who_could_not_be_asked_has_no_status() {
    for (compatible, expected) in [(false, None), (true, Some(0.0))] {
        let bench = if compatible {
            bench().compatible()
        } else {
            bench()
        };
        let found = bench.run("nowhere.test:1").await;
        assert_eq!(found.ending(), "resolve");
        assert_eq!(found.gauge(&STATUS, None), expected);
        assert_eq!(found.gauge(&HEALTH, Some("SERVING")), None);
        assert_eq!(found.gauge(&DURATION, Some("check")), None);
    }
    let elsewhere = bench().option("source_ip_address", "192.0.2.1");
    let found = elsewhere.run("127.0.0.1:1").await;
    assert_eq!(found.ending(), "network");
    assert_eq!(found.gauge(&STATUS, None), None);
    assert_eq!(found.gauge(&HEALTH, Some("SERVING")), Some(0.0));
}

#[tokio::test]
async fn a_certificate_is_judged_and_shown() {
    let earliest = "probe_ssl_earliest_cert_expiry";
    let trusted = "probe_tls_certificate_trusted";
    let not_serving = Script { ..says(2) };
    for (name, script, compatible, reason, expected) in [
        ("127.0.0.1", says(1), false, "good", (1.0, true, Some(1.0))),
        (
            "127.0.0.1",
            not_serving,
            true,
            "rejected",
            (1.0, true, Some(1.0)),
        ),
        ("other.test", says(1), false, "tls", (0.0, false, Some(0.0))),
    ] {
        let (server, bench) = secured(bench(), &[name], script).await;
        let bench = if compatible {
            bench.compatible()
        } else {
            bench
        };
        let found = bench.run(&server.to_string()).await;
        assert_eq!(found.ending(), reason, "{:?}", found.run.result);
        let is_there = found.named(earliest, None).is_some();
        let seen = (
            found.gauge(&SSL, None).unwrap(),
            is_there,
            found.named(trusted, None),
        );
        assert_eq!(seen, expected, "{name}");
        let status = if reason == "tls" { 14.0 } else { 0.0 };
        assert_eq!(found.gauge(&STATUS, None), Some(status));
        assert!(found.gauge(&CHECK, Some("tls")) > Some(0.0));
    }
    // An error of the server's own is told over TLS as well; blackbox_exporter forgets that.
    let refusing = Script {
        head: vec![GRPC, ("grpc-status", "16")],
        body: Vec::new(),
        trailers: None,
        ..says(1)
    };
    let (server, bench) = secured(bench(), &["127.0.0.1"], refusing).await;
    for (bench, ssl) in [(bench.clone(), 1.0), (bench.compatible(), 0.0)] {
        let found = bench.run(&server.to_string()).await;
        assert_eq!(found.gauge(&STATUS, None), Some(16.0));
        assert_eq!(found.gauge(&SSL, None), Some(ssl));
        assert_eq!(found.named(earliest, None).is_some(), ssl > 0.0);
    }
}

#[tokio::test]
async fn the_preferred_family_binds_unless_it_is_to_be_as_it_is_there() {
    let (v4, _) = listening(says(1), "127.0.0.1:0").await;
    let both = bench()
        .host("both.test", [[127, 0, 0, 1].into(), "::1".parse().unwrap()])
        .option("preferred_ip_protocol", "ip6");
    let address = format!("both.test:{}", v4.port());
    assert_ne!(both.run(&address).await.ending(), "good");
    assert_eq!(both.compatible().run(&address).await.ending(), "good");
    let (v6, _) = listening(says(1), "[::1]:0").await;
    let literal = bench().run(&v6.to_string()).await;
    assert_eq!(literal.ending(), "good", "{:?}", literal.run.result);
    let refused = bench().compatible().run(&v6.to_string()).await;
    assert!(!refused.succeeded());
    assert_eq!(refused.gauge(&STATUS, None), Some(14.0));
}

/// The plugin as this crate submits it.
fn plugin() -> &'static Plugin {
    Bench::linked("grpc").plugin()
}

fn bench() -> Bench {
    Bench::of(plugin())
}
