//! What does the program say of its echo requests?
//!
//! The one place of these tests that knows how outcomes, events and metrics are called.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::lab::Namespace;
use crate::ask::Answer;
use crate::program::LEADSMAN;

/// Nothing came in time.
pub(super) const TIMEOUT: &str = "timeout";
/// A router would have had to break it up.
pub(super) const FRAG_NEEDED: &str = "frag_needed";

/// How many echo requests the program says it has made, and what it says became of them.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    pub(super) sent: u64,
    outcomes: BTreeMap<String, u64>,
}

impl Echoes {
    /// Of all targets of which `chosen` is true, as `/metrics` has them.
    pub(super) fn scraped(metrics: &Answer, chosen: impl Fn(&str) -> bool) -> Self {
        let mut echoes = Self::default();
        for line in metrics.body.lines() {
            let Some(series) = line.strip_prefix("probe_icmp_") else {
                continue;
            };
            let labelled = |label: &str| {
                let (_, rest) = series.split_once(&format!("{label}=\""))?;
                rest.split('"').next()
            };
            if !labelled("target").is_some_and(&chosen) {
                continue;
            }
            let value = || {
                let (_, value) = line.rsplit_once(' ').expect("a sample has a value");
                value.parse::<u64>().expect("a counter is a whole number")
            };
            if series.starts_with("sent_total{") {
                echoes.sent += value();
            } else if series.starts_with("echoes_total{") {
                let outcome = labelled("outcome").expect("echoes have their outcome");
                *echoes.outcomes.entry(outcome.to_owned()).or_default() += value();
            }
        }
        echoes
    }

    /// Of those to the targets of which `chosen` is true, as a ping by hand tells them.
    pub(super) fn told(events: &[Value], chosen: impl Fn(&str) -> bool) -> Self {
        let mut echoes = Self::default();
        for event in events {
            if !chosen(event["target"].as_str().unwrap_or_default()) {
                continue;
            }
            // What came too late or twice ends no request.
            if event.get("arrived").is_some_and(|at| at != "in_time") {
                continue;
            }
            let outcome = match event["event"].as_str().expect("events have names") {
                "sent" => {
                    echoes.sent += 1;
                    continue;
                }
                "reply" => "ok",
                "send_error" => "send_error",
                _ => match event["outcome"].as_str() {
                    Some(outcome) => outcome,
                    None => continue,
                },
            };
            *echoes.outcomes.entry(outcome.to_owned()).or_default() += 1;
        }
        echoes
    }

    /// Of all targets, as a ping by hand adds them up at its end.
    pub(super) fn added(events: &[Value]) -> Self {
        let mut echoes = Self::default();
        for run in events.iter().filter(|event| event["event"] == "run") {
            let count = |value: &Value| value.as_f64().expect("a counter is a number") as u64;
            echoes.sent += count(&run["metrics"]["probe_icmp_sent_total"]);
            let outcomes = run["metrics"]["probe_icmp_echoes_total"].as_object();
            for (outcome, value) in outcomes.expect("each outcome has its count") {
                *echoes.outcomes.entry(outcome.clone()).or_default() += count(value);
            }
        }
        echoes
    }

    /// How many had this outcome.
    pub(super) fn of(&self, outcome: &str) -> u64 {
        self.outcomes.get(outcome).copied().unwrap_or_default()
    }

    /// How many had an outcome.
    pub(super) fn ended(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Fails unless each had one of these outcomes, so many times.
    #[track_caller]
    pub(super) fn check(&self, expected: &[(&str, u64)]) {
        for (outcome, count) in expected {
            assert_eq!(self.of(outcome), *count, "{outcome} in {self:?}");
        }
        let all: u64 = expected.iter().map(|(_, count)| count).sum();
        assert_eq!((self.sent, self.ended()), (all, all), "{self:?}");
    }
}

/// A ping by hand that tells what happens to each request.
pub(super) struct Ping {
    child: Child,
    told: JoinHandle<Vec<Value>>,
}

impl Ping {
    /// Starts it in a network, with these arguments.
    pub(super) fn start(network: &Namespace, arguments: &[&str]) -> Self {
        Self::with(network, Command::new(LEADSMAN), arguments)
    }

    /// Starts it by what leads to it, which may be a program that gives up privileges first.
    pub(super) fn with(network: &Namespace, mut command: Command, arguments: &[&str]) -> Self {
        command.args(["ping", "--json"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let spawned = network.within(|| command.spawn());
        let mut child = spawned.expect("it was built");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        // Read at once, for a program whose output stalls leaves things out.
        let told = thread::spawn(move || {
            let events = output.lines().map(|line| {
                let line = line.expect("it writes text");
                serde_json::from_str(&line).expect("a line is an object")
            });
            events.collect()
        });
        Self { child, told }
    }

    /// The number of its process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, and returns its events.
    pub(super) fn events(mut self) -> Vec<Value> {
        self.child.wait().expect("it is our child");
        self.told.join().expect("it could be read")
    }
}

/// The round trips that a ping by hand tells, by sequence number.
pub(super) fn round_trips(events: &[Value]) -> Vec<Duration> {
    let mut replies: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "reply" && event["arrived"] == "in_time")
        .map(|reply| (reply["sequence"].as_u64(), reply["rtt_seconds"].as_f64()))
        .collect();
    replies.sort_by_key(|(sequence, _)| *sequence);
    let seconds = replies
        .iter()
        .map(|(_, rtt)| rtt.expect("a reply has its round trip"));
    seconds.map(Duration::from_secs_f64).collect()
}

/// What leads to the program without any privilege, by name of those it must not have.
pub(crate) fn without(capabilities: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        &format!("--bounding-set=-{capabilities}"),
        &format!("--inh-caps=-{capabilities}"),
        LEADSMAN,
    ]);
    command
}
