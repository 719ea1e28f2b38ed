//! What does a scrape of a million series cost, and what would it cost without a store of our own?
//!
//! `cargo bench -p leadsman-metrics`, or with another number of series behind `--`. Both sides
//! expose the very same series: what our store writes is read back into `GaugeVec`s of the
//! `prometheus` crate. Each measurement is a process of its own, for memory that was once used
//! stays with a process; they alternate, and the medians are shown. Time is what the kernel says
//! this process was running, so that a busy machine does not count.
//!
//! It measures no network and no contention: recording and scraping here take turns.

#![expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{env, hint};

use leadsman_core::metric::{Counter, Gauge, Histogram, RTT_BUCKETS, common};
use leadsman_core::options::OptionsError;
use leadsman_core::schemars::JsonSchema;
use leadsman_core::{
    Cause, Context, Fault, Options, Plugin, Probe, Recording, Run, Sink, Target, async_trait,
};
use leadsman_metrics::{Format, Gzip, Own, Series, Store, series_per_target};
use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};
use serde::{Deserialize, Serialize};

fn main() {
    let mut args: Vec<String> = env::args().skip(1).collect();
    args.retain(|arg| arg != "--bench");
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ours", file, series] => ours(Path::new(file), number(series)).print(),
        ["crate", file, _] => the_crates(Path::new(file)).print(),
        [] => compare(1_000_000),
        [series] => compare(number(series)),
        _ => panic!("the only argument is the number of series"),
    }
}

fn number(series: &str) -> usize {
    series.parse().expect("the number of series is a number")
}

