//! Does the probe stand what every probe has to stand, and measure what it says?

use std::net::SocketAddr;

use leadsman_core::testing::{Bench, assert_connection_causes, conformance::Kit};
use leadsman_core::{ResponderOptions, Stop};
use tokio::net::TcpStream;

use crate::ANSWER;
use crate::responder::DaytimeServer;

#[tokio::test]
async fn it_stands_what_every_probe_has_to_stand() {
    let server = server().await;
    Kit::of(Bench::linked("daytime").option("contains", "UTC"))
        .good(server.to_string())
        .tcp_servers(|hostile| hostile.to_string())
        .assert()
        .await;
}

#[tokio::test]
async fn the_wait_is_measured_even_if_the_answer_is_a_wrong_one() {
    let server = server().await.to_string();
    for (contains, reason) in [("UTC", None), ("TAI", Some("mismatch"))] {
        let found = Bench::linked("daytime").option("contains", contains);
        let found = found.run(&server).await;
        assert_eq!(found.reason(), reason, "{contains}");
        assert!(found.gauge(&ANSWER, None) > Some(0.0));
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_does_not_end_the_server() {
    let server = server().await;
    // Before the server, which runs on this thread, has come to accept.
    let client = std::net::TcpStream::connect(server).unwrap();
    client.set_nonblocking(true).unwrap();
    let client = TcpStream::from_std(client).unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    let found = Bench::linked("daytime").run(&server.to_string()).await;
    assert!(found.succeeded(), "{:?}", found.run.result);
}

#[test]
fn all_that_can_befall_a_connection_is_declared() {
    assert_connection_causes(Bench::linked("daytime").plugin());
}

/// Opens the responder of this crate, which serves until the test ends.
async fn server() -> SocketAddr {
    let server = DaytimeServer::default().open().await;
    let server = server.expect("loopback has a free port");
    let address = server.address();
    tokio::spawn(server.serve(Stop::never()));
    address
}
