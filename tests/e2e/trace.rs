//! What does a person see who traces, and is it the path that real routers make?
//!
//! ```text
//! prober ──── router 1 ──── router 2 ──── router 3 ──── target
//! ```

mod protocols;

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::IpAddr;
use std::process::{Command, Output, Stdio};

use leadsman_lab::{Chain, Namespace, or_skip};
use serde_json::Value;

use crate::program::{LEADSMAN, skipped};

pub(crate) const TARGETS: [&str; 2] = ["10.99.0.1", "fd99::1"];

#[test]
fn three_routers_are_listed_with_their_right_addresses() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    for (family, target) in TARGETS.into_iter().enumerate() {
        let routers = (1..=3).map(|n| chain.addresses(n)[family]);
        let arrived: IpAddr = target.parse().expect("it is an address");
        let path: Vec<IpAddr> = routers.chain([arrived]).collect();
        let events = events(&once(chain.prober(), &["--json", target]));
        for (place, address) in path.iter().enumerate() {
            let ttl = place + 1;
            let hops = events
                .iter()
                .filter(|event| event["event"] == "hop" && event["ttl"] == ttl);
            let from: BTreeSet<_> = hops.map(|hop| hop["from"].to_string()).collect();
            assert_eq!(from, [format!("\"{address}\"")].into(), "TTL {ttl}");
        }
        let ended = named(&events, "ended");
        assert_eq!(
            (&ended["result"], &ended["hops"]),
            (&"reached".into(), &4.into())
        );
        let told: Vec<_> = path.iter().map(ToString::to_string).collect();
        let metrics = &named(&events, "run")["metrics"];
        let info = metrics["probe_traceroute_path_info"].to_string();
        assert!(info.contains(&told.join(" ")), "{info}");
        let (page, status) = page(&once(chain.prober(), &[target]));
        assert_eq!(status, Some(0), "{page}");
        for (place, address) in told.iter().enumerate() {
            let start = format!("{:>3}  {address} ", place + 1);
            assert!(page.lines().any(|line| line.starts_with(&start)), "{page}");
        }
        assert!(page.contains("reached in 4 hops"), "{page}");
        assert!(
            page.lines().all(|line| line.chars().count() <= 80),
            "{page}"
        );
    }
}

#[test]
fn a_router_that_turns_packets_away_is_named_with_its_reason() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    for (family, (range, target, words)) in [
        ("10.99.9.0/24", "10.99.9.1", "Packet filtered"),
        ("fd99::9:0/112", "fd99::9:1", "Administratively prohibited"),
    ]
    .into_iter()
    .enumerate()
    {
        let made = chain.refuse(2, "prohibit", range);
        made.expect("it is a router");
        let (page, status) = page(&once(chain.prober(), &[target]));
        assert_eq!(status, Some(1), "{page}");
        let by = format!("from hop 2, {}: ", chain.addresses(2)[family]);
        assert!(page.contains(&by) && page.contains(words), "{page}");
    }
}

#[test]
fn packets_that_go_round_in_circles_are_said_to() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    chain.make_loop(3).expect("it is a router");
    // Over IPv6 a router answers from the address at which the packet came in, so that the second
    // looks like two.
    for (target, hops) in TARGETS.into_iter().zip(["2 and 3", "3 and 4"]) {
        let (page, status) = page(&once(chain.prober(), &[target]));
        assert_eq!(status, Some(1), "{page}");
        let words = format!("circles between hops {hops}");
        assert!(page.contains(&words), "{page}");
    }
}

#[test]
fn a_silent_router_is_a_star_and_holds_nothing_up() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    for rule in ["icmp type time-exceeded", "icmpv6 type time-exceeded"] {
        let dropped = chain.router(2).drop_at("output", rule);
        // It lasts as long as the router.
        dropped.expect("it is a router");
    }
    for target in TARGETS {
        let events = events(&once(chain.prober(), &["--json", "--wait", "20s", target]));
        let silent: Vec<_> = events
            .iter()
            .filter(|event| event["event"] == "silent")
            .map(|event| event["ttl"].as_u64())
            .collect();
        assert_eq!(silent, [Some(2)], "{events:?}");
        assert_eq!(named(&events, "ended")["hops"], 4);
    }
}

#[test]
fn rounds_end_with_a_report_of_every_hop() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    for (family, target) in TARGETS.into_iter().enumerate() {
        let rounds = ["-c", "5", "-i", "50ms", "-n", target];
        let (page, status) = page(&trace(chain.prober(), &rounds));
        assert_eq!(status, Some(0), "{page}");
        for n in 1..=3 {
            let start = format!("{n:>3}  {} ", chain.addresses(n)[family]);
            let row = page.lines().find(|line| line.starts_with(&start));
            let figures = row.and_then(|row| row.strip_prefix(&start));
            let figures: Vec<_> = figures.expect(&page).split_whitespace().collect();
            // A busy host may miss rounds, or be late to ask: that is no loss.
            let sent = figures[1].parse().expect(&page);
            assert!((1..=5).contains(&sent), "{page}");
            assert_eq!((figures[0], figures.len()), ("0%", 8), "{page}");
        }
        let heading = page.lines().next().expect(&page);
        assert!(heading.ends_with(" rounds"), "{page}");
        assert!(
            page.lines().all(|line| line.chars().count() <= 80),
            "{page}"
        );
    }
}

