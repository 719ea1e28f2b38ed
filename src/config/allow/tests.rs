//! Is permitted what the rules say, and nothing else?

use serde_json::{Value, json};

use super::*;

fn allow(rules: &Value) -> Allow {
    serde_json::from_value(rules.clone()).unwrap()
}

#[test]
fn a_name_leads_only_where_its_rule_says() {
    fn check(rules: &Value, asked: &[(&str, &str, u16, bool)]) {
        let allow = allow(rules);
        for (host, address, port, expected) in asked {
            let host = Some(*host).filter(|host| !host.is_empty());
            let address = address.parse().unwrap();
            let admitted = allow.admits(host, address, Some(*port));
            assert_eq!(admitted, *expected, "{rules}: {host:?} {address} {port}");
            assert!(!expected || allow.admits(host, address, None), "{rules}");
        }
    }
    const PUBLIC: &str = "9.9.9.9";
    check(
        &json!(["example.com", "*.example.org:443"]),
        &[
            ("example.com", PUBLIC, 80, true),
            ("EXAMPLE.com.", PUBLIC, 0, true),
            ("example.com", "2620:fe::fe", 80, true),
            ("a.example.com", PUBLIC, 80, false),
            ("notexample.com", PUBLIC, 80, false),
            ("www.example.org", PUBLIC, 443, true),
            ("a.b.example.org", PUBLIC, 443, true),
            ("www.example.org", PUBLIC, 80, false),
            ("example.org", PUBLIC, 443, false),
            // An address is no name, and where a name leads is not its owner's to decide.
            ("", PUBLIC, 80, false),
            ("example.com", "127.0.0.1", 80, false),
            ("example.com", "169.254.169.254", 80, false),
            ("example.com", "10.1.2.3", 80, false),
            ("example.com", "::1", 80, false),
            ("example.com", "fd00::1", 80, false),
            ("example.com", "fe80::1", 80, false),
            ("example.com", "64:ff9b::a9fe:a9fe", 80, false),
            ("example.com", "2002:7f00:1::", 80, false),
        ],
    );
    check(
        &json!([
            { "host": "*.corp.test", "networks": ["10.0.0.0/8"], "ports": [443, "8000-8009"] },
            "192.0.2.0/24",
            "[2001:db8::/32]:25",
            "2001:db8:1::1",
        ]),
        &[
            ("a.corp.test", "10.1.2.3", 443, true),
            ("a.corp.test", "10.1.2.3", 8005, true),
            ("a.corp.test", "10.1.2.3", 8010, false),
            ("a.corp.test", PUBLIC, 443, false),
            ("b.test", "10.1.2.3", 443, false),
            ("", "192.0.2.255", 1, true),
            ("any.test", "192.0.2.0", 1, true),
            ("", "192.0.3.0", 1, false),
            ("", "2001:db8::25", 25, true),
            ("", "2001:db8::25", 26, false),
            ("", "2001:db8:1::1", 26, true),
        ],
    );
    check(
        &json!([{ "ports": [443] }]),
        &[
            ("any.test", PUBLIC, 443, true),
            ("", PUBLIC, 443, true),
            ("", PUBLIC, 80, false),
            ("", "127.0.0.1", 443, false),
        ],
    );
    check(
        &json!(["0.0.0.0/0"]),
        &[("", "127.0.0.1", 1, true), ("", "::1", 1, false)],
    );
    check(&json!([]), &[("", PUBLIC, 443, false)]);
}

#[test]
fn a_proxy_is_asked_for_names_and_a_socket_for_its_path() {
    let rules = json!(["*.example.org:443", "192.0.2.0/24", { "unix": "/run/a.sock" }]);
    let anyone = allow(&json!(["*"]));
    let allow = allow(&rules);
    assert!(allow.admits_name("www.example.org", 443));
    assert!(!allow.admits_name("www.example.org", 80));
    assert!(!allow.admits_name("example.net", 443));
    assert!(allow.admits_path("/run/a.sock"));
    assert!(!allow.admits_path("/run/../run/a.sock"));
    assert!(!anyone.admits_path("/run/a.sock"));
}

#[test]
fn what_is_no_rule_is_refused_with_what_to_write() {
    for (rule, expected) in [
        (json!("exa mple.com"), "`exa mple.com` is no host to permit"),
        (json!("*example.com"), "`*example.com` is no host to permit"),
        (json!("http://example.com"), "`//example.com` is no port"),
        (json!("example.com:0"), "`0` is no port"),
        (json!("example.com:9-8"), "`9-8` is no port"),
        (
            json!({}),
            "a rule needs `host`, `networks`, `ports` or `unix`",
        ),
        (
            json!({ "unix": "/a", "ports": [1] }),
            "a rule with `unix` has nothing else",
        ),
        (
            json!({ "networks": ["192.0.2.1/24"] }),
            "its network is 192.0.2.0/24",
        ),
        (
            json!({ "networks": ["192.0.2.0/33"] }),
            "`192.0.2.0/33` is no network",
        ),
    ] {
        let error = serde_json::from_value::<Allow>(json!([rule])).unwrap_err();
        assert!(error.to_string().contains(expected), "{rule}: {error}");
    }
}

#[test]
fn rules_read_back_as_they_are_shown() {
    let rules = allow(&json!([
        "Example.com.",
        "*:443",
        "[2001:db8::]:1-2",
        { "host": "a", "networks": ["192.0.2.7"], "ports": ["5"] },
        { "unix": "/run/a.sock" },
    ]));
    let shown = serde_json::to_value(&rules).unwrap();
    assert_eq!(allow(&shown), rules, "{shown}");
}
