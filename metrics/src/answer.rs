//! What does `/probe` answer?
//!
//! One run in the text format 0.0.4, as if nothing had been measured before. The labels `probe` and
//! `target` are left out, for whoever asks adds their own. So are counters and histograms: they
//! would start anew with each request, and every rate over them would be a lie.

use std::ops::Deref;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use leadsman_core::metric::{Declared, Metric, MetricKind};
use leadsman_core::{Gauge, Place, Recording, Run};

use crate::Format;
use crate::form::{Family, Form};
use crate::text::{push_head, push_number, push_sample};
use crate::totals::{DURATION, SUCCESS};

/// Shows one run: whether it succeeded and how long it took, on failure the reason, and then the
/// gauges and infos that it set.
///
/// Whoever asks expects a `probe_success` in every answer, so here it is 0 for an own fault too;
/// the reason tells which it was.
pub fn render_run(run: &Run) -> Answer {
    let mut answer = Answer::empty();
    let out = &mut answer.0;
    let success = f64::from(u8::from(run.result.is_ok()));
    let seconds = [run.duration, run.timeout].map(|time| time.as_secs_f64());
    for (lead, value) in LEADS.iter().zip([success, seconds[0], seconds[1]]) {
        push_line(out, lead, value);
    }
    if let Err(fault) = &run.result {
        let help = "In which phase the run failed, and why.";
        push_head(out, Format::Text, FAILURE, help, MetricKind::Info);
        let labels = [("phase", run.recording.phase()), ("reason", fault.reason())];
        push_sample(out, FAILURE, labels, 1.0);
    }
    let layout = run.recording.layout();
    let form = Form::of(layout);
    for (place, family) in layout.places().iter().zip(form.families()) {
        push_place(out, &run.recording, place, family);
    }
    answer
}

/// The text of an answer.
///
/// Its memory is kept for the next one: it is more than an allocator has at hand, and answers come by
/// the thousand a second.
#[derive(Debug)]
pub struct Answer(String);

impl Answer {
    fn empty() -> Self {
        Self(
            spare()
                .pop()
                .unwrap_or_else(|| String::with_capacity(USUAL)),
        )
    }
}

impl Deref for Answer {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut text = std::mem::take(&mut self.0);
        let mut spare = spare();
        if spare.len() < MOST_SPARE && text.capacity() <= LONGEST_SPARE {
            text.clear();
            spare.push(text);
        }
    }
}

fn spare() -> MutexGuard<'static, Vec<String>> {
    static SPARE: Mutex<Vec<String>> = Mutex::new(Vec::new());
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Appends a sample whose line begins so.
fn push_line(out: &mut String, begin: &str, value: f64) {
    out.push_str(begin);
    push_number(out, value);
    out.push('\n');
}

fn push_place(out: &mut String, recording: &Recording, place: &Place, family: &Family) {
    match place.metric.kind {
        MetricKind::Counter | MetricKind::Histogram => {}
        MetricKind::Gauge => {
            let mut is_first = true;
            for (value, sample) in recording.values(place).zip(&family.samples) {
                if let Some(value) = value {
                    push_line(out, sample.text(is_first), value);
                    is_first = false;
                }
            }
        }
        MetricKind::Info => {
            if let Some(labels) = recording.labels(place) {
                out.push_str(&family.head);
                push_sample(out, place.metric.name, labels, 1.0);
            }
        }
    }
}

/// What comes before each of the numbers that every answer begins with.
static LEADS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [&SUCCESS, &DURATION, &TIMEOUT].map(|gauge| {
        let Metric {
            name, help, kind, ..
        } = *gauge.metric();
        let mut lead = String::new();
        push_head(&mut lead, Format::Text, name, help, kind);
        lead.extend([name, " "]);
        lead
    })
});

/// Only in answers: on a schedule, it is what the configuration says.
static TIMEOUT: Gauge = Gauge::new(
    "probe_timeout_seconds",
    "How long the run might have taken.",
);

/// Bytes of most answers, at the most.
const USUAL: usize = 8 << 10;

/// Answers whose memory is kept, and the most bytes of one.
const MOST_SPARE: usize = 64;
const LONGEST_SPARE: usize = 64 << 10;

/// Only in answers: on a schedule, `probe_failures_total` tells the reason and keeps it.
const FAILURE: &str = "probe_failure_info";

#[cfg(test)]
mod tests {
    use leadsman_core::{Cause, Fault};

    use super::*;
    use crate::fixture::{PEER, PHASE, RTT, SENT, failure, run};
    use crate::parse::parse;

    fn check(run: &Run, expected: &[&str]) {
        let answer = render_run(run);
        parse(Format::Text, &answer);
        let samples: Vec<&str> = answer
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert_eq!(samples, expected);
    }

    #[test]
    fn an_answer_holds_what_this_run_alone_can_tell() {
        check(
            &run(Ok(()), |recording| {
                recording.add(&SENT, None, 3.0);
                recording.observe(&RTT, 0.1);
                recording.set(&PHASE, Some("rtt"), 0.25);
                recording.inform(&PEER, &["192.0.2.1", "a \"b\""]);
            }),
            &[
                "probe_success 1",
                "probe_duration_seconds 0.5",
                "probe_timeout_seconds 1.5",
                "probe_test_duration_seconds{phase=\"rtt\"} 0.25",
                "probe_test_peer_info{address=\"192.0.2.1\",name=\"a \\\"b\\\"\"} 1",
            ],
        );
        check(
            &run(failure(Cause::Refused), |_| {}),
            &[
                "probe_success 0",
                "probe_duration_seconds 0.5",
                "probe_timeout_seconds 1.5",
                "probe_failure_info{phase=\"start\",reason=\"refused\"} 1",
            ],
        );
        check(
            &run(
                Err(Fault::own(std::io::Error::from_raw_os_error(1))),
                |_| {},
            ),
            &[
                "probe_success 0",
                "probe_duration_seconds 0.5",
                "probe_timeout_seconds 1.5",
                "probe_failure_info{phase=\"start\",reason=\"permission\"} 1",
            ],
        );
    }
}
