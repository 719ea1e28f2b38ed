//! What is said of a sweep, and what came of it?
//!
//! [`Report`] counts and puts into words, for people or for programs, and passes it on in notes: as
//! soon as there is much, else a few times a second. Only what is shown is put into words, for a
//! target must cost next to nothing. When it is written, and where, is the writer's affair.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;
use std::mem;
use std::time::{Duration, SystemTime};

use leadsman_core::{Ending, Fault, Finding, Plugin, Progress, Watcher};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::end::End;
use super::targets::Targets;
use super::writer::{Note, Writer};
use crate::by_hand::{Outcome, json};

/// Which targets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All, each with its figures.
    All,
    /// Those that answered.
    Answered,
    /// Those that did not, or could not be asked.
    Unanswered,
    /// None: only the closing summary.
    Nothing,
}

/// What came of a sweep so far.
#[derive(Debug)]
pub(super) struct Report {
    plugin: &'static Plugin,
    shown: Shown,
    /// Whether a program reads the output.
    json: bool,
    /// How many there are in all.
    targets: usize,
    answered: usize,
    /// By the label of the reason, as are the next.
    unanswered: BTreeMap<&'static str, usize>,
    not_asked: BTreeMap<&'static str, usize>,
    /// Why those were not asked that nothing was told of.
    cut_short: &'static str,
    sent: u64,
    /// How long packets have been sent; zero before.
    elapsed: Duration,
    /// What was not passed on yet.
    note: Note,
    next_note: Instant,
    writer: Writer,
}

impl Report {
    pub(super) fn new(
        plugin: &'static Plugin,
        shown: Shown,
        json: bool,
        targets: usize,
        writer: Writer,
    ) -> Self {
        Self {
            plugin,
            shown,
            json,
            targets,
            answered: 0,
            unanswered: BTreeMap::new(),
            not_asked: BTreeMap::new(),
            cut_short: "interrupted",
            sent: 0,
            elapsed: Duration::ZERO,
            note: Note::default(),
            next_note: Instant::now() + FRAME,
            writer,
        }
    }

    /// A name has no address that could be asked.
    pub(super) fn nameless(&mut self, name: &str, fault: &Fault) {
        *self.not_asked.entry(fault.reason()).or_default() += 1;
        let reason = fault.reason();
        let error = fault.to_string();
        // What is wrong with a name begins with it already.
        let why = error
            .strip_prefix(name)
            .and_then(|why| why.strip_prefix(": "));
        let why = why.unwrap_or(&error);
        writeln!(self.note.told, "{name}: not asked ({reason}): {why}").expect(INFALLIBLE);
        match self.shown {
            Shown::All | Shown::Unanswered if self.json => {
                let ours = [
                    ("address", Value::Null),
                    ("ending", NOT_ASKED.into()),
                    ("reason", reason.into()),
                    ("error", error.into()),
                ];
                self.object(Some(name), "finding", ours, Map::new());
            }
            Shown::Unanswered => self.note.found.extend([name, "\n"]),
            Shown::All | Shown::Answered | Shown::Nothing => {}
        }
    }

    /// So many names of all were looked up.
    pub(super) fn looked_up(&mut self, done: usize, all: usize) {
        let now = Instant::now();
        if now >= self.next_note {
            let (done, all) = (Grouped(done as u64), Grouped(all as u64));
            self.note.progress = format!("{done} of {all} names looked up");
            self.pass_on(now);
        }
    }

    /// Why the sweep as a whole was not carried out.
    pub(super) fn failed(&mut self, fault: &Fault) {
        writeln!(self.note.told, "leadsman: {fault}").expect(INFALLIBLE);
        self.cut_short = fault.reason();
    }

