//! Do the phases add up to the run, and is each as long as it was made?

use std::time::Duration;

use leadsman_core::testing::Finished;

use super::servers::{accepting, listening, ok, read, redirect, say, scripted};
use super::{bench, ending};
use crate::client::metrics::{DURATION, OWN, REQUEST_WRITE, TTFB};

/// The phases with the program's own time, in seconds.
pub(super) fn sum(found: &Finished) -> f64 {
    let phases = ["resolve", "connect", "tls", "processing", "transfer"];
    let phases = phases
        .iter()
        .filter_map(|phase| found.gauge(&DURATION, Some(phase)));
    phases.sum::<f64>() + found.gauge(&OWN, None).unwrap_or_default()
}

#[tokio::test]
async fn the_phases_add_up_however_a_run_ends() {
    let (looping, _) = listening(|_| redirect(302, "/on").into_bytes()).await;
    let silent = accepting(|mut stream| async move {
        read(&mut stream).await;
        std::future::pending::<()>().await;
    });
    for (address, expected) in [
        (scripted(ok("abc")).await.to_string(), "good"),
        (
            scripted("HTTP/1.1 500 x\r\n\r\n").await.to_string(),
            "rejected",
        ),
        (scripted("").await.to_string(), "closed"),
        (looping.to_string(), "rejected"),
        (silent.await.to_string(), "timeout"),
        ("http://127.0.0.1:1/".to_owned(), "refused"),
        ("http://nowhere.test/".to_owned(), "resolve"),
    ] {
        let found = bench()
            .timeout(Duration::from_millis(300))
            .run(&address)
            .await;
        assert_eq!(ending(&found), expected, "{address} {:?}", found.run.result);
        let (sum, whole) = (sum(&found), found.run.duration.as_secs_f64());
        // What lies outside is a few microseconds; a busy machine may take the processor away.
        assert!(
            sum <= whole && whole - sum < 0.05,
            "{address}: {sum} of {whole}"
        );
    }
}

#[tokio::test]
async fn each_phase_is_as_long_as_it_was_made() {
    let server = accepting(|mut stream| async move {
        read(&mut stream).await;
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        say(
            &mut stream,
            &[(0, interim), (60, head), (0, "ab"), (40, "c")],
        )
        .await;
    });
    let found = bench().run(&server.await.to_string()).await;
    assert_eq!(ending(&found), "good", "{:?}", found.run.result);
    let took = |phase| found.gauge(&DURATION, Some(phase)).unwrap();
    assert!(took("processing") >= 0.06, "{}", took("processing"));
    assert!(took("transfer") >= 0.04, "{}", took("transfer"));
    assert!(found.gauge(&REQUEST_WRITE, None).unwrap() < took("processing") - 0.05);
    let before = found.run.duration.as_secs_f64() - took("transfer");
    assert!(found.gauge(&TTFB, None).unwrap() <= before);
}

#[tokio::test]
async fn phases_are_summed_over_redirects_and_told_hop_by_hop() {
    let server = accepting(|mut stream| async move {
        let request = read(&mut stream).await.unwrap_or_default();
        let first = request.contains(" /a ");
        let answer = if first { redirect(302, "/b") } else { ok("") };
        say(&mut stream, &[(30, &answer)]).await;
    });
    let found = bench().run(&format!("http://{}/a", server.await)).await;
    assert_eq!(ending(&found), "good", "{:?}", found.run.result);
    let waits: Vec<f64> = found
        .said("hop")
        .filter_map(|hop| hop.fields()["seconds"]["wait"].as_f64())
        .collect();
    assert!(
        waits.len() == 2 && waits.iter().all(|wait| *wait >= 0.03),
        "{waits:?}"
    );
    assert!(found.gauge(&DURATION, Some("processing")) >= Some(0.06));
}

#[tokio::test]
async fn a_phase_that_was_not_reached_is_zero_or_absent() {
    let found = bench().run("http://nowhere.test/").await;
    assert!(found.gauge(&DURATION, Some("resolve")).is_some());
    for phase in ["connect", "tls", "processing", "transfer"] {
        assert_eq!(found.gauge(&DURATION, Some(phase)), None, "{phase}");
    }
    let found = bench().run("http://127.0.0.1:1/").await;
    for phase in ["tls", "processing", "transfer"] {
        assert_eq!(found.gauge(&DURATION, Some(phase)), Some(0.0), "{phase}");
    }
}

#[tokio::test]
async fn a_failure_is_told_with_its_phase() {
    let missing = scripted("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n").await;
    let closing = scripted("").await;
    for (address, expected) in [
        (missing.to_string(), "judge"),
        (closing.to_string(), "wait"),
        (format!("https://{missing}/"), "tls"),
        ("name.test".to_owned(), "resolve"),
    ] {
        let found = bench().run(&address).await;
        assert_eq!(found.run.recording.phase(), expected, "{address}");
    }
}
