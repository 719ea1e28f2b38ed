//! What do people and programs see of runs by hand, and what comes of them?

use std::io::Write;
use std::net::IpAddr;
use std::sync::Mutex;

use leadsman_core::metric::{Counter, Gauge, Histogram};
use leadsman_core::options::{Node, OptionsError};
use leadsman_core::schemars::JsonSchema;
use leadsman_core::{Cause, Command, Context, Family, Options, ResolveError, async_trait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::terminal::Size;

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
struct Lead {}

/// Does what the address of its target says.
struct Sounding;

static DEPTH: Gauge =
    Gauge::new("probe_lead_depth_metres", "Depth.").by(&["at"], &["bow", "stern"]);
static HEAVED: Counter = Counter::new("probe_lead_heaved_total", "Leads heaved.");
static WAIT: Histogram = Histogram::new("probe_lead_wait_seconds", "Waits.", &[1.0, 2.0]);

static PLAIN: Plugin = Plugin::new::<Lead>("lead", "Depth")
    .metrics(&[&DEPTH, &HEAVED, &WAIT])
    .command(COMMAND);
static DRAWN: Plugin = Plugin::new::<Lead>("lead", "Depth")
    .metrics(&[&DEPTH, &HEAVED, &WAIT])
    .command(Command {
        draw: Some(|stage| Box::new(Chart { stage, finished: 0 })),
        ..COMMAND
    });
static SPILT: Plugin = Plugin::new::<Lead>("lead", "Depth")
    .metrics(&[&DEPTH, &HEAVED, &WAIT])
    .command(Command {
        draw: Some(|_| Box::new(Spilt)),
        ..COMMAND
    });
const COMMAND: Command = Command::new("heave", "WATER");

#[async_trait]
impl Probe for Sounding {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        cx.add(&HEAVED, 1);
        match &*cx.target().address {
            "dry" => return Err(Fault::target(Cause::Timeout, "the lead found nothing")),
            "unheard-of" => return Err(Fault::target(Cause::Resolve, "on no chart")),
            "moored" => return Err(Fault::own(io::Error::from_raw_os_error(1))),
            "endless" => cx.stopped().await,
            _ => {}
        }
        cx.event("bottom", || json!({ "metres": 7, "event": "not ours" }));
        cx.set_for(&DEPTH, "bow", 7.0);
        cx.observe(&WAIT, Duration::from_millis(1500));
        Ok(())
    }
}

impl Options for Lead {
    type Probe = Sounding;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Sounding, OptionsError> {
        Ok(Sounding)
    }
}

/// A drawing with a table.
struct Chart {
    stage: Stage,
    finished: usize,
}

impl Draw for Chart {
    fn event(&mut self, target: usize, event: &Event, page: &mut String) {
        let address = &self.stage.targets[target].address;
        page.extend([&**address, " ", event.name, "\n"]);
    }

    fn finished(&mut self, _: usize, _: &Run, _: &mut String) {
        self.finished += 1;
    }

    fn table(&self) -> Option<String> {
        Some(format!("{} sounded\n", self.finished))
    }

    fn summary(&mut self, page: &mut String) {
        *page += "done\n";
    }
}

/// A drawing that fails at the first event.
struct Spilt;

impl Draw for Spilt {
    fn event(&mut self, _: usize, _: &Event, _: &mut String) {
        panic!("the ink is spilt");
    }

    fn finished(&mut self, _: usize, _: &Run, _: &mut String) {}

    fn summary(&mut self, _: &mut String) {}
}

#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Resolve for Nobody {
    async fn addresses(&self, name: &str, _: Family) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError::NoRecord(name.to_owned()))
    }
}

