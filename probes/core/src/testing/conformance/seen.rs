//! What did all runs of a kit show together, and is it what the plugin declared?
//!
//! What only one run in many can show, such as the counter of a rare reply, is judged here, once
//! all runs are made.

use std::collections::{BTreeSet, HashSet};

use super::peer::Peer;
use crate::metric::{MetricKind, common};
use crate::testing::Finished;
use crate::{Blocker, Cause, Fault, Place, Plugin, Recording};

/// The series that some run has recorded, and how runs failed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Name of the metric and which of its series: the index of the label value, 0 without one.
    series: HashSet<(&'static str, usize)>,
    panics: BTreeSet<String>,
    wrongly_own: BTreeSet<String>,
    causes: BTreeSet<(Cause, String)>,
}

impl Seen {
    /// Remembers a run against `peer`.
    pub(super) fn note(&mut self, peer: &Peer, finished: &Finished) {
        let recording = &finished.run.recording;
        for place in recording.layout().places() {
            let recorded = recorded(recording, place).into_iter();
            let series = recorded.map(|index| (place.metric.name, index));
            self.series.extend(series);
        }
        let Err(fault) = &finished.run.result else {
            return;
        };
        let told = format!("{}: {fault}", peer.name);
        match fault {
            Fault::Target(cause, _) => {
                self.causes.insert((*cause, told));
            }
            Fault::Own(Blocker::Panic, _) => {
                self.panics.insert(told);
            }
            Fault::Own(..) if peer.reachable => {
                self.wrongly_own.insert(told);
            }
            Fault::Own(..) => {}
        }
    }

    /// Runs that panicked, which is also what recording an undeclared metric or label does.
    pub(super) fn panics(&self) -> Vec<String> {
        self.panics.iter().cloned().collect()
    }

    /// Runs that failed through a peer within reach and called the fault our own.
    pub(super) fn wrongly_own(&self) -> Vec<String> {
        self.wrongly_own.iter().cloned().collect()
    }

    /// Declared series that no run has recorded: of a gauge every label value has to appear, of a
    /// counter one is enough. What the core declares for every probe is not the plugin's to show.
    /// Metrics that are shown `elsewhere` are excused.
    pub(super) fn absent(&self, plugin: &'static Plugin, elsewhere: &[&str]) -> Vec<String> {
        let own = plugin.layout().places()[common::ALL.len()..].iter();
        let mut absent = Vec::new();
        for Place { metric, .. } in own.filter(|own| !elsewhere.contains(&own.metric.name)) {
            let shown = |index: &usize| self.series.contains(&(metric.name, *index));
            let series = 0..metric.values.len().max(1);
            let mut missing: Vec<_> = series.clone().filter(|index| !shown(index)).collect();
            if metric.kind == MetricKind::Counter && missing.len() < series.len() {
                missing.clear();
            }
            absent.extend(missing.into_iter().map(|index| {
                let label = metric.values.get(index).map_or_else(String::new, |value| {
                    format!("{{{}={value:?}}}", metric.labels[0])
                });
                format!(
                    "{}{label} is declared, but no run recorded it: name a peer that provokes it",
                    metric.name
                )
            }));
        }
        absent
    }

    /// Failures whose cause the plugin does not declare.
    pub(super) fn undeclared_causes(&self, plugin: &Plugin) -> Vec<String> {
        let declared = plugin.possible_causes();
        let timeout = (!declared.contains(&Cause::Timeout))
            .then(|| "Cause::Timeout is not declared, but the core ends runs with it".to_owned());
        let causes = self.causes.iter();
        let undeclared = causes.filter(|(cause, _)| !declared.contains(cause));
        let undeclared = undeclared.map(|(cause, told)| format!("{told} (Cause::{cause:?})"));
        timeout.into_iter().chain(undeclared).collect()
    }
}

/// Which series of a place a run has recorded.
fn recorded(recording: &Recording, place: &Place) -> Vec<usize> {
    let values = recording.values(place).enumerate();
    let counted = |value: Option<f64>| value.is_some_and(|value| value != 0.0);
    match place.metric.kind {
        MetricKind::Counter => values
            .filter_map(|(index, value)| counted(value).then_some(index))
            .collect(),
        MetricKind::Gauge => values
            .filter_map(|(index, value)| value.map(|_| index))
            .collect(),
        MetricKind::Histogram if recording.values(place).any(counted) => vec![0],
        MetricKind::Info if recording.text(place).is_some() => vec![0],
        MetricKind::Histogram | MetricKind::Info => Vec::new(),
    }
}
