//! Is each phase as long as it really was?
//!
//! A server delays one phase after the other and stamps on the same clock when each came to its
//! end. Its stamps are the truth, not the delays that were asked for: a timer may be late, and that
//! is nobody's error. Probe and server share a thread, so what another program takes of the
//! processor seldom falls between a stamp and what it is compared with.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use leadsman_core::testing::Finished;
use leadsman_core::{
    Exchanger, Family, Order, Resolve, ResolveError, Run, Sink, Stop, Target, async_trait, perform,
};
use leadsman_dial::testing::Certified;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::servers::Act::Hear;
use super::servers::{Act, scripted_and_stamped};
use super::{QUIET, bench, outcome, plugin, recipient};
use crate::client::metrics::DURATION;
use crate::client::phase::PHASES;

static CERTIFIED: LazyLock<Certified> = LazyLock::new(|| Certified::new(&["mx.test"]));

/// How long the server waits before each of its words.
const DELAY: Duration = Duration::from_millis(5);
const RUNS: usize = 60;
/// What a phase may be off where nothing else runs, and what it must not be off half of the time.
const WRONG: f64 = 0.002;

/// Each phase, in the order in which it ends.
const ENDS: [&str; 9] = [
    "banner", "ehlo", "starttls", "ehlo_tls", "mail", "rcpt", "data", "accept", "quit",
];

fn acts() -> Vec<Act> {
    let mut acts = Vec::new();
    let mut say = |heard: Option<Act>, text| {
        acts.extend(heard);
        acts.push(Act::Pause(DELAY));
        acts.push(Act::Stamp);
        acts.push(Act::Say(text));
    };
    say(None, "220 mx.test\r\n");
    say(Some(Hear("EHLO")), "250-mx.test\r\n250 STARTTLS\r\n");
    say(Some(Hear("STARTTLS")), "220 go on\r\n");
    let tls = acts.len();
    let mut say = |heard: Option<Act>, text| {
        acts.extend(heard);
        acts.push(Act::Pause(DELAY));
        acts.push(Act::Stamp);
        acts.push(Act::Say(text));
    };
    say(Some(Hear("EHLO")), "250 mx.test\r\n");
    say(Some(Hear("MAIL")), "250 ok\r\n");
    say(Some(Hear("RCPT")), "250 ok\r\n");
    say(Some(Hear("DATA")), "354 go on\r\n");
    say(Some(Act::Letter), "250 taken\r\n");
    say(Some(Hear("QUIT")), "221 bye\r\n");
    acts.insert(tls, Act::Tls(&CERTIFIED));
    acts
}

#[tokio::test]
async fn each_phase_is_true_to_two_milliseconds_and_their_sum_to_one() {
    let _alone = QUIET.write().await;
    let stamps: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let server = scripted_and_stamped(acts(), Arc::clone(&stamps));
    let bench = bench()
        .option("send", true)
        .option("server", server.to_string())
        .option("starttls", "required")
        .option(
            "tls_config",
            json!({ "ca": CERTIFIED.authority, "server_name": "mx.test" }),
        );
    let to = recipient();
    let mut off: Vec<(&str, f64)> = Vec::new();
    for _ in 0..RUNS {
        stamps.lock().unwrap().clear();
        let found = bench.run(&to).await;
        assert_eq!(outcome(&found), "ok", "{:?}", found.run.result);
        let stamped = stamps.lock().unwrap().clone();
        assert_eq!(stamped.len(), ENDS.len());
        // From the end of one phase to that of the next, TLS and writing being between some.
        for (pair, phase) in stamped.windows(2).zip(&ENDS[1..]) {
            let truth = (pair[1] - pair[0]).as_secs_f64();
            let between = match *phase {
                "ehlo_tls" => seconds(&found, "tls"),
                "accept" => seconds(&found, "body"),
                _ => 0.0,
            };
            off.push((phase, (seconds(&found, phase) + between - truth).abs()));
        }
        let all: f64 = PHASES.iter().map(|phase| seconds(&found, phase)).sum();
        off.push(("sum", (found.run.duration.as_secs_f64() - all).abs()));
    }
    for phase in ENDS[1..].iter().chain(["sum"].iter()) {
        let mut of_phase: Vec<_> = off
            .iter()
            .filter(|(of, _)| of == phase)
            .map(|(_, off)| *off)
            .collect();
        of_phase.sort_by(f64::total_cmp);
        let (median, most) = (of_phase[of_phase.len() / 2], of_phase[of_phase.len() - 1]);
        println!(
            "{phase}: off by {:.3} ms in the middle, {:.3} ms at most",
            median * 1e3,
            most * 1e3
        );
        // One that is counted wrongly is wrong most of the time, however busy the machine is.
        let wrong = if *phase == "sum" { WRONG / 2.0 } else { WRONG };
        assert!(median <= wrong, "{phase} by {median} s");
    }
}

