//! What does the process use?
//!
//! Read from `/proc` at each scrape, under the names of the official Go client. What cannot be read
//! is left out: with file capabilities a process may not list its own descriptors, and other
//! systems have no `/proc`. Memory is taken from `status`, which counts in kB, because nothing that
//! such a process may read tells the page size.

use std::collections::HashMap;
use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

/// Collects what the process uses.
pub(super) struct Process {
    descs: Vec<Desc>,
    /// Seconds since the Unix epoch.
    started: Option<f64>,
}

/// What is read at each scrape, in seconds, bytes or plain counts.
#[derive(Debug, Default, PartialEq)]
struct Usage {
    cpu: Option<f64>,
    resident: Option<f64>,
    virtual_: Option<f64>,
    threads: Option<f64>,
    open: Option<f64>,
    most_open: Option<f64>,
}

impl Process {
    pub(super) fn new() -> Self {
        let desc = |(name, help): &(&str, &str)| {
            Desc::new((*name).into(), (*help).into(), Vec::new(), HashMap::new())
                .expect("these names are well-formed")
        };
        // `/proc/stat` grows with the machine, and neither number changes: they are read once.
        let booted = fs::read_to_string("/proc/stat").ok();
        let started = fs::read_to_string("/proc/self/stat").ok();
        Self {
            descs: METRICS.iter().map(desc).collect(),
            started: booted
                .and_then(|stat| field(&stat, "btime"))
                .zip(started.and_then(|stat| Some(*ticks(&stat)?.get(STARTED)?)))
                .map(|(booted, ticks)| booted + ticks / TICKS_PER_SECOND),
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let read = |name| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let mut usage = Usage::parse(&read("stat"), &read("status"), &read("limits"));
        // One of them is the listing's own.
        let listing = fs::read_dir("/proc/self/fd").ok();
        usage.open = listing.map(|listing| listing.count().saturating_sub(1) as f64);
        let values = [
            usage.cpu,
            usage.resident,
            usage.virtual_,
            self.started,
            usage.open,
            usage.most_open,
            usage.threads,
        ];
        let known = METRICS.iter().zip(values);
        known
            .filter_map(|((name, help), value)| Some(family(name, help, value?)))
            .collect()
    }
}

impl Usage {
    /// Reads the files of these names in `/proc/self`, see proc(5).
    fn parse(stat: &str, status: &str, limits: &str) -> Self {
        let cpu = |stat: Vec<f64>| Some(stat.get(USER)? + stat.get(SYSTEM)?);
        Self {
            cpu: ticks(stat).and_then(cpu).map(|t| t / TICKS_PER_SECOND),
            resident: field(status, "VmRSS:").map(|kb| kb * 1024.0),
            virtual_: field(status, "VmSize:").map(|kb| kb * 1024.0),
            threads: field(status, "Threads:"),
            open: None,
            most_open: field(limits, "Max open files"),
        }
    }
}

/// The number that follows `name` at the beginning of a line.
fn field(file: &str, name: &str) -> Option<f64> {
    let line = file.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The fields of `stat` behind the command, which may itself contain spaces and parentheses.
fn ticks(stat: &str) -> Option<Vec<f64>> {
    let (_, fields) = stat.rsplit_once(") ")?;
    // The state is a letter; it only has to keep its place.
    Some(
        fields
            .split(' ')
            .map(|f| f.trim().parse().unwrap_or(0.0))
            .collect(),
    )
}

fn family(name: &str, help: &str, value: f64) -> MetricFamily {
    let mut metric = Metric::default();
    let mut family = MetricFamily::default();
    if name.ends_with("_total") {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
        family.set_field_type(MetricType::COUNTER);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
        family.set_field_type(MetricType::GAUGE);
    }
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_metric(vec![metric]);
    family
}

/// Name and help of each, in the order in which they are collected.
const METRICS: [(&str, &str); 7] = [
    (
        "process_cpu_seconds_total",
        "Processor time spent in user and system mode, in seconds.",
    ),
    ("process_resident_memory_bytes", "Resident memory in bytes."),
    ("process_virtual_memory_bytes", "Virtual memory in bytes."),
    (
        "process_start_time_seconds",
        "When the process started, in seconds since the Unix epoch.",
    ),
    ("process_open_fds", "Open file descriptors."),
    ("process_max_fds", "How many file descriptors may be open."),
    ("process_threads", "Threads of the process."),
];

/// `USER_HZ`: part of the kernel's interface and 100 wherever this program runs, whatever the
/// kernel's own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

// Places among the fields behind the command; proc(5) counts them from 3.
const USER: usize = 14 - 3;
const SYSTEM: usize = 15 - 3;
const STARTED: usize = 22 - 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read_as_proc_5_describes_them() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 5 0 0 0 250 150 0 0 20 0 3 0 4200 99 88 0\n";
        let status = "Name:\ta) b (c\nVmSize:\t    2048 kB\nVmRSS:\t     512 kB\nThreads:\t3\n";
        let limits = "Limit            Soft Limit  Hard Limit  Units\n\
                      Max open files   1024        524288      files\n";
        let expected = Usage {
            cpu: Some(4.0),
            resident: Some(524_288.0),
            virtual_: Some(2_097_152.0),
            threads: Some(3.0),
            open: None,
            most_open: Some(1024.0),
        };
        assert_eq!(Usage::parse(stat, status, limits), expected);
        assert_eq!(ticks(stat).unwrap()[STARTED], 4200.0);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for garbage in [
            "",
            "\n",
            ") ",
            "1 (x) S",
            "VmRSS: many kB\nMax open files unlimited",
        ] {
            let usage = Usage::parse(garbage, garbage, garbage);
            assert_eq!(usage, Usage::default(), "{garbage}");
        }
    }
}
