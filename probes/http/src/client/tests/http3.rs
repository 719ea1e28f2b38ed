//! Is HTTP/3 spoken where it is asked for, and what is said of servers that do not?

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use h3::server::{Connection, RequestStream};
use h3_quinn::BidiStream;
use h3_quinn::quinn::Endpoint;
use hyper::Response;
use hyper::body::{Buf as _, Bytes};
use leadsman_core::Target;
use leadsman_core::testing::Bench;
use serde_json::json;
use tokio::net::UdpSocket;

use super::servers::Certified;
use super::{bench, ending, last_phase};
use crate::client::metrics::{ATTEMPTS, DURATION, SSL, STATUS, UNCOMPRESSED_LENGTH, VERSION};

/// Answers requests over QUIC: `/echo` with what was sent, `/away` with a redirect to it, `/half` with
/// half an answer, and `/big` with a megabyte.
fn serve(certified: &Certified) -> SocketAddr {
    let endpoint = Endpoint::server(certified.quic(), ([127, 0, 0, 1], 0).into()).unwrap();
    let address = endpoint.local_addr().unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                let Ok(connection) = incoming.await else {
                    return;
                };
                let connection = h3_quinn::Connection::new(connection);
                let Ok(mut connection) = Connection::<_, Bytes>::new(connection).await else {
                    return;
                };
                while let Ok(Some(request)) = connection.accept().await {
                    if let Ok((request, stream)) = request.resolve_request().await {
                        tokio::spawn(answer(request.uri().path().to_owned(), stream));
                    }
                }
            });
        }
    });
    address
}

async fn answer(path: String, mut stream: RequestStream<BidiStream<Bytes>, Bytes>) {
    let mut body = Vec::new();
    while let Ok(Some(mut piece)) = stream.recv_data().await {
        body.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
    }
    let response = match &*path {
        "/away" => Response::builder().status(302).header("location", "/echo"),
        _ => Response::builder(),
    };
    stream.send_response(response.body(()).unwrap()).await.ok();
    match &*path {
        "/half" => {
            stream.send_data("half".into()).await.ok();
            pending::<()>().await;
        }
        "/big" => {
            stream.send_data(vec![b'x'; 1 << 20].into()).await.ok();
            stream.finish().await.ok();
        }
        _ => {
            stream.send_data(body.into()).await.ok();
            stream.finish().await.ok();
        }
    }
}

fn asking(certified: &Certified) -> Bench {
    bench()
        .option("enable_http2", false)
        .option("enable_http3", true)
        .option("valid_http_versions", ["HTTP/3.0"])
        .option("tls_config", json!({ "ca": certified.authority }))
        .host("name.test", [[127, 0, 0, 1].into()])
}

#[tokio::test]
async fn runs_at_once_keep_their_answers_apart() {
    let certified = Certified::new(&["name.test"]);
    let server = serve(&certified);
    let runs = (0..30).map(|n| {
        let asking = asking(&certified)
            .timeout(Duration::from_secs(20))
            .option("method", "POST")
            .option("body", format!("run {n}"))
            .option("fail_if_body_not_matches_regexp", [format!("^run {n}$")]);
        async move {
            let address = format!("https://name.test:{}/echo", server.port());
            let found = asking.run(&address).await;
            assert_eq!(ending(&found), "good", "{n}: {:?}", found.run.result);
        }
    });
    join_all(runs).await;
}

#[tokio::test]
async fn a_server_is_asked_over_quic_and_its_answer_judged() {
    let certified = Certified::new(&["name.test"]);
    let server = serve(&certified);
    let asking = asking(&certified)
        .timeout(Duration::from_secs(2))
        .option("method", "POST")
        .option("body", "over QUIC");
    for (path, rules, reason, length) in [
        ("echo", "^over QUIC$", "good", 9.0),
        ("echo", "^else$", "mismatch", 9.0),
        ("big", "^x+$", "good", 1_048_576.0),
        ("away", "", "good", 0.0),
        ("half", "", "timeout", 0.0),
    ] {
        let asking = asking
            .clone()
            .option("fail_if_body_not_matches_regexp", [rules]);
        let address = format!("https://name.test:{}/{path}", server.port());
        let found = asking.run(&address).await;
        let told = format!("{path}: {:?}", found.run.result);
        assert_eq!(ending(&found), reason, "{told}");
        assert_eq!(found.gauge(&STATUS, None), Some(200.0), "{told}");
        assert_eq!(found.gauge(&VERSION, None), Some(3.0), "{told}");
        assert_eq!(found.gauge(&SSL, None), Some(1.0), "{told}");
        assert_eq!(
            found.gauge(&UNCOMPRESSED_LENGTH, None),
            Some(length),
            "{told}"
        );
        assert!(
            found.gauge(&DURATION, Some("connect")) > Some(0.0),
            "{told}"
        );
        assert_eq!(found.gauge(&DURATION, Some("tls")), Some(0.0), "{told}");
        let attempts = if path == "away" { 2.0 } else { 1.0 };
        assert_eq!(found.gauge(&ATTEMPTS, None), Some(attempts), "{told}");
    }
}

#[tokio::test]
async fn who_speaks_no_quic_or_is_not_trusted_has_a_reason() {
    let (certified, other) = (
        Certified::new(&["name.test"]),
        Certified::new(&["other.test"]),
    );
    let server = serve(&certified);
    let foreign = serve(&other);
    let mute = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mute = mute.local_addr().unwrap();
    for (trusting, server, reason) in [
        (&certified, server, "good"),
        (&other, server, "tls"),
        (&other, foreign, "tls"),
        (&certified, mute, "timeout"),
    ] {
        let asking = asking(trusting).timeout(Duration::from_secs(1));
        let address = format!("https://name.test:{}/", server.port());
        let found = asking.run(&address).await;
        let told = format!("{:?}", found.run.result);
        assert_eq!(ending(&found), reason, "{told}");
        if reason != "good" {
            assert_eq!(last_phase(&found).as_deref(), Some("connect"), "{told}");
            assert_eq!(found.gauge(&VERSION, None), Some(0.0), "{told}");
        }
    }
}

#[test]
fn what_quic_cannot_do_is_refused() {
    let certified = Certified::new(&[]);
    for (option, value, address, expected) in [
        ("method", json!("GET"), "http://a.test/", "over https only"),
        (
            "proxy_url",
            json!("http://p.test"),
            "https://a.test/",
            "through no proxy",
        ),
        (
            "tls_config",
            json!({ "max_version": "TLS12" }),
            "https://a.test/",
            "needs TLS 1.3",
        ),
    ] {
        let aimed = asking(&certified)
            .option(option, value)
            .aim(&Target::new(address));
        let mistakes = aimed.err().unwrap();
        assert!(mistakes[0].to_string().contains(expected), "{mistakes:?}");
    }
}
