//! Is a trace through a simulated network what truly happened there?
//!
//! Each file in `tests/paths` is a network and what a trace through it must tell. Real packets of
//! the real program go there and back by a TUN device, over both families, by ICMP, UDP and TCP; every
//! address, count and round trip is held against the network's own record (privileged).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use leadsman_lab::{Delivered, Network, Record, Scenario, Tunnel, or_skip};
use serde::Deserialize;
use serde_json::Value;

use crate::program::LEADSMAN;

/// A network, and the truth about the path through it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// By which protocols it is traced; all if none are named.
    #[serde(default)]
    protocols: Vec<String>,
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
}

/// One trace, as the program told it and as it was.
struct Trace<'a> {
    what: String,
    case: &'a Case,
    target: IpAddr,
    events: Vec<Value>,
    records: Vec<Record>,
}

/// At most so late does the quickest packet of a trace leave after it was asked for.
const LEAST_LATE: Duration = Duration::from_millis(2);

const TARGETS: [&str; 2] = ["10.9.0.1", "fd00:9::1"];
const PROTOCOLS: [&str; 3] = ["icmp", "udp", "tcp"];

#[test]
fn every_path_is_told_as_it_is() {
    let cases = cases();
    assert!(cases.len() >= 20, "there are {}", cases.len());
    // Most of their time they wait.
    let errors: Vec<f64> = thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(4));
        let parts: Vec<_> = parts
            .map(|part| scope.spawn(|| part.iter().flat_map(errors).collect::<Vec<f64>>()))
            .collect();
        let joined = parts.into_iter().map(ScopedJoinHandle::join);
        joined
            .flat_map(|part| part.expect("no check fails"))
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

/// Traces through a network over each family by each protocol, checks what is told, and returns by
/// how many seconds the round trips differ from those of the record.
fn errors((name, case): &(String, Case)) -> Vec<f64> {
    let named: Vec<&str> = case.protocols.iter().map(String::as_str).collect();
    let protocols = if named.is_empty() {
        &PROTOCOLS
    } else {
        &named[..]
    };
    let ways = protocols
        .iter()
        .flat_map(|protocol| TARGETS.map(|target| (protocol, target)));
    let traces = ways.filter_map(|(protocol, target)| {
        let network = Network::new(&case.network).expect("it is a network");
        let tunnel = or_skip(Tunnel::open(network))?;
        let mut command = Command::new(LEADSMAN);
        command
            .args([
                "trace",
                "--json",
                "--once",
                "-n",
                "--protocol",
                protocol,
                target,
            ])
            .args(&case.arguments);
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
    });
    traces.flatten().collect()
}

