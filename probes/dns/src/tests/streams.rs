//! What comes of a question over TCP or TLS?

use std::time::Duration;

use leadsman_core::testing::Finished;
use serde_json::json;

use super::servers::{Certified, framed, reply, tcp};
use super::{A, bench};
use crate::metrics;

async fn run(pieces: fn(&[u8]) -> Vec<Vec<u8>>) -> Finished {
    let server = tcp(pieces).await;
    let bench = bench()
        .option("transport_protocol", "tcp")
        .timeout(Duration::from_secs(2));
    bench.run(&server.to_string()).await
}

#[tokio::test]
async fn an_answer_may_come_in_pieces() {
    let found = run(|query| {
        let whole = framed(&reply(query, 0, 0, &[A]));
        whole.iter().map(|byte| vec![*byte]).collect()
    })
    .await;
    assert_eq!(found.ending(), "good", "{:?}", found.run.result);
    let phase = |phase| {
        found
            .gauge(&metrics::PHASES, Some(phase))
            .unwrap_or_default()
    };
    // One byte each 2 ms, all but two of them after the first ones.
    assert!(phase("transfer") > 0.02, "{}", phase("transfer"));
    let sum = phase("wait") + phase("transfer");
    let request = found.gauge(&metrics::DURATION, Some("request"));
    assert!((request.unwrap_or_default() - sum).abs() < 1e-9);
}

#[tokio::test]
async fn an_answer_to_another_question_is_passed_over() {
    let found = run(|query| {
        let mut other = reply(query, 0, 0, &[]);
        other[1] ^= 1;
        vec![
            framed(&other),
            framed(&[]),
            framed(&reply(query, 0, 0, &[A])),
        ]
    })
    .await;
    assert_eq!(found.ending(), "good", "{:?}", found.run.result);
    assert_eq!(found.counter(&metrics::IGNORED, None), 2);
    assert_eq!(found.gauge(&metrics::ANSWER_RRS, None), Some(1.0));
}

#[tokio::test]
async fn whatever_is_no_whole_answer_is_the_servers_fault() {
    let cases: [(fn(&[u8]) -> Vec<Vec<u8>>, &str); 4] = [
        (|_| Vec::new(), "closed"),
        (|_| vec![vec![0]], "closed"),
        (
            |query| {
                let whole = framed(&reply(query, 0, 0, &[A]));
                vec![whole[..whole.len() - 1].to_vec()]
            },
            "closed",
        ),
        (
            |query| vec![framed(&[&query[..2], b"\x81"].concat())],
            "protocol",
        ),
    ];
    for (pieces, expected) in cases {
        let found = run(pieces).await;
        assert_eq!(found.ending(), expected, "{:?}", found.run.result);
        assert_eq!(found.gauge(&metrics::SUCCEEDED, None), Some(0.0));
    }
}

#[tokio::test]
async fn a_server_has_to_show_a_certificate_for_its_name() {
    let certified = Certified::new(&["ns.test"]);
    let server = certified.serve(|query| reply(query, 0, 0, &[A])).await;
    let secure = |tls: serde_json::Value| {
        bench()
            .option("dns_over_tls", true)
            .option("tls_config", tls)
            .host("ns.test", [[127, 0, 0, 1].into()])
            .host("other.test", [[127, 0, 0, 1].into()])
    };
    let ca = &certified.authority;
    for (tls, host, expected) in [
        (json!({ "ca": ca }), "ns.test", "good"),
        (json!({ "ca": ca }), "127.0.0.1", "good"),
        (json!({ "ca": ca }), "other.test", "tls"),
        (
            json!({ "ca": ca, "server_name": "ns.test" }),
            "other.test",
            "good",
        ),
        (
            json!({ "ca": Certified::new(&[]).authority }),
            "ns.test",
            "tls",
        ),
        (
            json!({ "insecure_skip_verify": true }),
            "other.test",
            "good",
        ),
    ] {
        let address = format!("{host}:{}", server.port());
        let found = secure(tls.clone()).run(&address).await;
        assert_eq!(
            found.ending(),
            expected,
            "{tls} {host}: {:?}",
            found.run.result
        );
        let reached = found.gauge(&metrics::PHASES, Some("tls"));
        assert!(reached.is_some_and(|seconds| seconds > 0.0));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_our_own_fault() {
    let secure = bench()
        .option("dns_over_tls", true)
        .option("tls_config", json!({ "ca_file": "/nowhere/ca.pem" }));
    let found = secure.run("127.0.0.1:1").await;
    assert_eq!(found.ending(), "other", "{:?}", found.run.result);
}
