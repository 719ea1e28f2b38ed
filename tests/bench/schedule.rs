//! What does the program itself cost for each scheduled run, and how late do runs start?
//!
//! `cargo bench --bench schedule [-- TARGETS…]`, else 1,000, 5,000 and 50,000 targets; a minute.
//!
//! Probes that do nothing, each once a second, carried out by the whole program: schedule, tasks,
//! recording, history and series. It is started anew as a process of its own, with one target and
//! with all in turns, and the difference is what the targets cost. Processor time, wake-ups and
//! memory are the kernel's figures, allocations are counted by the program's allocator, and
//! quantiles of the lateness are interpolated in the program's own histogram.

mod allocations;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use leadsman_core::{
    Cause, Context, Fault, Gauge, Options, OptionsError, Plugin, Probe, Target, async_trait,
    inventory, schemars,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

static ALLOCATIONS: Gauge = Gauge::new("probe_nothing_allocations", "Allocations so far.");

inventory::submit! {
    Plugin::new::<Nothing>("nothing", "Nothing at all")
        .metrics(&[&ALLOCATIONS])
        .causes(&[Cause::Timeout])
}

/// Does nothing, unless it is asked.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
struct Nothing {
    /// Tell how often the program has asked for memory.
    tell: bool,
}

impl Options for Nothing {
    type Probe = Self;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Self, OptionsError> {
        Ok(**self)
    }
}

#[async_trait]
impl Probe for Nothing {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        if self.tell {
            cx.set(&ALLOCATIONS, allocations::made() as f64);
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    if std::env::var_os(INSIDE).is_some() {
        return leadsman::main();
    }
    let numbers = std::env::args().skip(1);
    let mut sizes: Vec<u32> = numbers.filter_map(|number| number.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 5_000, 50_000];
    }
    print(
        " targets     runs/s   CPU %   µs/run  wakes/s  allocations/run  bytes/target  \
         lateness ms: p50    p99  p99.9  missed\n",
    );
    let directory = tempfile::tempdir().expect("there is room");
    for targets in sizes {
        let measure = |targets: u32| {
            let file = directory.path().join(format!("{targets}.yml"));
            fs::write(&file, configuration(targets)).expect("it can be written");
            Figures::of(&file.display().to_string())
        };
        let (idle, busy) = (measure(1), measure(targets));
        let cpu = busy.cpu - idle.cpu;
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| busy.lateness.within(share) * 1e3);
        print(&format!(
            "{targets:8} {:10.0} {:7.2} {:8.2} {:8.0} {:16.1} {:13.0} {p50:17.2} {p99:6.2} {p999:6.2} {:7}\n",
            busy.runs,
            cpu * 100.0,
            cpu / busy.runs * 1e6,
            busy.wakes,
            (busy.allocations - idle.allocations) / busy.runs,
            (busy.memory - idle.memory) / f64::from(targets),
            busy.missed,
        ));
    }
    ExitCode::SUCCESS
}

fn configuration(targets: u32) -> String {
    let mut text = String::from(
        "modules: { tell: { prober: nothing, nothing: { tell: true } } }\n\
         probes:\n- name: many\n  every: 1s\n  nothing: {}\n  targets:\n",
    );
    for target in 0..targets {
        writeln!(text, "  - host-{target}.example.com").expect("writing to a String cannot fail");
    }
    text
}

/// What one process has shown, for each second but for memory, lateness and missed runs.
struct Figures {
    /// Seconds of processor time.
    cpu: f64,
    runs: f64,
    /// How often a thread was woken.
    wakes: f64,
    allocations: f64,
    /// Resident bytes.
    memory: f64,
    lateness: Lateness,
    missed: f64,
}

/// How many runs started at most so late: bounds in seconds, and cumulative counts.
struct Lateness(Vec<(f64, f64)>);

/// What the kernel and the program tell at one moment.
struct Reading {
    at: Instant,
    cpu: f64,
    wakes: f64,
    allocations: f64,
    metrics: String,
}

