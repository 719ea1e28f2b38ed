//! Does a probe of somebody else's, in a program of their own, get everything a built-in one has?

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::Duration;

use crate::invariants::dependencies;
use crate::program::{Program, skipped};

/// Their program, built from `tests/acme`.
static ACME: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--package", "acme-daytime"]);
    // The same profile and folder as this test's own program, so that nothing is built twice.
    let leadsman = PathBuf::from(crate::program::LEADSMAN);
    if leadsman
        .parent()
        .is_some_and(|folder| folder.ends_with("release"))
    {
        build.arg("--release");
    }
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.expect("cargo is there").success());
    leadsman.with_file_name("acme-daytime")
});

fn said(arguments: &[&str]) -> String {
    let output = Command::new(&*ACME)
        .args(arguments)
        .output()
        .expect("it was just built");
    String::from_utf8([output.stdout, output.stderr].concat()).expect("it writes text")
}

#[test]
fn it_is_listed_with_a_command_a_schema_and_a_help_of_its_own() {
    let list = said(&["list"]);
    assert!(list.contains("daytime") && list.contains("icmp"), "{list}");
    let help = said(&["--help"]);
    assert!(
        help.contains("daytime") && help.contains("Time that a daytime server takes"),
        "{help}"
    );
    let help = said(&["daytime", "--help"]);
    assert!(
        help.contains("--contains") && help.contains("Text that the answer must"),
        "{help}"
    );
    let schema = said(&["schema"]);
    assert!(
        schema.contains("Text that the answer must contain."),
        "{schema}"
    );
}

#[test]
fn a_mistake_in_its_options_is_told_with_its_place() {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("broken.yml");
    let text = "probes:\n- name: time\n  daytime: { contian: UTC }\n  targets: ['127.0.0.1:13']\n";
    std::fs::write(&file, text).expect("it can be written");
    let told = said(&["check", &file.display().to_string()]);
    assert!(
        told.contains(":3:14") && told.contains("contains"),
        "{told}"
    );
}

#[test]
fn it_is_scheduled_scraped_and_probed_beside_its_own_responder() {
    let port = free_port();
    let program = Program::start(
        &ACME,
        Some(&format!(
            "probes:\n\
             - name: time\n  every: 1s\n  daytime: {{ contains: UTC }}\n  targets: ['127.0.0.1:{port}']\n\
             modules:\n  fashionable: {{ prober: daytime, daytime: {{ contains: TAI }} }}\n\
             responders:\n- daytime: {{ listen: '127.0.0.1:{port}' }}\n"
        )),
    );
    let labels = format!("{{probe=\"time\",target=\"127.0.0.1:{port}\"}}");
    let metrics = program.wait(Duration::from_secs(5), |metrics| {
        metrics.value(&format!("probe_success{labels}")) == Some(1.0)
    });
    let answer = metrics.value(&format!("probe_daytime_answer_seconds{labels}"));
    assert!(
        answer.is_some_and(|seconds| seconds > 0.0 && seconds < 1.0),
        "{}",
        metrics.body
    );
    let asked = program.get(&format!(
        "/probe?module=fashionable&target=127.0.0.1:{port}"
    ));
    assert_eq!(
        (asked.status, asked.value("probe_success")),
        (200, Some(0.0)),
        "{}",
        asked.body
    );
    assert!(asked.body.contains("reason=\"mismatch\""), "{}", asked.body);
}

#[test]
fn unreachable_blames_the_network_if_it_was_asked_and_this_host_if_it_has_no_route() {
    if !alone(READY).status.success() {
        return skipped("who is to blame", "a network namespace with nftables");
    }
    for (address, status, reason) in [
        ("127.0.0.1:13", 1, "(unreachable)"),
        ("203.0.113.1:13", 2, "(network)"),
    ] {
        let asked = alone(&format!("{READY} && {} daytime {address}", ACME.display()));
        let told = String::from_utf8_lossy(&asked.stdout);
        assert!(told.contains(reason), "{address}: {told}");
        assert_eq!(asked.status.code(), Some(status), "{address}");
    }
}

#[test]
fn the_manifest_that_authors_are_shown_names_all_that_theirs_needs() {
    let manual = include_str!("../../probes/README.md");
    let shown = manual
        .split("```")
        .find_map(|part| part.strip_prefix("toml\n"));
    let shown = dependencies(shown.expect("a manifest is shown"));
    assert_eq!(shown, dependencies(include_str!("../acme/Cargo.toml")));
}

/// Runs a script in a network namespace that ends with it.
fn alone(script: &str) -> Output {
    let mut shell = Command::new("unshare");
    shell.args(["--net", "--map-root-user", "sh", "-c", script]);
    shell.output().expect("unshare is there")
}

/// Makes loopback all that there is, and answers connections to the daytime port as a router that
/// knows no way: with an ICMP error (RFC 792, p. 4).
const READY: &str = "ip link set lo up && nft '\
    add table ip router
    add chain ip router out { type filter hook output priority 0; }
    add rule ip router out tcp dport 13 reject with icmp type net-unreachable'";

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    free.expect("a port is free").port()
}
