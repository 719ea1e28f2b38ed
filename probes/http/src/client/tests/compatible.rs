//! Does a run that is to mimic `blackbox_exporter` share its oddities, and no other run?

use serde_json::json;

use super::servers::{Certified, ok, redirect, scripted};
use super::{bench, ending};
use crate::client::metrics::{FAILED_CEL, FAILED_REGEX, UNCOMPRESSED_LENGTH};

#[tokio::test]
async fn the_body_of_a_redirect_that_is_not_followed_is_gone() {
    let body = redirect(302, "/on").replace("Length: 0\r\n\r\n", "Length: 2\r\n\r\n{}");
    let server = scripted(body).await.to_string();
    let bench = bench()
        .option("follow_redirects", false)
        .option("valid_status_codes", [302]);
    let by_regex = bench
        .clone()
        .option("fail_if_body_not_matches_regexp", ["{}"]);
    let by_cel = bench
        .clone()
        .option("fail_if_body_json_not_matches_cel", "true");
    for (bench, flaw) in [
        (bench, None),
        (by_regex, Some(&FAILED_REGEX)),
        (by_cel, Some(&FAILED_CEL)),
    ] {
        let found = bench.run(&server).await;
        assert_eq!(ending(&found), "good", "{:?}", found.run.result);
        assert_eq!(found.gauge(&UNCOMPRESSED_LENGTH, None), Some(2.0));
        let found = bench.compatible().run(&server).await;
        assert_eq!(
            ending(&found),
            if flaw.is_some() { "mismatch" } else { "good" }
        );
        assert_eq!(found.gauge(&UNCOMPRESSED_LENGTH, None), Some(0.0));
        if let Some(flaw) = flaw {
            assert_eq!(found.gauge(flaw, None), Some(1.0));
        }
    }
}

#[tokio::test]
async fn a_chain_that_nobody_trusts_ended_in_the_year_one() {
    let server = Certified::new(&[]).serve(ok("")).await;
    let url = format!("https://{server}/");
    let bench = bench().option("tls_config", json!({ "insecure_skip_verify": true }));
    let until = |found: &leadsman_core::testing::Finished| {
        let text = format!("{:?}", found.run.recording);
        text.contains("-62135596800")
    };
    assert!(!until(&bench.run(&url).await));
    assert!(until(&bench.compatible().run(&url).await));
}
