//! What is made of certificates, good and bad, and of what is agreed on?

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use leadsman_core::metric::Gauge;
use leadsman_core::testing::{Bench, Finished};
use rcgen::{BasicConstraints, IsCa, date_time_ymd};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::servers::{Certified, accepting, ok, once, read, say, scripted};
use super::{bench, ending, last_phase};
use crate::client::metrics::{self, SSL, VERSION};

/// A gauge of those that all probes of streams share, by its name.
fn shared(found: &Finished, name: &str) -> Option<f64> {
    let mut places = found.run.recording.layout().places().iter();
    let place = places.find(|place| place.metric.name == name).unwrap();
    found.run.recording.values(place).next().flatten()
}

fn with_tls(tls_config: &Value) -> Bench {
    bench()
        .option("tls_config", tls_config)
        .host("name.test", [[127, 0, 0, 1].into()])
}

#[tokio::test]
async fn each_bad_certificate_has_its_reason_and_is_still_shown() {
    let expired = Certified::with(&["name.test"], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let early = Certified::with(&["name.test"], |params| {
        params.not_before = date_time_ymd(2900, 1, 1);
        params.not_after = date_time_ymd(2901, 1, 1);
    });
    let of_authority = Certified::with(&["name.test"], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let good = Certified::new(&["name.test"]);
    let other = Certified::new(&["other.test"]);
    let stranger = Certified::new(&["name.test"]).authority;
    for (certified, authority, expected) in [
        (&good, &good.authority, ""),
        (&expired, &expired.authority, "has expired"),
        (&early, &early.authority, "is not valid yet"),
        (
            &other,
            &other.authority,
            "is not for this name but for other.test",
        ),
        (&good, &stranger, "is signed by nobody who is trusted"),
        (&of_authority, &of_authority.authority, "is not acceptable"),
    ] {
        let server = certified.serve(ok("")).await;
        let address = format!("https://name.test:{}/", server.port());
        let found = with_tls(&json!({ "ca": authority })).run(&address).await;
        let said = found.run.result.as_ref().err().map(ToString::to_string);
        assert!(
            said.clone().unwrap_or_default().contains(expected),
            "{said:?}"
        );
        assert_eq!(
            ending(&found),
            if expected.is_empty() { "good" } else { "tls" },
            "{said:?}"
        );
        let trusted = f64::from(u8::from(expected.is_empty()));
        assert_eq!(
            shared(&found, "probe_tls_certificate_trusted"),
            Some(trusted)
        );
        assert!(shared(&found, "probe_tls_certificate_not_after_timestamp_seconds").is_some());
        let earliest = shared(&found, "probe_ssl_earliest_cert_expiry");
        assert_eq!(earliest.is_some(), expected.is_empty());
        assert_eq!(found.gauge(&SSL, None), Some(trusted));
        let phase = if expected.is_empty() {
            "transfer"
        } else {
            "tls"
        };
        assert_eq!(last_phase(&found).as_deref(), Some(phase));

        // Whoever wants none of that verified gets an answer, and still the verdict.
        let found = with_tls(&json!({ "ca": authority, "insecure_skip_verify": true }));
        let found = found.run(&address).await;
        assert_eq!(ending(&found), "good", "{:?}", found.run.result);
        assert_eq!(
            shared(&found, "probe_tls_certificate_trusted"),
            Some(trusted)
        );
        let until = shared(&found, "probe_ssl_last_chain_expiry_timestamp_seconds");
        assert_eq!(until.is_some(), expected.is_empty());
    }
}

#[tokio::test]
async fn a_name_of_ones_own_is_asked_for() {
    let certified = Certified::new(&["own.test"]);
    let server = certified.serve(ok("")).await;
    let authority = &certified.authority;
    let address = format!("https://name.test:{}/", server.port());
    let named = with_tls(&json!({ "ca": authority, "server_name": "own.test" }));
    assert_eq!(ending(&named.run(&address).await), "good");
    let plain = with_tls(&json!({ "ca": authority }));
    assert_eq!(ending(&plain.run(&address).await), "tls");
    let hosted = plain.option("headers", json!({ "host": "own.test:443" }));
    assert_eq!(ending(&hosted.run(&address).await), "good");
}

#[tokio::test]
async fn http2_is_spoken_where_the_server_chooses_it() {
    let certified = Certified::new(&[]);
    let acceptor = certified.acceptor(&[b"h2"]);
    let server = accepting(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let answer = service_fn(|request: Request<hyper::body::Incoming>| async move {
                let host = request.uri().authority().map(ToString::to_string);
                let body = Full::new(Bytes::from(host.unwrap_or_default()));
                Ok::<_, hyper::Error>(Response::new(body))
            });
            let http2 = http2::Builder::new(TokioExecutor::new());
            http2
                .serve_connection(TokioIo::new(stream), answer)
                .await
                .ok();
        }
    });
    let bench = with_tls(&json!({ "ca": certified.authority }))
        .option("headers", json!({ "Host": "127.0.0.1" }))
        .option("fail_if_body_not_matches_regexp", ["^127.0.0.1$"]);
    let found = bench.run(&format!("https://{}/", server.await)).await;
    assert_eq!(ending(&found), "good", "{:?}", found.run.result);
    assert_eq!(found.gauge(&VERSION, None), Some(2.0));
    let phases: [&Gauge; 2] = [&metrics::TTFB, &metrics::REQUEST_WRITE];
    assert!(
        phases
            .iter()
            .all(|gauge| found.gauge(gauge, None) > Some(0.0))
    );
}

