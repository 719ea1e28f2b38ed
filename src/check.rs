//! Is a configuration right, and what will it cost?
//!
//! Every mistake with its line, or else the load that the plan puts on this host, on the network
//! and on Prometheus. Nothing is sent and no responder is opened.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use leadsman_core::Registry;
use leadsman_core::metric::Metric;
use leadsman_metrics::series_per_target;

use crate::config::{Config, Problems, Scheduled};
use crate::source::Source;

/// Checks the configuration that `run` would take.
pub(crate) fn check(source: &Source, registry: &Registry) -> Result<(String, Problems), Problems> {
    let (config, warnings) = source.read(registry)?;
    Ok((report(&source.to_string(), &config), warnings))
}

/// Describes the plan of a configuration without mistakes.
fn report(name: &str, config: &Config) -> String {
    let cost = Cost::of(config);
    let mut text = format!("{name}: no mistakes\n\n");
    let mut line = |what: &str, amount: String| {
        writeln!(text, "{what:<12}{amount:>14}").expect("writing to a String cannot fail");
    };
    line("probes", config.probes.len().to_string());
    line("targets", cost.targets.to_string());
    line("modules", config.modules.len().to_string());
    line("responders", config.responders.len().to_string());
    line("runs/s", format!("{:.1}", cost.runs_per_second));
    let more = if cost.more_packets { " and more" } else { "" };
    line("packets/s", format!("{:.1}{more}", cost.packets_per_second));
    line("series", cost.series.to_string());
    let used: BTreeSet<_> = config
        .probes
        .iter()
        .map(|p| {
            let each = series(p);
            let usual = series_per_target(p.plugin, p.plugin.layout(), |_| None);
            let own = (p.buckets.is_some() || each != usual).then_some(&*p.name);
            (p.plugin.name(), own, each)
        })
        .collect();
    for (name, own, each) in used {
        let of = own.map_or_else(String::new, |probe| format!(" of `{probe}`"));
        writeln!(text, "\n{name} has {each} series for each target{of}.")
            .expect("writing to a String cannot fail");
    }
    text
}

/// What a plan costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cost {
    targets: usize,
    runs_per_second: f64,
    /// Of the probes that know it.
    packets_per_second: f64,
    /// Whether some probe does not.
    more_packets: bool,
    series: usize,
}

impl Cost {
    /// Adds up what all scheduled probes of `config` cost.
    fn of(config: &Config) -> Self {
        config.probes.iter().fold(Self::default(), Self::plus)
    }

    fn plus(self, probe: &Scheduled) -> Self {
        let targets = probe.targets.len();
        let runs = targets as f64 / probe.every.duration().as_secs_f64();
        let packets = probe.options.packets(probe.timeout);
        Self {
            targets: self.targets + targets,
            runs_per_second: self.runs_per_second + runs,
            packets_per_second: self.packets_per_second + runs * packets.unwrap_or(0) as f64,
            more_packets: self.more_packets || packets.is_none(),
            series: self.series + targets * series(probe),
        }
    }
}

/// How many series a target of a scheduled probe has at most.
fn series(probe: &Scheduled) -> usize {
    let most = |metric: &Metric| probe.options.series(metric);
    series_per_target(probe.plugin, probe.layout(), most)
}
