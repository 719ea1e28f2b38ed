//! Are the last results kept, and failures longer than successes?

use std::time::Duration;

use async_trait::async_trait;
use leadsman_core::options::{Node, OptionsError};
use leadsman_core::schemars::JsonSchema;
use leadsman_core::{Cause, Context, Fault, Options, Plugin, Probe, Recording, Target};
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[schemars(crate = "leadsman_core::schemars")]
struct Idle {}

struct Still;

#[async_trait]
impl Probe for Still {
    async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

impl Options for Idle {
    type Probe = Still;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Still, OptionsError> {
        Ok(Still)
    }
}

static PLUGIN: Plugin = Plugin::new::<Idle>("idle", "Measures nothing");

fn options() -> Arc<dyn Aim> {
    PLUGIN.parse(&Node::empty()).unwrap()
}

/// A run of `target` that began `second` seconds after the epoch; upper case targets fail.
fn run(target: &str, second: u64) -> Run {
    let fails = target.chars().all(char::is_uppercase);
    Run {
        plugin: &PLUGIN,
        target: Arc::new(Target::new(target)),
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
        duration: Duration::ZERO,
        timeout: Duration::ZERO,
        result: if fails {
            Err(Fault::target(Cause::Refused, "refused"))
        } else {
            Ok(())
        },
        recording: Recording::new(PLUGIN.layout()),
    }
}

/// Takes in the result of a scheduled run; returns whether its target has just started to fail.
fn scheduled(history: &History, run: Run, noted: Vec<Event>) -> bool {
    let scheduled = Scheduled {
        probe: "p".into(),
        options: options(),
        run,
        noted,
    };
    !history.scheduled([scheduled].into_iter()).is_empty()
}

fn module() -> Arc<Module> {
    Arc::new(Module {
        name: "m".into(),
        plugin: &PLUGIN,
        options: options(),
        timeout: None,
        differences: Vec::new(),
        shown: serde_json::Value::Null,
    })
}

/// The targets and numbers of what is kept, newest first.
fn kept(history: &History) -> String {
    let shown = |entry: &Arc<Entry>| format!("{}{}", entry.run.target.address, entry.id);
    let entries = history.entries();
    entries.iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[test]
fn failures_outlast_the_successes_that_push_them_out() {
    fn check(targets: &str, most: usize, expected: &str) {
        let history = History::new(most);
        for target in targets.split(' ') {
            history.asked(&module(), run(target, 0), Vec::new());
        }
        assert_eq!(kept(&history), expected, "{targets:?}, {most} kept");
    }
    check("a b c", 3, "c2 b1 a0");
    check("a b c d", 3, "d3 c2 b1");
    check("A b c d", 3, "d3 c2 b1 A0");
    check("A b C d e f g", 2, "g6 f5 C2 A0");
    check("A B C d e f g", 2, "g6 f5 C2 B1");
    check("A B", 0, "");
}

#[test]
fn schedule_pushes_out_nothing_that_was_asked_for() {
    let history = History::new(2);
    history.asked(&module(), run("a", 0), Vec::new());
    for _ in 0..5 {
        scheduled(&history, run("b", 0), Vec::new());
    }
    assert_eq!(kept(&history), "b5 b4 a0");
    assert!(history.by_id(0).is_some());
    assert!(history.by_id(1).is_none());
    let newest = history.newest(|entry| entry.asked.name() == "p").unwrap();
    assert_eq!(newest.id, 5);
}

#[test]
fn runs_that_noted_something_stay_as_failures_do() {
    let history = History::new(1);
    let good = |address| Run {
        result: Ok(()),
        ..run(address, 0)
    };
    let changed = Event::new(SystemTime::UNIX_EPOCH, "changed", ());
    for (address, noted) in [("b", vec![]), ("C", vec![changed]), ("d", vec![])] {
        scheduled(&history, good(address), noted);
    }
    assert_eq!(kept(&history), "d2 C1");
    assert_eq!(history.by_id(1).unwrap().events[0].name, "changed");
}

#[test]
fn target_fails_from_its_first_failure_to_its_next_success() {
    let history = History::new(1);
    let failing = || history.failing("p").get("A").copied();
    for second in [7, 8, 9] {
        scheduled(&history, run("A", second), Vec::new());
        let failing = failing().unwrap();
        assert_eq!(failing.reason, "refused");
        assert_eq!(
            failing.since,
            SystemTime::UNIX_EPOCH + Duration::from_secs(7)
        );
    }
    let mut success = run("A", 10);
    success.result = Ok(());
    scheduled(&history, success, Vec::new());
    assert_eq!(failing(), None);
}

#[test]
fn new_configuration_shortens_the_history_and_forgets_what_it_does_not_have() {
    let history = History::new(3);
    for _ in 0..3 {
        scheduled(&history, run("A", 0), Vec::new());
    }
    history.adopt(&Config {
        web: crate::config::Web {
            history: 1,
            ..Default::default()
        },
        ..Config::default()
    });
    assert_eq!(kept(&history), "A2 A1");
    assert!(history.failing("p").is_empty());
}
