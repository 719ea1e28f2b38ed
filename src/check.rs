//! Is a configuration right, and what will it cost?
//!
//! Every mistake with its line, or else the load that the plan puts on this host, on the network
//! and on Prometheus. Nothing is sent and no responder is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use leadsman_core::metric::Metric;
use leadsman_core::{Difference, Registry};
use leadsman_metrics::series_per_target;

use crate::config::{Compatibility, Config, Module, Problems, Scheduled};
use crate::source::Source;

/// Checks the configuration that `run` would take.
pub(crate) fn check(
    source: &Source,
    registry: &Registry,
    explain: bool,
) -> Result<(String, Problems), Problems> {
    let (config, warnings) = source.read(registry)?;
    let mut report = report(&source.to_string(), &config);
    if explain {
        report += &differences(&config);
    }
    Ok((report, warnings))
}

/// Tells, module by module, what is different from `blackbox_exporter`: first what concerns every
/// module of a prober. What the configuration makes mimic it is not told.
fn differences(config: &Config) -> String {
    let mimics = config.web.compatibility == Compatibility::Blackbox;
    let mut text = "\nDifferent from blackbox_exporter:\n".to_owned();
    let mut told = |line: &str| {
        writeln!(text, "{line}").expect("writing to a String cannot fail");
    };
    let tell = |told: &mut dyn FnMut(&str), differences: &[&Difference]| {
        for difference in differences {
            let way = if difference.is_mimicked() {
                " Not with web.compatibility: blackbox."
            } else {
                ""
            };
            told(&format!("  - {}{way}", difference.text()));
        }
    };
    let here = |of: &dyn Fn(&Difference) -> bool, module: &Module| {
        let all = module.differences.iter().copied();
        let here = all.filter(|d| !(mimics && d.is_mimicked()) && of(d));
        here.collect::<Vec<_>>()
    };
    let mut probers = BTreeMap::<_, Vec<_>>::new();
    for module in config.modules.values() {
        probers
            .entry(module.plugin.name())
            .or_default()
            .push(module);
    }
    for (prober, modules) in probers {
        told("");
        let common = here(&|d| d.concerns_all(), modules[0]);
        let nothing = if common.is_empty() { " nothing" } else { "" };
        told(&format!("every module of {prober}:{nothing}"));
        tell(&mut told, &common);
        for module in modules {
            let own = here(&|d| !d.concerns_all(), module);
            let nothing = if own.is_empty() { " nothing else" } else { "" };
            told(&format!("{}:{nothing}", module.name));
            tell(&mut told, &own);
        }
    }
    if config.modules.is_empty() {
        told("\nThere are no modules.");
    }
    text
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use leadsman_core::schemars::JsonSchema;
    use leadsman_core::{
        Context, Difference, Fault, Options, OptionsError, Plugin, Probe, Target, async_trait,
    };
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    #[schemars(crate = "leadsman_core::schemars")]
    struct Buoy {
        lit: bool,
    }

    struct Look;

    impl Options for Buoy {
        type Probe = Look;

        fn aim(self: &Arc<Self>, _: &Target) -> Result<Look, OptionsError> {
            Ok(Look)
        }
    }

    #[async_trait]
    impl Probe for Look {
        async fn measure(&mut self, _: &Context<'_>) -> Result<(), Fault> {
            Ok(())
        }
    }

    static BUOY: Plugin = Plugin::new::<Buoy>("buoy", "Whether it is lit").differs(&[
        Difference::always("It has no anchor."),
        Difference::where_set("lit", "true", "It is green."),
        Difference::with("lit", "It swims.").mimicked(),
    ]);

    fn explained(text: &str) -> String {
        let registry = Registry::of([&BUOY], []).unwrap();
        differences(&Config::parse("f", text, &registry).unwrap().0)
    }

    #[test]
    fn differences_are_told_module_by_module() {
        let modules =
            "modules:\n  a: { prober: buoy, buoy: { lit: true } }\n  b: { prober: buoy }\n";
        assert_eq!(
            explained(modules),
            "\nDifferent from blackbox_exporter:\n\nevery module of buoy:\n  - It has no anchor.\n\
             a:\n  - It is green.\n  - It swims. Not with web.compatibility: blackbox.\n\
             b: nothing else\n"
        );
        let mimics = format!("web: {{ compatibility: blackbox }}\n{modules}");
        assert!(!explained(&mimics).contains("It swims."));
        assert!(explained("web: {}").contains("There are no modules."));
    }
}
