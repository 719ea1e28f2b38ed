//! Does the probe do on real sockets what it says?
//!
//! On loopback only, against servers that say byte for byte what they are told to.

mod datagrams;
mod servers;
mod streams;

use leadsman_core::Plugin;
use leadsman_core::testing::conformance::Kit;
use leadsman_core::testing::{Bench, assert_connection_causes, assert_manual};
use serde_json::json;

use servers::{Certified, reply};

#[tokio::test]
async fn the_plugin_conforms() {
    let certified = Certified::new(&["localhost"]);
    let secure = certified.serve(|query| reply(query, 0, 0, &[A])).await;
    let good = servers::udp(|query| vec![reply(query, 0, 0, &[A])]).await;
    let zone = servers::udp(|query| vec![reply(query, 0, 0, &[SOA])]).await;
    let long = servers::both(
        |query| vec![vec![0; 20], reply(query, servers::TC, 0, &[])],
        |query| vec![servers::framed(&reply(query, 0, 0, &[A]))],
    );
    let over_tls = bench()
        .option("dns_over_tls", true)
        .option("tls_config", json!({ "ca": certified.authority }));
    let of_zone = bench().option("query_type", "SOA");
    let again = bench().option("retry_over_tcp", true);
    Kit::of(bench())
        .good(good.to_string())
        .udp_servers(|hostile| hostile.to_string())
        .provoking("secure", over_tls, secure.to_string())
        .provoking("of a zone", of_zone, zone.to_string())
        .provoking("truncated", again, long.await.to_string())
        .assert()
        .await;
}

#[tokio::test]
async fn the_plugin_conforms_over_streams() {
    let good = servers::tcp(|query| vec![servers::framed(&reply(query, 0, 0, &[A]))]).await;
    let kit = Kit::of(bench().option("transport_protocol", "tcp"))
        .good(good.to_string())
        .tcp_servers(|hostile| hostile.to_string());
    // What only datagrams, a zone or TLS show is shown above.
    let kit = kit
        .shown_elsewhere(&crate::metrics::PHASES)
        .shown_elsewhere(&crate::metrics::SERIAL)
        .shown_elsewhere(&crate::metrics::TRUNCATED);
    let kit = leadsman_dial::metrics::TLS
        .into_iter()
        .fold(kit, |kit, metric| kit.shown_elsewhere(metric));
    kit.assert().await;
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
    Bench::linked("dns").plugin()
}

/// Asks for `a.test.`, A.
fn bench() -> Bench {
    Bench::of(plugin())
        .option("query_name", "a.test")
        .option("query_type", "A")
        .option("preferred_ip_protocol", "ip4")
}

/// `a.test. 60 IN A 127.0.0.1`.
const A: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01";

/// `a.test. 60 IN SOA . . 1000 0 0 0 0`.
const SOA: &[u8] =
    b"\xc0\x0c\0\x06\0\x01\0\0\0\x3c\0\x16\0\0\0\0\x03\xe8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
