//! Are real DNS servers measured as they are, and their records told as `blackbox_exporter` tells them?

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::ask::get;
use crate::program::{LEADSMAN, Program, skipped};

#[test]
fn knot_is_measured_over_udp_and_tcp() {
    const NAME: &str = "knot_is_measured_over_udp_and_tcp";
    let Some(knot) = Server::knot() else {
        return skipped(NAME, "Debian's package knot");
    };
    let modules = "
modules:
  soa: { prober: dns, dns: { query_name: all.test, query_type: SOA } }
  tcp: { prober: dns, dns: { query_name: a.all.test, query_type: A, transport_protocol: tcp } }
  long: { prober: dns, dns: { query_name: long.all.test, query_type: TXT } }
  longer: { prober: dns, dns: { query_name: long.all.test, query_type: TXT, retry_over_tcp: true } }
  signed: { prober: dns, dns: { query_name: a.all.test, query_type: A, dnssec_ok: true,
            validate_answer_rrs: { fail_if_none_matches_regexp: ['\tRRSIG\tA 13 3 300 '] } } }
  none: { prober: dns, dns: { query_name: nobody.all.test, query_type: A } }
";
    let program = Program::configured(modules);
    let probe = |module: &str| {
        let target = knot.address;
        program.get(&format!("/probe?module={module}&target={target}"))
    };
    for (module, expected) in [
        (
            "soa",
            &[
                ("probe_success", 1.0),
                ("probe_dns_serial", 1000.0),
                ("probe_dns_answer_rrs", 1.0),
                (r#"probe_dns_flag{flag="aa"}"#, 1.0),
                (r#"probe_dns_flag{flag="tc"}"#, 0.0),
                ("probe_dns_queries", 1.0),
            ][..],
        ),
        (
            "tcp",
            &[("probe_success", 1.0), ("probe_dns_answer_rrs", 2.0)],
        ),
        (
            "long",
            &[
                ("probe_success", 1.0),
                ("probe_dns_answer_rrs", 0.0),
                (r#"probe_dns_flag{flag="tc"}"#, 1.0),
            ],
        ),
        (
            "longer",
            &[
                ("probe_success", 1.0),
                ("probe_dns_answer_rrs", 1.0),
                (r#"probe_dns_flag{flag="tc"}"#, 0.0),
                ("probe_dns_queries", 2.0),
            ],
        ),
        // Two addresses and their signature; EDNS.
        (
            "signed",
            &[
                ("probe_success", 1.0),
                ("probe_dns_answer_rrs", 3.0),
                ("probe_dns_additional_rrs", 1.0),
            ],
        ),
        (
            "none",
            &[
                ("probe_success", 0.0),
                ("probe_dns_query_succeeded", 1.0),
                ("probe_dns_rcode", 3.0),
                (
                    r#"probe_failure_info{phase="request",reason="rejected"}"#,
                    1.0,
                ),
            ],
        ),
    ] {
        let answer = probe(module);
        for (series, value) in expected {
            assert_eq!(
                answer.value(series),
                Some(*value),
                "{module} {series}\n{}",
                answer.body
            );
        }
    }
}

#[test]
fn records_are_told_as_blackbox_exporter_tells_them() {
    const NAME: &str = "records_are_told_as_blackbox_exporter_tells_them";
    let Some(knot) = Server::knot() else {
        return skipped(NAME, "Debian's package knot");
    };
    let Some(original) = Server::original() else {
        return skipped(NAME, "Debian's package prometheus-blackbox-exporter");
    };
    let mut compared = BTreeSet::new();
    for (number, (name, kind)) in QUESTIONS.iter().enumerate() {
        let path = format!("/probe?module=m{number}&target={}&debug=true", knot.address);
        let theirs = messages(&get(original.address, &path).body);
        let arguments = ["--json", "--tcp", "--edns=false", "-t", kind];
        let ours = records(&by_hand(name, &knot, &arguments));
        assert_eq!(ours, theirs, "{name} {kind}");
        assert!(!ours.is_empty(), "{name} {kind}");
        compared.extend(ours);
    }
    assert!(compared.len() > QUESTIONS.len(), "{compared:?}");
}

#[test]
fn unbound_is_asked_over_tls() {
    const NAME: &str = "unbound_is_asked_over_tls";
    let Some(unbound) = Server::unbound() else {
        return skipped(NAME, "Debian's packages unbound and openssl");
    };
    let authority = unbound.directory.path().join("cert.pem");
    let ca = format!("tls_config.ca_file={}", authority.display());
    let secure = ["--tls", "--json", "-t", "A"];
    let ended = by_hand(
        "a.all.test",
        &unbound,
        &[&secure[..], &["-o", &ca]].concat(),
    );
    let text = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{text}");
    assert!(
        text.contains(r"a.all.test.\t300\tIN\tA\t192.0.2.1"),
        "{text}"
    );
    let ended = by_hand("a.all.test", &unbound, &secure);
    let text = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(1), "{text}");
    assert!(text.contains(r#""reason":"tls""#), "{text}");
}

#[test]
fn a_person_sees_the_records() {
    const NAME: &str = "a_person_sees_the_records";
    let Some(knot) = Server::knot() else {
        return skipped(NAME, "Debian's package knot");
    };
    let ended = by_hand("mx.all.test", &knot, &["-t", "mx"]);
    let text = String::from_utf8_lossy(&ended.stdout);
    let address = knot.address;
    for expected in [
        format!("mx.all.test. IN MX asked of {address} over UDP\n"),
        "\n  answer\n    mx.all.test.  300  IN  MX  10 mail.all.test.\n".to_owned(),
        format!("\n{address}: good, in "),
    ] {
        assert!(text.contains(&expected), "{expected:?} in\n{text}");
    }
    let ended = by_hand("nobody.all.test", &knot, &[]);
    assert_eq!(ended.status.code(), Some(1));
    let text = String::from_utf8_lossy(&ended.stdout);
    assert!(text.contains("rejected, after "), "{text}");
}

fn by_hand(name: &str, server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(LEADSMAN);
    command.args(["dns", name, &server.address.to_string()]);
    let ended = command.args(arguments).output();
    ended.expect("the program was built")
}

/// The records that a run by hand tells, sorted.
fn records(ended: &Output) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(&ended.stdout);
    let events = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON a line"));
    let mut answers = events.filter(|event: &Value| event["event"] == "answer");
    let answer = answers
        .next()
        .unwrap_or_else(|| panic!("no answer in\n{text}"));
    let sections = ["answer", "authority", "additional"].map(|section| &answer[section]["texts"]);
    let texts = sections.into_iter().filter_map(Value::as_array).flatten();
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The records in the log of a run of `blackbox_exporter`, sorted.
fn messages(log: &str) -> BTreeSet<String> {
    let (_, rest) = log
        .split_once(r#"msg="Got response" response=""#)
        .unwrap_or_else(|| panic!("{log}"));
    let line = rest.lines().next().unwrap_or_default();
    let message: String =
        serde_json::from_str(&format!("\"{line}")).unwrap_or_else(|why| panic!("{why}: {line}"));
    let records = message
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(';'));
    records.map(str::to_owned).collect()
}

/// A server of somebody else's, which ends with this.
struct Server {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Server {
    fn knot() -> Option<Self> {
        let (directory, address) = (TempDir::new().expect("there is room"), free());
        let at = directory.path().display();
        let long =
            "\"0123456789012345678901234567890123456789012345678901234567890123\" ".repeat(9);
        fs::create_dir(directory.path().join("db")).expect("there is room");
        fs::write(
            directory.path().join("all.test.zone"),
            ZONE.replace("LONG", &long),
        )
        .expect("there is room");
        let configuration = format!(
            "server:\n  rundir: {at}\n  listen: 127.0.0.1@{}\ndatabase:\n  storage: {at}/db\n\
             zone:\n  - domain: all.test\n    storage: {at}\n    zonefile-sync: -1\n    \
             journal-content: none\n    dnssec-signing: on\n",
            address.port()
        );
        let file = directory.path().join("knot.conf");
        fs::write(&file, configuration).expect("there is room");
        let mut command = Command::new("knotd");
        command.arg("-c").arg(&file);
        let server = Self::start(command, directory, address)?;
        // It listens before it has signed the zone.
        server.wait(|server| by_hand("all.test", server, &["-t", "SOA"]).status.success());
        Some(server)
    }

    fn unbound() -> Option<Self> {
        let (directory, address) = (TempDir::new().expect("there is room"), free());
        let at = directory.path().display();
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
        ]);
        openssl.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
        openssl.arg("-keyout").arg(directory.path().join("key.pem"));
        openssl.arg("-out").arg(directory.path().join("cert.pem"));
        let made = openssl.stdout(Stdio::null()).stderr(Stdio::null()).status();
        made.ok().filter(std::process::ExitStatus::success)?;
        let port = address.port();
        let configuration = format!(
            "server:\n  directory: {at}\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  \
             use-syslog: no\n  do-daemonize: no\n  interface: 127.0.0.1@{port}\n  tls-port: {port}\n  \
             tls-service-key: {at}/key.pem\n  tls-service-pem: {at}/cert.pem\n  \
             local-zone: \"all.test.\" static\n  local-data: \"a.all.test. 300 IN A 192.0.2.1\"\n\
             remote-control:\n  control-enable: no\n"
        );
        let file = directory.path().join("unbound.conf");
        fs::write(&file, configuration).expect("there is room");
        let mut command = Command::new("unbound");
        command.arg("-d").arg("-c").arg(&file);
        let server = Self::start(command, directory, address)?;
        server.wait(|server| std::net::TcpStream::connect(server.address).is_ok());
        Some(server)
    }

    /// `blackbox_exporter` with a module for each question.
    fn original() -> Option<Self> {
        let (directory, address) = (TempDir::new().expect("there is room"), free());
        let mut modules = "modules:\n".to_owned();
        for (number, (name, kind)) in QUESTIONS.iter().enumerate() {
            writeln!(
                modules,
                "  m{number}: {{ prober: dns, dns: {{ query_name: '{name}', query_type: {kind}, \
                 transport_protocol: tcp, preferred_ip_protocol: ip4 }} }}"
            )
            .expect("a String takes whatever is written to it");
        }
        let file = directory.path().join("blackbox.yml");
        fs::write(&file, modules).expect("there is room");
        let mut command = Command::new("prometheus-blackbox-exporter");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--web.listen-address={address}"));
        let server = Self::start(command, directory, address)?;
        server.wait(|server| std::net::TcpStream::connect(server.address).is_ok());
        Some(server)
    }

    fn start(mut command: Command, directory: TempDir, address: SocketAddr) -> Option<Self> {
        let log = fs::File::create(directory.path().join("log")).expect("there is room");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [path.as_os_str(), ":/usr/sbin".as_ref()]
            .into_iter()
            .collect::<std::ffi::OsString>();
        let also = log.try_clone().expect("a file can be shared");
        let child = command
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(also)
            .stderr(log)
            .spawn();
        let child = child.ok()?;
        Some(Self {
            child,
            address,
            directory,
        })
    }

    fn wait(&self, is_ready: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !is_ready(self) {
            assert!(Instant::now() < end, "{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        let file: &Path = &self.directory.path().join("log");
        fs::read_to_string(file).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; a child that was waited for cannot be killed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A port that is free for UDP and TCP.
fn free() -> SocketAddr {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("there is a port");
        let address = socket.local_addr().expect("it has one");
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A record of each type that both programs and the server know.
const ZONE: &str = r#"$ORIGIN all.test.
$TTL 300
@           SOA ns host\.master 1000 3600 600 86400 60
            NS  ns
ns          A   127.0.0.1
a           A   192.0.2.1
a           A   192.0.2.2
aaaa        AAAA 2001:db8::1
alias       CNAME a
dname       DNAME a
mx          MX  10 mail
ptr         PTR a
txt         TXT "plain" "with \"quotes\" and \\ backslash" "\000\200;"
long        TXT LONG
spf         TYPE99 \# 2 0161
srv         SRV 1 2 443 a
caa         CAA 0 issue "ca.test; account=\"1\""
tlsa        TLSA 3 1 1 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
sshfp       SSHFP 4 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789
naptr       NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:info@all.test!" .
naptr       NAPTR 100 20 "S" "SIP+D2U" "" _sip._udp
hinfo       HINFO "PC" "Linux 6"
rp          RP host txt
afsdb       AFSDB 1 a
uri         URI 10 1 "https://all.test/a?b=c"
loc         LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
cert        CERT PKIX 7 RSASHA256 AQIDBA==
openpgpkey  OPENPGPKEY AQIDBA==
smimea      SMIMEA 3 0 0 AABBCC
ds          DS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
cds         CDS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
cdnskey     CDNSKEY 257 3 13 AQIDBA==
csync       CSYNC 66 3 A NS AAAA
eui48       EUI48 00-00-5e-00-53-2a
eui64       EUI64 00-00-5e-ef-10-00-00-2a
dhcid       DHCID AQIDBA==
kx          KX 10 a
svcb        SVCB 1 a port=8443 alpn=h2,h3 mandatory=port
https       HTTPS 1 . alpn="h2,h3-29" ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1 ech=AQIDBA== no-default-alpn key65280="a b\"c"
unknown     TYPE65280 \# 3 0A00FF
odd\.name   A 192.0.2.3
*.wild      A 192.0.2.4
"#;

/// All but those whose answer is not the same twice.
#[rustfmt::skip]
const QUESTIONS: &[(&str, &str)] = &[
    ("all.test", "SOA"), ("all.test", "NS"), ("all.test", "DNSKEY"), ("all.test", "NSEC"),
    ("all.test", "RRSIG"), ("a.all.test", "A"), ("aaaa.all.test", "AAAA"), ("alias.all.test", "CNAME"),
    ("alias.all.test", "A"), ("dname.all.test", "DNAME"), ("x.dname.all.test", "A"), ("mx.all.test", "MX"),
    ("ptr.all.test", "PTR"), ("txt.all.test", "TXT"), ("spf.all.test", "SPF"), ("srv.all.test", "SRV"),
    ("caa.all.test", "CAA"), ("tlsa.all.test", "TLSA"), ("sshfp.all.test", "SSHFP"),
    ("naptr.all.test", "NAPTR"), ("hinfo.all.test", "HINFO"), ("rp.all.test", "RP"),
    ("afsdb.all.test", "AFSDB"), ("uri.all.test", "URI"), ("loc.all.test", "LOC"), ("cert.all.test", "CERT"),
    ("openpgpkey.all.test", "OPENPGPKEY"), ("smimea.all.test", "SMIMEA"), ("ds.all.test", "DS"),
    ("cds.all.test", "CDS"), ("cdnskey.all.test", "CDNSKEY"), ("csync.all.test", "CSYNC"),
    ("eui48.all.test", "EUI48"), ("eui64.all.test", "EUI64"), ("dhcid.all.test", "DHCID"),
    ("kx.all.test", "KX"), ("svcb.all.test", "SVCB"), ("https.all.test", "HTTPS"),
    ("unknown.all.test", "ANY"), (r"odd\.name.all.test", "A"), ("x.wild.all.test", "A"),
    ("nobody.all.test", "A"),
];