impl Figures {
    fn of(file: &str) -> Self {
        let this = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(this)
            .args(["run", "--config", file, "--listen", "127.0.0.1:0"])
            .env(INSIDE, "1")
            .stderr(Stdio::piped())
            .spawn()
            .expect("it is this program");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let address = log.find_map(|line| {
            let line = line.ok()?;
            line.split_once("listening address=")
                .map(|(_, address)| address.to_owned())
        });
        let address = address.expect("it says where it listens");
        thread::sleep(START);
        let before = Reading::of(&child, &address);
        thread::sleep(WINDOW);
        let after = Reading::of(&child, &address);
        let memory = kernel(&format!("/proc/{}/status", child.id()), "VmRSS:") * 1024.0;
        child.kill().expect("it runs");
        child.wait().expect("it is our child");
        let seconds = (after.at - before.at).as_secs_f64();
        let lateness = after.lateness().since(&before.lateness());
        Self {
            cpu: (after.cpu - before.cpu) / seconds,
            runs: lateness.0.last().expect("there is +Inf").1 / seconds,
            wakes: (after.wakes - before.wakes) / seconds,
            allocations: (after.allocations - before.allocations) / seconds,
            memory,
            lateness,
            missed: after.missed() - before.missed(),
        }
    }
}

impl Reading {
    fn of(child: &Child, address: &str) -> Self {
        let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).expect("it runs");
        let (mut cpu, mut wakes) = (0.0, 0.0);
        for task in tasks {
            let task = task.expect("it can be read").path().display().to_string();
            // A thread may end between the two.
            let spent = fs::read_to_string(format!("{task}/schedstat")).unwrap_or_default();
            let spent = spent.split(' ').next().and_then(|spent| spent.parse().ok());
            cpu += spent.unwrap_or(0.0) / 1e9;
            wakes += kernel(&format!("{task}/status"), "voluntary_ctxt_switches:");
        }
        let at = Instant::now();
        let told = ask(address, "/probe?module=tell&target=x");
        let allocations = sum(&told, "probe_nothing_allocations ");
        let metrics = ask(address, "/metrics");
        Self {
            at,
            cpu,
            wakes,
            allocations,
            metrics,
        }
    }

    fn lateness(&self) -> Lateness {
        let buckets = self.metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix("leadsman_schedule_lateness_seconds_bucket{le=\"")?;
            let (bound, count) = rest.split_once("\"} ")?;
            Some((bound.parse().ok()?, count.parse().ok()?))
        });
        Lateness(buckets.collect())
    }

    fn missed(&self) -> f64 {
        sum(&self.metrics, "leadsman_schedule_missed_total{")
    }
}

impl Lateness {
    fn since(mut self, before: &Self) -> Self {
        for ((_, count), (_, then)) in self.0.iter_mut().zip(&before.0) {
            *count -= then;
        }
        self
    }

    /// By how much at most this share of the runs were late, in seconds.
    fn within(&self, share: f64) -> f64 {
        let wanted = self.0.last().expect("there is +Inf").1 * share;
        let (mut low, mut before) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= wanted {
                return low + (bound - low) * (wanted - before) / (count - before);
            }
            (low, before) = (*bound, *count);
        }
        f64::INFINITY
    }
}

/// A number in one of the kernel's tables; 0 if it is not there.
fn kernel(file: &str, name: &str) -> f64 {
    let table = fs::read_to_string(file).unwrap_or_default();
    let number = table.lines().find_map(|line| line.strip_prefix(name));
    let number = number.and_then(|number| number.trim().trim_end_matches(" kB").parse().ok());
    number.unwrap_or(0.0)
}

/// All samples whose line starts like this, added up.
fn sum(metrics: &str, start: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(start));
    let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}

fn ask(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).expect("it listens");
    write!(connection, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("it answers");
    answer
}

fn print(text: &str) {
    std::io::stdout()
        .write_all(text.as_bytes())
        .expect("somebody reads");
}

/// Set for the program that is measured.
const INSIDE: &str = "LEADSMAN_BENCH_INSIDE";
/// After so long every target has run at least once.
const START: Duration = Duration::from_secs(3);
const WINDOW: Duration = Duration::from_secs(6);