/// Takes its time, and stamps when it was asked and when it answers.
#[derive(Debug, Default)]
struct SlowResolver(Mutex<Vec<Instant>>);

impl SlowResolver {
    async fn take_time(&self) {
        self.0.lock().unwrap().push(Instant::now());
        sleep(DELAY).await;
        self.0.lock().unwrap().push(Instant::now());
    }
}

#[async_trait]
impl Resolve for SlowResolver {
    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, ResolveError> {
        if family == Family::V6 {
            return Err(ResolveError::NoRecord(name.to_owned()));
        }
        self.take_time().await;
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }

    async fn exchangers(&self, _: &str) -> Result<Vec<Exchanger>, ResolveError> {
        self.take_time().await;
        let host = "mx.test".into();
        Ok(vec![Exchanger {
            preference: 10,
            host,
        }])
    }
}

/// Hears nothing.
struct Deaf;

impl Sink for Deaf {
    fn finished(&self, _: &Run) {}
}

#[tokio::test]
async fn look_ups_and_the_greeting_take_as_long_as_they_do() {
    let _alone = QUIET.write().await;
    let stamps: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let acts = vec![
        Act::Stamp,
        Act::Pause(DELAY),
        Act::Stamp,
        Act::Say("220 mx.test\r\n"),
        Hear("QUIT"),
        Act::Say("221 bye\r\n"),
    ];
    let server = scripted_and_stamped(acts, Arc::clone(&stamps));
    let bench = bench()
        .option("port", server.port())
        .option("stop_after", "banner")
        .option("starttls", "off")
        .option("allow_private", true);
    let target = Arc::new(Target::new(recipient()));
    let (stop, mut off) = (Stop::never(), Vec::new());
    for _ in 0..RUNS {
        let resolver = SlowResolver::default();
        stamps.lock().unwrap().clear();
        let mut probe = bench.aim(&target).unwrap();
        let order = Order {
            plugin: plugin(),
            layout: plugin().layout(),
            target: &target,
            timeout: Duration::from_secs(5),
            stop: &stop,
            resolver: &resolver,
            sink: &Deaf,
            compatible: false,
            fence: None,
        };
        let run = perform(&mut *probe, order).await;
        assert!(run.result.is_ok(), "{:?}", run.result);
        let found = Finished {
            run,
            events: Vec::new(),
        };
        let asked = resolver.0.lock().unwrap().clone();
        let reached = stamps.lock().unwrap().clone();
        for (phase, from, to) in [
            ("mx", asked[0], asked[1]),
            ("resolve", asked[2], asked[3]),
            ("banner", reached[0], reached[1]),
        ] {
            let truth = (to - from).as_secs_f64();
            off.push((phase, (seconds(&found, phase) - truth).abs()));
        }
    }
    for phase in ["mx", "resolve", "banner"] {
        let of_phase = off.iter().filter(|(of, _)| *of == phase);
        let mut of_phase: Vec<_> = of_phase.map(|(_, off)| *off).collect();
        of_phase.sort_by(f64::total_cmp);
        let median = of_phase[of_phase.len() / 2];
        println!("{phase}: off by {:.3} ms in the middle", median * 1e3);
        assert!(median <= WRONG, "{phase} by {median} s");
    }
}

fn seconds(found: &Finished, phase: &str) -> f64 {
    found.gauge(&DURATION, Some(phase)).unwrap()
}
