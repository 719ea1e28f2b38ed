//! What is made of TLS, from the first byte and in the middle?

use std::sync::Arc;
use std::time::Duration;

use leadsman_core::Target;
use serde_json::json;

use super::servers::{Certified, saying, saying_at};
use super::{bench, detail, together};

#[tokio::test]
async fn the_name_is_the_servers_or_the_hostnames_or_the_targets() {
    let _together = together().await;
    let certified = Certified::new(&["name.test"]);
    let server = certified.serve(b"hello\n").await;
    for (host, server_name, hostname, expected) in [
        ("127.0.0.1", None, None, "good"),
        ("name.test", None, None, "good"),
        ("other.test", None, None, "tls"),
        ("other.test", None, Some("name.test"), "good"),
        ("other.test", Some("name.test"), Some("other.test"), "good"),
        ("name.test", Some("other.test"), None, "tls"),
    ] {
        let mut tls = json!({ "ca": certified.authority });
        if let Some(name) = server_name {
            tls["server_name"] = json!(name);
        }
        let bench = bench("tcp")
            .option("tls", true)
            .option("tls_config", tls)
            .option("query_response", json!([{ "expect": "^hello$" }]))
            .host("name.test", [[127, 0, 0, 1].into()])
            .host("other.test", [[127, 0, 0, 1].into()]);
        let target = Arc::new(Target {
            hostname: hostname.map(Box::from),
            ..Target::new(format!("{host}:{}", server.port()))
        });
        let mut probe = bench.aim(&target).unwrap();
        let found = bench.measure(&mut *probe, &target).await;
        assert_eq!(found.ending(), expected, "{host}: {}", detail(&found));
        let good = expected == "good";
        let seen = |name: &str| found.named(name, None).is_some();
        assert_eq!(seen("probe_ssl_earliest_cert_expiry"), good);
        assert_eq!(seen("probe_failed_due_to_regex"), good);
        assert!(seen("probe_tls_certificate_not_after_timestamp_seconds"));
        assert!(
            found
                .named("probe_tcp_duration_seconds", Some("tls"))
                .is_some()
        );
        assert!(found.named("probe_tcp_rtt_seconds", None).is_some());
        assert_eq!(
            found.run.recording.phase(),
            if good { "dialogue" } else { "tls" }
        );
    }
}

#[tokio::test]
async fn a_step_that_starts_tls_is_named_where_that_fails() {
    let _together = together().await;
    let certified = Certified::new(&["localhost"]);
    let server = certified
        .upgrading(b"220 go ahead\n", b"hello\n")
        .await
        .to_string();
    let steps = json!([{ "expect": "^220", "starttls": true }, { "expect": "^hello$" }]);
    let upgrading = bench("tcp").option("query_response", steps);
    let trusting = upgrading
        .clone()
        .option("tls_config", json!({ "ca": certified.authority }));
    let found = trusting.run(&server).await;
    assert_eq!(found.ending(), "good", "{}", detail(&found));
    assert!(
        found
            .named("probe_ssl_earliest_cert_expiry", None)
            .is_some()
    );
    for phase in ["dialogue", "starttls"] {
        assert!(
            found
                .named("probe_tcp_duration_seconds", Some(phase))
                .is_some(),
            "{phase}"
        );
    }
    let stranger = Certified::new(&["localhost"]).authority;
    let distrusting = upgrading
        .clone()
        .option("tls_config", json!({ "ca": stranger }));
    let found = distrusting.run(&server).await;
    assert_eq!(
        (found.ending(), found.run.recording.phase()),
        ("tls", "starttls")
    );
    assert!(
        detail(&found).starts_with("step 1 of 2 cannot agree on TLS with"),
        "{}",
        detail(&found)
    );
    assert_eq!(found.named("probe_tcp_failed_step", None), Some(1.0));
    let plain = saying(b"220 go ahead\nthis is no TLS\n").await.to_string();
    let impatient = trusting.timeout(Duration::from_millis(300));
    let found = impatient.run(&plain).await;
    assert_eq!(
        (found.ending(), found.run.recording.phase()),
        ("timeout", "starttls")
    );
}

#[tokio::test]
async fn what_is_no_tls_is_told_from_what_says_nothing() {
    let _together = together().await;
    for (words, expected) in [(&b"SSH-2.0-x\r\n"[..], "tls"), (b"", "timeout")] {
        let server = saying(words).await.to_string();
        let bench = bench("tcp")
            .option("tls", true)
            .option("tls_config", json!({ "insecure_skip_verify": true }))
            .timeout(Duration::from_millis(300));
        let found = bench.run(&server).await;
        assert_eq!(
            (found.ending(), found.run.recording.phase()),
            (expected, "tls")
        );
        assert!(detail(&found).contains(&server), "{}", detail(&found));
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_our_own_fault() {
    let _together = together().await;
    let server = saying(b"").await.to_string();
    let bench = bench("tcp")
        .option("tls", true)
        .option("tls_config", json!({ "ca_file": "/nonexistent/ca.pem" }));
    let found = bench.run(&server).await;
    assert_eq!(found.ending(), "other", "{}", detail(&found));
    assert!(
        detail(&found).contains("/nonexistent/ca.pem"),
        "{}",
        detail(&found)
    );
}

#[tokio::test]
async fn a_path_is_localhost_over_tls() {
    let _together = together().await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let local = Certified::new(&["localhost"]);
    let named = Certified::new(&["name.test"]);
    local.serve_at(&path("local"), b"hello\n");
    named.serve_at(&path("named"), b"hello\n");
    saying_at(&path("plain"), b"hello\n");
    for (name, tls, expected) in [
        ("local", json!({ "ca": local.authority }), "good"),
        ("named", json!({ "ca": named.authority }), "tls"),
        (
            "named",
            json!({ "ca": named.authority, "server_name": "name.test" }),
            "good",
        ),
        ("named", json!({ "insecure_skip_verify": true }), "good"),
        ("plain", json!({ "insecure_skip_verify": true }), "tls"),
    ] {
        let bench = bench("unix")
            .option("tls", true)
            .option("tls_config", tls)
            .option("query_response", json!([{ "expect": "^hello$" }]));
        let found = bench.run(&path(name)).await;
        assert_eq!(found.ending(), expected, "{name}: {}", detail(&found));
        if expected != "good" {
            assert!(detail(&found).contains(&path(name)), "{}", detail(&found));
        }
    }
}