/// Runs both sides in turns and shows the medians.
fn compare(series: usize) {
    let file = env::temp_dir().join(format!("leadsman-scrape-{}", std::process::id()));
    let program = env::current_exe().expect("the kernel knows what it runs");
    let mut figures: [Vec<HashMap<String, f64>>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (side, figures) in ["ours", "crate"].iter().zip(&mut figures) {
            let output = Command::new(&program)
                .arg(side)
                .arg(&file)
                .arg(series.to_string())
                .output()
                .expect("this program can be started again");
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{side}: {error}");
            let lines = BufReader::new(&*output.stdout)
                .lines()
                .map_while(Result::ok);
            figures.push(
                lines
                    .filter_map(|line| {
                        let (name, value) = line.split_once('=')?;
                        Some((name.to_owned(), value.parse().ok()?))
                    })
                    .collect(),
            );
        }
    }
    fs::remove_file(&file).expect("the sides have written the file");

    let median = |side: usize, name: &str| {
        let values = figures[side]
            .iter()
            .filter_map(|round| round.get(name).copied());
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    println!(
        "{:34} {:>12} {:>12} {:>8}",
        "medians", "leadsman", "prometheus", "ratio"
    );
    for name in FIGURES {
        let Some(ours) = median(0, name) else {
            continue;
        };
        match median(1, name) {
            Some(theirs) => {
                println!(
                    "{name:34} {ours:>12.3} {theirs:>12.3} {:>7.1}x",
                    theirs / ours
                );
            }
            None => println!("{name:34} {ours:>12.3}"),
        }
    }
}

/// Fills a store, measures, and leaves a scrape in `file` for the other side.
fn ours(file: &Path, series: usize) -> Figures {
    let mut figures = Figures::default();
    let begin = Usage::now();
    let store = Store::new([&PLUGIN], Own::new("0")).expect("the names are fine");
    let per_target = series_per_target(&PLUGIN, PLUGIN.layout(), |_| None);
    let targets: Vec<Series> = (0..series / per_target)
        .map(|n| {
            let address = format!("198.51.{}.{}", n / 256, n % 256);
            store.track("edge", &PLUGIN, PLUGIN.layout(), &labelled(&address))
        })
        .collect();
    let runs: Vec<Run> = (0..1000).map(|_| run()).collect();
    for (target, run) in targets.iter().zip(runs.iter().cycle()) {
        target.finished(run);
    }
    figures.put("series", (targets.len() * per_target) as f64);
    figures.put("memory kept, MB", begin.memory_until_now() / 1e6);
    figures.put(
        "memory kept, B a target",
        begin.memory_until_now() / targets.len() as f64,
    );

    let begin = Usage::now();
    let chunks = store.scrape(Format::Text);
    let bytes: usize = chunks.map(|chunk| hint::black_box(chunk).len()).sum();
    figures.put("scrape, CPU s", begin.cpu_until_now());
    figures.put("scrape, peak memory MB", begin.peak_until_now() / 1e6);
    figures.put("scrape, MB of text", bytes as f64 / 1e6);

    let begin = Usage::now();
    let chunks = Gzip::new(store.scrape(Format::Text));
    let bytes: usize = chunks.map(|chunk| hint::black_box(chunk).len()).sum();
    figures.put("scrape with gzip, CPU s", begin.cpu_until_now());
    figures.put(
        "scrape with gzip, peak memory MB",
        begin.peak_until_now() / 1e6,
    );
    figures.put("scrape with gzip, MB", bytes as f64 / 1e6);

    let record = |times: usize| {
        let begin = Usage::now();
        for _ in 0..times {
            for (target, run) in targets.iter().zip(runs.iter().cycle()) {
                target.finished(run);
            }
        }
        begin.cpu_until_now() / (times * targets.len()) as f64 * 1e9
    };
    figures.put("recording a run, CPU ns", record(10));
    let begin = Usage::now();
    let stalled = store.scrape(Format::Text);
    figures.put("snapshot, CPU ms", begin.cpu_until_now() * 1e3);
    figures.put("recording while one stalls, CPU ns", record(1));
    figures.put("one stalled scrape, MB", begin.memory_until_now() / 1e6);
    drop(stalled);

    let mut file = File::create(file).expect("the temporary folder can be written");
    for chunk in store.scrape(Format::Text) {
        file.write_all(&chunk)
            .expect("the disk has room for a scrape");
    }
    figures
}

/// Reads the series of `file` into vectors of the `prometheus` crate, and measures the same.
fn the_crates(file: &Path) -> Figures {
    let mut figures = Figures::default();
    let begin = Usage::now();
    let registry = Registry::new();
    let mut vectors: HashMap<String, GaugeVec> = HashMap::new();
    let file = BufReader::new(File::open(file).expect("the other side has written it"));
    let mut series = 0;
    for line in file.lines().map_while(Result::ok) {
        let Some((name, rest)) = line.split_once("{probe=") else {
            continue;
        };
        let (labels, value) = rest.rsplit_once("} ").expect("a sample has a value");
        let labels = format!("probe={labels}");
        let pairs = labels.split(',').filter_map(|label| label.split_once('='));
        let (names, values): (Vec<_>, Vec<_>) = pairs
            .map(|(name, value)| (name, value.trim_matches('"')))
            .unzip();
        let vector = vectors.entry(name.to_owned()).or_insert_with(|| {
            let vector = GaugeVec::new(Opts::new(name, "Help."), &names);
            let vector = vector.expect("it was a name before");
            registry
                .register(Box::new(vector.clone()))
                .expect("each is registered once");
            vector
        });
        let value = value.parse().expect("a sample is a number");
        vector.with_label_values(&values).set(value);
        series += 1;
    }
    figures.put("series", f64::from(series));
    figures.put("memory kept, MB", begin.memory_until_now() / 1e6);

    let begin = Usage::now();
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&registry.gather(), &mut text)
        .expect("a vector takes all");
    figures.put("scrape, CPU s", begin.cpu_until_now());
    figures.put("scrape, peak memory MB", begin.peak_until_now() / 1e6);
    figures.put("scrape, MB of text", text.len() as f64 / 1e6);
    figures
}

/// What this process has used, as far as the kernel says.
struct Usage {
    cpu: f64,
    memory: f64,
}

impl Usage {
    /// Begins a measurement; the peak of memory counts from here.
    fn now() -> Self {
        fs::write("/proc/self/clear_refs", "5").expect("a process may reset its own peak");
        Self {
            cpu: cpu(),
            memory: memory("VmRSS:"),
        }
    }

    fn cpu_until_now(&self) -> f64 {
        cpu() - self.cpu
    }