    /// Hears what a sweep finds that begins now, and sees to it that it ends with `end`.
    pub(super) fn watch<'a>(&'a mut self, targets: &'a Targets, end: &'a End) -> Watch<'a> {
        Watch {
            report: self,
            targets,
            end,
            begun: Instant::now(),
        }
    }

    /// Says the last words, and what it all comes to. Targets that were not told of were left out
    /// because somebody had seen enough, or the sweep failed. Waits until all is written.
    pub(super) fn close(mut self) -> io::Result<Outcome> {
        let unanswered = self.unanswered.values().sum::<usize>();
        let told = self.answered + unanswered + self.not_asked.values().sum::<usize>();
        if told < self.targets {
            *self.not_asked.entry(self.cut_short).or_default() += self.targets - told;
        }
        if self.json {
            let ours = [
                ("targets", self.targets.into()),
                ("answered", self.answered.into()),
                ("unanswered", json!(self.unanswered)),
                ("not_asked", json!(self.not_asked)),
                ("packets", self.sent.into()),
                ("duration_seconds", self.elapsed.as_secs_f64().into()),
            ];
            self.object(None, "summary", ours, Map::new());
        } else {
            let summary = self.summary();
            self.note.told.push_str(&summary);
        }
        self.writer.finish(self.note)?;
        Ok(if !self.not_asked.is_empty() {
            Outcome::NotAsked
        } else if unanswered > 0 {
            Outcome::Unanswered
        } else {
            Outcome::Answered
        })
    }

    fn summary(&self) -> String {
        let grouped = |count: usize| Grouped(count as u64);
        let total = |counts: &BTreeMap<_, usize>| grouped(counts.values().sum());
        let mut text = format!(
            "{} {}: {} answered, {} unanswered, {} not asked\n",
            grouped(self.targets),
            plural(self.targets as u64, "target", "targets"),
            grouped(self.answered),
            total(&self.unanswered),
            total(&self.not_asked)
        );
        for (what, counts) in [
            ("unanswered", &self.unanswered),
            ("not asked", &self.not_asked),
        ] {
            if !counts.is_empty() {
                let reasons = counts.iter();
                let reasons: Vec<_> = reasons
                    .map(|(reason, count)| format!("{} {reason}", grouped(*count)))
                    .collect();
                writeln!(text, "{what}: {}", reasons.join(", ")).expect(INFALLIBLE);
            }
        }
        let seconds = self.elapsed.as_secs_f64();
        let packets = plural(self.sent, "packet", "packets");
        write!(text, "{} {packets} in {seconds:.3} s", Grouped(self.sent)).expect(INFALLIBLE);
        if self.sent > 0 && seconds > 0.0 {
            let rate = Grouped((self.sent as f64 / seconds).round() as u64);
            write!(text, ", {rate} packets/s").expect(INFALLIBLE);
        }
        text.push('\n');
        text
    }

    /// Adds an object for a program; `theirs` never replaces `ours`.
    fn object<const N: usize>(
        &mut self,
        target: Option<&str>,
        event: &str,
        ours: [(&str, Value); N],
        theirs: Map<String, Value>,
    ) {
        let ours = ours.map(|(name, value)| (name.to_owned(), value));
        let fields = ours.into_iter().chain(theirs);
        let (now, probe) = (SystemTime::now(), self.plugin.name());
        json::line(now, probe, target, event, fields, &mut self.note.found);
    }

    fn pass_on(&mut self, now: Instant) {
        self.next_note = now + FRAME;
        self.writer.pass_on(mem::take(&mut self.note));
    }
}

/// A report while packets are on their way.
pub(super) struct Watch<'a> {
    report: &'a mut Report,
    targets: &'a Targets,
    end: &'a End,
    begun: Instant,
}

