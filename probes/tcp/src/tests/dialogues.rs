//! What is made of what peers say?

use std::sync::{Arc, Mutex};
use std::time::Duration;

use leadsman_core::testing::Finished;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::servers::{accepting, closing, saying};
use super::{bench, detail, together};
use crate::metrics::EXPECT_INFO;

async fn run(words: &'static [u8], closes: bool, steps: &Value) -> Finished {
    let server = if closes {
        closing(words).await
    } else {
        saying(words).await
    };
    let bench = bench("tcp").option("query_response", steps);
    // Whoever is heard to the end needs no time; whoever is not must not take long.
    let patience = if closes { 5000 } else { 300 };
    let bench = bench.timeout(Duration::from_millis(patience));
    bench.run(&server.to_string()).await
}

#[tokio::test]
async fn each_way_to_fail_has_its_reason_and_its_step() {
    let _together = together().await;
    let two = json!([{ "expect": "^220 " }, { "expect": "^250 " }]);
    let bytes = json!([{ "expect_bytes": "220" }, { "expect_bytes": " b" }]);
    for (words, closes, steps, expected, step, regex, other) in [
        (&b"220 a\r\n250 b\n"[..], true, &two, "good", 0.0, 0.0, 0.0),
        (b"", true, &two, "closed", 1.0, 1.0, 0.0),
        (b"500 no\n", true, &two, "mismatch", 1.0, 1.0, 0.0),
        (b"220 a\n", true, &two, "closed", 2.0, 1.0, 0.0),
        (b"220 a\n", false, &two, "timeout", 2.0, 0.0, 0.0),
        (b"", false, &two, "timeout", 1.0, 0.0, 0.0),
        (b"220 b", true, &bytes, "good", 0.0, 0.0, 0.0),
        (b"220 c", true, &bytes, "mismatch", 2.0, 0.0, 1.0),
        (b"220", true, &bytes, "closed", 2.0, 0.0, 0.0),
        (b"220", false, &bytes, "timeout", 2.0, 0.0, 0.0),
    ] {
        let found = run(words, closes, steps).await;
        let said = String::from_utf8_lossy(words);
        assert_eq!(found.ending(), expected, "{said:?}: {}", detail(&found));
        assert_eq!(
            found.named("probe_tcp_failed_step", None),
            Some(step),
            "{said:?}"
        );
        assert_eq!(
            found.named("probe_failed_due_to_regex", None),
            Some(regex),
            "{said:?}"
        );
        assert_eq!(
            found.named("probe_failed_due_to_bytes", None),
            Some(other),
            "{said:?}"
        );
        assert_eq!(found.run.recording.phase(), "dialogue");
        let steps =
            ["1", "2"].map(|step| found.named("probe_tcp_step_duration_seconds", Some(step)));
        assert_eq!(
            steps[1].is_some(),
            step.to_bits() != 1.0_f64.to_bits(),
            "{said:?}"
        );
        if expected != "good" {
            let told = format!("step {step} of 2 waited for");
            assert!(detail(&found).starts_with(&told), "{}", detail(&found));
        }
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_a_fault_of_the_protocol() {
    let _together = together().await;
    let server =
        accepting(
            |mut stream| async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} },
        );
    let bench = bench("tcp").option("query_response", json!([{ "expect": "^220 " }]));
    let found = bench.run(&server.await.to_string()).await;
    assert_eq!(found.ending(), "protocol");
    assert!(
        detail(&found).contains("longer than 65535 bytes"),
        "{}",
        detail(&found)
    );
}

#[tokio::test]
async fn what_is_sent_arrives_as_it_should() {
    let _together = together().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    let server = accepting(move |mut stream| {
        let kept = Arc::clone(&kept);
        async move {
            stream.write_all(b"OpenSSH_9 x\n").await.ok();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.ok();
            kept.lock().unwrap().push(all);
        }
    });
    let server = server.await.to_string();
    for (step, expected) in [
        (
            json!({ "expect": r"^(?P<what>\S+) (x)", "send": "got ${what}, $2$$" }),
            &b"got OpenSSH_9, x$\n"[..],
        ),
        (json!({ "send": "PING\r" }), b"PING\r\n"),
        (json!({ "send_bytes": "$1\0" }), b"$1\0"),
        (json!({ "send_bytes": { "hex": "00 d2" } }), b"\x00\xd2"),
        (json!({ "send": { "base64": "0gA=" } }), b"\xd2\0\n"),
        (json!({ "send": "" }), b""),
    ] {
        let found = bench("tcp")
            .option("query_response", json!([step]))
            .run(&server)
            .await;
        assert_eq!(found.ending(), "good", "{}", detail(&found));
        // The server hears the end only after the probe has gone.
        let arrived = loop {
            if let Some(arrived) = heard.lock().unwrap().pop() {
                break arrived;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(arrived, expected, "{step}");
    }
}

#[tokio::test]
async fn two_steps_with_labels_make_one_series() {
    let _together = together().await;
    let steps = json!([
        { "expect": "^SSH-(.*)-(.*)$", "labels": [{ "name": "version", "value": "v$1" }, { "name": "a", "value": "" }] },
        { "expect": "^(.*)$", "labels": [{ "name": "next", "value": "${1}" }, { "name": "version", "value": "$2" }] },
    ]);
    let found = run(b"SSH-2.0-x\n\xff\n", true, &steps).await;
    assert_eq!(found.ending(), "good");
    let recording = &found.run.recording;
    let mut places = recording.layout().places().iter();
    let place = places
        .find(|place| place.metric.name == "probe_expect_info")
        .unwrap();
    let labels: Vec<_> = recording.labels(place).unwrap().collect();
    assert_eq!(labels, [("a", ""), ("next", "\u{fffd}"), ("version", "")]);
    let steps = json!([{ "expect": "^no", "labels": [{ "name": "a", "value": "b" }] }]);
    assert_eq!(run(b"x\n", true, &steps).await.text(&EXPECT_INFO), None);
}

#[tokio::test]
async fn a_whole_dialogue_is_told_line_by_line() {
    let _together = together().await;
    let server = accepting(|stream| async move {
        let (reading, mut writing) = tokio::io::split(stream);
        let mut lines = BufReader::new(reading).lines();
        writing.write_all(b":server hello\r\n").await.ok();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with("USER") {
                writing.write_all(b"PING :1234\r\n").await.ok();
            } else if line == "PONG 1234" {
                writing.write_all(b":server 001\r\n").await.ok();
            }
        }
    });
    let steps = json!([
        { "send": "NICK prober" },
        { "send": "USER prober prober prober :prober" },
        { "expect": "PING :([^ ]+)", "send": "PONG ${1}" },
        { "expect": "^:[^ ]+ 001" },
    ]);
    let bench = bench("tcp").option("query_response", steps);
    let found = bench.run(&server.await.to_string()).await;
    assert_eq!(found.ending(), "good", "{}", detail(&found));
    let told: Vec<_> = found
        .events
        .iter()
        .filter(|event| matches!(event.name, "heard" | "sent"))
        .map(|event| (event.name, event.fields()["step"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("sent", 1),
        ("sent", 2),
        ("heard", 3),
        ("heard", 3),
        ("sent", 3),
        ("heard", 4),
    ];
    assert_eq!(told, expected);
    assert_eq!(found.events.last().unwrap().name, "phases");
}
