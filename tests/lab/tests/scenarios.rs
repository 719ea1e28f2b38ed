//! Which scenarios are there, and does each show what it says?

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use leadsman_lab::packet::{Header, ICMP, ICMPV6, Packet};
use leadsman_lab::{Load, Network, Scenario, Tunnel, tally};

/// Reads all scenarios, with the names of their files.
pub(crate) fn scenarios() -> Vec<(String, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = fs::read_dir(folder).expect("it is part of this package");
    let read = files.map(|file| {
        let path = file.expect("it can be listed").path();
        let name = path
            .file_stem()
            .expect("a file has a name")
            .to_string_lossy();
        let text = fs::read_to_string(&path).expect("it is text");
        let scenario = text
            .parse()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        (name.into_owned(), scenario)
    });
    let mut scenarios: Vec<(String, Scenario)> = read.collect();
    scenarios.sort_by(|(name, _), (other, _)| name.cmp(other));
    scenarios
}

/// What a scenario sends.
pub(crate) fn load(scenario: &Scenario) -> &Load {
    scenario.load.as_ref().expect("it says what is sent")
}

/// Checks that the shares of the outcomes are those that a scenario expects.
pub(crate) fn check(name: &str, scenario: &Scenario, network: &Network) {
    let tally = tally(network.records(), *load(scenario).wait);
    let sent = load(scenario).requests().count();
    assert_eq!(network.records().len(), sent, "{name}");
    let unexpected = tally
        .keys()
        .find(|outcome| !scenario.expect.contains_key(outcome));
    assert_eq!(unexpected, None, "{name}: {tally:?}");
    for (outcome, [least, most]) in &scenario.expect {
        let share = tally.get(outcome).copied().unwrap_or_default() as f64 / sent as f64;
        assert!(
            (*least..=*most).contains(&share),
            "{name}: {outcome:?} {share}"
        );
    }
}

#[test]
fn each_scenario_shows_what_it_says() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 20);
    for (name, scenario) in scenarios {
        plays(&name, &scenario);
    }
}

#[test]
fn the_scenario_in_the_readme_shows_what_it_says() {
    let readme = include_str!("../README.md");
    let (_, text) = readme.split_once("```toml\n").expect("it shows one");
    let (text, _) = text.split_once("```").expect("it ends");
    plays("README.md", &text.parse().expect("it is a scenario"));
}

/// Sends a scenario's load through its network, and checks what came of it.
fn plays(name: &str, scenario: &Scenario) {
    let mut network = Network::new(scenario).expect("it is a network");
    let addresses = load(scenario).addresses();
    for asked in load(scenario).requests() {
        while let Some(at) = network.next().filter(|at| *at <= asked.at) {
            network.due(at);
        }
        let number = (asked.sequence * 256) as u16 + asked.host as u16;
        let packet = echo(addresses[asked.host], load(scenario), number);
        network.inject(asked.at, packet.bytes());
    }
    while let Some(at) = network.next() {
        network.due(at);
    }
    check(name, scenario, &network);
}

fn echo(destination: IpAddr, load: &Load, number: u16) -> Packet<Vec<u8>> {
    let (source, protocol, kind) = match destination {
        IpAddr::V4(_) => (Tunnel::V4.into(), ICMP, 8),
        IpAddr::V6(_) => (Tunnel::V6.into(), ICMPV6, 128),
    };
    let [high, low] = number.to_be_bytes();
    let start = [kind, 0, 0, 0, high, low, 0, 1];
    let header = Header {
        source,
        destination,
        ttl: load.ttl,
        tos: 0,
        protocol,
    };
    Packet::build(header, &[&start[..], &vec![0; load.size]].concat(), 2)
}
