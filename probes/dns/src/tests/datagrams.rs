//! What comes of a question over UDP?

use std::net::{Ipv6Addr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leadsman_core::testing::{Bench, Finished};
use serde_json::json;

use super::servers::{AA, TC, both, framed, question, reply, udp, udp_of};
use super::{A, SOA, bench};
use crate::metrics;

/// Answers to a query, in their order.
struct Says(fn(&[u8]) -> Vec<Vec<u8>>);

async fn run(bench: &Bench, says: Says) -> Finished {
    let server = udp(says.0).await;
    bench.run(&server.to_string()).await
}

fn count(found: &Finished) -> [Option<f64>; 4] {
    let gauges = [
        &metrics::ANSWER_RRS,
        &metrics::AUTHORITY_RRS,
        &metrics::ADDITIONAL_RRS,
        &metrics::SUCCEEDED,
    ];
    gauges.map(|gauge| found.gauge(gauge, None))
}

#[tokio::test]
async fn the_code_decides_and_is_recorded() {
    let valid = bench().option("valid_rcodes", ["NXDOMAIN", "SERVFAIL"]);
    let says: [(Says, f64, &str, &str); 4] = [
        (
            Says(|query| vec![reply(query, 0, 0, &[A])]),
            0.0,
            "good",
            "rejected",
        ),
        (
            Says(|query| vec![reply(query, 0, 2, &[])]),
            2.0,
            "rejected",
            "good",
        ),
        (
            Says(|query| vec![reply(query, 0, 3, &[])]),
            3.0,
            "rejected",
            "good",
        ),
        // Whoever cannot read the question need not repeat it.
        (
            Says(|query| {
                let mut header = query[..2].to_vec();
                header.extend([0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
                vec![header]
            }),
            1.0,
            "rejected",
            "rejected",
        ),
    ];
    for (says, rcode, usual, others) in says {
        for (bench, expected) in [(bench(), usual), (valid.clone(), others)] {
            let found = run(&bench, Says(says.0)).await;
            assert_eq!(found.ending(), expected, "{:?}", found.run.result);
            assert_eq!(found.gauge(&metrics::RCODE, None), Some(rcode));
            assert_eq!(found.gauge(&metrics::SUCCEEDED, None), Some(1.0));
        }
    }
}

#[tokio::test]
async fn records_are_counted_and_judged_as_text() {
    let with = |list: &str, regexp: &str| {
        let rules = json!({ list: [regexp] });
        bench().option("validate_answer_rrs", rules)
    };
    let text = "^a\\.test\\.\t60\tIN\tA\t127\\.0\\.0\\.1$";
    for (bench, expected) in [
        (bench(), "good"),
        (with("fail_if_not_matches_regexp", text), "good"),
        (with("fail_if_matches_regexp", text), "mismatch"),
        (with("fail_if_all_match_regexp", text), "mismatch"),
        (with("fail_if_all_match_regexp", text).compatible(), "good"),
        (with("fail_if_all_match_regexp", "nobody"), "good"),
        (
            with("fail_if_all_match_regexp", "nobody").compatible(),
            "mismatch",
        ),
        (with("fail_if_none_matches_regexp", "nobody"), "mismatch"),
    ] {
        let found = run(&bench, Says(|query| vec![reply(query, AA, 0, &[A, A])])).await;
        assert_eq!(found.ending(), expected, "{:?}", found.run.result);
        assert_eq!(count(&found), [2.0, 0.0, 0.0, 1.0].map(Some));
        let flag = |flag| found.gauge(&metrics::FLAG, Some(flag));
        assert_eq!([flag("aa"), flag("tc")], [Some(1.0), Some(0.0)]);
    }
}

#[tokio::test]
async fn the_serial_is_that_of_the_answer() {
    let zone = bench().option("query_type", "SOA");
    for (bench, says, expected) in [
        (
            &zone,
            Says(|query| vec![reply(query, 0, 0, &[SOA])]),
            Some(1000.0),
        ),
        (
            &zone,
            Says(|query| vec![reply(query, 0, 0, &[A])]),
            Some(0.0),
        ),
        (
            &bench(),
            Says(|query| vec![reply(query, 0, 0, &[SOA])]),
            None,
        ),
    ] {
        let found = run(bench, says).await;
        assert_eq!(found.gauge(&metrics::SERIAL, None), expected);
    }
}

#[tokio::test]
async fn what_is_no_answer_to_the_question_is_ignored() {
    fn others(query: &[u8]) -> Vec<Vec<u8>> {
        let good = reply(query, 0, 0, &[A]);
        let id = {
            let mut other = good.clone();
            other[0] ^= 0x55;
            other
        };
        let name = {
            let mut other = good.clone();
            other[13] = b'b';
            other
        };
        let kind = {
            let mut other = good;
            other[12 + question(query).len() - 3] = 16;
            other
        };
        vec![id, name, kind, query.to_vec(), b"x".to_vec(), Vec::new()]
    }
    let found = run(
        &bench(),
        Says(|query| [others(query), vec![reply(query, 0, 0, &[A])]].concat()),
    )
    .await;
    assert_eq!(found.ending(), "good", "{:?}", found.run.result);
    assert_eq!(found.counter(&metrics::IGNORED, None), 6);
    assert_eq!(found.said("ignored").count(), 5);
    let brief = bench().timeout(Duration::from_millis(300));
    let found = run(&brief, Says(others)).await;
    assert_eq!(found.ending(), "timeout");
    assert_eq!(found.gauge(&metrics::SUCCEEDED, None), Some(0.0));
    assert_eq!(found.counter(&metrics::IGNORED, None), 6);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_malformed() {
    for says in [
        Says(|query| vec![[&query[..2], b"\x81"].concat()]),
        Says(|query| {
            let whole = reply(query, 0, 0, &[A]);
            vec![whole[..whole.len() - 1].to_vec()]
        }),
        Says(|query| vec![reply(query, 0, 0, &[b"\xc0\xff\0\x01"])]),
    ] {
        let found = run(&bench(), says).await;
        assert_eq!(found.ending(), "protocol");
        assert_eq!(count(&found), [0.0; 4].map(Some));
        let said = found.run.result.unwrap_err().to_string();
        assert!(said.contains("is malformed: "), "{said}");
    }
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_only_if_that_is_wanted() {
    let truncated = |query: &[u8]| vec![reply(query, TC, 0, &[A])];
    let whole = |query: &[u8]| vec![framed(&reply(query, 0, 0, &[A, A, A]))];
    let again = bench().option("retry_over_tcp", true);
    for (bench, answers, queries) in [(bench(), 1.0, 1.0), (again.clone(), 3.0, 2.0)] {
        let server = both(truncated, whole).await;
        let found = bench.run(&server.to_string()).await;
        assert_eq!(found.ending(), "good", "{:?}", found.run.result);
        assert_eq!(found.gauge(&metrics::ANSWER_RRS, None), Some(answers));
        assert_eq!(found.gauge(&metrics::QUERIES, None), Some(queries));
        assert_eq!(found.counter(&metrics::TRUNCATED, None), 1);
        let retry = found.gauge(&metrics::PHASES, Some("retry"));
        assert_eq!(retry.is_some(), queries > 1.0);
        assert!(found.gauge(&metrics::PHASES, Some("transfer")).is_none());
    }
    // Nobody is there over TCP.
    let found = run(&again, Says(|query| vec![reply(query, TC, 0, &[A])])).await;
    assert_eq!(found.ending(), "refused");
    assert_eq!(count(&found), [0.0; 4].map(Some));
}

#[tokio::test]
async fn nothing_is_asked_twice_unless_an_option_says_so() {
    let brief = bench().timeout(Duration::from_millis(600));
    for (bench, expected, queries) in [
        (brief.clone(), "timeout", 1),
        (brief.clone().option("retries", 1), "timeout", 2),
        (brief.option("retries", 3), "good", 3),
    ] {
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        // Only the third question is heard.
        let server = udp(move |query| match count.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Vec::new(),
            _ => vec![reply(query, 0, 0, &[A])],
        })
        .await;
        let found = bench.run(&server.to_string()).await;
        assert_eq!(found.ending(), expected, "{:?}", found.run.result);
        assert_eq!(heard.load(Ordering::SeqCst), queries);
        let sent = found.gauge(&metrics::QUERIES, None);
        assert_eq!(sent, Some(f64::from(queries as u32)));
    }
}

#[tokio::test]
async fn a_closed_port_is_the_targets_fault_and_a_wrong_source_ours() {
    let closed = {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    let found = bench().run(&closed.to_string()).await;
    assert_eq!(found.ending(), "refused", "{:?}", found.run.result);
    let nobodys = bench().option("source_ip_address", "192.0.2.77");
    let found = nobodys.run(&closed.to_string()).await;
    assert_eq!(found.ending(), "network", "{:?}", found.run.result);
    let said = found.run.result.unwrap_err().to_string();
    assert!(
        said.contains("192.0.2.77, which must be an address of this host"),
        "{said}"
    );
    let other = bench().option("source_ip_address", Ipv6Addr::LOCALHOST);
    let found = other.run(&closed.to_string()).await;
    assert_eq!(found.ending(), "network", "{:?}", found.run.result);
}

#[tokio::test]
async fn questions_come_from_the_source_and_from_a_port_of_their_own() {
    let askers = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&askers);
    let server = udp_of(move |query, asker| {
        let id = u16::from_be_bytes([query[0], query[1]]);
        kept.lock().unwrap().push((asker, id));
        vec![reply(query, 0, 0, &[A])]
    })
    .await;
    let bench = bench().option("source_ip_address", "127.0.0.9");
    for _ in 0..8 {
        assert!(bench.run(&server.to_string()).await.succeeded());
    }
    let mut askers = askers.lock().unwrap().clone();
    assert!(
        askers
            .iter()
            .all(|(asker, _)| asker.ip().to_string() == "127.0.0.9")
    );
    askers.sort_unstable();
    askers.dedup_by_key(|(asker, _)| asker.port());
    assert!(askers.len() > 4, "{askers:?}");
    askers.sort_unstable_by_key(|(_, id)| *id);
    askers.dedup_by_key(|(_, id)| *id);
    assert!(askers.len() > 4, "{askers:?}");
}

#[tokio::test]
async fn the_phases_add_up_to_the_run() {
    let found = run(&bench(), Says(|query| vec![reply(query, 0, 0, &[A])])).await;
    let phase = |phase| found.gauge(&metrics::PHASES, Some(phase));
    let sum: f64 = ["resolve", "connect", "wait", "own"]
        .map(|name| phase(name).unwrap_or_else(|| panic!("there is no {name}")))
        .iter()
        .sum();
    for other in ["tls", "transfer", "retry"] {
        assert_eq!(phase(other), None);
    }
    let whole = found.run.duration.as_secs_f64();
    assert!(sum <= whole && whole - sum < 0.05, "{sum} of {whole}");
    let broad = |phase| found.gauge(&metrics::DURATION, Some(phase));
    assert_eq!(broad("request"), phase("wait"));
    assert_eq!(broad("connect"), phase("connect"));
}

#[tokio::test]
async fn what_was_not_reached_is_absent_or_zero_as_in_the_original() {
    let nowhere = bench().run("nobody.test").await;
    assert_eq!(nowhere.ending(), "resolve");
    let broad = |found: &Finished| {
        ["resolve", "connect", "request"].map(|phase| {
            let seconds = found.gauge(&metrics::DURATION, Some(phase));
            seconds.map(|seconds| seconds > 0.0)
        })
    };
    assert_eq!(broad(&nowhere), [Some(true), None, None]);
    let compatible = bench().compatible().run("nobody.test").await;
    assert_eq!(broad(&compatible), [Some(true), Some(false), Some(false)]);
}
