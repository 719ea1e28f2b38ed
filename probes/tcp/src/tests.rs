//! Do the probes do on real sockets what they say?
//!
//! On loopback and in a directory of the test's own, against servers that say what they are told to,
//! with certificates that are made for the test.

mod compatible;
mod dialogues;
mod reach;
mod servers;
mod tls;

use leadsman_core::Plugin;
use leadsman_core::testing::conformance::Kit;
use leadsman_core::testing::{Bench, Finished, assert_connection_causes, assert_manual};
use serde_json::json;
use tokio::sync::{RwLock, RwLockReadGuard};

use servers::{Certified, saying, saying_at};

/// As many steps as have a series, all but the last of which only send.
fn twenty() -> serde_json::Value {
    let mut steps = vec![json!({ "send": "x" }); 19];
    steps.push(json!({ "expect": "^(hello)", "labels": [{ "name": "said", "value": "$1" }] }));
    json!(steps)
}

/// Held by each test that opens sockets: the kit counts those of the whole process.
static PROCESS: RwLock<()> = RwLock::const_new(());

async fn together() -> RwLockReadGuard<'static, ()> {
    PROCESS.read().await
}

#[tokio::test]
async fn tcp_conforms() {
    let _alone = PROCESS.write().await;
    let certified = Certified::new(&["localhost"]);
    let secure = certified.upgrading(b"hello\n", b"hello again\n").await;
    let steps = json!([{ "expect": "^hello$", "starttls": true }, { "expect": "again" }]);
    let upgraded = bench("tcp")
        .option("query_response", steps)
        .option("tls_config", json!({ "ca": certified.authority }));
    let encrypted = bench("tcp")
        .option("tls", true)
        .option("tls_config", json!({ "ca": certified.authority }));
    let good = saying(b"hello\n").await;
    Kit::of(bench("tcp").option("query_response", json!([{ "expect": "^hello$" }])))
        .good(good.to_string())
        .tcp_servers(|hostile| hostile.to_string())
        .provoking(
            "of many steps",
            bench("tcp").option("query_response", twenty()),
            good.to_string(),
        )
        .provoking("that starts TLS", upgraded, secure.to_string())
        .provoking(
            "encrypted",
            encrypted,
            certified.serve(b"").await.to_string(),
        )
        .assert()
        .await;
}

#[tokio::test]
async fn unix_conforms() {
    let _alone = PROCESS.write().await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let certified = Certified::new(&["localhost"]);
    let tls = json!({ "ca": certified.authority });
    let steps = json!([{ "expect": "^hello$", "starttls": true }]);
    let upgraded = bench("unix")
        .option("query_response", steps)
        .option("tls_config", &tls);
    let encrypted = bench("unix").option("tls", true).option("tls_config", &tls);
    saying_at(&path("good"), b"hello\n");
    saying_at(&path("silent"), b"");
    certified.upgrading_at(&path("upgrading"), b"hello\n", b"");
    certified.serve_at(&path("secure"), b"");
    Kit::of(bench("unix").option("query_response", json!([{ "expect": "^hello$" }])))
        .good(path("good"))
        .hostile("silent", path("silent"))
        .hostile("that is not there", path("nowhere"))
        .provoking(
            "of many steps",
            bench("unix").option("query_response", twenty()),
            path("good"),
        )
        .provoking("that starts TLS", upgraded, path("upgrading"))
        .provoking("encrypted", encrypted, path("secure"))
        .assert()
        .await;
}

#[test]
fn all_that_can_befall_a_connection_is_declared() {
    for name in ["tcp", "unix"] {
        assert_connection_causes(plugin(name));
    }
}

#[test]
fn the_manuals_are_up_to_date() {
    for (name, file) in [("tcp", "README.md"), ("unix", "UNIX.md")] {
        let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        assert_manual(plugin(name), &path);
    }
}

/// A plugin as this crate submits it.
fn plugin(name: &str) -> &'static Plugin {
    Bench::linked(name).plugin()
}

fn bench(name: &str) -> Bench {
    Bench::of(plugin(name))
}

/// What a run that failed says of it.
fn detail(found: &Finished) -> String {
    let fault = found.run.result.as_ref().err();
    fault.map(ToString::to_string).unwrap_or_default()
}
