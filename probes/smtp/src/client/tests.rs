//! Does the probe do on real sockets what it says?
//!
//! On loopback only, against servers that say byte for byte what they are told to.

mod bad_servers;
mod exchangers;
mod rails;
mod servers;
mod truth;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use leadsman_core::Plugin;
use leadsman_core::testing::conformance::Kit;
use leadsman_core::testing::{Bench, Finished, assert_connection_causes, assert_manual};
use leadsman_dial::testing::Certified;
use serde_json::json;

use crate::delivery::METRICS;
use servers::{Act, scripted, taking};

#[tokio::test]
async fn the_plugin_conforms() {
    let _alone = QUIET.write().await;
    let (good, _) = scripted(taking());
    let hearing = [
        vec![Act::Tls(&CERTIFIED)],
        servers::greeting("250-mx.test\r\n250 SIZE 1000\r\n"),
        vec![Act::Hear("QUIT"), Act::Say("221 2.0.0 bye\r\n")],
    ];
    let (secure, _) = scripted(hearing.concat());
    let secured = Bench::of(plugin())
        .option("tls", true)
        .option("tls_config", json!({ "ca": CERTIFIED.authority }));
    let no = [
        servers::greeting("250 mx.test\r\n"),
        vec![Act::Hear("MAIL"), Act::Say("550 5.7.1 no\r\n"), Act::Hold],
    ];
    let (no, _) = scripted(no.concat());
    let sending = bench()
        .option("send", true)
        .option("to", "probe@conforms.test");
    let refused = Bench::of(plugin()).option("to", "probe@refused.conforms.test");
    let mx = Bench::of(plugin()).exchangers("mx.conforms.test", Ok(Vec::new()));
    Kit::of(Bench::of(plugin()))
        .good(good.to_string())
        .tcp_servers(|hostile| hostile.to_string())
        .provoking("sent", sending, good.to_string())
        .provoking("secured", secured, secure.to_string())
        .provoking("refused", refused, no.to_string())
        .provoking("mx", mx, "probe@mx.conforms.test".to_owned())
        .shown_elsewhere(&super::metrics::SUPPRESSED)
        .shown_elsewhere(METRICS[0])
        .shown_elsewhere(METRICS[1])
        .shown_elsewhere(METRICS[3])
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

/// For a server at this address.
static CERTIFIED: LazyLock<Certified> = LazyLock::new(|| Certified::new(&["127.0.0.1"]));

/// Held alone by what counts the sockets of this process or times it, and together by whoever leaves
/// sockets open for a while.
static QUIET: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

/// The plugin as this crate submits it.
pub(crate) fn plugin() -> &'static Plugin {
    Bench::linked("smtp").plugin()
}

/// A bench on which mail may go as often as a test likes.
fn bench() -> Bench {
    Bench::of(plugin())
        .option("hello", "client.test")
        .option("from", "sender@client.test")
        .option("min_interval", "0s")
        .option("most_per_minute", 1_000_000)
        .option("allow_frequent", true)
}

/// A recipient that no other test has, for what becomes of one is remembered.
fn recipient() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("probe@domain{number}.test")
}

/// How a run ended.
fn outcome(found: &Finished) -> String {
    let ended = found
        .said("phases")
        .last()
        .expect("each run says how it ended");
    let fields = ended.fields();
    fields["outcome"].as_str().unwrap_or("none").to_owned()
}
