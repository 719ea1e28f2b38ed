//! Which options contradict each other, and what may be aimed at?

use leadsman_core::Target;
use leadsman_core::testing::Bench;
use serde_json::{Value, json};

use crate::client::tests::plugin;

fn bench(options: &Value) -> Bench {
    let options = options.as_object().unwrap().iter();
    options.fold(Bench::of(plugin()), |bench, (key, value)| {
        bench.option(key, value)
    })
}

#[test]
fn what_contradicts_itself_is_refused() {
    let check = |options: Value, words: &str| {
        let mistakes = bench(&options).aim(&Target::new("a@b.test")).err();
        let told: Vec<_> = mistakes.iter().flatten().map(ToString::to_string).collect();
        let told = told.join("; ");
        assert!(
            told.contains(words) && (!words.is_empty() || told.is_empty()),
            "{options}: {told}"
        );
    };
    check(json!({}), "");
    check(
        json!({ "send": true, "stop_after": "rcpt" }),
        "leave out `stop_after`",
    );
    check(json!({ "send": true, "mx": "all" }), "to each exchanger");
    check(json!({ "body": "a", "body_file": "b" }), "at most one");
    check(json!({ "auth": { "username": "a" } }), "needs one of");
    check(
        json!({ "auth": { "username": "a", "password": "b", "password_file": "c" } }),
        "needs one of",
    );
    check(
        json!({ "tls": true, "starttls": "required" }),
        "nothing left",
    );
    check(json!({ "min_interval": "59s" }), "allow_frequent");
    check(json!({ "most_per_minute": 11 }), "allow_frequent");
    check(json!({ "most_per_minute": 11, "allow_frequent": true }), "");
    check(json!({ "hello": "a\r\nMAIL FROM:<>" }), "is no `hello`");
    check(json!({ "hello": "[192.0.2.1]" }), "");
    check(json!({ "hello": "a_b" }), "");
    check(json!({ "hello": "a_b", "send": true }), "in `from`");
    check(
        json!({ "hello": "a_b", "send": true, "from": "a@b.test" }),
        "",
    );
    check(json!({ "from": "a\r\n@b.test" }), "has to be quoted");
    check(json!({ "from": "" }), "");
    check(
        json!({ "recipients": ["a@b.test", "nobody"] }),
        "LOCAL@DOMAIN",
    );
    check(json!({ "to": "b@c.test" }), "a recipient already");
    check(json!({ "server": "a b" }), "HOST:PORT");
    check(json!({ "port": 0 }), "a `port`");
    check(
        json!({ "tls_config": { "ca": "a", "ca_file": "b" } }),
        "at most one",
    );
}

#[test]
fn a_target_is_a_recipient_or_a_server() {
    let check = |target: &str, options: Value, expected: bool| {
        let aimed = bench(&options).aim(&Target::new(target));
        assert_eq!(
            aimed.is_ok(),
            expected,
            "{target} {options}: {:?}",
            aimed.err()
        );
    };
    check("a@b.test", json!({}), true);
    check("a@b.test", json!({ "server": "[::1]:25" }), true);
    check("mx.test", json!({}), true);
    check("mx.test:587", json!({}), true);
    check("mx.test", json!({ "to": "a@b.test" }), true);
    check("mx.test", json!({ "to": "a@b.test", "send": true }), true);
    check("mx.test", json!({ "send": true }), false);
    check("mx.test", json!({ "stop_after": "rcpt" }), false);
    check("mx.test", json!({ "server": "other.test" }), false);
    check("a b@c.test", json!({}), false);
    check("a@", json!({}), false);
    check("", json!({}), false);
}
