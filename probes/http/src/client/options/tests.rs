//! Are options that contradict themselves refused, with words that help?

use std::sync::Arc;

use leadsman_core::testing::read;
use leadsman_core::{Options as _, Target};
use serde_json::{Value, json};

use super::HttpOptions;

/// Reads and aims; `expected` stands in the complaint, or is empty for none.
fn check(options: &Value, target: &Target, expected: &str) {
    let said = match read::<HttpOptions>(options) {
        Err(said) => said,
        Ok(options) => Arc::new(options)
            .aim(target)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default(),
    };
    assert!(said.contains(expected), "{options}: {said}");
    assert_eq!(said.is_empty(), expected.is_empty(), "{options}: {said}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let target = Target::new("http://example.com/");
    for (options, expected) in [
        (json!({}), ""),
        (
            json!({ "bearer_token": "a", "bearer_token_file": "b" }),
            "at most one may be given",
        ),
        (
            json!({ "bearer_token": "a", "basic_auth": {} }),
            "at most one may be given",
        ),
        (
            json!({ "body": "a", "body_file": "b" }),
            "of `body` and `body_file`",
        ),
        (
            json!({ "basic_auth": { "password": "a", "password_file": "b" } }),
            "`password_file`",
        ),
        (
            json!({ "authorization": { "type": "Basic" } }),
            "there is `basic_auth`",
        ),
        (
            json!({ "oauth2": { "client_id": "a" } }),
            "needs a `token_url`",
        ),
        (
            json!({ "tls_config": { "cert": "a" } }),
            "a certificate needs its key",
        ),
        (
            json!({ "tls_config": { "ca": "a", "ca_file": "b" } }),
            "of `ca` and `ca_file`",
        ),
        (
            json!({ "tls_config": { "min_version": "TLS13", "max_version": "TLS12" } }),
            "`min_version` must not be above",
        ),
        (
            json!({ "tls_config": { "max_version": "TLS11" } }),
            "speaks TLS 1.2 and 1.3 only",
        ),
        (json!({ "tls_config": { "min_version": "TLS10" } }), ""),
        (
            json!({ "tls_config": { "min_version": "TLS14" } }),
            "tls_config.min_version",
        ),
        (json!({ "method": "GE T" }), "`GE T` is no method"),
        (json!({ "headers": { "a b": "c" } }), "cannot be sent"),
        (json!({ "headers": { "a": "b\r\nc: d" } }), "cannot be sent"),
        (
            json!({ "http_headers": { "authorization": {} } }),
            "cannot be set in `http_headers`",
        ),
        (
            json!({ "fail_if_header_matches": [{ "header": "", "regexp": "a" }] }),
            "needs its `header`",
        ),
        (
            json!({ "fail_if_header_matches": [{ "header": "a" }] }),
            "regexp",
        ),
        (
            json!({ "fail_if_body_matches_regexp": [":["] }),
            "not a regular expression",
        ),
        (
            json!({ "fail_if_body_json_matches_cel": "foo.bar" }),
            "no variable `foo`",
        ),
    ] {
        check(&options, &target, expected);
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let target = Target::new("http://example.com/");
    for (options, expected) in [
        (
            json!({ "compression": "gzip", "headers": { "accEpt-enCoding": "br" } }),
            "the field Accept-Encoding excludes",
        ),
        (json!({ "compression": "zip" }), "compression"),
        (json!({ "body_size_limit": "128" }), "a size needs a unit"),
        (
            json!({ "proxy_connect_header": { "a": ["b"] } }),
            "needs a proxy",
        ),
        (json!({ "no_proxy": "a" }), "`no_proxy` needs a `proxy_url`"),
        (
            json!({ "proxy_from_environment": true, "proxy_url": "http://a" }),
            "excludes `proxy_url`",
        ),
        (json!({ "proxy_url": "ftp://a" }), "not over ftp"),
        (
            json!({ "valid_http_versions": ["HTTP/3.0"] }),
            "needs `enable_http3`",
        ),
        (
            json!({ "enable_http3": true }),
            "needs `enable_http2: false`",
        ),
        (
            json!({ "enable_http3": true, "enable_http2": false }),
            "over https only",
        ),
        (json!({ "no_such_option": 1 }), "no_such_option"),
    ] {
        check(&options, &target, expected);
    }
    let expected = if cfg!(feature = "http3") {
        ""
    } else {
        "built without the feature `http3`"
    };
    check(
        &json!({ "enable_http3": true, "enable_http2": false }),
        &Target::new("https://example.com/"),
        expected,
    );
}

#[test]
fn a_name_that_is_asked_for_must_not_contradict_the_header() {
    let named = Target {
        hostname: Some("a.test".into()),
        ..Target::new("http://example.com/")
    };
    check(&json!({}), &named, "");
    check(&json!({ "headers": { "host": "a.test" } }), &named, "");
    check(
        &json!({ "headers": { "Host": "b.test" } }),
        &named,
        "headers: the field Host is b.test",
    );
}

#[test]
fn secrets_are_never_shown() {
    let secret = "hunter2";
    let options = json!({
        "basic_auth": { "username": "u", "password": secret },
        "tls_config": { "cert": "c", "key": secret },
        "proxy_url": "http://a", "proxy_connect_header": { "a": [secret] },
        "http_headers": { "a": { "secrets": [secret] } },
    });
    let options: HttpOptions = read(&options).unwrap();
    for shown in [
        serde_json::to_string(&options).unwrap(),
        format!("{options:?}"),
    ] {
        assert!(
            shown.contains("<secret>") && !shown.contains(secret),
            "{shown}"
        );
    }
}