impl Watch<'_> {
    fn show(&mut self, finding: &Finding<'_>, reason: Option<&'static str>) {
        let Report {
            shown, json, note, ..
        } = &mut *self.report;
        let address = self.targets.addresses[finding.index];
        if *json {
            let mut name = String::new();
            self.targets.call(finding.index, &mut name);
            let ours = [
                ("address", json!(address)),
                ("ending", ending(finding.ending).into()),
                ("reason", reason.into()),
            ];
            let theirs = (finding.fields)();
            return self.report.object(Some(&name), "finding", ours, theirs);
        }
        let found = &mut note.found;
        self.targets.call(finding.index, found);
        if *shown == Shown::All {
            let written = self.targets.written(finding.index);
            if written.is_some_and(|written| written.parse() != Ok(address)) {
                write!(found, " ({address})").expect(INFALLIBLE);
            }
            write!(found, ": {}", finding.summary).expect(INFALLIBLE);
            let asked = match finding.ending {
                Ending::NotAsked(_) => "not asked: ",
                Ending::Answered | Ending::Unanswered(_) => "",
            };
            if let Some(reason) = reason {
                write!(found, " ({asked}{reason})").expect(INFALLIBLE);
            }
        }
        found.push('\n');
    }

    /// Says that a target could not be asked, where the list of targets does not.
    fn tell(&mut self, finding: &Finding<'_>, reason: &str) {
        let told = &mut self.report.note.told;
        self.targets.call(finding.index, told);
        writeln!(told, ": not asked ({reason}): {}", finding.summary).expect(INFALLIBLE);
    }
}

impl Watcher for Watch<'_> {
    fn found(&mut self, finding: &Finding<'_>) {
        let report = &mut *self.report;
        let (reason, shown) = match finding.ending {
            Ending::Answered => {
                report.answered += 1;
                (None, matches!(report.shown, Shown::All | Shown::Answered))
            }
            Ending::Unanswered(cause) => {
                *report.unanswered.entry(cause.label()).or_default() += 1;
                let shown = matches!(report.shown, Shown::All | Shown::Unanswered);
                (Some(cause.label()), shown)
            }
            Ending::NotAsked(blocker) => {
                *report.not_asked.entry(blocker.label()).or_default() += 1;
                let shown = matches!(report.shown, Shown::All | Shown::Unanswered);
                if matches!(report.shown, Shown::Answered | Shown::Unanswered) && !report.json {
                    self.tell(finding, blocker.label());
                }
                (Some(blocker.label()), shown)
            }
        };
        if shown {
            self.show(finding, reason);
            if self.report.note.found.len() >= MUCH {
                self.report.pass_on(Instant::now());
            }
        }
    }

    fn progress(&mut self, progress: Progress) {
        let now = Instant::now();
        // This is called often enough; whoever sweeps looks at the stop that comes of it.
        self.end.is_reached(now);
        self.report.sent = progress.sent;
        self.report.elapsed = now - self.begun;
        if now >= self.report.next_note {
            let all = self.targets.addresses.len();
            self.report.note.progress = how_far(progress, all, self.report.elapsed);
            self.report.pass_on(now);
        }
    }
}

/// Progress in one line. How long it will take is a guess: as long for each as so far.
fn how_far(progress: Progress, all: usize, elapsed: Duration) -> String {
    let Progress { done, answered, .. } = progress;
    let [all_grouped, done_grouped, answered] =
        [all, done, answered].map(|count| Grouped(count as u64));
    let mut line = format!("{done_grouped} of {all_grouped} done, {answered} answered");
    if done > 0 {
        let left = elapsed.as_secs_f64() * (all as f64 / done as f64 - 1.0);
        write!(line, ", {} s left", Grouped(left.ceil() as u64)).expect(INFALLIBLE);
    }
    line
}

fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Answered => "answered",
        Ending::Unanswered(_) => "unanswered",
        Ending::NotAsked(_) => NOT_ASKED,
    }
}

fn plural(count: u64, one: &'static str, more: &'static str) -> &'static str {
    if count == 1 { one } else { more }
}

/// A number whose thousands are set apart: `12,345`.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

const NOT_ASKED: &str = "not_asked";

/// The shortest time from one line of progress to the next, and the longest that a line of a target
/// waits for others.
const FRAME: Duration = Duration::from_millis(200);

/// Bytes that are passed on at once even if it is soon.
const MUCH: usize = 64 * 1024;

const INFALLIBLE: &str = "writing to a String cannot fail";
