//! Is a trace through a simulated network what truly happened there?
//!
//! Each file in `tests/paths` is a network and what a trace through it must tell. Real packets of
//! the real program go there and back by a TUN device, over both families, by ICMP, UDP and TCP; every
//! address, count and round trip is held against the network's own record (privileged). Where a file
//! says `rounds`, the path is then measured in so many, and each packet of each is held against it too.
//!
//! Two pairs are left out because there is nothing to see: a SYN has no payload that could be too
//! large for a link, and real kernels cut what the IPv6 routers of `narrow` have once refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use leadsman_lab::{Answer, Delivered, Network, Record, Scenario, Tunnel, or_skip};
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

/// For how long rounds wait for an answer.
const WAIT: Duration = Duration::from_millis(750);

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
            let asked = asked.filter(|record| record.request.ttl == ttl).count();
            let sent = self.sent(ttl).len();
            assert_eq!(sent, asked, "{what} at {ttl}");
            let told = self.of("hop", ttl);
            let told: Vec<_> = told.into_iter().filter(|hop| hop["round"] == 0).collect();
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
        errors.extend(self.check_rounds());
        self.check_turns();
        assert_eq!(self.has_wrapped(), expected.wraps, "{what}");
        errors
    }

    /// Holds what became of each packet of a round against the record, and returns the errors of the
    /// round trips.
    fn check_rounds(&self) -> Vec<f64> {
        let what = &self.what;
        let mut errors = Vec::new();
        let packets = (1..=LAST_TTL).flat_map(|ttl| self.packets(ttl));
        for (sent, record) in packets.filter(|(sent, _)| sent["round"] != 0) {
            let ttl = record.request.ttl;
            let is_its = |event: &&&Value| event["round"] == sent["round"];
            let hops = self.of("hop", ttl);
            let hop = hops.iter().find(is_its);
            let lost = self.of("lost", ttl);
            let lost = lost.iter().find(is_its);
            let answer = self.answer(record);
            if let Some(hop) = hop {
                let answer = answer.unwrap_or_else(|| panic!("{what}: {hop} is nobody's"));
                assert_eq!(address(&hop["from"]), answer.from, "{what}: {hop}");
                let rtt = hop["rtt_seconds"].as_f64().expect("it is a number");
                errors.push(rtt - record.round_trip(&answer).as_secs_f64());
            }
            let in_time = hop.is_some_and(|hop| hop["arrival"] == "in_time");
            assert_ne!(in_time, lost.is_some(), "{what}: one end of {sent}");
            if let (Some(lost), Some(answer)) = (lost, answer) {
                let took = self.longest(record, &answer);
                let is_suspect = lost["local_suspect"] == true;
                assert!(took > WAIT || is_suspect, "{what}: {took:?}, {lost}");
            }
        }
        errors
    }

    /// Checks that those who are to answer one after the other do, and that nobody comes back.
    fn check_turns(&self) {
        for (ttl, names) in &self.case.expect.turns {
            let ttl = ttl.parse().expect("it is a TTL");
            // What is late may come after what left later.
            let mut told = self.of("hop", ttl);
            told.sort_by_key(|hop| hop["round"].as_u64());
            let mut heard: Vec<_> = told.iter().map(|hop| address(&hop["from"])).collect();
            heard.dedup();
            let expected = names.iter().flat_map(|name| self.addresses(name));
            assert_eq!(
                heard,
                expected.collect::<Vec<_>>(),
                "{} at {ttl}",
                self.what
            );
        }
    }

    /// Whether two packets had the same number on the wire: that of an echo request or a SYN, or a
    /// datagram's checksum, which its number is hidden in.
    fn has_wrapped(&self) -> bool {
        let records = self.records.iter();
        // With more hops, this host's kernel ends connections that it knows nothing of.
        let mut numbers = records
            .filter(|record| record.request.ttl < LAST_TTL)
            .map(|record| {
                let from = if record.request.protocol == TCP { 4 } else { 6 };
                &record.request.start[from..from + 2]
            });
        let mut used = BTreeSet::new();
        !numbers.all(|number| used.insert(number))
    }

    /// Packets with a TTL, as the program announced them and as they were.
    fn packets(&self, ttl: u8) -> impl Iterator<Item = (&Value, &Record)> {
        let records = self.records.iter();
        let records = records.filter(move |record| record.request.ttl == ttl);
        self.sent(ttl).into_iter().zip(records)
    }

    /// Those that left: a busy host may be too late to send, and says so.
    fn sent(&self, ttl: u8) -> Vec<&Value> {
        let failed = self.of("send_error", ttl);
        let sent = self.of("sent", ttl).into_iter();
        sent.filter(|sent| failed.iter().all(|failed| failed["round"] != sent["round"]))
            .collect()
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
                let took = self.longest(record, &answer).as_secs_f64();
                assert!(took > waited, "{}: {took} s at {ttl}: {silent}", self.what);
            }
        }
    }

    /// How long an answer took at the most, from when its packet was asked for.
    fn longest(&self, record: &Record, answer: &Delivered) -> Duration {
        answer.by.saturating_sub(record.entered) + self.lateness(record) + LEAST_LATE
    }

    /// How much later than the quickest packet one left after it was asked for.
    fn lateness(&self, record: &Record) -> Duration {
        let late = |(sent, record): (&Value, &Record)| {
            let time = sent["time"].as_str().expect("a time is text");
            let time: Timestamp = time.parse().expect("it is a time");
            record.entered.as_nanos().cast_signed() - time.as_nanosecond()
        };
        let all = (1..=self.case.expect.hops.len() as u8).flat_map(|ttl| self.packets(ttl));
        let least = all.map(late).min();
        let mut own = self.packets(record.request.ttl);
        let own = own.find(|(_, one)| std::ptr::eq(*one, record)).map(late);
        let late = own.zip(least).map_or(0, |(own, least)| own - least);
        // What is beyond the last hop may have left sooner after it was asked for than any other.
        Duration::from_nanos(late.try_into().unwrap_or(0))
    }

    /// The first answer to each packet of the discovery with a TTL, in the order in which they came.
    fn answers(&self, ttl: u8) -> Vec<(&Record, Delivered)> {
        let asked = self.packets(ttl).filter(|(sent, _)| sent["round"] == 0);
        let answered = asked.filter_map(|(_, record)| Some((record, self.answer(record)?)));
        let mut answers: Vec<_> = answered.collect();
        answers.sort_by_key(|(_, answer)| answer.at);
        answers
    }

    /// The first answer to a packet. What comes by TCP from an address that was not asked belongs to
    /// another connection.
    fn answer(&self, record: &Record) -> Option<Delivered> {
        let heard = record.heard().into_iter();
        let mut heard = heard.filter(|answer| answer.answer.is_error() || self.is_due(answer));
        heard.next()
    }

    fn is_due(&self, answer: &Delivered) -> bool {
        answer.answer == Answer::EchoReply || answer.from == self.target
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

/// RFC 9293's number among protocols.
const TCP: u8 = 6;

/// More than any path here has, and what is beyond.
const LAST_TTL: u8 = 64;

fn address(value: &Value) -> IpAddr {
    let text = value.as_str().expect("an address is text");
    text.parse().expect("an address can be read")
}
