//! What do the paths that were found look like as a whole?
//!
//! Routers that keep silent, and those that are chosen anew for each packet, have no links that
//! could be told: all at such a TTL count as one router that every path passes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Multipath;
use super::ply::Ply;

impl Multipath {
    /// In how many ways one can get from the first TTL to the last by the links that were found; a
    /// branch that ends before is none.
    pub fn count_paths(&self) -> u64 {
        let links = self.links();
        let mut ways: BTreeMap<Option<IpAddr>, u64> = BTreeMap::new();
        for (position, ply) in self.plies.iter().enumerate() {
            let all = ways
                .values()
                .fold(0, |all: u64, ways| all.saturating_add(*ways));
            let before = position.checked_sub(1).map(|before| &self.plies[before]);
            ways = routers(ply)
                .into_iter()
                .map(|router| {
                    let known = before.filter(|before| is_known(before)).zip(router);
                    let arriving = match (before, known) {
                        (None, _) => 1,
                        (_, None) => all,
                        (_, Some((before, router))) => links
                            .iter()
                            .filter(|(ttl, _, far)| (*ttl, *far) == (before.ttl(), router))
                            .filter_map(|(_, near, _)| ways.get(&Some(*near)))
                            .fold(0, |sum: u64, ways| sum.saturating_add(*ways)),
                    };
                    (router, arriving)
                })
                .collect();
        }
        ways.values().fold(0, |all, ways| all.saturating_add(*ways))
    }

    /// How many stretches of the way have several routers at every TTL.
    pub fn diamonds(&self) -> usize {
        let branches = |ply: &Ply| ply.width() > 1;
        let first = self.plies.first().is_some_and(branches);
        let pairs = self.plies.windows(2);
        let starts = pairs.filter(|pair| !branches(&pair[0]) && branches(&pair[1]));
        usize::from(first) + starts.count()
    }
}

/// Those at one TTL, or nobody in particular.
fn routers(ply: &Ply) -> BTreeSet<Option<IpAddr>> {
    if is_known(ply) {
        ply.heard().values().copied().map(Some).collect()
    } else {
        BTreeSet::from([None])
    }
}

/// Whether who answers there tells which way a flow goes.
fn is_known(ply: &Ply) -> bool {
    ply.width() > 0 && !ply.is_per_packet()
}
