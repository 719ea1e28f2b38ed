//! How far were runs from the truth, and which of them prove anything?

use std::fs;
use std::time::Duration;

use super::{STORIES, Stamp, Story};
use crate::client::events::Hop;
use crate::client::tests::PHASES;

/// How far all runs were from the truth, how far without what others took of the processor, and
/// what of them was not disturbed.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) clean: Distances,
    pub(super) all: Distances,
    pub(super) net: Distances,
}

/// How far from the truth, in seconds.
#[derive(Debug, Default)]
pub(super) struct Distances {
    pub(super) phases: Vec<(Story, &'static str, f64)>,
    pub(super) sums: Vec<f64>,
}

impl Tally {
    /// Compares the phases of a run, hop by hop, with the times between its stamps.
    pub(super) fn compare(&mut self, story: Story, stamps: &[Stamp], hops: &[Hop]) {
        let begins = |stamp: &Stamp| stamp.phase == "connect";
        let connects = stamps.iter().filter(|stamp| begins(stamp)).count();
        assert_eq!(hops.len(), connects.max(1), "{story:?}");
        let mut hop = 0;
        for (index, pair) in stamps.windows(2).enumerate() {
            let [from, until] = pair else {
                unreachable!("windows are of two");
            };
            // The first stamps are of the first hop: its look-up, then its connection.
            hop += usize::from(begins(until) && index > 1);
            let took = hops[hop].seconds.get(until.phase);
            let took = took.unwrap_or_else(|| panic!("{story:?} has no {pair:?}: {hops:?}"));
            let least = (until.earliest - from.latest).as_secs_f64();
            let most = (until.latest - from.earliest).as_secs_f64();
            let off = (least - took).max(took - most).max(0.0);
            self.all.phases.push((story, until.phase, off));
            // What the server did at a stamp the probe sees before the next one.
            let kept = stamps
                .get(index + 2)
                .map_or_else(kept_waiting, |seen| seen.kept);
            let kept = kept.saturating_sub(from.kept);
            let net = (story, until.phase, less(off, kept));
            self.net.phases.push(net);
            if kept < DISTURBED {
                self.clean.phases.push((story, until.phase, off));
            }
        }
    }
}

impl Distances {
    pub(super) fn wrong(&self) -> usize {
        let phases = self
            .phases
            .iter()
            .filter(|(.., off)| *off > WRONG.as_secs_f64());
        let sums = self
            .sums
            .iter()
            .filter(|off| !(-ROUNDING..0.001).contains(*off));
        phases.count() + sums.count()
    }

    /// How far each phase of each story was off in half of its runs.
    pub(super) fn medians(&self) -> Vec<(Story, &'static str, f64)> {
        let mut medians = Vec::new();
        for (story, phase) in STORIES.iter().flat_map(|s| PHASES.map(|phase| (*s, phase))) {
            let same = self.phases.iter().filter(|p| (p.0, p.1) == (story, phase));
            let mut off: Vec<f64> = same.map(|(.., off)| *off).collect();
            off.sort_by(f64::total_cmp);
            medians.extend(off.get(off.len() / 2).map(|off| (story, phase, *off)));
        }
        medians
    }

    pub(super) fn told(&self) -> String {
        let (wrong, phases, runs) = (self.wrong(), self.phases.len(), self.sums.len());
        let head = format!("{wrong} wrong of {phases} phases and {runs} sums");
        let of = |phase| {
            self.phases
                .iter()
                .filter(move |(_, other, _)| *other == phase)
        };
        let phases = PHASES.map(|phase| line(phase, of(phase).map(|(.., off)| *off).collect()));
        let sums = line("sum", self.sums.clone());
        format!("{head}; off in ms, p50 p99 max:{}{sums}", phases.concat())
    }
}

/// What is left of a distance that `kept` accounts for as far as it goes.
pub(super) fn less(off: f64, kept: Duration) -> f64 {
    if off < 0.0 {
        return off;
    }
    (off - kept.as_secs_f64()).max(0.0)
}

/// How long this thread has been kept waiting for a processor while it could have run
/// (`schedstat` in proc(5)).
pub(super) fn kept_waiting() -> Duration {
    let all = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let waited = all.split_ascii_whitespace().nth(1).unwrap();
    Duration::from_nanos(waited.parse().unwrap())
}

fn line(name: &str, mut off: Vec<f64>) -> String {
    off.sort_by(f64::total_cmp);
    let last = off.len().saturating_sub(1) as f64;
    let at = |share: f64| {
        off.get((last * share) as usize)
            .map_or(0.0, |off| off * 1e3)
    };
    format!("\n{name:>14} {:.3} {:.3} {:.3}", at(0.5), at(0.99), at(1.0))
}

/// A phase beside which the thread was kept waiting for so long proves nothing: half of what it may
/// be off.
pub(super) const DISTURBED: Duration = Duration::from_millis(1);

/// What sums of floating-point numbers may be off, in seconds.
pub(super) const ROUNDING: f64 = 1e-9;

/// More than a phase may be off.
pub(super) const WRONG: Duration = Duration::from_millis(2);