#[tokio::test]
async fn the_kernel_is_asked_about_each_connection_however_it_ends() {
    let certified = Certified::new(&["name.test"]);
    let plain = scripted(ok("")).await;
    let secure = certified.serve(ok("")).await;
    let closing = scripted("").await;
    for (address, connects) in [
        (format!("http://{plain}/"), true),
        (format!("https://{secure}/"), true),
        (format!("http://{closing}/"), true),
        ("http://127.0.0.1:1/".to_owned(), false),
    ] {
        let found = with_tls(&json!({ "ca": certified.authority }));
        let found = found.run(&address).await;
        let gauge = |name| shared(&found, name);
        assert_eq!(
            gauge("probe_tcp_rtt_seconds").is_some(),
            connects,
            "{address}"
        );
        assert_eq!(gauge("probe_tcp_rtt_seconds") > Some(0.0), connects);
        assert_eq!(gauge("probe_tcp_mss_bytes") > Some(500.0), connects);
        assert_eq!(
            gauge("probe_tcp_retransmitted_segments").is_some(),
            connects
        );
    }
}

#[tokio::test]
async fn what_is_not_tls_is_said_to_be_none() {
    let server = accepting(|mut stream| async move {
        say(&mut stream, &[(0, "HTTP/1.1 400 Bad Request\r\n\r\n")]).await;
        read(&mut stream).await;
    });
    let found = with_tls(&json!({ "insecure_skip_verify": true }));
    let found = found.run(&format!("https://{}/", server.await)).await;
    assert_eq!(ending(&found), "tls");
    let said = found.run.result.unwrap_err().to_string();
    assert!(said.ends_with("the answer is not TLS"), "{said}");
}

#[tokio::test]
async fn a_file_that_is_missing_is_not_the_targets_fault() {
    let server = scripted(ok("")).await;
    for (option, value) in [
        ("tls_config", json!({ "ca_file": "/nowhere/ca.pem" })),
        ("tls_config", json!({ "ca": "no PEM at all" })),
        (
            "basic_auth",
            json!({ "password_file": "/nowhere/password" }),
        ),
        ("body_file", json!("/nowhere/body")),
        (
            "http_headers",
            json!({ "X-A": { "files": ["/nowhere/a"] } }),
        ),
    ] {
        let found = bench()
            .option(option, &value)
            .run(&format!("https://{server}/"))
            .await;
        assert_eq!(ending(&found), "other", "{value}: {:?}", found.run.result);
    }
}

#[tokio::test]
async fn goodbye_is_said_before_the_connection_is_closed() {
    let certified = Certified::new(&["name.test"]);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    let empty = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    for answer in [&ok("abc"), chunked, empty] {
        let (acceptor, said) = (certified.acceptor(&[]), answer.to_owned());
        let (server, end) = once(|stream| async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            read(&mut stream).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            // Who says none is found out as cut off.
            stream.read(&mut [0]).await.map_err(|why| why.kind())
        })
        .await;
        let target = format!("https://name.test:{}/", server.port());
        let bench = with_tls(&json!({ "ca": certified.authority }));
        bench.run(&target).await;
        assert_eq!(end.await.unwrap(), Ok(0), "{answer}");
    }
}
