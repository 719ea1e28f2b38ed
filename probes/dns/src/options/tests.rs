//! Are options read as `blackbox_exporter` reads them, and refused when it refuses them?

use leadsman_core::testing::read;
use serde_json::{Value, json};

use super::*;

/// What is said when options are loaded.
fn loaded(options: &Value) -> Result<Arc<DnsOptions>, String> {
    read(options).map(Arc::new)
}

#[test]
fn what_is_wrong_is_refused_when_it_is_loaded() {
    for (options, expected) in [
        (json!({}), "query_name"),
        (json!({ "preferred_ip_protocol": "ip6" }), "query_name"),
        (json!({ "query_name": null }), "query_name"),
        (
            json!({ "query_name": "a..b" }),
            "query_name: expected a domain name",
        ),
        (
            json!({ "query_name": "a", "query_type": "X" }),
            "query_type: there is no type `X`",
        ),
        (
            json!({ "query_name": "a", "query_class": "X" }),
            "query_class: there is no class `X`",
        ),
        (
            json!({ "query_name": "a", "edns_buffer_size": 511 }),
            "at least 512",
        ),
        (
            json!({ "query_name": "a", "invalid_extra_field": "v" }),
            "invalid_extra_field",
        ),
        (
            json!({ "query_name": "a", "tls_config": { "cert": "b" } }),
            "a certificate needs its key",
        ),
    ] {
        let said = loaded(&options).unwrap_err();
        assert!(said.contains(expected), "{options}: {said}");
    }
}

#[test]
fn what_can_never_succeed_is_refused_when_it_is_aimed() {
    for (options, target, expected) in [
        (json!(null), "192.0.2.1", ""),
        (json!({ "query_name": "a" }), "192.0.2.1:5353", ""),
        (json!({ "query_name": "a" }), "2001:db8::1", ""),
        (json!({ "query_name": "a" }), "[2001:db8::1]:5353", ""),
        (json!({ "query_name": "a" }), "ns.test", ""),
        (
            json!({ "query_name": "a" }),
            "ns.test:0",
            "not a host with a port",
        ),
        (
            json!({ "query_name": "a" }),
            "udp://ns.test",
            "not a host with a port",
        ),
        (
            json!({ "query_name": "a", "transport_protocol": "quic" }),
            "192.0.2.1",
            "transport_protocol: DNS is asked over udp or tcp",
        ),
        (
            json!({ "query_name": "a", "transport_protocol": "udp", "dns_over_tls": true }),
            "192.0.2.1",
            "transport_protocol: DNS over TLS needs TCP",
        ),
        (
            json!({ "query_name": "a", "valid_rcodes": ["NOERROR", "NO"] }),
            "192.0.2.1",
            "valid_rcodes: there is no code `NO`",
        ),
        (
            json!({ "query_name": "a", "validate_authority_rrs": { "fail_if_matches_regexp": [":["] } }),
            "192.0.2.1",
            "validate_authority_rrs: \":[\" is not a regular expression",
        ),
        (
            json!({ "query_name": "a", "tls_config": { "max_version": "TLS11" } }),
            "192.0.2.1",
            "speaks TLS 1.2 and 1.3 only",
        ),
    ] {
        let said = loaded(&options).unwrap().aim(&Target::new(target));
        let said = said.err().map(|why| why.to_string()).unwrap_or_default();
        assert!(said.contains(expected), "{options} {target}: {said}");
        assert_eq!(
            said.is_empty(),
            expected.is_empty(),
            "{options} {target}: {said}"
        );
    }
}

#[test]
fn the_port_and_the_transport_follow_from_tls() {
    for (options, target, port, is_udp) in [
        (json!({ "query_name": "a" }), "ns.test", 53, true),
        (
            json!({ "query_name": "a", "transport_protocol": "tcp" }),
            "ns.test",
            53,
            false,
        ),
        (
            json!({ "query_name": "a", "dns_over_tls": true }),
            "ns.test",
            853,
            false,
        ),
        (
            json!({ "query_name": "a", "dns_over_tls": true }),
            "ns.test:53",
            53,
            false,
        ),
    ] {
        let probe = loaded(&options).unwrap().aim(&Target::new(target)).unwrap();
        assert_eq!((probe.port, probe.is_udp), (port, is_udp), "{options}");
    }
}

#[test]
fn a_question_is_the_one_of_the_original_unless_told_otherwise() {
    for (options, expected) in [
        // No section at all: the root, ANY.
        (json!(null), &b"\x01\0\0\x01\0\0\0\0\0\0\0\0\xff\0\x01"[..]),
        (
            json!({ "query_name": "a." }),
            b"\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\xff\0\x01",
        ),
        (
            json!({ "query_name": "a", "query_type": "soa", "query_class": "CH", "recursion_desired": false }),
            b"\0\0\0\x01\0\0\0\0\0\0\x01a\0\0\x06\0\x03",
        ),
        (
            json!({ "query_name": "a", "dnssec_ok": true, "edns_buffer_size": 4096 }),
            b"\x01\0\0\x01\0\0\0\0\0\x01\x01a\0\0\xff\0\x01\0\0\x29\x10\0\0\0\x80\0\0\0",
        ),
    ] {
        let probe = loaded(&options).unwrap().aim(&Target::new("::1")).unwrap();
        assert_eq!(&probe.question.datagram()[2..], expected, "{options}");
    }
}
