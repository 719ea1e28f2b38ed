//! Is the right exchanger asked, and the right thing said where there is none?

use std::net::{IpAddr, SocketAddr};

use leadsman_core::testing::Bench;
use leadsman_core::{Exchanger, ResolveError};
use tokio::net::TcpListener;

use super::servers::{Act, Ear, greeting, scripted};
use super::{QUIET, bench, outcome};
use crate::client::metrics;

/// A server that is asked no further than EHLO.
fn server() -> (SocketAddr, Ear) {
    let quits = vec![Act::Hear("QUIT"), Act::Say("221 bye\r\n")];
    scripted([greeting("250 mx.test\r\n"), quits].concat())
}

/// A bench on which exchangers are at this port.
fn at(port: u16) -> Bench {
    bench()
        .option("port", port)
        .option("allow_private", true)
        .option("stop_after", "ehlo")
        .option("seed", 1)
}

fn records(records: &[(u16, &str)]) -> Vec<Exchanger> {
    let exchanger = |(preference, host): &(u16, &str)| Exchanger {
        preference: *preference,
        host: (*host).into(),
    };
    records.iter().map(exchanger).collect()
}

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Where nobody listens.
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 77));

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "most of them are cases")]
async fn the_next_is_asked_only_while_nobody_has_answered() {
    let _others = QUIET.read().await;
    let (address, _) = server();
    let (no, _) = scripted(vec![Act::Say("554 no\r\n"), Act::Hold]);
    let hosts = |bench: Bench| {
        bench
            .host("here.test", [HERE])
            .host("there.test", [THERE])
            .host("both.test", [THERE, HERE])
    };
    let name = || "a.test".to_owned();
    let broken = || Err(ResolveError::Failed(name(), "SERVFAIL".into()));
    let silent = || Err(ResolveError::Unanswered(name(), "REFUSED".into()));
    let numeric = Ok(records(&[(10, "127.0.0.1"), (20, "here.test")]));
    let dot = Ok(records(&[(0, ""), (10, "here.test")]));
    for (found, policy, port, expected, exchange, attempts) in [
        (
            Ok(records(&[(10, "here.test")])),
            "fallback",
            address.port(),
            "ok",
            "here.test",
            1.0,
        ),
        (
            Ok(records(&[(20, "here.test"), (10, "there.test")])),
            "fallback",
            address.port(),
            "ok",
            "here.test",
            2.0,
        ),
        (
            Ok(records(&[(20, "here.test"), (10, "there.test")])),
            "first",
            address.port(),
            "connect_failed",
            "there.test",
            1.0,
        ),
        (
            Ok(records(&[(20, "here.test"), (10, "there.test")])),
            "all",
            address.port(),
            "connect_failed",
            "here.test",
            2.0,
        ),
        (
            Ok(records(&[(20, "here.test"), (10, "none.test")])),
            "fallback",
            address.port(),
            "ok",
            "here.test",
            1.0,
        ),
        (
            Ok(records(&[(10, "both.test")])),
            "first",
            address.port(),
            "ok",
            "both.test",
            2.0,
        ),
        (
            Ok(records(&[(10, "here.test"), (20, "both.test")])),
            "fallback",
            no.port(),
            "permfail",
            "here.test",
            1.0,
        ),
        (
            Ok(records(&[(10, "none.test")])),
            "fallback",
            address.port(),
            "dns_permanent",
            "none.test",
            0.0,
        ),
        (
            Ok(records(&[])),
            "fallback",
            address.port(),
            "dns_permanent",
            "a.test",
            0.0,
        ),
        (numeric, "fallback", address.port(), "ok", "here.test", 1.0),
        (dot, "fallback", address.port(), "ok", "here.test", 1.0),
        (
            Ok(records(&[(0, "")])),
            "fallback",
            address.port(),
            "null_mx",
            "",
            0.0,
        ),
        (
            broken(),
            "fallback",
            address.port(),
            "dns_temporary",
            "",
            0.0,
        ),
        (
            silent(),
            "fallback",
            address.port(),
            "dns_temporary",
            "",
            0.0,
        ),
        (
            Err(ResolveError::NoName(name())),
            "fallback",
            address.port(),
            "dns_permanent",
            "",
            0.0,
        ),
    ] {
        let told = format!("{found:?}, {policy}");
        let bench = hosts(at(port))
            .option("mx", policy)
            .exchangers("a.test", found);
        let found = bench.run("probe@a.test").await;
        assert_eq!(outcome(&found), expected, "{told}: {:?}", found.run.result);
        let info = found.text(&metrics::MX_INFO).map_or("", |info| info[0]);
        assert_eq!(info, exchange, "{told}");
        assert_eq!(
            found.gauge(&metrics::MX_ATTEMPTS, None),
            Some(attempts),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_domain_without_exchangers_takes_its_mail_itself() {
    let _others = QUIET.read().await;
    let (address, ear) = server();
    let bench = at(address.port())
        .exchangers("a.test", Ok(Vec::new()))
        .host("a.test", [HERE]);
    let found = bench.run("probe@a.test").await;
    assert_eq!(outcome(&found), "ok");
    let info = found.text(&metrics::MX_INFO).unwrap();
    assert_eq!(info, ["a.test", "true"]);
    assert_eq!(ear.lines(), ["EHLO client.test", "QUIT"]);
    // Never where that is not certain.
    let failed = Err(ResolveError::Failed("a.test".into(), "SERVFAIL".into()));
    let found = bench.exchangers("a.test", failed).run("probe@a.test").await;
    assert_eq!(outcome(&found), "dns_temporary");
    assert_eq!(ear.lines().len(), 2, "nobody was asked");
}

#[tokio::test]
async fn records_that_are_wrong_are_told() {
    let _others = QUIET.read().await;
    let (address, _) = server();
    let found = Ok(records(&[
        (0, ""),
        (5, "192.0.2.1"),
        (6, "192.0.2.2"),
        (7, "none.test"),
        (8, "alias.test"),
    ]));
    let bench = at(address.port())
        .exchangers("a.test", found)
        .host("alias.test", [HERE])
        .alias("alias.test", "here.test");
    let found = bench.run("probe@a.test").await;
    assert_eq!(outcome(&found), "ok");
    let flaws = super::super::exchangers::FLAWS;
    let flaws: Vec<_> = flaws
        .iter()
        .map(|flaw| found.gauge(&metrics::MX_FLAW, Some(flaw)).unwrap())
        .collect();
    assert_eq!(flaws, [1.0, 2.0, 1.0, 1.0]);
}

#[tokio::test]
async fn at_most_five_addresses_are_tried() {
    let _others = QUIET.read().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let many = (1..=9).map(|n| IpAddr::from([127, 0, 1, n]));
    let bench = at(port)
        .exchangers("a.test", Ok(records(&[(1, "many.test")])))
        .host("many.test", many);
    let found = bench.run("probe@a.test").await;
    assert_eq!(outcome(&found), "connect_failed");
    assert_eq!(found.said("not_connected").count(), 5);
}

#[tokio::test]
async fn a_dry_run_tells_who_would_be_asked_and_asks_nobody() {
    let _others = QUIET.read().await;
    let (address, ear) = server();
    let found = Ok(records(&[(10, "here.test"), (20, "none.test")]));
    let bench = at(address.port())
        .option("stop_after", "mx")
        .exchangers("a.test", found)
        .host("here.test", [HERE]);
    let found = bench.run("probe@a.test").await;
    assert_eq!(outcome(&found), "ok");
    let hosts = found
        .said("exchanger")
        .map(|event| event.fields()["host"].clone());
    assert!(hosts.eq(["here.test", "none.test"]));
    let found = bench
        .option("allow_private", false)
        .run("probe@a.test")
        .await;
    assert_eq!(outcome(&found), "forbidden");
    assert_eq!(ear.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_literal_address_is_gone_to_directly() {
    let _others = QUIET.read().await;
    let (address, _) = server();
    let found = at(address.port()).run("probe@[127.0.0.1]").await;
    assert_eq!(outcome(&found), "ok");
}
