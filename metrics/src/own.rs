//! What does the program tell about itself?
//!
//! The only place where metrics of the `prometheus` crate live, and its registry, which also
//! watches over the names of everything else. Some metrics appear a second time under
//! `blackbox_exporter`'s names, because dashboards for it ask for them.

mod encode;
mod meters;
mod process;

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leadsman_core::metric::{Metric, MetricKind};
use leadsman_core::{Meter, ResponderPlugin};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, Opts, Registry};

pub use self::meters::Watch;
use self::process::Process;
use crate::Format;
use crate::text::open_metrics_name;

/// The program's own metrics. Clones are the same metrics.
#[derive(Clone, Debug)]
pub struct Own {
    registry: Registry,
    reload_ok: [Gauge; 2],
    reloaded_at: [Gauge; 2],
    targets: Gauge,
    series: Gauge,
    in_flight: Gauge,
    lateness: Histogram,
    overrun: IntCounter,
    overload: IntCounter,
    readers: Gauge,
    cut: IntCounter,
    connections_refused: IntCounter,
    unknown_modules: IntCounter,
    too_often: IntCounter,
    too_busy: IntCounter,
}

impl Own {
    /// Makes the metrics, all at 0, for a program of this version.
    pub fn new(version: &str) -> Self {
        let registry = Registry::new();
        for name in ["leadsman_build_info", "blackbox_exporter_build_info"] {
            let opts = Opts::new(name, "The constant 1, with the version of leadsman.");
            let info = Gauge::with_opts(opts.const_label("version", version));
            registered(&registry, info).set(1.0);
        }
        register(&registry, Process::new());
        let gauge = |name, help| registered(&registry, Gauge::new(name, help));
        let counter = |name, help| registered(&registry, IntCounter::new(name, help));
        let missed = |reason| {
            let opts = Opts::new(
                "leadsman_schedule_missed_total",
                "Runs that did not take place: the one before took too long, or the program could \
                 not keep up.",
            );
            let counter = IntCounter::with_opts(opts.const_label("reason", reason));
            registered(&registry, counter)
        };
        let turned_away = |reason| {
            let opts = Opts::new(
                "leadsman_probe_requests_refused_total",
                "Requests to /probe that were turned away: their client asked more often than \
                 web.probe.per_client_rate, or as many runs as web.probe.concurrency were under way.",
            );
            let counter = IntCounter::with_opts(opts.const_label("reason", reason));
            registered(&registry, counter)
        };
        let lateness = HistogramOpts::new(
            "leadsman_schedule_lateness_seconds",
            "How much later than planned runs started. Up to 5 ms are intended: what becomes due \
             soon after other runs started is gathered, to start together.",
        );
        Self {
            reload_ok: [
                "leadsman_config_last_reload_successful",
                "blackbox_exporter_config_last_reload_successful",
            ]
            .map(|name| {
                gauge(
                    name,
                    "Whether the last reload of the configuration succeeded.",
                )
            }),
            reloaded_at: [
                "leadsman_config_last_reload_success_timestamp_seconds",
                "blackbox_exporter_config_last_reload_success_timestamp_seconds",
            ]
            .map(|name| gauge(name, "When the configuration was last read successfully.")),
            targets: gauge("leadsman_targets", "Targets that are probed on schedule."),
            series: gauge(
                "leadsman_series",
                "Series of all targets, those included that are absent at the moment.",
            ),
            in_flight: gauge("leadsman_runs_in_flight", "Scheduled runs in flight."),
            lateness: registered(
                &registry,
                Histogram::with_opts(lateness.buckets(LATENESS_BUCKETS.to_vec())),
            ),
            overrun: missed("overrun"),
            overload: missed("overload"),
            too_often: turned_away("rate"),
            too_busy: turned_away("concurrency"),
            readers: gauge(
                "leadsman_scrapes_in_flight",
                "Scrapes that are being read, this one included.",
            ),
            cut: counter(
                "leadsman_scrapes_cut_total",
                "Scrapes cut in favour of newer ones because too many were being read.",
            ),
            connections_refused: counter(
                "leadsman_connections_refused_total",
                "Connections closed at once because too many were open.",
            ),
            unknown_modules: counter(
                "blackbox_module_unknown_total",
                "Requests to /probe for a module that is not configured.",
            ),
            registry,
        }
    }