    fn memory_until_now(&self) -> f64 {
        memory("VmRSS:") - self.memory
    }

    fn peak_until_now(&self) -> f64 {
        memory("VmHWM:") - self.memory
    }
}

/// Seconds that the one thread of this process was running.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("Linux tells run times");
    let nanoseconds = stat.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanoseconds.expect("the first number is the run time") / 1e9
}

/// Bytes of this line in `status`.
fn memory(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells memory");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.expect("memory is given in kB") * 1024.0
}

#[derive(Default)]
struct Figures(Vec<(&'static str, f64)>);

impl Figures {
    fn put(&mut self, name: &'static str, value: f64) {
        self.0.push((name, value));
    }

    /// For the process that compares.
    fn print(&self) {
        for (name, value) in &self.0 {
            println!("{name}={value}");
        }
    }
}

/// A run of one round trip, each time another.
fn run() -> Run {
    let rtt = 0.012 + fastrand::f64() / 1e3;
    let mut recording = Recording::new(PLUGIN.layout());
    recording.set(&common::LOOKUP, None, 0.000_021);
    recording.set(&common::PROTOCOL, None, 4.0);
    recording.set(&common::ADDRESS_HASH, None, 2_166_136_261.0);
    recording.inform(&common::TARGET_INFO, &["198.51.100.1"]);
    recording.add(&SENT, None, 1.0);
    recording.add(&FATE, Some("received"), 1.0);
    recording.set(&PHASE, Some("resolve"), 0.000_021);
    recording.set(&PHASE, Some("setup"), fastrand::f64() / 1e4);
    recording.set(&PHASE, Some("rtt"), rtt);
    recording.set(&HOP_LIMIT, None, 57.0);
    recording.observe(&RTT, rtt);
    Run {
        plugin: &PLUGIN,
        target: Arc::new(labelled("198.51.100.1")),
        started: SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_827_200_123),
        duration: Duration::from_secs_f64(rtt + 0.000_5),
        timeout: Duration::from_secs(1),
        result: Ok(()),
        recording,
    }
}

fn labelled(address: &str) -> Target {
    Target {
        labels: [("site".into(), "fra".into())].into(),
        ..Target::new(address)
    }
}

static SENT: Counter = Counter::new("probe_bench_sent_total", "Requests sent.");
static FATE: Counter = Counter::new("probe_bench_requests_total", "Requests by their end.").by(
    &["outcome"],
    &["received", "lost", "error", "late", "duplicate", "corrupt"],
);
static PHASE: Gauge = Gauge::new("probe_bench_duration_seconds", "Time by phase.")
    .by(&["phase"], &["resolve", "setup", "rtt"]);
static HOP_LIMIT: Gauge = Gauge::new("probe_bench_reply_hop_limit", "TTL of the reply.");
static RTT: Histogram = Histogram::new("probe_bench_rtt_seconds", "Round trips.", RTT_BUCKETS);

/// Records what an echo probe would.
static PLUGIN: Plugin = Plugin::new::<NoOptions>("bench", "Nothing")
    .metrics(&[&SENT, &FATE, &PHASE, &HOP_LIMIT, &RTT])
    .causes(&[
        Cause::Timeout,
        Cause::Unreachable,
        Cause::TtlExceeded,
        Cause::Resolve,
    ]);

#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "leadsman_core::schemars")]
struct NoOptions {}

struct Never;

impl Options for NoOptions {
    type Probe = Never;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Never, OptionsError> {
        Ok(Never)
    }
}

#[async_trait]
impl Probe for Never {
    async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

const ROUNDS: usize = 3;

/// What is shown, in this order.
const FIGURES: [&str; 13] = [
    "series",
    "memory kept, MB",
    "memory kept, B a target",
    "recording a run, CPU ns",
    "recording while one stalls, CPU ns",
    "one stalled scrape, MB",
    "snapshot, CPU ms",
    "scrape, CPU s",
    "scrape, peak memory MB",
    "scrape, MB of text",
    "scrape with gzip, CPU s",
    "scrape with gzip, peak memory MB",
    "scrape with gzip, MB",
];
