//! Does a request carry what it should, to whom it should, wherever redirects lead?

use std::sync::Arc;

use leadsman_core::Target;
use leadsman_core::metric::common::TARGET_INFO;
use serde_json::json;

use super::servers::{Heard, listening, ok, redirect};
use super::{bench, ending};
use crate::client::metrics::{ATTEMPTS, REDIRECTS, STATUS};

fn heard(heard: &Heard) -> Vec<String> {
    heard.lock().unwrap().clone()
}

/// The first line of each request.
fn lines(requests: &Heard) -> Vec<String> {
    let first = |request: &String| request.lines().next().unwrap().to_owned();
    heard(requests).iter().map(first).collect()
}

#[tokio::test]
async fn a_redirect_changes_the_method_as_the_rfc_has_it() {
    for (method, status, expected) in [
        ("POST", 301, "GET /b HTTP/1.1"),
        ("POST", 302, "GET /b HTTP/1.1"),
        ("PUT", 303, "GET /b HTTP/1.1"),
        ("HEAD", 303, "HEAD /b HTTP/1.1"),
        ("POST", 307, "POST /b HTTP/1.1"),
        ("POST", 308, "POST /b HTTP/1.1"),
    ] {
        let (server, requests) = listening(move |request| {
            let first = request.contains(" /a ");
            (if first {
                redirect(status, "/b")
            } else {
                ok("")
            })
            .into_bytes()
        })
        .await;
        let bench = bench().option("method", method).option("body", "x=1");
        let found = bench.run(&format!("http://{server}/a")).await;
        assert_eq!(ending(&found), "good", "{method} {status}");
        assert_eq!(lines(&requests)[1], expected, "{method} {status}");
        let second = &heard(&requests)[1];
        assert_eq!(
            second.ends_with("x=1"),
            status >= 307,
            "{method} {status}: {second}"
        );
        assert_eq!(found.gauge(&REDIRECTS, None), Some(1.0));
    }
}

#[tokio::test]
async fn credentials_and_cookies_stay_with_their_server() {
    let (other, at_other) = listening(|_| ok("").into_bytes()).await;
    let location = format!("http://other.test:{}/", other.port());
    let (server, at_server) = listening(move |request| {
        if request.contains(" /again ") {
            return redirect(302, &location).into_bytes();
        }
        redirect(302, "/again")
            .replace("Location", "Set-Cookie: k=v; Path=/\r\nLocation")
            .into_bytes()
    })
    .await;
    let bench = bench()
        .option("basic_auth", json!({ "username": "u", "password": "p" }))
        .option("http_headers", json!({ "X-Key": { "secrets": ["s"] } }))
        .option("headers", json!({ "X-Open": "o", "Host": "name.test" }))
        .host("other.test", [other.ip()]);
    let found = bench.run(&format!("http://{server}/")).await;
    assert_eq!(ending(&found), "good");
    let (first, last) = (&heard(&at_server)[1], &heard(&at_other)[0]);
    for field in [
        "Authorization: Basic dTpw",
        "X-Key: s",
        "X-Open: o",
        "Cookie: k=v",
    ] {
        assert!(first.contains(field), "{field} is not in {first}");
    }
    assert!(first.contains("Host: name.test\r\n"));
    assert!(last.contains("X-Open: o") && last.contains("Host: other.test:"));
    for secret in ["Authorization", "X-Key", "Cookie"] {
        assert!(!last.contains(secret), "{secret} is in {last}");
    }
}

#[tokio::test]
async fn redirects_end_after_ten() {
    let (server, requests) = listening(|_| redirect(302, "/on").into_bytes()).await;
    let found = bench().run(&server.to_string()).await;
    assert_eq!(ending(&found), "rejected");
    assert_eq!(heard(&requests).len(), 11);
    assert_eq!(found.gauge(&REDIRECTS, None), Some(11.0));
    assert_eq!(found.gauge(&STATUS, None), Some(302.0));
}

#[tokio::test]
async fn a_redirect_to_what_is_not_http_breaks_the_protocol() {
    for location in [
        "ftp://a.test/",
        "http://",
        "javascript:alert(1)",
        "http://[::1/",
    ] {
        let (server, _) = listening(move |_| redirect(302, location).into_bytes()).await;
        let found = bench().run(&server.to_string()).await;
        assert_eq!(ending(&found), "protocol", "{location}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_while_it_lasts() {
    let body = r#"{"access_token":"t","token_type":"bearer","expires_in":3600}"#;
    let (giver, asked) = listening(move |_| ok(body).into_bytes()).await;
    let (server, requests) = listening(|_| ok("").into_bytes()).await;
    let oauth2 = json!({
        "client_id": "i d", "client_secret": "s", "token_url": format!("http://{giver}/"),
        "scopes": ["a", "b"], "endpoint_params": { "k": "v" },
    });
    let bench = bench().option("oauth2", oauth2);
    let target = Arc::new(Target::new(server.to_string()));
    let mut probe = bench.aim(&target).unwrap();
    for _ in 0..2 {
        let found = bench.measure(&mut *probe, &target).await;
        assert_eq!(ending(&found), "good");
        assert!(found.text(&TARGET_INFO).is_some());
    }
    let asked = heard(&asked);
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0].ends_with("grant_type=client_credentials&scope=a+b&k=v"),
        "{}",
        asked[0]
    );
    assert!(
        asked[0].contains("Authorization: Basic aStkOnM="),
        "{}",
        asked[0]
    );
    let authorized = |request: &String| request.contains("Authorization: Bearer t\r\n");
    assert!(heard(&requests).iter().all(authorized));
}

#[tokio::test]
async fn a_proxy_gets_the_whole_url_and_the_address_that_was_found() {
    let (proxy, requests) = listening(|_| ok("").into_bytes()).await;
    let through = |user: &str| {
        let bench = bench().host("name.test", [[192, 0, 2, 1].into()]);
        bench.option("proxy_url", format!("http://{user}{proxy}"))
    };
    for (bench, expected) in [
        (through("u:p%40@"), "GET http://192.0.2.1:80/x HTTP/1.1"),
        (
            through("").option("skip_resolve_phase_with_proxy", true),
            "GET http://name.test:80/x HTTP/1.1",
        ),
    ] {
        let found = bench.run("http://name.test/x").await;
        assert_eq!(ending(&found), "good", "{:?}", found.run.result);
        assert_eq!(lines(&requests).last().unwrap(), expected);
    }
    let requests = heard(&requests);
    assert!(
        requests[0].contains("Proxy-Authorization: Basic dTpwQA=="),
        "{}",
        requests[0]
    );
    assert!(
        requests
            .iter()
            .all(|request| request.contains("Host: name.test\r\n"))
    );
}

#[tokio::test]
async fn every_address_is_tried_until_one_accepts() {
    let (server, _) = listening(|_| ok("").into_bytes()).await;
    let addresses = [[127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 1]];
    let bench = bench().host("name.test", addresses.map(Into::into));
    let found = bench.run(&format!("name.test:{}", server.port())).await;
    assert_eq!(ending(&found), "good", "{:?}", found.run.result);
    assert_eq!(found.gauge(&ATTEMPTS, None), Some(3.0));
    assert_eq!(found.text(&TARGET_INFO), Some(vec!["127.0.0.1"]));
    let bench = super::bench().host("name.test", addresses[..2].iter().map(|a| (*a).into()));
    let found = bench.run(&format!("name.test:{}", server.port())).await;
    let said = found.run.result.unwrap_err().to_string();
    assert!(
        said.contains("127.0.0.2") && said.contains("127.0.0.3"),
        "{said}"
    );
}
