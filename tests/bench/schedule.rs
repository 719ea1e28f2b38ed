//! What does the program itself cost for each scheduled run, and how late do runs start?
//!
//! `cargo bench --bench schedule [TARGETS [SECONDS]]`
//!
//! Probes that do nothing, each every 10 s, carried out by the whole program: schedule, tasks,
//! recording, history and series. It is started anew as a process of its own, with all targets and
//! with one, and the difference is what the targets cost. Processor time and memory are the
//! kernel's figures; lateness is the program's own histogram.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use leadsman_core::{
    Cause, Context, Fault, Options, OptionsError, Plugin, Probe, Target, async_trait, inventory,
    schemars,
};
use serde::{Deserialize, Serialize};

inventory::submit! {
    Plugin::new::<Nothing>("nothing", "Nothing at all").causes(&[Cause::Timeout])
}

/// Has no options.
#[derive(Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "leadsman_core::schemars")]
struct Nothing {}

struct Null;

impl Options for Nothing {
    type Probe = Null;

    fn aim(self: &Arc<Self>, _: &Target) -> Result<Null, OptionsError> {
        Ok(Null)
    }
}

#[async_trait]
impl Probe for Null {
    async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
        Ok(())
    }
}

fn main() -> ExitCode {
    if std::env::var_os(INSIDE).is_some() {
        return leadsman::main();
    }
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse::<u32>().ok());
    let targets = numbers.next().unwrap_or(10_000);
    let seconds = numbers.next().unwrap_or(30);
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("many.yml");
    fs::write(&file, configuration(targets)).expect("it can be written");
    let file = file.display().to_string();
    let predicted = program(&["check", &file])
        .output()
        .expect("it is this program");
    print(&String::from_utf8_lossy(&predicted.stdout));

    let one = directory.path().join("one.yml");
    fs::write(&one, configuration(1)).expect("it can be written");
    let idle = Figures::of(&one.display().to_string(), seconds);
    let busy = Figures::of(&file, seconds);
    let runs = busy.runs as f64;
    let bytes = (busy.memory - idle.memory) / f64::from(targets);
    let cpu = (busy.cpu - idle.cpu) / runs * 1e6;
    print(&format!(
        "\n{targets} targets, {seconds} s: {:.1} runs/s\n\
         processor {:.2} % of a core, {cpu:.1} µs for each run\n\
         memory {:.1} MiB, {bytes:.0} bytes for each target\n\nlateness of starts, share within\n{}",
        runs / f64::from(seconds),
        (busy.cpu - idle.cpu) / f64::from(seconds) * 100.0,
        busy.memory / 1_048_576.0,
        busy.lateness,
    ));
    ExitCode::SUCCESS
}

fn configuration(targets: u32) -> String {
    let mut text = String::from("probes:\n- name: many\n  every: 10s\n  nothing: {}\n  targets:\n");
    for target in 0..targets {
        writeln!(text, "  - host-{target}.example.com").expect("writing to a String cannot fail");
    }
    text
}

fn program(arguments: &[&str]) -> Command {
    let this = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(this);
    command.args(arguments).env(INSIDE, "1");
    command
}

/// What one process has shown over the time measured.
struct Figures {
    /// Seconds of processor time.
    cpu: f64,
    /// Resident bytes at the end.
    memory: f64,
    runs: u64,
    lateness: String,
}

impl Figures {
    fn of(file: &str, seconds: u32) -> Self {
        let mut child = program(&["run", "--config", file, "--listen", "127.0.0.1:0"])
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
        // Start-up is over when every target has run once.
        thread::sleep(Duration::from_secs(11));
        let before = (processor(&child), lateness(&scrape(&address)));
        thread::sleep(Duration::from_secs(seconds.into()));
        let after = (processor(&child), lateness(&scrape(&address)));
        let memory = resident(&child);
        child.kill().expect("it runs");
        child.wait().expect("it is our child");
        let runs = after.1.last().expect("+Inf").1 - before.1.last().expect("+Inf").1;
        let shares = after
            .1
            .iter()
            .zip(&before.1)
            .map(|((bound, now), (_, then))| {
                format!(
                    "  {bound:>8} s  {:7.3} %\n",
                    (now - then) as f64 / runs as f64 * 100.0
                )
            });
        Self {
            cpu: after.0 - before.0,
            memory,
            runs,
            lateness: shares.collect(),
        }
    }
}

/// Processor time so far in seconds: `utime` and `stime` of proc(5), in hundredths.
fn processor(child: &Child) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("its name stands in brackets");
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().expect("a number"))
        .sum::<f64>()
        / 100.0
}

/// Resident memory in bytes.
fn resident(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    let kibibytes: f64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    kibibytes * 1024.0
}

/// The buckets of the program's lateness: bound and count.
fn lateness(metrics: &str) -> Vec<(String, u64)> {
    let buckets = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("leadsman_schedule_lateness_seconds_bucket{le=\"")?;
        let (bound, count) = rest.split_once("\"} ")?;
        Some((bound.to_owned(), count.parse().expect("a number")))
    });
    buckets.collect()
}

fn scrape(address: &str) -> String {
    let mut connection = TcpStream::connect(address).expect("it listens");
    connection
        .write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .expect("it reads");
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