#[test]
fn a_stock_router_that_limits_its_answers_has_lost_nothing() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    chain.limit_errors(2).expect("it is a router");
    let told = &trace(
        chain.prober(),
        &["--json", "-c", "80", "-i", "100ms", "-4", TARGETS[0]],
    );
    let events = events(told);
    let hops = &named(&events, "run")["statistics"]["hops"];
    for hop in hops.as_array().expect("there is a list") {
        let (lost, limit) = (&hop["loss_ratio"], &hop["rate_limit"]);
        assert_eq!(lost, 0.0, "{hops}");
        assert_eq!(limit.is_object(), hop["ttl"] == 2, "{hops}");
    }
    let hop = &hops[1];
    assert!(hop["unanswered_ratio"].as_f64() > Some(0.5), "{hop}");
    let every = hop["rate_limit"]["every_seconds"].as_f64();
    assert!(
        every.is_some_and(|every| (0.8..1.3).contains(&every)),
        "{hop}"
    );
}

#[test]
fn loss_on_the_way_is_counted_to_the_packet() {
    let Some(chain) = or_skip(Chain::new(3)) else {
        return;
    };
    let rule = "icmp type echo-request numgen inc mod 3 == 0";
    let dropped = chain.router(2).drop_at("forward", rule);
    let dropped = dropped.expect("it is a router");
    let beyond = [
        "--json", "-f", "3", "-m", "4", "-c", "40", "-i", "50ms", TARGETS[0],
    ];
    let events = events(&trace(chain.prober(), &beyond));
    let count = |name| events.iter().filter(|event| event["event"] == name).count() as u64;
    let missing = count("sent") - count("hop");
    assert_eq!(missing, dropped.packets().expect("it counts"), "{events:?}");
    let hops = &named(&events, "run")["statistics"]["hops"];
    let lost = [&hops[0]["lost"], &hops[1]["lost"]].map(|lost| lost.as_u64().unwrap_or(0));
    assert_eq!(lost[0] + lost[1], count("lost"), "{hops}");
    for hop in [&hops[0], &hops[1]] {
        let ratio = hop["loss_ratio"].as_f64();
        assert!(
            ratio.is_some_and(|ratio| (0.15..0.5).contains(&ratio)),
            "{hops}"
        );
    }
}

#[test]
fn q_ends_it_with_the_report_on_the_screen_and_the_terminal_as_it_was() {
    let Some(chain) = or_skip(Chain::new(1)) else {
        return;
    };
    let shell = format!(
        "{LEADSMAN} trace -i 100ms {}; echo ended $?; stty -a",
        TARGETS[0]
    );
    let mut command = Command::new("script");
    command
        .args(["-qefc", &shell, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = match chain.prober().run(|| command.spawn()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return skipped("a trace on a terminal", "script");
        }
        child => child.expect("it can be started"),
    };
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut seen = String::new();
    while !seen.contains("round 3") {
        let read = output.read_line(&mut seen).expect("it writes text");
        assert!(read > 0, "{seen}");
    }
    assert!(seen.contains("q quits"), "{seen}");
    let mut keys = child.stdin.take().expect("it is piped");
    keys.write_all(b"q").expect("it reads");
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("it writes text");
    child.wait().expect("it is our child");
    let (report, after) = rest.split_once("ended 0").expect(&rest);
    assert!(report.contains(TARGETS[0]), "{rest}");
    assert!(
        after.contains(" icanon") && !after.contains("-icanon"),
        "{rest}"
    );
    assert!(
        after.contains(" echo ") && after.contains("quit = ^\\"),
        "{rest}"
    );
}

/// Traces until the path is known.
pub(crate) fn once(prober: &Namespace, arguments: &[&str]) -> Output {
    trace(prober, &[&["--once"], arguments].concat())
}

fn trace(prober: &Namespace, arguments: &[&str]) -> Output {
    let mut command = Command::new(LEADSMAN);
    command.arg("trace").args(arguments);
    prober.run(|| command.output()).expect("it was built")
}

pub(crate) fn page(output: &Output) -> (String, Option<i32>) {
    let told = [&output.stdout[..], &output.stderr[..]].concat();
    (
        String::from_utf8(told).expect("it writes text"),
        output.status.code(),
    )
}

pub(crate) fn events(output: &Output) -> Vec<Value> {
    let (told, _) = page(output);
    let read = |line| serde_json::from_str(line).expect("a line is an object");
    told.lines().map(read).collect()
}

pub(crate) fn named<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let mut events = events.iter();
    events
        .find(|event| event["event"] == name)
        .unwrap_or_else(|| panic!("there is no {name}"))
}
