//! Who takes a domain's mail, in every way in which that can be said?

use super::asked::{Told, ask};
use super::servers::{Server, free, knot, smtp_sink};

/// Every case there is; see RFC 5321, section 5.1, RFC 7505 and RFC 2181, section 10.3.
const ZONE: &str = "$ORIGIN test.
$TTL 1
@            SOA   ns hostmaster 1 3600 600 86400 1
             NS    ns
ns           A     127.0.0.1
multi        MX    20 c.multi
             MX    10 a.multi
             MX    10 b.multi
a.multi      A     127.0.0.1
b.multi      A     127.0.0.2
c.multi      A     127.0.0.3
implicit     A     127.0.0.3
implicit6    AAAA  ::1
null         MX    0 .
among        MX    0 .
             MX    10 c.multi
alias        MX    10 other
other        CNAME c.multi
dangling     MX    5 gone
             MX    50 c.multi
gone-all     MX    5 gone
             MX    5 gone.multi
numeric      MX    10 127.0.0.1.
cname        CNAME multi
xn--bcher-kva MX   10 c.multi
text         TXT   \"neither a host nor a taker of mail\"
";

/// Looks up who takes the mail of `domain`, and goes no further than `more` says.
fn look_up(dns: &Server, domain: &str, more: &[&str]) -> Told {
    let to = format!("probe@{domain}");
    let dns = dns.address.to_string();
    ask(&[&[to.as_str(), "--dns-server", &dns, "--seed", "1"], more].concat())
}

#[test]
fn every_way_to_name_an_exchanger_is_understood() {
    let Some(dns) = knot("every_way_to_name_an_exchanger_is_understood", ZONE) else {
        return;
    };
    let to_the_hosts = ["--stop-after", "mx", "--allow-private"];
    let check = |domain: &str, status: i32, outcome: &str, exchangers: &str| {
        let told = look_up(&dns, domain, &to_the_hosts);
        assert_eq!((told.status, told.outcome()), (status, outcome), "{domain}");
        let mx = told.events.iter().find(|event| event["event"] == "mx");
        let found = mx.map(|mx| {
            let list = mx["exchangers"].as_array().expect("a list").iter();
            let list = list.map(|one| format!("{} {}", one[0], one[1].as_str().expect("a name")));
            list.collect::<Vec<_>>().join(", ")
        });
        let mut found = found.unwrap_or_default();
        // Those of one preference are in no order.
        if found.starts_with("10 b.multi") {
            found = found.replacen(
                "10 b.multi.test, 10 a.multi.test",
                "10 a.multi.test, 10 b.multi.test",
                1,
            );
        }
        assert_eq!(found, exchangers, "{domain}");
        told
    };
    let flaw = |told: &Told| told.run()["metrics"]["probe_smtp_mx_flaws"].clone();
    let multi = "10 a.multi.test, 10 b.multi.test, 20 c.multi.test";
    check("multi.test", 0, "ok", multi);
    check("MULTI.test", 0, "ok", multi);
    check("cname.test", 0, "ok", multi);
    check("bücher.test", 0, "ok", "10 c.multi.test");
    check("implicit.test", 0, "ok", "0 implicit.test");
    check("implicit6.test", 0, "ok", "0 implicit6.test");
    check("null.test", 2, "null_mx", "");
    let told = check("among.test", 0, "ok", "10 c.multi.test");
    assert_eq!(flaw(&told)["null_among_others"], 1.0);
    let told = check("alias.test", 0, "ok", "10 other.test");
    assert_eq!(flaw(&told)["alias"], 1.0);
    let told = check("dangling.test", 0, "ok", "5 gone.test, 50 c.multi.test");
    assert_eq!(flaw(&told)["dangling"], 1.0);
    let told = look_up(&dns, "gone-all.test", &to_the_hosts);
    assert_eq!((told.status, told.outcome()), (2, "dns_permanent"));
    let told = look_up(&dns, "numeric.test", &to_the_hosts);
    assert_eq!((told.status, told.outcome()), (2, "dns_permanent"));
    assert_eq!(flaw(&told)["numeric"], 1.0);
    // Neither exchanger nor address, and no such name at all.
    check("none.test", 2, "dns_permanent", "");
    let told = look_up(&dns, "text.test", &to_the_hosts);
    assert_eq!((told.status, told.outcome()), (2, "dns_permanent"));
    // A server that does not know is not believed to know that there is none.
    check("elsewhere.example", 2, "dns_temporary", "");
}

#[test]
fn next_exchanger_is_tried_where_nobody_listens_and_only_there() {
    const TEST: &str = "next_exchanger_is_tried_where_nobody_listens_and_only_there";
    let Some(dns) = knot(TEST, ZONE) else {
        return;
    };
    let address = free([127, 0, 0, 3]);
    let Some(last) = smtp_sink(TEST, address, &[]) else {
        return;
    };
    let port = address.port().to_string();
    let there = ["--port", &port, "--allow-private"];
    for (domain, attempts) in [
        ("multi.test", 3.0),
        ("implicit.test", 1.0),
        ("among.test", 1.0),
        ("alias.test", 1.0),
        ("dangling.test", 1.0),
        ("bücher.test", 1.0),
    ] {
        let told = look_up(&dns, domain, &[there.as_slice(), &["--send"]].concat());
        assert_eq!((told.status, told.outcome()), (0, "ok"), "{domain}");
        let metrics = &told.run()["metrics"];
        assert_eq!(metrics["probe_smtp_mx_attempts"], attempts, "{domain}");
    }
    // The policy is to try no other.
    let told = look_up(
        &dns,
        "multi.test",
        &[there.as_slice(), &["--mx", "first"]].concat(),
    );
    assert_eq!((told.status, told.outcome()), (1, "connect_failed"));
    // Who has answered has answered: no other is asked, whatever it was.
    let refusing = smtp_sink(
        TEST,
        (std::net::Ipv4Addr::LOCALHOST, address.port()).into(),
        &["-f", "RCPT"],
    );
    let also = smtp_sink(
        TEST,
        (std::net::Ipv4Addr::new(127, 0, 0, 2), address.port()).into(),
        &["-f", "RCPT"],
    );
    assert!(refusing.is_some() && also.is_some());
    let told = look_up(&dns, "multi.test", &there);
    assert_eq!((told.status, told.outcome()), (1, "permfail"));
    assert_eq!(told.run()["metrics"]["probe_smtp_mx_attempts"], 1.0);
    // Nobody is connected to whose address somebody else's zone could have chosen.
    let told = look_up(&dns, "multi.test", &["--port", &port]);
    assert_eq!((told.status, told.outcome()), (2, "forbidden"));
    assert!(
        !told
            .events
            .iter()
            .any(|event| event["event"] == "connected")
    );
    drop(last);
}
