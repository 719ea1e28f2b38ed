//! Do the limits of `/probe` hold, and only those that were set?

use hyper::Request;

use super::*;

/// A surface with these settings of `/probe`.
async fn limited(probe: &str) -> Surface {
    let web = format!("web: {{ probe: {{ {probe} }} }}");
    Surface::new(host(&CONFIG.replace("web: { history: 10 }", &web)).await.0)
}

/// Asks from an address; returns the status, when to come again, and the words.
async fn ask_from(surface: &Surface, client: [u8; 4], target: &str) -> (u16, String, String) {
    let uri = format!("/probe?module=well&target={target}");
    let (head, ()) = Request::get(uri).body(()).unwrap().into_parts();
    let answer = surface.answer(&Caller::from(client.into()), head).await;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let again = head.headers.get("retry-after");
    let again = again.map_or("", |value| value.to_str().unwrap()).to_owned();
    let words = String::from_utf8(body.to_vec()).unwrap();
    (head.status.as_u16(), again, words)
}

/// What the program counts of those whom it turned away.
async fn turned_away(surface: &Surface, reason: &str) -> bool {
    let scrape = ask(surface, "/metrics", &[]).await;
    let name = "leadsman_probe_requests_refused_total";
    let sample = format!("{name}{{reason=\"{reason}\"}} 1\n");
    scrape.text().contains(&sample)
}

#[tokio::test(start_paused = true)]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let surface = limited("per_client_rate: 1/m").await;
    let (one, other) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    assert_eq!(ask_from(&surface, one, "deep").await.0, 200);
    let (status, again, words) = ask_from(&surface, one, "deep").await;
    assert_eq!((status, &*again), (429, "60"));
    assert!(words.contains("more often than is permitted"), "{words}");
    assert_eq!(ask_from(&surface, other, "deep").await.0, 200);
    assert!(turned_away(&surface, "rate").await);
}

#[tokio::test(start_paused = true)]
async fn no_more_runs_than_permitted_are_under_way() {
    let surface = limited("concurrency: 1").await;
    let client = [192, 0, 2, 1];
    let (first, second) = tokio::join!(
        // Until its module's timeout.
        ask_from(&surface, client, "silent"),
        ask_from(&surface, client, "deep"),
    );
    assert_eq!(first.0, 200, "{}", first.2);
    assert_eq!((second.0, &*second.1), (503, "1"), "{}", second.2);
    assert_eq!(ask_from(&surface, client, "deep").await.0, 200);
    assert!(turned_away(&surface, "concurrency").await);
}

#[tokio::test]
async fn whom_nobody_permits_is_not_asked() {
    let surface = limited("allow: ['198.51.100.0/24:7']").await;
    let client = [192, 0, 2, 1];
    let (status, _, words) = ask_from(&surface, client, "127.0.0.1").await;
    assert_eq!(status, 200);
    let info = "probe_failure_info{phase=\"resolve\",reason=\"permission\"} 1";
    assert!(words.contains(info), "{words}");
    let (_, _, words) = ask_from(&surface, client, "198.51.100.7").await;
    assert!(words.contains("probe_success 1"), "{words}");
    let free = limited("").await;
    let (_, _, words) = ask_from(&free, client, "127.0.0.1").await;
    assert!(words.contains("probe_success 1"), "{words}");
}

#[tokio::test]
async fn a_run_mimics_only_where_that_was_asked_for() {
    for (web, expected) in [
        ("web: {}", "probe_success 0"),
        ("web: { compatibility: none }", "probe_success 0"),
        ("web: { compatibility: blackbox }", "probe_success 1"),
    ] {
        let config = CONFIG.replace("web: { history: 10 }", web);
        let surface = Surface::new(host(&config).await.0);
        let (_, _, words) = ask_from(&surface, [192, 0, 2, 1], "mimics").await;
        assert!(words.contains(expected), "{web}: {words}");
    }
}
