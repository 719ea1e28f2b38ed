//! Is a record of each type written as it should be?

use super::*;
use crate::codes::Class;

/// Bytes as hexadecimal digits, with blanks between them for people.
fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.bytes().filter(|byte| *byte != b' ').collect();
    data_encoding::HEXLOWER.decode(&digits).unwrap()
}

/// The text of a record of this type whose data is at the end of a message with `x.test.` before it,
/// to which a name can point with `c00c`; `None` if it is malformed.
fn written(kind: &str, digits: &str) -> Option<String> {
    let mut message = bytes("0000 0000 0000 0000 0000 0000 0178 0474657374 00");
    let begin = message.len();
    message.extend(bytes(digits));
    let of = Record {
        owner: Name::from_ascii("x.test.").unwrap(),
        kind: Kind::named(kind).unwrap(),
        class: Class::IN,
        ttl: 300,
        data: begin..message.len(),
    };
    let mut text = String::new();
    record(&message, &of, &mut text).ok()?;
    let head = format!("x.test.\t300\tIN\t{kind}\t");
    Some(text.strip_prefix(&head).unwrap_or(&text).to_owned())
}

fn check(kind: &str, digits: &str, expected: &str) {
    let written = written(kind, digits);
    assert_eq!(written.as_deref(), Some(expected), "{kind} {digits}");
}

#[test]
fn records_of_addresses_and_names() {
    check("A", "7f000001", "127.0.0.1");
    check("AAAA", "20010db8 00000000 00000000 00000001", "2001:db8::1");
    check("CNAME", "0161 c00c", "a.x.test.");
    check("NS", "00", ".");
    check("PTR", "c00c", "x.test.");
    check("DNAME", "0161 00", "a.");
    check("MX", "000a 0161 c00c", "10 a.x.test.");
    check("AFSDB", "0001 c00c", "1 x.test.");
    check("KX", "0001 c00c", "1 x.test.");
    check("PX", "0001 c00c 0161 00", "1 x.test. a.");
    check("RP", "c00c 00", "x.test. .");
    check("SRV", "0001 0002 0035 c00c", "1 2 53 x.test.");
    check(
        "SOA",
        "026e73 c00c 036e6f63 c00c 000003e8 00001c20 00000e10 00127500 ffffffff",
        "ns.x.test. noc.x.test. 1000 7200 3600 1209600 4294967295",
    );
    check("EUI48", "0102030405ff", "01-02-03-04-05-ff");
    check("EUI64", "01020304050607ff", "01-02-03-04-05-06-07-ff");
}

