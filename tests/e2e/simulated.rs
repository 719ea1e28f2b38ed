//! Is a trace through a simulated network what truly happened there?
//!
//! Each file in `tests/paths` is a network and what a trace through it must tell. Real packets of
//! the real program go there and back by a TUN device, over both families, by ICMP, UDP and TCP; every
//! address, count and round trip is held against the network's own record (privileged). Where a file
//! says `rounds`, the path is then measured in so many, and each packet of each is held against it too.
//!
//! Two pairs are left out because there is nothing to see: a SYN has no payload that could be too
//! large for a link, and real kernels cut what the IPv6 routers of `narrow` have once refused.

mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};

use leadsman_lab::{Network, Scenario, Tunnel, or_skip};
use serde::Deserialize;
use serde_json::Value;

use crate::program::LEADSMAN;
use trace::Trace;

/// A network, and the truth about the path through it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// By which protocols it is traced; all if none are named.
    #[serde(default)]
    protocols: Vec<String>,
    /// Over which families, `v4` and `v6`; both if none is named.
    #[serde(default)]
    families: Vec<String>,
    /// In how many rounds its hops are measured once the path is known; it ends then if none is given.
    rounds: Option<u32>,
    /// What else the program is told.
    #[serde(default)]
    arguments: Vec<String>,
    expect: Expected,
    network: Scenario,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    result: String,
    /// By TTL, the names of the nodes that may answer, one or several between bars; `target` is the
    /// address that was asked, and a star silence.
    hops: Vec<String>,
    /// By TTL, what else is told of who answers there.
    #[serde(default)]
    tells: BTreeMap<String, BTreeMap<String, Value>>,
    /// By TTL, the nodes that answer one after the other where the path changes.
    #[serde(default)]
    turns: BTreeMap<String, Vec<String>>,
    /// Whether numbers by which packets are told apart are used a second time.
    #[serde(default)]
    wraps: bool,
}

const TARGETS: [(&str, &str); 2] = [("v4", "10.9.0.1"), ("v6", "fd00:9::1")];
const PROTOCOLS: [&str; 3] = ["icmp", "udp", "tcp"];

#[test]
fn every_path_is_told_as_it_is() {
    let cases = cases();
    assert!(cases.len() >= 20, "there are {}", cases.len());
    let ways = cases.iter().flat_map(|(name, case)| ways(name, case));
    let (long, short): (Vec<_>, Vec<_>) = ways.partition(|way| way.case.rounds.is_some());
    // Most of their time they wait.
    let errors: Vec<f64> = thread::scope(|scope| {
        let parts = short.chunks(short.len().div_ceil(4)).chain(long.chunks(1));
        let parts: Vec<_> = parts
            .map(|part| scope.spawn(|| part.iter().filter_map(errors).flatten().collect()))
            .collect();
        let joined = parts.into_iter().map(ScopedJoinHandle::join);
        joined
            .flat_map(|part: thread::Result<Vec<f64>>| part.expect("no check fails"))
            .collect()
    });
    if !errors.is_empty() {
        check_errors(errors);
    }
}

fn cases() -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/paths");
    let files = fs::read_dir(folder).expect("it is part of this package");
    let read = files.map(|file| {
        let path = file.expect("it can be listed").path();
        let name = path.file_stem().expect("a file has a name");
        let name = name.to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it is text");
        let case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, case)
    });
    read.collect()
}

/// One trace that is to be made.
struct Way<'a> {
    name: &'a str,
    case: &'a Case,
    protocol: &'static str,
    target: &'static str,
}

/// Over each family by each protocol.
fn ways<'a>(name: &'a str, case: &'a Case) -> Vec<Way<'a>> {
    let wanted = |named: &[String], one: &str| named.is_empty() || named.iter().any(|n| n == one);
    let protocols = PROTOCOLS.into_iter();
    let protocols = protocols.filter(|protocol| wanted(&case.protocols, protocol));
    let ways = protocols.flat_map(|protocol| TARGETS.map(|target| (protocol, target)));
    let ways = ways.filter(|(_, (family, _))| wanted(&case.families, family));
    ways.map(|(protocol, (_, target))| Way {
        name,
        case,
        protocol,
        target,
    })
    .collect()
}

/// Traces through a network, checks what is told, and returns by how many seconds the round trips
/// differ from those of the record.
fn errors(way: &Way<'_>) -> Option<Vec<f64>> {
    let Way {
        name,
        case,
        protocol,
        target,
    } = way;
    let network = Network::new(&case.network).expect("it is a network");
    let tunnel = or_skip(Tunnel::open(network))?;
    let mut command = Command::new(LEADSMAN);
    command.args(["trace", "--json", "-n", "--protocol", protocol, target]);
    match case.rounds {
        None => command.arg("--once"),
        Some(rounds) => command.args(["--report", &rounds.to_string()]),
    };
    command.args(&case.arguments);
    let output = tunnel.namespace().run(|| command.output());
    let output = output.expect("it was built");
    let told = String::from_utf8(output.stdout).expect("it writes text");
    let read = |line| serde_json::from_str(line).expect("a line is an object");
    let trace = Trace {
        what: format!("{name}, {target} by {protocol}"),
        case,
        target: target.parse().expect("it is an address"),
        events: told.lines().map(read).collect(),
        records: tunnel.close().records().to_vec(),
    };
    Some(trace.check())
}

/// Checks that round trips are those of the record, which does not have the time until the
/// simulation woke up: that is what they may be too long.
fn check_errors(mut errors: Vec<f64>) {
    errors.sort_by(f64::total_cmp);
    let at = |percent| errors[errors.len() * percent / 100];
    let (least, median) = (at(0), at(50));
    assert!(least > -50e-6, "the least error is {least} s");
    assert!(median < 2e-3, "the median error is {median} s");
}
