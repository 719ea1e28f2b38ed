//! How is a run drawn whose plugin has no drawing of its own?
//!
//! A line for each event, then a line for the run with everything that it recorded below. Nothing
//! here knows what any of it means.

use std::fmt::Write as _;
use std::iter;

use leadsman_core::draw::{Draw, Stage};
use leadsman_core::metric::MetricKind;
use leadsman_core::{Event, Run};

/// Lines for any plugin.
pub(super) struct Plain {
    stage: Stage,
    answered: usize,
}

impl Plain {
    pub(super) fn new(stage: Stage) -> Self {
        Self { stage, answered: 0 }
    }

    /// What a line begins with, so that it is clear who speaks.
    fn speaker(&self, target: usize) -> String {
        match self.stage.targets.as_slice() {
            [_] => String::new(),
            targets => format!("{}: ", targets[target].address),
        }
    }

    fn colored(&self, text: &str, color: &str) -> String {
        if self.stage.color {
            format!("{color}{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

impl Draw for Plain {
    fn event(&mut self, target: usize, event: &Event, page: &mut String) {
        let speaker = self.speaker(target);
        writeln!(page, "{speaker}{event}").expect(INFALLIBLE);
    }

    fn finished(&mut self, target: usize, run: &Run, page: &mut String) {
        let speaker = self.speaker(target);
        let after = format!("after {:.3?}", run.duration);
        let verdict = match &run.result {
            Ok(()) => {
                self.answered += 1;
                format!("{} {after}", self.colored("answered", GREEN))
            }
            Err(fault) => {
                let failed = self.colored("failed", RED);
                format!("{failed} {after} ({}): {fault}", fault.reason())
            }
        };
        writeln!(page, "{speaker}{verdict}").expect(INFALLIBLE);
        for line in series(run) {
            writeln!(page, "  {line}").expect(INFALLIBLE);
        }
    }

    fn summary(&mut self, page: &mut String) {
        let all = self.stage.targets.len();
        if all > 1 {
            writeln!(page, "{} of {all} answered", self.answered).expect(INFALLIBLE);
        }
    }
}

/// What was recorded, one series a line; of a histogram its count and its mean.
fn series(run: &Run) -> Vec<String> {
    let mut lines = Vec::new();
    for place in run.recording.layout().places() {
        let metric = place.metric;
        let values: Vec<_> = run.recording.values(place).collect();
        match metric.kind {
            MetricKind::Counter | MetricKind::Gauge => {
                let labels = metric.values.iter().map(|value| {
                    let name = metric.labels.first().copied().unwrap_or_default();
                    format!("{{{name}={value:?}}}")
                });
                let unlabelled = iter::once(String::new()).filter(|_| metric.values.is_empty());
                for (labels, value) in labels.chain(unlabelled).zip(&values) {
                    lines.extend(value.map(|value| format!("{}{labels} {value}", metric.name)));
                }
            }
            MetricKind::Histogram => {
                let mut counts: Vec<f64> = values.into_iter().flatten().collect();
                let sum = counts.pop().unwrap_or_default();
                let count: f64 = counts.iter().sum();
                if count > 0.0 {
                    lines.push(format!(
                        "{} count={count} mean={}",
                        metric.name,
                        sum / count
                    ));
                }
            }
            MetricKind::Info => {
                let labels = run.recording.labels(place).into_iter().flatten();
                let labels: Vec<_> = labels
                    .map(|(name, text)| format!("{name}={text:?}"))
                    .collect();
                if !labels.is_empty() {
                    lines.push(format!("{}{{{}}}", metric.name, labels.join(",")));
                }
            }
        }
    }
    lines
}

/// Says that so many lines are missing, in whatever drawing for people.
pub(super) fn left_out(lines: usize) -> String {
    format!("({lines} lines left out: the output is read too slowly)\n")
}

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const INFALLIBLE: &str = "writing to a String cannot fail";
