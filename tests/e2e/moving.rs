//! Does the page for people who come from another prober say what works?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::time::Instant;

use crate::program::{LEADSMAN, Program, skipped};
use crate::prometheus::{Prometheus, is_there};

/// What the page shows, by its first line.
fn blocks() -> BTreeMap<&'static str, &'static str> {
    let page = include_str!("../../src/COMING-FROM.md");
    let blocks = page.split("```yaml\n# ").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("there is a first"));
    let named = blocks.map(|block| block.split_once('\n').expect("a block has lines"));
    named.collect()
}

fn block(name: &str) -> &'static str {
    blocks().get(name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn every_configuration_on_the_page_is_one() {
    let mut checked = 0;
    for (name, text) in blocks() {
        let Some(what) = name.strip_prefix("leadsman.yml: ") else {
            continue;
        };
        let modules = block("leadsman.yml: the modules as they were");
        let whole = match text {
            text if text.contains("module: ping") => format!("{modules}{text}"),
            text => text.to_owned(),
        };
        let directory = tempfile::TempDir::new().expect("there is room");
        let file = directory.path().join("leadsman.yml");
        std::fs::write(&file, whole).expect("there is room");
        let said = Command::new(LEADSMAN)
            .arg("check")
            .arg(&file)
            .output()
            .expect("the program was built");
        let complaints = String::from_utf8_lossy(&said.stderr);
        assert!(
            said.status.success() && complaints.is_empty(),
            "{what}: {complaints}"
        );
        checked += 1;
    }
    assert_eq!(checked, 4);
}

#[test]
fn files_of_blackbox_exporter_load_as_they_are_and_their_differences_are_told() {
    const TEST: &str = "files_of_blackbox_exporter_load_as_they_are";
    let examples = "/usr/share/doc/prometheus-blackbox-exporter/examples";
    let files = [
        "/etc/prometheus/blackbox.yml".to_owned(),
        format!("{examples}/blackbox.yml"),
        format!("{examples}/example.yml"),
    ];
    for file in files {
        if !std::path::Path::new(&file).exists() {
            return skipped(TEST, "Debian's package prometheus-blackbox-exporter");
        }
        let said = Command::new(LEADSMAN)
            .args(["check", "--explain", &file])
            .output()
            .expect("the program was built");
        let (report, complaints) = (said.stdout, said.stderr);
        let complaints = String::from_utf8_lossy(&complaints);
        assert!(said.status.success(), "{file}: {complaints}");
        let report = String::from_utf8_lossy(&report);
        assert!(
            report.contains("Different from blackbox_exporter"),
            "{report}"
        );
        assert!(report.contains("\nevery module of http:\n  - "), "{report}");
    }
}

/// Answers every request on any address of this host; ends with the test's process.
fn web_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            thread::spawn(move || {
                let mut request = Vec::new();
                let mut some = [0; 1024];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut some) {
                        Ok(0) | Err(_) => return,
                        Ok(read) => request.extend_from_slice(&some[..read]),
                    }
                }
                // A client that has gone away is the client's affair.
                _ = stream.write_all(b"HTTP/1.1 204 x\r\nConnection: close\r\n\r\n");
            });
        }
    });
    address
}

/// The targets in place of the page's only one, each on a line of its own.
fn aimed(text: &str, targets: &[String]) -> String {
    let only = text
        .lines()
        .find(|line| line.trim() == "- 192.0.2.1")
        .expect("the page has a target");
    let indent = &only[..only.len() - only.trim_start().len()];
    let mut list = String::new();
    for target in targets {
        writeln!(list, "{indent}- {target}").expect("a String takes all");
    }
    text.replace(&format!("{only}\n"), &list)
}

#[test]
fn prometheus_finds_the_same_by_scraping_each_target_and_on_a_schedule() {
    const TEST: &str = "prometheus_finds_the_same_by_scraping_each_target_and_on_a_schedule";
    if !is_there() {
        return skipped(TEST, "Debian's package prometheus");
    }
    let open = web_server().port();
    // Bound and not listening, so that nobody else gets it and everybody is refused.
    let closed = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    closed.bind(&anywhere.into()).expect("a port is free");
    let closed_port = closed.local_addr().ok().and_then(|at| at.as_socket());
    let closed_port = closed_port.expect("it is bound").port();
    let pinged: Vec<_> = (1..=250).map(|n| format!("127.1.0.{n}")).collect();
    let url = |n, port| format!("http://127.2.0.{n}:{port}/");
    let asked: Vec<_> = (1..=200)
        .map(|n| url(n, open))
        .chain((201..=250).map(|n| url(n, closed_port)))
        .collect();

    let modules = block("leadsman.yml: the modules as they were");
    let scheduled = block("leadsman.yml: the same targets, probed on a schedule");
    let web = aimed(scheduled, &asked)
        .replace("probes:\n", "")
        .replace("edge", "web")
        .replace("module: ping", "module: web");
    let config = format!(
        "{modules}  web: {{ prober: http }}\n{}{web}",
        aimed(scheduled, &pinged)
    );
    let program = Program::configured(&config);

    let here = program.address.to_string();
    let by_target = block("prometheus.yml: leadsman in the place of blackbox_exporter");
    let by_target = by_target.replace("127.0.0.1:9115", &here);
    let web = aimed(&by_target, &asked)
        .replace("scrape_configs:\n", "")
        .replace("job_name: blackbox", "job_name: web")
        .replace("[ping]", "[web]");
    let at_once = block("prometheus.yml: one scrape for all that is scheduled");
    let at_once = at_once.replace("127.0.0.1:9115", &here);
    let prometheus = Prometheus::configured(&format!(
        "global: {{ scrape_interval: 5s, scrape_timeout: 5s }}\n{}{web}{}",
        aimed(&by_target, &pinged),
        at_once.replace("scrape_configs:\n", ""),
    ));

    let end = Instant::now() + Duration::from_mins(1);
    let success = |job, label| prometheus.values("probe_success", job, label);
    let mut expected: BTreeMap<_, _> = pinged
        .iter()
        .chain(&asked[..200])
        .map(|t| (t, "1"))
        .collect();
    expected.extend(asked[200..].iter().map(|target| (target, "0")));
    loop {
        let mut each = success("blackbox", "instance");
        each.extend(success("web", "instance"));
        let all = success("leadsman", "target");
        let found = (each.len(), all.len());
        if found == (500, 500) {
            for (target, expected) in &expected {
                assert_eq!(each[*target], *expected, "{target} by its own scrape");
                assert_eq!(all[*target], *expected, "{target} on the schedule");
            }
            return;
        }
        assert!(Instant::now() < end, "only {found:?} within a minute");
        thread::sleep(Duration::from_millis(500));
    }
}
