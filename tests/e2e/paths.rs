//! Are all paths found where real routers share their load, and only one where only one is wanted?
//!
//! ```text
//!                      ┌── branch 1 ──┐
//! prober ──── router 1 ┼──    …     ──┼ router 2 ──── target
//!                      └── branch n ──┘
//! ```

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::process::Command;

use leadsman_lab::{Fan, Spread, or_skip};
use serde_json::Value;

use crate::program::skipped;
use crate::trace::{TARGETS, events, named, once};

#[test]
fn a_balancer_by_the_first_four_bytes_shows_one_path_and_all_of_them_when_asked() {
    let Some(fan) = or_skip(Fan::new(4, Spread::FirstFour)) else {
        return;
    };
    for (family, target) in TARGETS.into_iter().enumerate() {
        let all: BTreeSet<String> = (0..4)
            .map(|n| fan.addresses(n)[family].to_string())
            .collect();
        for _ in 0..3 {
            let told = events(&once(fan.prober(), &["--json", target]));
            let one = seconds(&told);
            assert_eq!(one.len(), 1, "{told:?}");
            assert!(one.is_subset(&all), "{one:?}");
        }
        // Others ask with packets that differ in what the balancer looks at, and so list several.
        for others in OTHERS {
            let Some(listed) = others.seconds(&fan, target) else {
                continue;
            };
            assert!(listed.len() > 1, "{} {target}: {listed:?}", others.program);
            assert!(listed.is_subset(&all), "{} {listed:?}", others.program);
        }
        let arguments = ["--json", "--all-paths", "--confidence", "99", target];
        let told = events(&once(fan.prober(), &arguments));
        let second = branches(&told, 2);
        assert_eq!(second["spread"], "per_flow");
        let routers = second["routers"].as_array().expect("a list");
        let found: BTreeSet<_> = routers
            .iter()
            .map(|router| text(&router["address"]))
            .collect();
        assert_eq!(found, all, "{told:?}");
        // Over IPv6 a router answers from the address at which the packet came in.
        let met = branches(&told, 3)["routers"].as_array().map(Vec::len);
        assert_eq!(met, Some([1, 4][family]), "{told:?}");
        for router in routers {
            assert_eq!(router["next"].as_array().map(Vec::len), Some(1), "{router}");
        }
        let enumerated = named(&told, "enumerated");
        assert_eq!(enumerated["paths"], 4);
        assert_eq!(enumerated["diamonds"], 1);
    }
}

/// A program of others that lists who answers, and how it is asked for twelve packets or more to each
/// TTL, by echo requests and without names.
struct Others {
    program: &'static str,
    arguments: &'static [&'static str],
    /// What a line of its output about the second hop starts with.
    second: &'static str,
}

const OTHERS: [Others; 2] = [
    Others {
        program: "traceroute",
        // Else it waits no longer than three times as long as the first answer from a hop took.
        arguments: &["-I", "-n", "-q", "10", "-m", "4", "-w", "0.5,0,0"],
        second: "2",
    },
    Others {
        program: "mtr",
        arguments: &["--raw", "-n", "-c", "12", "-i", "0.1", "-m", "4"],
        // Hops are numbered from 0; `h` is a host that was not heard at a hop before.
        second: "h 1",
    },
];

impl Others {
    /// Who it says answers at the second hop; nothing if it is not there.
    fn seconds(&self, fan: &Fan, target: &str) -> Option<BTreeSet<String>> {
        let mut command = Command::new(self.program);
        command.args(self.arguments).arg(target);
        let output = match fan.prober().run(|| command.output()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                skipped("what others make of a balancer", self.program);
                return None;
            }
            output => output.expect("it can be started"),
        };
        let told = String::from_utf8(output.stdout).expect("it writes text");
        let of_second = told.lines().filter_map(|line| {
            let rest = line.trim_start().strip_prefix(self.second)?;
            rest.starts_with(' ').then_some(rest)
        });
        let words = of_second.flat_map(str::split_whitespace);
        let addresses = words.filter_map(|word| word.parse::<IpAddr>().ok());
        Some(addresses.map(|address| address.to_string()).collect())
    }
}

/// Who answers at TTL 2.
fn seconds(events: &[Value]) -> BTreeSet<String> {
    let hops = events.iter().filter(|event| event["event"] == "hop");
    let second = hops.filter(|hop| hop["ttl"] == 2);
    second.map(|hop| text(&hop["from"])).collect()
}

fn branches(events: &[Value], ttl: u8) -> &Value {
    let mut branches = events.iter().filter(|event| event["event"] == "branches");
    let found = branches.find(|branches| branches["ttl"] == ttl);
    found.unwrap_or_else(|| panic!("there are no branches at TTL {ttl}: {events:?}"))
}

fn text(value: &Value) -> String {
    value.as_str().expect("an address").to_owned()
}