#[test]
fn records_of_text() {
    check("TXT", "03 612062 00", r#""a b" """#);
    check("TXT", "05 22 5c 00 e9 7f", r#""\"\\\000\233\127""#);
    check("SPF", "01 61", r#""a""#);
    check("HINFO", "03 637075 02 6f73", r#""cpu" "os""#);
    check(
        "CAA",
        "00 05 6973737565 63612e746573743b20613d2262",
        r#"0 issue "ca.test; a=\"b""#,
    );
    check("CAA", "80 05 6973737565", r#"128 issue """#);
    check("URI", "000a 0001 66 74 70", r#"10 1 "ftp""#);
    check(
        "NAPTR",
        "0064 000a 01 55 07 4532552b736970 05 215c2e2121 00",
        r#"100 10 "U" "E2U+sip" "!\\.!!" ."#,
    );
}

#[test]
fn names_are_escaped() {
    check("NS", "03 61 2e 62 00", r"a\.b.");
    check("NS", "04 40 20 09 e9 00", r"\@\ \009\233.");
    check("NS", "06 27 3b 28 29 22 5c 00", r#"\'\;\(\)\"\\."#);
    check("NS", "02 41 5f 00", "A_.");
}

#[test]
fn records_of_security() {
    check("DS", "303b 08 02 0aff", "12347 8 2 0AFF");
    check("CDS", "0000 00 00 00", "0 0 0 00");
    check("SSHFP", "04 02 abcd", "4 2 ABCD");
    check("DNSKEY", "0101 03 0d 010203ff", "257 3 13 AQID/w==");
    check(
        "RRSIG",
        "0001 0d 02 0000012c 6b08f8ca 386d4380 303b 0161 00 01020304",
        "A 13 2 300 20261127032810 20000101000000 12347 a. AQIDBA==",
    );
    check(
        "NSEC",
        "c00c 00 06 4001000080 03 01 01 40",
        "x.test. A MX NIMLOC RRSIG NSEC CAA",
    );
    check("NSEC", "c00c", "x.test.");
    check(
        "NSEC3",
        "01 01 000a 02 aabb 04 00112233 00 01 40",
        "1 1 10 AABB 008I4CO A",
    );
    check("NSEC3PARAM", "01 00 0000 00", "1 0 0 -");
    check("TLSA", "03 01 01 abcdef", "3 1 1 abcdef");
    check("SMIMEA", "03 00 00 01", "3 0 0 01");
    check("OPENPGPKEY", "0102", "AQI=");
    check("DHCID", "010203", "AQID");
    check("CERT", "0001 0007 08 ff", "PKIX 7 RSASHA256 /w==");
    check("CERT", "00fc 0007 c8 ff", "252 7 200 /w==");
    check("CSYNC", "00000042 0003 00 01 40", "66 3 A");
    check("ZONEMD", "000003e8 01 01 abcd", "1000 1 1 abcd");
}

#[test]
fn records_of_places() {
    check(
        "LOC",
        "00 00 16 13 8b3cf018 810cbce0 009895b8",
        "52 22 23.000 N 04 53 32.000 E -2m 0.00m 10000m 10m",
    );
    check(
        "LOC",
        "00 11 21 32 7fffffff 80000000 009896e3",
        "00 00 0.001 S 00 00 0.000 W 0.99m 0.10m 0.20m 3m",
    );
}

#[test]
fn records_of_services() {
    check("SVCB", "0000 c00c", "0 x.test.");
    check(
        "HTTPS",
        "0001 00 0001 0006 02 6832 02 6833 0003 0002 01bb 0004 0008 c0000201 c0000202",
        r#"1 . alpn="h2,h3" port="443" ipv4hint="192.0.2.1,192.0.2.2""#,
    );
    check(
        "SVCB",
        "0010 00 0000 0004 0001 0004 0002 0000 0005 0003 010203 0006 0010 20010db8 00000000 00000000 00000001",
        r#"16 . mandatory="alpn,ipv4hint" no-default-alpn="" ech="AQID" ipv6hint="2001:db8::1""#,
    );
    check(
        "SVCB",
        "0001 00 0001 0006 05 612c5c62 22 0007 0001 2f ff00 0003 20 22 00",
        r#"1 . alpn="a\\\,\\\\b\"" dohpath="/" key65280="\ \"\000""#,
    );
}

#[test]
fn what_is_not_known_is_written_in_hexadecimal_digits() {
    check("TYPE65280", "0a00ff", r"\# 3 0a00ff");
    check("APL", "00 01 00 00", r"\# 4 00010000");
    check("A", "", "");
}

#[test]
fn edns_is_a_comment() {
    let message = bytes("0003 0002 6162 000a 0008 0102030405060708 000f 0002 0012");
    let of = |ttl| Record {
        owner: Name::root(),
        kind: Kind::OPT,
        class: Class(1232),
        ttl,
        data: 0..message.len(),
    };
    let text = |ttl| {
        let mut text = String::new();
        record(&message, &of(ttl), &mut text).unwrap();
        text
    };
    let options = "\n; NSID: 6162\n; COOKIE: 0102030405060708\n; LOCAL OPT: 15:0x0012";
    assert_eq!(
        text(0x8000),
        format!("\n;; OPT PSEUDOSECTION:\n; EDNS: version 0; flags: do; udp: 1232{options}")
    );
    assert_eq!(
        text(0x0001_0001),
        format!(
            "\n;; OPT PSEUDOSECTION:\n; EDNS: version 1; flags:; MBZ: 0x0001, udp: 1232{options}"
        )
    );
}

#[test]
fn data_of_the_wrong_form_is_malformed() {
    for (kind, digits) in [
        ("A", "7f0000"),
        ("A", "7f00000100"),
        ("AAAA", "7f000001"),
        ("CNAME", "0261"),
        // Forwards, to itself, and into nothing.
        ("CNAME", "c0ff"),
        ("CNAME", "c014"),
        ("CNAME", "ffff"),
        ("MX", "00"),
        ("SOA", "00 00 0000"),
        ("TXT", "0261"),
        ("SRV", "0001 0002 00"),
        ("NAPTR", "0064 000a 01"),
        ("CAA", "00 0a 69"),
        ("RRSIG", "0001 0d 02"),
        ("NSEC", "c00c 00 00"),
        ("NSEC", "c00c 00 02 40"),
        ("NSEC", "c00c 01 01 40 00 01 40"),
        ("NSEC3", "01 01 000a 02 aa"),
        ("HTTPS", "0001 00 0001 0006 02"),
        ("HTTPS", "0001 00 0001 0002 0268"),
        ("HTTPS", "0001 00 0003 0001 01"),
        ("HTTPS", "0001 00 0004 0003 010203"),
        ("LOC", "01 00 16 13 8b3cf018 810cbce0 009895b8"),
        ("LOC", "00 00 16 13 8b3cf018 810cbce0 0098"),
        ("OPT", "0003 0002 61"),
    ] {
        assert_eq!(written(kind, digits), None, "{kind} {digits}");
    }
}
