//! Can others read what is served? Each reader is a program of somebody else's.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::ask::get;
use crate::program::skipped;
use crate::serve::Served;

#[test]
fn curl_reads_it_and_keeps_its_visit() {
    if !is_there("curl") {
        return skipped("curl_reads_it_and_keeps_its_visit", "Debian's package curl");
    }
    let served = page();
    let jar = served.directory.path().join("jar");
    let jar = jar.to_str().expect("it has a plain name");
    let url = format!("http://{}/page.html", served.address);
    let visit = || {
        assert_eq!(said("curl", &["-sS", "-b", jar, "-c", jar, &url]), PAGE);
        let cookies = fs::read_to_string(jar).expect("curl has written it");
        let line = cookies.lines().find(|line| line.contains("\tvisit\t"));
        let line = line.expect("the cookie is there").to_owned();
        line.rsplit('\t').next().map(str::to_owned)
    };
    assert_eq!(visit(), visit());
    assert_eq!(said("curl", &["-sS", "-r", "5-8", &url]), PAGE[5..9]);
    let status = ["-sS", "-o", "/dev/null", "-w", "%{http_code}"];
    let none = format!("http://{}/none", served.address);
    assert_eq!(said("curl", &[&status[..], &[&none]].concat()), "404");
}

#[test]
fn wget_reads_it_and_takes_up_what_was_broken_off() {
    if !is_there("wget") {
        return skipped(
            "wget_reads_it_and_takes_up_what_was_broken_off",
            "Debian's package wget",
        );
    }
    let served = page();
    let url = format!("http://{}/page.html", served.address);
    assert_eq!(said("wget", &["-q", "-O", "-", &url]), PAGE);
    let room = TempDir::new().expect("there is room");
    let file = room.path().join("page.html");
    fs::write(&file, &PAGE[..9]).expect("there is room");
    let into = room.path().to_str().expect("it has a plain name");
    said("wget", &["-q", "-c", "-P", into, &url]);
    assert_eq!(fs::read_to_string(file).expect("it is there"), PAGE);
}

#[test]
fn nghttp_reads_it_over_http2() {
    if !is_there("nghttp") {
        return skipped(
            "nghttp_reads_it_over_http2",
            "Debian's package nghttp2-client",
        );
    }
    let served = page();
    let url = format!("http://{}/page.html", served.address);
    assert_eq!(said("nghttp", &[&url]), PAGE);
    let none = format!("http://{}/none", served.address);
    let told = said("nghttp", &["-v", "--no-dep", &none]);
    assert!(told.contains(":status: 404"), "{told}");
}

#[test]
fn blackbox_exporter_finds_it_well() {
    const EXPORTER: &str = "prometheus-blackbox-exporter";
    if !is_there(EXPORTER) {
        return skipped(
            "blackbox_exporter_finds_it_well",
            "Debian's package prometheus-blackbox-exporter",
        );
    }
    let served = page();
    let exporter = Exporter::start(EXPORTER, &served.directory);
    let target = format!("http://{}/page.html", served.address);
    let path = format!("/probe?module=page&target={target}");
    let asked = get(exporter.address, &path);
    for (series, expected) in [
        ("probe_success", 1.0),
        ("probe_http_status_code", 200.0),
        ("probe_http_content_length", PAGE.len() as f64),
        ("probe_failed_due_to_regex", 0.0),
    ] {
        assert_eq!(asked.value(series), Some(expected), "{}", asked.body);
    }
}

/// Serves a page.
fn page() -> Served {
    let directory = TempDir::new().expect("there is room");
    fs::write(directory.path().join("page.html"), PAGE).expect("there is room");
    Served::directory(directory)
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// What a program says that has to succeed.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("it was just there");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {complaint}"
    );
    String::from_utf8(output.stdout).expect("the page is text")
}

/// Somebody else's exporter, which ends with the test.
struct Exporter {
    child: Child,
    address: SocketAddr,
}

impl Exporter {
    fn start(program: &str, directory: &TempDir) -> Self {
        let config = directory.path().join("blackbox.yml");
        let text = "modules:\n  page:\n    prober: http\n    http:\n      \
                    fail_if_body_not_matches_regexp: ['read by others']\n";
        fs::write(&config, text).expect("there is room");
        // It cannot be given port 0, so take one that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a port is free");
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was just there");
        let exporter = Self { child, address };
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "it does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        exporter
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

const PAGE: &str = "<!doctype html>\n<title>A page</title>\n<p>To be read by others.</p>\n";