/// What was written; fails with `broken` if that is set.
#[derive(Clone, Default)]
struct Paper {
    text: Arc<Mutex<String>>,
    broken: Option<io::ErrorKind>,
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.broken {
            return Err(kind.into());
        }
        self.text
            .lock()
            .unwrap()
            .push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn request(plugin: &'static Plugin, targets: &[&str]) -> ByHand {
    let aim = plugin.parse(&Node::empty()).unwrap();
    let aimed = targets.iter().map(|address| {
        let target = Arc::new(Target::new(*address));
        let probe = aim.aim(&target).unwrap();
        Aimed { target, probe }
    });
    ByHand {
        plugin,
        aimed: aimed.collect(),
        timeout: Duration::from_secs(1),
        quiet: false,
        json: false,
    }
}

async fn outcome(
    request: ByHand,
    terminal: Terminal,
    stopper: Stopper,
    stop: Stop,
) -> Result<Outcome, ByHandError> {
    carry_out(request, Arc::new(Nobody), terminal, Arc::new(stopper), stop).await
}

/// Carries out until all runs end by themselves, into a file.
async fn written(request: ByHand) -> (Outcome, String) {
    let paper = Paper::default();
    let terminal = Terminal::test(paper.clone(), None::<fn() -> Size>);
    let (stopper, stop) = Stopper::new();
    let outcome = outcome(request, terminal, stopper, stop).await.unwrap();
    let text = paper.text.lock().unwrap().clone();
    (outcome, text)
}

#[tokio::test(start_paused = true)]
async fn without_a_drawing_every_event_and_every_run_is_a_line() {
    let (outcome, text) = written(request(&PLAIN, &["wet", "dry"])).await;
    let expected = "\
wet: bottom metres=7 event=\"not ours\"
wet: answered after 0.000ns
  probe_lead_depth_metres{at=\"bow\"} 7
  probe_lead_heaved_total 1
  probe_lead_wait_seconds count=1 mean=1.5
dry: failed after 0.000ns (timeout): the lead found nothing
  probe_lead_heaved_total 1
1 of 2 answered
";
    assert_eq!(text, expected);
    assert_eq!(outcome, Outcome::Unanswered);
}

#[tokio::test(start_paused = true)]
async fn to_be_quiet_leaves_only_the_end() {
    for (plugin, expected) in [
        (&DRAWN, "2 sounded\ndone\n"),
        (
            &PLAIN,
            "wet: answered after 0.000ns\n  \
             probe_lead_depth_metres{at=\"bow\"} 7\n  probe_lead_heaved_total 1\n  \
             probe_lead_wait_seconds count=1 mean=1.5\nwet: answered after 0.000ns\n  \
             probe_lead_depth_metres{at=\"bow\"} 7\n  probe_lead_heaved_total 1\n  \
             probe_lead_wait_seconds count=1 mean=1.5\n2 of 2 answered\n",
        ),
    ] {
        let request = ByHand {
            quiet: true,
            ..request(plugin, &["wet", "wet"])
        };
        assert_eq!(written(request).await, (Outcome::Answered, expected.into()));
    }
    let request = ByHand {
        quiet: true,
        json: true,
        ..request(&DRAWN, &["wet"])
    };
    let (_, text) = written(request).await;
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("\"event\":\"run\""), "{text}");
}

#[tokio::test]
async fn the_worst_run_decides_the_outcome() {
    for (targets, expected) in [
        (&["wet", "wet"][..], Outcome::Answered),
        (&["wet", "dry"], Outcome::Unanswered),
        (&["moored", "dry"], Outcome::NotAsked),
        (&["unheard-of", "dry"], Outcome::NotAsked),
    ] {
        assert_eq!(
            written(request(&PLAIN, targets)).await.0,
            expected,
            "{targets:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn for_programs_every_line_is_an_object() {
    let request = ByHand {
        json: true,
        ..request(&DRAWN, &["wet", "dry"])
    };
    let (_, text) = written(request).await;
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let time = line["time"].take();
        let parsed: Result<jiff::Timestamp, _> = time.as_str().unwrap().parse();
        assert!(parsed.is_ok(), "{time}");
        line
    });
    let expected = [
        json!({
            "time": null, "probe": "lead", "target": "wet", "event": "bottom", "metres": 7,
        }),
        json!({
            "time": null, "probe": "lead", "target": "wet", "event": "run", "success": true,
            "reason": null, "error": null, "duration_seconds": 0.0, "metrics": {
                "probe_lead_depth_metres": { "bow": 7.0 },
                "probe_lead_heaved_total": 1.0,
                "probe_lead_wait_seconds": {
                    "count": 1.0, "sum": 1.5, "buckets": { "1": 0.0, "2": 1.0 },
                },
            },
        }),
        json!({
            "time": null, "probe": "lead", "target": "dry", "event": "run", "success": false,
            "reason": "timeout", "error": "the lead found nothing", "duration_seconds": 0.0,
            "metrics": {
                "probe_lead_heaved_total": 1.0,
                "probe_lead_wait_seconds": {
                    "count": 0.0, "sum": 0.0, "buckets": { "1": 0.0, "2": 0.0 },
                },
            },
        }),
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn into_a_file_the_table_is_written_once_at_the_end() {
    let (_, text) = written(request(&DRAWN, &["wet", "also"])).await;
    assert_eq!(text, "wet bottom\nalso bottom\n2 sounded\ndone\n");
}

#[tokio::test(start_paused = true)]
async fn on_a_screen_the_table_stays_below_and_the_last_words_follow_it() {
    let paper = Paper::default();
    let size = || Size {
        columns: 80,
        rows: 24,
    };
    let terminal = Terminal::test(paper.clone(), Some(size));
    let (stopper, stop) = Stopper::new();
    outcome(request(&DRAWN, &["wet"]), terminal, stopper, stop)
        .await
        .unwrap();
    let text = paper.text.lock().unwrap().clone();
    assert!(text.contains("wet bottom\n"), "{text:?}");
    assert!(
        text.ends_with("\x1b[J\r\x1b[J1 sounded\ndone\n"),
        "{text:?}"
    );
}

#[tokio::test]
async fn an_open_ended_run_ends_well_when_asked_to() {
    let (stopper, stop) = Stopper::new();
    stopper.stop();
    let terminal = Terminal::test(Paper::default(), None::<fn() -> Size>);
    let result = outcome(request(&DRAWN, &["endless"]), terminal, stopper, stop).await;
    assert_eq!(result.unwrap(), Outcome::Answered);
}

#[tokio::test]
async fn output_that_nobody_takes_ends_the_runs() {
    for (kind, expected) in [
        (io::ErrorKind::BrokenPipe, Some(Outcome::Answered)),
        (io::ErrorKind::StorageFull, None),
    ] {
        let paper = Paper {
            broken: Some(kind),
            ..Paper::default()
        };
        let terminal = Terminal::test(paper, None::<fn() -> Size>);
        let (stopper, stop) = Stopper::new();
        let request = ByHand {
            timeout: Duration::MAX,
            ..request(&DRAWN, &["wet", "endless"])
        };
        assert_eq!(
            outcome(request, terminal, stopper, stop).await.ok(),
            expected,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_drawing_that_panics_ends_the_runs() {
    let terminal = Terminal::test(Paper::default(), None::<fn() -> Size>);
    let (stopper, stop) = Stopper::new();
    let request = ByHand {
        timeout: Duration::MAX,
        ..request(&SPILT, &["wet", "endless"])
    };
    let why = outcome(request, terminal, stopper, stop).await.unwrap_err();
    assert!(
        why.to_string().contains("drawing of lead panicked"),
        "{why}"
    );
}
