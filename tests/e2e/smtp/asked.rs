//! Asks by hand, and reads what is told to people and to programs.

use std::process::Command;

use serde_json::Value;

use crate::program::LEADSMAN;

/// What a run by hand has told to a program.
pub(super) struct Told {
    /// Its events, then the run itself.
    pub(super) events: Vec<Value>,
    /// The exit status.
    pub(super) status: i32,
}

impl Told {
    /// How the run ended.
    pub(super) fn run(&self) -> &Value {
        self.events.last().expect("a run has an end")
    }

    /// The outcome that is set in the metrics.
    pub(super) fn outcome(&self) -> &str {
        let outcomes = &self.run()["metrics"]["probe_smtp_outcome"];
        let outcomes = outcomes.as_object().expect("there are outcomes");
        let mut set = outcomes.iter().filter(|(_, value)| **value == 1.0);
        let (outcome, _) = set.next().expect("one is set");
        assert!(set.next().is_none(), "{outcomes:?}");
        outcome
    }

    /// The code of the last reply of a phase, 0 if there was none.
    pub(super) fn code(&self, phase: &str) -> u16 {
        let code = &self.run()["metrics"]["probe_smtp_reply_code"][phase];
        code.as_f64().expect("every phase has one") as u16
    }

    /// Seconds of a phase.
    pub(super) fn seconds(&self, phase: &str) -> f64 {
        let seconds = &self.run()["metrics"]["probe_smtp_duration_seconds"][phase];
        seconds.as_f64().expect("every phase has them")
    }

    /// What was said, line by line.
    pub(super) fn said(&self) -> Vec<String> {
        let said = self.events.iter().filter(|event| event["event"] == "said");
        let lines = said.flat_map(|event| event["lines"].as_array().expect("lines").clone());
        lines
            .map(|line| line.as_str().expect("text").to_owned())
            .collect()
    }
}

/// Asks, as a program does, and checks the metrics.
pub(super) fn ask(arguments: &[&str]) -> Told {
    let output = leadsman(arguments)
        .arg("--json")
        .output()
        .expect("the program was built");
    let text = String::from_utf8(output.stdout).expect("it writes text");
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    assert!(
        !events.is_empty(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Told {
        events,
        status: output.status.code().expect("it ends by itself"),
    }
}

/// Asks as a person does, and reads what is shown.
pub(super) fn shown(arguments: &[&str]) -> String {
    let output = leadsman(arguments).output().expect("the program was built");
    String::from_utf8(output.stdout).expect("it writes text")
}

fn leadsman(arguments: &[&str]) -> Command {
    let mut command = Command::new(LEADSMAN);
    command
        .args(["smtp", "--from", "a@client.test", "--hello", "client.test"])
        .args(arguments);
    command
}
