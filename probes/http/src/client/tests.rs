//! Does the probe do on real sockets what it says?
//!
//! On loopback only, against servers that say byte for byte what they are told to, with
//! certificates that are made for the test.

mod broken;
mod compatible;
mod fenced;
mod fields;
mod flow;
#[cfg(feature = "http3")]
mod http3;
mod phases;
mod plain;
mod proxies;
mod servers;
mod tls;
mod truth;

use leadsman_core::Plugin;
use leadsman_core::testing::conformance::Kit;
use leadsman_core::testing::{Bench, Finished, assert_connection_causes, assert_manual};
use serde_json::json;

use servers::{Certified, ok, scripted};

#[tokio::test]
async fn the_plugin_conforms() {
    let certified = Certified::new(&["localhost"]);
    let secure = certified.serve(ok("{}")).await;
    let good = scripted(ok("{}")).await;
    let judged = bench()
        .option("fail_if_body_json_matches_cel", "body.a == 1")
        .option("tls_config", json!({ "ca": certified.authority }));
    let dated = scripted(
        "HTTP/1.1 200 OK\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n".to_owned(),
    );
    Kit::of(bench().option("preferred_ip_protocol", "ip4"))
        .good(good.to_string())
        .tcp_servers(|hostile| format!("http://{hostile}/"))
        .provoking("judged", judged, format!("https://{secure}/"))
        .provoking("dated", bench(), dated.await.to_string())
        .assert()
        .await;
}

#[test]
fn all_that_can_befall_a_connection_is_declared() {
    assert_connection_causes(plugin());
}

#[test]
fn the_manual_is_up_to_date() {
    assert_manual(plugin(), concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
}

/// The plugin as this crate submits it.
fn plugin() -> &'static Plugin {
    Bench::linked("http").plugin()
}

fn bench() -> Bench {
    Bench::of(plugin())
}

/// How a run ended: its reason, or `good`.
fn ending(found: &Finished) -> &'static str {
    found.reason().unwrap_or("good")
}

/// The phases of a hop that are not this program's, in the order in which they happen.
const PHASES: [&str; 6] = [
    "resolve",
    "connect",
    "tls",
    "request_write",
    "wait",
    "transfer",
];

/// In which phase a run was when it ended.
fn last_phase(found: &Finished) -> Option<String> {
    let hop = found.said("hop").last()?;
    let fields = hop.fields();
    let seconds = fields["seconds"].as_object()?;
    let reached = PHASES
        .iter()
        .rev()
        .find(|phase| seconds.contains_key(**phase));
    reached.map(|phase| (*phase).to_owned())
}
