//! Whom does a sweep ask, and what do people and programs see of it?

use std::io::{self, Write};
use std::net::IpAddr;

use leadsman_core::options::OptionsError;
use leadsman_core::schemars::JsonSchema;
use leadsman_core::{
    Blocker, Cause, Context, Ending, Family, Finding, Options, Preference, Probe, Progress,
    ResolveError, Stopper, Target, async_trait,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::terminal::Size;
use crate::terminal::tests::Paper;

static SONAR: Plugin = Plugin::new::<Sonar>("sonar", "Depth by sound");

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
struct Sonar {}

struct Never;

#[async_trait]
impl Probe for Never {
    async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

impl Options for Sonar {
    type Probe = Never;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Never, OptionsError> {
        Ok(Never)
    }
}

/// Finds what the last byte of an address says: 4 is silent, 5 is out of reach, 6 goes on until it
/// is stopped, 7 cannot be asked at all, and the rest answer.
struct Ping;

impl Sweep for Ping {
    fn sweep(self: Box<Self>, order: SweepOrder<'_>) -> Result<(), Fault> {
        let mut progress = Progress::default();
        for (index, address) in order.addresses.iter().enumerate() {
            let last = match address {
                IpAddr::V4(address) => address.octets()[3],
                IpAddr::V6(address) => address.octets()[15],
            };
            let (ending, summary) = match last {
                4 => (Ending::Unanswered(Cause::Timeout), "no echo"),
                5 => (Ending::NotAsked(Blocker::Network), "no water"),
                6 => {
                    while !order.stop.is_requested() {
                        order.watcher.progress(progress);
                        std::thread::yield_now();
                    }
                    break;
                }
                7 => return Err(Fault::own(io::Error::from_raw_os_error(1))),
                8 => panic!("the cable is torn"),
                _ => (Ending::Answered, "7 fathoms"),
            };
            progress.sent += 2;
            progress.done += 1;
            progress.answered += usize::from(ending == Ending::Answered);
            order.watcher.found(&Finding {
                index,
                ending,
                summary: &summary,
                fields: &|| {
                    let fields = json!({ "fathoms": 7, "ending": "not ours" });
                    fields.as_object().unwrap().clone()
                },
            });
            order.watcher.progress(progress);
        }
        Ok(())
    }
}

/// Knows the hosts `one` to `nine` of 192.0.2.0/24, each with one address.
#[derive(Debug)]
struct Book;

#[async_trait]
impl Resolve for Book {
    async fn addresses(&self, name: &str, family: Family) -> Result<Vec<IpAddr>, ResolveError> {
        let names = ["one", "two", "three", "four", "five"];
        match names.into_iter().zip(1..).find(|(known, _)| *known == name) {
            Some((_, last)) if family == Family::V4 => Ok(vec![[192, 0, 2, last].into()]),
            _ if name == "broken" => Err(ResolveError::Failed(name.into(), "SERVFAIL".into())),
            _ => Err(ResolveError::NoRecord(name.into())),
        }
    }
}

/// Takes nothing.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn request(words: &str, shown: Shown) -> SweepByHand {
    let mut targets = Targets::new(Preference::new("ip4", true));
    for word in words.split(' ') {
        targets.add(word).unwrap();
    }
    SweepByHand {
        plugin: &SONAR,
        sweep: Box::new(Ping),
        targets,
        files: Vec::new(),
        rate: None,
        timeout: None,
        shown,
        json: false,
    }
}

/// Sweeps into files: the outcome, what was found, and what was told beside it without the line
/// that says how long it took.
fn swept(request: SweepByHand) -> (Result<Outcome, ByHandError>, String, String) {
    let (out, err) = (Paper::default(), Paper::default());
    let file = |paper: &Paper| Terminal::test(paper.clone(), None::<fn() -> Size>);
    let end = End::after(request.timeout);
    let outcome = carry_out(request, || Arc::new(Book), file(&out), file(&err), &end);
    let told = err.take();
    let told = told.lines().filter(|line| !line.contains(" packets in "));
    (
        outcome,
        out.take(),
        told.flat_map(|line| [line, "\n"]).collect(),
    )
}

/// Sweeps and compares what was found and what was told.
fn check(words: &str, shown: Shown, found: &str, told: &str) {
    let (_, out, err) = swept(request(words, shown));
    assert_eq!(out, found, "{words} {shown:?}");
    assert_eq!(err, told, "{words} {shown:?}");
}

const WORDS: &str = "192.0.2.3-192.0.2.5 one 192.0.2.1 192.0.2.1 nobody";

const SUMMARY: &str = "\
7 targets: 4 answered, 1 unanswered, 2 not asked
unanswered: 1 timeout
not asked: 1 network, 1 resolve
";

#[test]
fn every_target_has_a_line_with_its_figures() {
    let found = "\
192.0.2.3: 7 fathoms
192.0.2.4: no echo (timeout)
192.0.2.5: no water (not asked: network)
192.0.2.1: 7 fathoms
192.0.2.1: 7 fathoms
one (192.0.2.1): 7 fathoms
";
    let told = format!("nobody: not asked (resolve): nobody has no address\n{SUMMARY}");
    check(WORDS, Shown::All, found, &told);
}

#[test]
fn lists_hold_targets_as_they_were_written() {
    let nobody = "nobody: not asked (resolve): nobody has no address\n";
    let told = format!("{nobody}192.0.2.5: not asked (network): no water\n{SUMMARY}");
    let alive = "192.0.2.3\n192.0.2.1\n192.0.2.1\none\n";
    check(WORDS, Shown::Answered, alive, &told);
    let unreachable = "nobody\n192.0.2.4\n192.0.2.5\n";
    check(WORDS, Shown::Unanswered, unreachable, &told);
    check(WORDS, Shown::Nothing, "", &format!("{nobody}{SUMMARY}"));
}

#[test]
fn the_worst_target_decides_the_outcome() {
    for (words, expected) in [
        ("192.0.2.1 one two", Outcome::Answered),
        ("192.0.2.1 four", Outcome::Unanswered),
        ("192.0.2.1 192.0.2.4 nobody", Outcome::NotAsked),
        ("192.0.2.4 five", Outcome::NotAsked),
        ("nobody broken", Outcome::NotAsked),
        ("192.0.2.1 192.0.2.7", Outcome::NotAsked),
    ] {
        let (outcome, _, told) = swept(request(words, Shown::All));
        assert_eq!(outcome.unwrap(), expected, "{words}: {told}");
    }
}

#[test]
fn for_programs_every_target_is_an_object_and_so_is_the_summary() {
    let request = SweepByHand {
        json: true,
        ..request("192.0.2.4/31 one broken", Shown::All)
    };
    let (_, found, told) = swept(request);
    assert_eq!(told, "broken: not asked (resolve): SERVFAIL\n");
    let lines = found.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        assert!(line["time"].take().is_string(), "{line}");
        if let Some(seconds) = line.get_mut("duration_seconds") {
            assert!(seconds.take().is_f64());
        }
        line
    });
    let finding = |target, address, ending, reason: Option<&str>| {
        json!({
            "time": null, "probe": "sonar", "target": target, "event": "finding",
            "address": address, "ending": ending, "reason": reason, "fathoms": 7,
        })
    };
    let expected = [
        json!({
            "time": null, "probe": "sonar", "target": "broken", "event": "finding",
            "address": null, "ending": "not_asked", "reason": "resolve",
            "error": "broken: SERVFAIL",
        }),
        finding("192.0.2.4", "192.0.2.4", "unanswered", Some("timeout")),
        finding("192.0.2.5", "192.0.2.5", "not_asked", Some("network")),
        finding("one", "192.0.2.1", "answered", None),
        json!({
            "time": null, "probe": "sonar", "event": "summary", "targets": 4, "answered": 1,
            "unanswered": { "timeout": 1 }, "not_asked": { "network": 1, "resolve": 1 },
            "packets": 6, "duration_seconds": null,
        }),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn what_keeps_the_sweep_from_being_carried_out_is_told() {
    let told = "\
leadsman: Operation not permitted (os error 1)
2 targets: 1 answered, 0 unanswered, 1 not asked
not asked: 1 permission
";
    check(
        "192.0.2.1 192.0.2.7",
        Shown::All,
        "192.0.2.1: 7 fathoms\n",
        told,
    );
    let (panicked, ..) = swept(request("192.0.2.8", Shown::All));
    let why = panicked.unwrap_err().to_string();
    assert!(why.contains("sweep of sonar panicked"), "{why}");
}

#[test]
fn a_sweep_that_is_ended_tells_what_it_knows() {
    let told = "\
3 targets: 1 answered, 0 unanswered, 2 not asked
not asked: 2 interrupted
";
    let request = SweepByHand {
        timeout: Some(Duration::from_millis(1)),
        ..request("192.0.2.1 192.0.2.6 192.0.2.2", Shown::Answered)
    };
    let (outcome, found, err) = swept(request);
    assert_eq!((found.as_str(), err.as_str()), ("192.0.2.1\n", told));
    assert_eq!(outcome.unwrap(), Outcome::NotAsked);
}

#[test]
fn output_that_nobody_takes_ends_the_sweep() {
    let terminal = Terminal::test(Closed, None::<fn() -> Size>);
    let told = Terminal::test(io::sink(), None::<fn() -> Size>);
    let request = request("nobody 192.0.2.6", Shown::Unanswered);
    let outcome = carry_out(
        request,
        || Arc::new(Book),
        terminal,
        told,
        &End::after(None),
    );
    assert_eq!(outcome.unwrap(), Outcome::NotAsked);
}

#[test]
fn very_many_names_are_looked_up_and_told_in_the_order_given() {
    let words = ["one", "two", "three", "nobody"].join(" ");
    let many = vec![words; 100].join(" ");
    let (_, found, told) = swept(request(&many, Shown::Answered));
    assert_eq!(found, "one\ntwo\nthree\n".repeat(100));
    assert!(told.contains("400 targets: 300 answered"), "{told}");
}

#[test]
fn progress_stands_on_the_screen_until_there_is_something_else() {
    let screen = Paper::default();
    let size = || Size {
        columns: 30,
        rows: 24,
    };
    let terminal = || Terminal::test(screen.clone(), Some(size));
    let mut writer = Writer::new(terminal(), terminal(), Arc::new(Stopper::new().0));
    for (found, told, progress) in [
        ("", "", "1 of 9 done"),
        ("", "", "2 of 9 done and this is too long"),
        ("one\n", "", "3 of 9 done"),
        ("", "two: no water\n", "4 of 9 done"),
        ("three\n", "9 targets\n", ""),
    ] {
        let note = writer::Note {
            found: found.into(),
            told: told.into(),
            progress: progress.into(),
        };
        writer.pass_on(note);
    }
    writer.finish(writer::Note::default()).unwrap();
    let written = screen.take();
    assert_eq!(
        seen(&written),
        ["one", "two: no water", "three", "9 targets"]
    );
    assert!(
        written.contains("2 of 9 done and this is too lo\n"),
        "{written:?}"
    );
}

/// The lines that are left on a screen after `bytes`, of which only those sequences are understood
/// that the terminal uses.
fn seen(bytes: &str) -> Vec<String> {
    let (mut lines, mut row) = (vec![String::new()], 0);
    let mut rest = bytes;
    while let Some(first) = rest.chars().next() {
        let is = |sequence| rest.strip_prefix(sequence);
        rest = if let Some(rest) = is("\x1b[1A") {
            row -= 1;
            rest
        } else if let Some(rest) = is("\x1b[J") {
            lines.truncate(row + 1);
            lines[row].clear();
            rest
        } else if let Some(rest) = is("\x1b[K").or_else(|| is("\r")) {
            rest
        } else if let Some(rest) = is("\n") {
            row += 1;
            lines.resize(lines.len().max(row + 1), String::new());
            rest
        } else {
            lines[row].push(first);
            &rest[first.len_utf8()..]
        };
    }
    lines.retain(|line| !line.is_empty());
    lines
}