    /// Notes how a reload of the configuration went just now; the first reading counts as one.
    pub fn reloaded(&self, successfully: bool) {
        for gauge in &self.reload_ok {
            gauge.set(f64::from(u8::from(successfully)));
        }
        if successfully {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let now = now.unwrap_or_default().as_secs();
            for gauge in &self.reloaded_at {
                gauge.set(now as f64);
            }
        }
    }

    /// Notes how many targets are probed on schedule.
    pub fn targets(&self, count: usize) {
        self.targets.set(count as f64);
    }

    /// Notes that a scheduled run started this much later than planned.
    pub fn started(&self, lateness: Duration) {
        self.lateness.observe(lateness.as_secs_f64());
    }

    /// Notes how many scheduled runs are in flight.
    pub fn in_flight(&self, count: usize) {
        self.in_flight.set(count as f64);
    }

    /// Notes how many runs the schedule has missed since the start, by reason.
    pub fn missed(&self, overrun: u64, overload: u64) {
        for (counter, total) in [(&self.overrun, overrun), (&self.overload, overload)] {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// Counts a scrape that was cut in favour of a newer one because too many were being read.
    pub fn scrape_cut(&self) {
        self.cut.inc();
    }

    /// Counts a connection that was closed at once because too many were open.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// Counts a request for a module that is not configured.
    pub fn module_unknown(&self) {
        self.unknown_modules.inc();
    }

    /// Counts a request for a run by somebody who asks too often.
    pub fn too_often(&self) {
        self.too_often.inc();
    }

    /// Counts a request for a run while too many are under way.
    pub fn too_busy(&self) {
        self.too_busy.inc();
    }

    /// Shows what the responder that listens there counts, for as long as the [`Watch`] is kept.
    ///
    /// # Errors
    ///
    /// A name that it declares is malformed or means something else already.
    pub fn watch(
        &self,
        plugin: &ResponderPlugin,
        listen: SocketAddr,
        meter: Arc<dyn Meter>,
    ) -> Result<Watch, Box<dyn Error + Send + Sync>> {
        Ok(Watch::new(&self.registry, plugin, listen, meter)?)
    }

    /// Notes how many series the targets have.
    pub(crate) fn series(&self, count: usize) {
        self.series.set(count as f64);
    }

    /// Counts a scrape as being read until the answer is dropped.
    pub(crate) fn reader(&self) -> Reader {
        self.readers.inc();
        Reader(self.readers.clone())
    }

    /// The families as they are now: name, and head with samples.
    pub(crate) fn written(&self, format: Format) -> impl Iterator<Item = (String, String)> {
        let families = self.registry.gather();
        families
            .into_iter()
            .map(move |family| encode::family(&family, format))
    }

    /// Reserves all names that samples and families of `metric` have in either format.
    pub(crate) fn reserve(&self, metric: &Metric) -> Result<(), Box<dyn Error + Send + Sync>> {
        let name = metric.name;
        let names = match metric.kind {
            MetricKind::Gauge => vec![name.to_owned()],
            MetricKind::Counter | MetricKind::Info => {
                vec![
                    name.to_owned(),
                    open_metrics_name(name, metric.kind).to_owned(),
                ]
            }
            MetricKind::Histogram => {
                let samples = ["", "_bucket", "_sum", "_count"];
                samples.map(|suffix| format!("{name}{suffix}")).into()
            }
        };
        let labels = ["probe", "target"].iter().chain(metric.labels);
        let labels: Vec<String> = labels.map(|&label| label.to_owned()).collect();
        let descs = names.into_iter().map(|name| {
            let help = metric.help.to_owned();
            Desc::new(name, help, labels.clone(), HashMap::new())
        });
        let marker = Marker(descs.collect::<Result<_, _>>()?);
        Ok(self.registry.register(Box::new(marker))?)
    }
}

/// A scrape that is being read.
#[derive(Debug)]
pub(crate) struct Reader(Gauge);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Holds names in the registry for series that are written elsewhere.
struct Marker(Vec<Desc>);

impl Collector for Marker {
    fn desc(&self) -> Vec<&Desc> {
        self.0.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        Vec::new()
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: Result<C, prometheus::Error>,
) -> C {
    let metric = metric.expect(NAMES_ARE_OURS);
    register(registry, metric.clone());
    metric
}

fn register(registry: &Registry, collector: impl Collector + 'static) {
    registry
        .register(Box::new(collector))
        .expect(NAMES_ARE_OURS);
}

const NAMES_ARE_OURS: &str = "the program's own names are well-formed and distinct";

/// In seconds. A schedule that is well is late by less than the fifth, for it gathers runs.
const LATENESS_BUCKETS: [f64; 11] = [
    0.000_25, 0.001, 0.002_5, 0.005, 0.007_5, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn samples(own: &Own) -> Vec<String> {
        let text: String = own.written(Format::Text).map(|(_, text)| text).collect();
        parse(Format::Text, &text).samples.into_keys().collect()
    }

    fn value(own: &Own, sample: &str) -> f64 {
        let text: String = own.written(Format::Text).map(|(_, text)| text).collect();
        *parse(Format::Text, &text)
            .samples
            .get(sample)
            .unwrap_or_else(|| panic!("{sample} in {text}"))
    }

    #[test]
    fn what_the_host_notes_can_be_read() {
        let own = Own::new("1.2.3");
        own.reloaded(true);
        own.reloaded(false);
        own.targets(7);
        own.started(Duration::from_millis(3));
        own.started(Duration::ZERO);
        own.in_flight(1);
        own.missed(2, 3);
        own.missed(2, 5);
        own.scrape_cut();
        own.connection_refused();
        own.module_unknown();
        own.too_often();
        own.too_busy();
        let reader = own.reader();
        for (sample, expected) in [
            (r#"leadsman_build_info{version="1.2.3"}"#, 1.0),
            (r#"blackbox_exporter_build_info{version="1.2.3"}"#, 1.0),
            ("leadsman_config_last_reload_successful", 0.0),
            ("blackbox_exporter_config_last_reload_successful", 0.0),
            ("leadsman_targets", 7.0),
            ("leadsman_runs_in_flight", 1.0),
            (
                r#"leadsman_schedule_lateness_seconds_bucket{le="0.00025"}"#,
                1.0,
            ),
            (
                r#"leadsman_schedule_lateness_seconds_bucket{le="+Inf"}"#,
                2.0,
            ),
            ("leadsman_schedule_lateness_seconds_count", 2.0),
            (r#"leadsman_schedule_missed_total{reason="overrun"}"#, 2.0),
            (r#"leadsman_schedule_missed_total{reason="overload"}"#, 5.0),
            ("leadsman_scrapes_in_flight", 1.0),
            ("leadsman_scrapes_cut_total", 1.0),
            ("leadsman_connections_refused_total", 1.0),
            ("blackbox_module_unknown_total", 1.0),
            (
                r#"leadsman_probe_requests_refused_total{reason="rate"}"#,
                1.0,
            ),
            (
                r#"leadsman_probe_requests_refused_total{reason="concurrency"}"#,
                1.0,
            ),
        ] {
            assert_eq!(value(&own, sample), expected, "{sample}");
        }
        drop(reader);
        assert_eq!(value(&own, "leadsman_scrapes_in_flight"), 0.0);
        let read_at = value(
            &own,
            "leadsman_config_last_reload_success_timestamp_seconds",
        );
        assert!(read_at > 1.7e9, "{read_at}");
    }

    #[test]
    fn the_process_is_described_under_the_usual_names() {
        let samples = samples(&Own::new("1"));
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_start_time_seconds",
            "process_open_fds",
            "process_threads",
        ] {
            assert!(samples.iter().any(|sample| sample == name), "{name}");
        }
    }
}
