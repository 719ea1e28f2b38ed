//! When has a path changed, rather than wavered?
//!
//! Flows take different paths where there are balancers, so each flow is compared with itself. A
//! path that differs once may be a transient of routing; one that is seen twice in a row is the
//! new path.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Asn, Path};
use crate::step::Flow;

/// The paths of one target over time.
#[derive(Debug, Default)]
pub struct PathWatch {
    flows: BTreeMap<Flow, Watched>,
}

/// A path that was replaced by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The flow that now takes another path.
    pub flow: Flow,
    /// The path until now, with all that was learnt of it.
    pub old: Path,
    /// The path from now on.
    pub new: Path,
    /// The first TTL with another router.
    pub first_difference: u8,
}

#[derive(Debug)]
struct Watched {
    path: Path,
    /// What the last run saw instead.
    instead: Option<Path>,
}

impl PathWatch {
    /// Takes in the path that a flow took; returns a change as soon as it is confirmed by two
    /// runs in a row.
    pub fn observe(&mut self, flow: Flow, seen: Path) -> Option<Change> {
        let instead = None;
        let Some(watched) = self.flows.get_mut(&flow) else {
            let path = seen;
            self.flows.insert(flow, Watched { path, instead });
            return None;
        };
        if watched.path.first_difference(&seen).is_none() {
            watched.path.learn(&seen);
            watched.instead = None;
            return None;
        }
        let before = watched.instead.take();
        let Some(mut new) = before.filter(|before| before.first_difference(&seen).is_none()) else {
            watched.instead = Some(seen);
            return None;
        };
        new.learn(&seen);
        let old = std::mem::replace(&mut watched.path, new.clone());
        let first_difference = old.first_difference(&new)?;
        Some(Change {
            flow,
            old,
            new,
            first_difference,
        })
    }

    /// The path that a flow takes, with all that was learnt of it.
    pub fn path(&self, flow: Flow) -> Option<&Path> {
        self.flows.get(&flow).map(|watched| &watched.path)
    }

    /// A number for the paths of all flows, as [`Path::hash`] is for one: that of the first flow if
    /// there is no other.
    pub fn hash(&self) -> u64 {
        let flows = self.flows.iter();
        flows.fold(0, |all, (flow, watched)| {
            // An odd factor keeps apart what it multiplies.
            let factor = u64::from(flow.0) * 2 + 1;
            all ^ watched.path.hash().wrapping_mul(factor) & 0xffff_ffff_ffff
        })
    }

    /// How many different paths the flows take.
    pub fn distinct(&self) -> usize {
        let mut distinct: Vec<&Path> = Vec::new();
        for Watched { path, .. } in self.flows.values() {
            if distinct
                .iter()
                .all(|other| other.first_difference(path).is_some())
            {
                distinct.push(path);
            }
        }
        distinct.len()
    }
}

impl Change {
    /// The autonomous systems before and after, if they are others.
    ///
    /// Systems that are only missing from a path with silent or unknown hops are no change.
    pub fn systems(&self, lookup: impl Fn(IpAddr) -> Option<Asn>) -> Option<(Vec<Asn>, Vec<Asn>)> {
        let (old, new) = (self.old.systems(&lookup), self.new.systems(&lookup));
        let unsure = |path: &Path| {
            let known = |hop: &Option<IpAddr>| hop.and_then(&lookup).is_some();
            !path.reached || !path.hops.iter().all(known)
        };
        let hidden = |less: &[Asn], more: &[Asn], path| unsure(path) && is_part(less, more);
        let same = old == new || hidden(&old, &new, &self.old) || hidden(&new, &old, &self.new);
        (!same).then_some((old, new))
    }
}

/// Whether all of `less` comes in `more`, in that order.
fn is_part(less: &[Asn], more: &[Asn]) -> bool {
    let mut more = more.iter();
    less.iter().all(|asn| more.any(|other| other == asn))
}

#[cfg(test)]
mod tests {
    use super::super::tests::path;
    use super::*;

    #[test]
    fn a_change_counts_when_it_is_seen_twice_in_a_row() {
        check("ABT! ABT! AXT! AXT! AXT!", &[(3, 2)]);
        check("ABT! AXT! ABT! AXT! ABT!", &[]);
        check("ABT! AXT! AYT! AXT! AYT!", &[]);
        check("ABT! AXT! AXT! ABT! ABT!", &[(2, 2), (4, 2)]);
    }

    #[test]
    fn silence_and_a_target_that_is_down_change_nothing() {
        check("ABCT! A*CT! AB A *** ABCT!", &[]);
        check("A*T! ABT! AXT! A*T! AXT!", &[]);
        check("A*T! ABT! AXT! AXT!", &[(3, 2)]);
    }

    #[test]
    fn a_change_tells_all_that_was_learnt() {
        let mut watch = PathWatch::default();
        for text in ["A*CT!", "AB*T!", "AX*T!"] {
            assert_eq!(watch.observe(Flow(0), path(text)), None);
        }
        let change = watch.observe(Flow(0), path("A*YT!"));
        let change = change.expect("it is the second in a row");
        assert_eq!((change.old, change.new), (path("ABCT!"), path("AXYT!")));
        assert_eq!(watch.path(Flow(0)), Some(&path("AXYT!")));
    }

    #[test]
    fn flows_are_compared_with_themselves() {
        let mut watch = PathWatch::default();
        for _ in 0..3 {
            assert_eq!(watch.observe(Flow(0), path("ABT!")), None);
            assert_eq!(watch.observe(Flow(1), path("AXT!")), None);
            assert_eq!(watch.observe(Flow(2), path("A*T!")), None);
        }
        assert_eq!(watch.distinct(), 2);
    }

    #[test]
    fn only_other_systems_are_a_change_of_systems() {
        // A and B are of one system, C and D of another, T of a third; X is unknown.
        for (old, new, expected) in [
            ("ACT!", "ADT!", false),
            ("AACT!", "ABCT!", false),
            ("ACT!", "ABT!", true),
            ("ACT!", "AXT!", false),
            ("ACT!", "AT!", true),
            ("CAT!", "ACT!", true),
        ] {
            let (old, new) = (path(old), path(new));
            let change = Change {
                flow: Flow(0),
                first_difference: 1,
                old,
                new,
            };
            assert_eq!(change.systems(system).is_some(), expected, "{change:?}");
        }
    }

    fn system(address: IpAddr) -> Option<Asn> {
        let IpAddr::V4(address) = address else {
            return None;
        };
        match address.octets()[3] {
            b'A' | b'B' => Some(Asn(1)),
            b'C' | b'D' => Some(Asn(2)),
            b'T' => Some(Asn(3)),
            _ => None,
        }
    }

    /// Expects changes at these runs, each with its first different TTL.
    fn check(runs: &str, expected: &[(usize, u8)]) {
        let mut watch = PathWatch::default();
        let runs = runs.split(' ').enumerate();
        let changes = runs.filter_map(|(number, text)| {
            let change = watch.observe(Flow(0), path(text))?;
            Some((number, change.first_difference))
        });
        assert_eq!(changes.collect::<Vec<_>>(), expected);
    }
}