impl Trace<'_> {
    fn check(&self) -> Vec<f64> {
        let what = &self.what;
        let ended = self.named("ended").next();
        let ended = ended.unwrap_or_else(|| panic!("{what}: {:?}", self.events));
        let expected = &self.case.expect;
        assert_eq!(
            ended["result"], *expected.result,
            "{what}: {:?}",
            self.events
        );
        // What was to go beyond the target may be called off.
        assert!(self.named("sent").count() >= self.records.len(), "{what}");
        let mut errors = Vec::new();
        for (place, names) in expected.hops.iter().enumerate() {
            let ttl = place as u8 + 1;
            let asked = self.records.iter();
            let asked = asked.filter(|record| record.request.ttl == ttl);
            assert_eq!(self.of("sent", ttl).len(), asked.count(), "{what} at {ttl}");
            let told = self.of("hop", ttl);
            let from: BTreeSet<IpAddr> = told.iter().map(|hop| address(&hop["from"])).collect();
            let right = self.addresses(names);
            assert!(
                from.is_subset(&right),
                "{what}: {from:?} at {ttl}, not {names}"
            );
            let is_silent = !self.of("silent", ttl).is_empty();
            assert_eq!(is_silent, from.is_empty(), "{what} at {ttl}");
            // Whoever answers may be told to be silent if this machine was too busy to let the
            // answer come in time, which the check of the silence tells.
            let is_late = is_silent && !self.answers(ttl).is_empty();
            let may_be_silent = is_late || names.split('|').any(|name| name == "*");
            assert!(may_be_silent || !is_silent, "{what}: nobody at {ttl}");
            errors.extend(self.check_answers(ttl, &told));
            self.check_silence(ttl);
            for (field, value) in expected.tells.get(&ttl.to_string()).into_iter().flatten() {
                let said = told.iter().all(|hop| hop[field] == *value);
                assert!(said, "{what}: {field} is not {value} at {ttl}: {told:?}");
            }
        }
        errors
    }

    /// Holds each answer against that of the record, and returns the errors of the round trips.
    fn check_answers(&self, ttl: u8, told: &[&Value]) -> Vec<f64> {
        let truth = self.answers(ttl);
        assert!(
            told.len() <= truth.len(),
            "{}: {told:?} {truth:?}",
            self.what
        );
        let errors = told.iter().zip(truth).map(|(told, (record, answer))| {
            assert_eq!(
                address(&told["from"]),
                answer.from,
                "{} at {ttl}",
                self.what
            );
            let rtt = told["rtt_seconds"].as_f64().expect("it is a number");
            rtt - record.round_trip(&answer).as_secs_f64()
        });
        errors.collect()
    }

    /// Checks that nothing came while it was waited for where there is said to be silence.
    fn check_silence(&self, ttl: u8) {
        for silent in self.of("silent", ttl) {
            let waited = silent["waited_seconds"].as_f64().expect("it is a number");
            for (record, answer) in self.answers(ttl) {
                let took = record.round_trip(&answer) + self.lateness(record) + LEAST_LATE;
                let took = took.as_secs_f64();
                assert!(took > waited, "{}: {took} s at {ttl}: {silent}", self.what);
            }
        }
    }

    /// How much later than the quickest packet one left after it was asked for.
    fn lateness(&self, record: &Record) -> Duration {
        let late = |(sent, record): (&&Value, &Record)| {
            let time = sent["time"].as_str().expect("a time is text");
            let time: Timestamp = time.parse().expect("it is a time");
            record.entered.as_nanos().cast_signed() - time.as_nanosecond()
        };
        let of = |ttl: u8| {
            let sent = self.of("sent", ttl);
            let records = self.records.iter();
            let records = records.filter(|record| record.request.ttl == ttl);
            let late: Vec<_> = sent.iter().zip(records).map(late).collect();
            late
        };
        let least = (1..=self.case.expect.hops.len())
            .flat_map(|ttl| of(ttl as u8))
            .min();
        let own = of(record.request.ttl).into_iter().max();
        let late = own.zip(least).map_or(0, |(own, least)| own - least);
        Duration::from_nanos(late.try_into().expect("the least is no more"))
    }

    /// The first answer to each packet with a TTL, in the order in which they came.
    fn answers(&self, ttl: u8) -> Vec<(&Record, Delivered)> {
        let records = self.records.iter();
        let asked = records.filter(|record| record.request.ttl == ttl);
        let answered = asked.filter_map(|record| Some((record, *record.heard().first()?)));
        let mut answers: Vec<_> = answered.collect();
        answers.sort_by_key(|(_, answer)| answer.at);
        answers
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Value> {
        let events = self.events.iter();
        events.filter(move |event| event["event"] == name)
    }

    fn of(&self, name: &str, ttl: u8) -> Vec<&Value> {
        self.named(name)
            .filter(|event| event["ttl"] == ttl)
            .collect()
    }

    /// The addresses behind names such as `a|b`, or none behind a star.
    fn addresses(&self, names: &str) -> BTreeSet<IpAddr> {
        let network = &self.case.network;
        let known = network.names();
        let address = |name: &str| {
            if name == "target" {
                return self.target;
            }
            let place = known.iter().position(|known| known == name);
            let place = place.unwrap_or_else(|| panic!("{}: there is no {name}", self.what));
            network.addresses(place)[usize::from(self.target.is_ipv6())]
        };
        names
            .split('|')
            .filter(|name| *name != "*")
            .map(address)
            .collect()
    }
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

fn address(value: &Value) -> IpAddr {
    let text = value.as_str().expect("an address is text");
    text.parse().expect("an address can be read")
}
