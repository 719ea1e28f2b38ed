//! What do a thousand traced paths cost, this host and the routers that they share?
//!
//! `cargo bench --bench paths [-- TARGETS]`, else 1,000 targets; two minutes, as root.
//!
//! Fourteen routers in a row and all targets behind them, in a simulated network on a device of its
//! own; each target is traced once a minute, by the whole program. The first minute, in which no
//! path is known yet, is told apart from the second. Processor time and memory are the kernel's
//! figures, and the network has counted which router was asked how often.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use leadsman_lab::{Network, Node, Scenario, Tunnel};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1);
    let targets = numbers.find_map(|number| number.parse().ok());
    let targets: u32 = targets.unwrap_or(1_000);
    let tunnel = match Tunnel::open(network()) {
        Ok(tunnel) => tunnel,
        Err(why) => {
            print(&format!("there is no network to measure in: {why}\n"));
            return ExitCode::FAILURE;
        }
    };
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("paths.yml");
    fs::write(&file, configuration(targets)).expect("it can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadsman"));
    command
        .args(["run", "--listen", "127.0.0.1:0", "--config"])
        .arg(&file)
        .stderr(Stdio::piped());
    let child = tunnel.namespace().spawn(&mut command);
    let mut program = Program::of(child.expect("it was built"));
    let readings = [Duration::ZERO, MINUTE, MINUTE].map(|pause| {
        thread::sleep(pause);
        tunnel.namespace().run(|| program.reading())
    });
    program.child.kill().expect("it runs");
    program.child.wait().expect("it is our child");
    let network = tunnel.close();
    let begin = network.records().first().map(|record| record.entered);
    let begin = begin.unwrap_or_default();
    print(
        "minute   runs/s   CPU %   MB resident   series   failures   spared/s   busiest router/s\n",
    );
    for (minute, pair) in (0..).zip(readings.windows(2)) {
        let [before, after] = pair else { continue };
        let from = begin + MINUTE * minute;
        let asked = (1..=ROUTERS).map(|ttl| {
            let records = network.records().iter();
            let within = |at: Duration| from <= at && at < from + MINUTE;
            records
                .filter(|record| record.request.ttl == ttl && within(record.entered))
                .count()
        });
        let per_second = |total: f64| total / MINUTE.as_secs_f64();
        print(&format!(
            "{:6} {:8.1} {:7.2} {:13.1} {:8} {:10} {:10.1} {:18.1}\n",
            minute + 1,
            per_second(after.runs - before.runs),
            per_second(after.cpu - before.cpu) * 100.0,
            after.memory / 1024.0,
            after.series,
            after.failures - before.failures,
            per_second(after.spared - before.spared),
            per_second(asked.max().unwrap_or_default() as f64),
        ));
    }
    ExitCode::SUCCESS
}

/// Routers in a row, and a network behind.
fn network() -> Network {
    let mut nodes = vec![Node::default(); usize::from(ROUTERS) + 1];
    let prefix = "10.9.0.0/16".parse().expect("it is one");
    nodes[usize::from(ROUTERS)].serves = vec![prefix];
    let scenario = Scenario {
        about: "A long path to many targets.".to_owned(),
        nodes,
        ..Scenario::default()
    };
    Network::new(&scenario).expect("it can be built")
}

fn configuration(targets: u32) -> String {
    let mut text =
        String::from("probes:\n- name: paths\n  every: 60s\n  traceroute: {}\n  targets:\n");
    for target in 0..targets {
        let (third, fourth) = (target / 250, target % 250 + 1);
        writeln!(text, "  - 10.9.{third}.{fourth}").expect("writing to a String cannot fail");
    }
    text
}

struct Program {
    child: Child,
    address: String,
}

/// What the kernel and the program tell at one moment.
struct Reading {
    /// Seconds of processor time.
    cpu: f64,
    /// Resident kibibytes.
    memory: f64,
    series: usize,
    runs: f64,
    failures: f64,
    spared: f64,
}

impl Program {
    fn of(mut child: Child) -> Self {
        let mut log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let address = log.find_map(|line| {
            let line = line.ok()?;
            let (_, address) = line.split_once("listening address=")?;
            Some(address.to_owned())
        });
        // It says little more, but must be able to.
        thread::spawn(move || log.for_each(drop));
        Self {
            child,
            address: address.expect("it says where it listens"),
        }
    }

    fn reading(&self) -> Reading {
        let process = format!("/proc/{}", self.child.id());
        let tasks = fs::read_dir(format!("{process}/task")).expect("it runs");
        let cpu = tasks.map(|task| {
            let task = task.expect("it can be read").path();
            let spent = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let spent = spent.split(' ').next().and_then(|spent| spent.parse().ok());
            spent.unwrap_or(0.0) / 1e9
        });
        let status = fs::read_to_string(format!("{process}/status")).expect("it runs");
        let memory = status.lines().find_map(|line| {
            let kibibytes = line.strip_prefix("VmRSS:")?.strip_suffix("kB")?;
            kibibytes.trim().parse().ok()
        });
        let metrics = self.metrics();
        let of_targets = metrics.lines().filter(|line| line.contains("target=\""));
        Reading {
            cpu: cpu.sum(),
            memory: memory.unwrap_or(0.0),
            series: of_targets.count(),
            runs: sum(&metrics, "probe_runs_total{"),
            failures: sum(&metrics, "probe_failures_total{"),
            spared: sum(&metrics, "probe_traceroute_spared_total{"),
        }
    }

    fn metrics(&self) -> String {
        let mut connection = TcpStream::connect(&self.address).expect("it listens");
        write!(
            connection,
            "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n"
        )
        .expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

/// All samples whose line starts like this, added up.
fn sum(metrics: &str, start: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(start));
    let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.sum()
}

fn print(text: &str) {
    std::io::stdout()
        .write_all(text.as_bytes())
        .expect("somebody reads");
}

const ROUTERS: u8 = 14;
const MINUTE: Duration = Duration::from_mins(1);
