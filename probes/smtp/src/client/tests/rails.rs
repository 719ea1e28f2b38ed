//! Is mail kept from going where and when it should not? Counted by whom it would reach.

use std::sync::Arc;

use leadsman_core::testing::Bench;
use leadsman_core::{Exchanger, Target};
use serde_json::json;

use super::servers::{Act, greeting, scripted, taking};
use super::{QUIET, bench, outcome, plugin, recipient};
use crate::client::metrics;

/// A bench with the limit for a domain that there is unless somebody raises it.
fn limited(server: std::net::SocketAddr) -> Bench {
    Bench::of(plugin())
        .option("hello", "client.test")
        .option("server", server.to_string())
        // Other tests send too, and what all send together is one count.
        .option("most_per_minute", 1_000_000)
        .option("allow_frequent", true)
}

#[tokio::test]
async fn nothing_is_sent_unless_it_is_written_that_it_is() {
    let _others = QUIET.read().await;
    let acts = [
        greeting("250 mx.test\r\n"),
        vec![
            Act::Hear("MAIL"),
            Act::Say("250 ok\r\n"),
            Act::Hear("RCPT"),
            Act::Say("250 ok\r\n"),
            Act::Hold,
        ],
    ];
    let (server, ear) = scripted(acts.concat());
    let found = limited(server).run(&recipient()).await;
    assert_eq!(outcome(&found), "ok");
    let verbs: Vec<_> = ear
        .lines()
        .iter()
        .map(|line| line[..4].to_owned())
        .collect();
    assert_eq!(verbs, ["EHLO", "MAIL", "RCPT", "QUIT"]);
    assert_eq!(ear.messages(), 0);
}

#[tokio::test]
async fn a_second_message_to_a_domain_waits_for_its_time_whoever_sends_it() {
    let _others = QUIET.read().await;
    let (server, ear) = scripted(taking());
    let to = recipient();
    let found = limited(server).option("send", true).run(&to).await;
    assert_eq!(outcome(&found), "ok", "{:?}", found.run.result);
    // Another probe, as after a reload, and another recipient there.
    let found = limited(server)
        .option("send", true)
        .run(&format!("b{to}"))
        .await;
    assert_eq!(outcome(&found), "rate_limited");
    assert_eq!(found.reason(), Some("other"), "our own doing");
    assert_eq!(found.counter(&metrics::SUPPRESSED, Some("domain_rate")), 1);
    assert_eq!(ear.messages(), 1);
    let none = limited(server)
        .option("send", true)
        .option("most_per_minute", 0);
    let found = none.run(&recipient()).await;
    assert_eq!(outcome(&found), "rate_limited");
    assert_eq!(found.counter(&metrics::SUPPRESSED, Some("overall_rate")), 1);
    assert_eq!(ear.messages(), 1);
}

#[tokio::test]
async fn who_is_refused_again_and_again_is_left_in_peace() {
    let _others = QUIET.read().await;
    let acts = [
        greeting("250 mx.test\r\n"),
        vec![
            Act::Hear("MAIL"),
            Act::Say("250 ok\r\n"),
            Act::Hear("RCPT"),
            Act::Say("550 5.1.1 who?\r\n"),
            Act::Hold,
        ],
    ];
    let (server, ear) = scripted(acts.concat());
    let to = recipient();
    for _ in 0..3 {
        assert_eq!(outcome(&limited(server).run(&to).await), "permfail");
    }
    let asked = ear.lines().len();
    let found = limited(server).run(&to).await;
    assert_eq!(
        (outcome(&found).as_str(), found.reason()),
        ("rate_limited", Some("rejected"))
    );
    assert!(found.gauge(&metrics::BACK_OFF, None) > Some(3500.0));
    assert_eq!(ear.lines().len(), asked, "nobody was asked");
    // The same server is asked what does not name the recipient.
    let found = limited(server).option("stop_after", "ehlo").run(&to).await;
    assert_eq!(outcome(&found), "ok");
}

#[tokio::test]
async fn exchangers_at_private_addresses_are_not_gone_to() {
    let _others = QUIET.read().await;
    let (server, ear) = scripted(taking());
    let mx = vec![Exchanger {
        preference: 10,
        host: "mx.test".into(),
    }];
    let bench = bench()
        .option("send", true)
        .option("port", server.port())
        .exchangers("private.test", Ok(mx))
        .host("mx.test", ["127.0.0.1".parse().unwrap()]);
    let found = bench.run("probe@private.test").await;
    assert_eq!(
        (outcome(&found).as_str(), found.reason()),
        ("forbidden", Some("other"))
    );
    assert_eq!(ear.lines(), Vec::<String>::new());
    let found = bench
        .option("allow_private", true)
        .run("probe@private.test")
        .await;
    assert_eq!(outcome(&found), "ok");
    assert_eq!(ear.messages(), 1);
}

#[test]
fn a_stranger_may_aim_only_at_those_who_are_named() {
    let foreign = |address: &str| Target {
        foreign: true,
        ..Target::new(address)
    };
    let check = |bench: &Bench, address: &str, expected: bool| {
        let aimed = bench.aim(&foreign(address));
        assert_eq!(aimed.is_ok(), expected, "{address}: {:?}", aimed.err());
        // Whoever has the configuration may aim as they like.
        assert!(bench.aim(&Target::new(address)).is_ok(), "{address}");
    };
    let listed = Bench::of(plugin()).option("recipients", json!(["Probe@Example.org"]));
    check(&listed, "Probe@example.ORG", true);
    check(&listed, "probe@example.org", false);
    check(&listed, "other@example.org", false);
    check(&listed, "Probe@[127.0.0.1]", false);
    check(&listed, "mx.example.org", true);
    check(&listed, "mx.example.org:2525", true);
    let none = Bench::of(plugin());
    check(&none, "probe@example.org", false);
    let sending = Bench::of(plugin())
        .option("send", true)
        .option("to", "probe@example.org");
    check(&sending, "mx.example.org", false);
    let knowing =
        Bench::of(plugin()).option("auth", json!({ "username": "me", "password": "secret" }));
    check(&knowing, "mx.example.org", false);
}

#[tokio::test]
async fn a_message_that_may_have_arrived_is_never_sent_again() {
    let _others = QUIET.read().await;
    let mut acts = taking();
    acts.truncate(10);
    acts.push(Act::Hold);
    let (server, ear) = scripted(acts);
    let exchangers = ["a.test", "b.test"].map(|host| Exchanger {
        preference: 1,
        host: host.into(),
    });
    let bench = bench()
        .option("send", true)
        .option("port", server.port())
        .option("allow_private", true)
        .option("accept_timeout", "100ms")
        .exchangers("once.test", Ok(exchangers.into()))
        .host("a.test", ["127.0.0.1".parse().unwrap()])
        .host("b.test", ["127.0.0.1".parse().unwrap()]);
    let target = Arc::new(Target::new("probe@once.test"));
    let mut probe = bench.aim(&target).unwrap();
    let found = bench.measure(&mut *probe, &target).await;
    assert_eq!(
        outcome(&found),
        "unknown_delivery",
        "{:?}",
        found.run.result
    );
    assert_eq!(ear.messages(), 1);
}
