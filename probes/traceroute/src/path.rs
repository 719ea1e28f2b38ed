//! Is this still the path that it was?
//!
//! A hop that keeps silent says nothing against any path, so two paths are the same unless some
//! TTL has two different routers. Beyond the target there is always the target; beyond the end of
//! a path that did not reach it, nothing is known.

mod changes;

use std::net::IpAddr;

pub use self::changes::{Change, PathWatch};

/// The routers from the first TTL on, and the target at the end if it was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Those of TTL 1 and on; `None` where nobody answers, but never at the end.
    hops: Vec<Option<IpAddr>>,
    reached: bool,
}

/// The number of an autonomous system (RFC 6793).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

impl Path {
    /// Makes a path of who answered at TTL 1, 2 and so on. If it was `reached`, the last is the
    /// target.
    pub fn new(hops: impl IntoIterator<Item = Option<IpAddr>>, reached: bool) -> Self {
        let mut hops: Vec<_> = hops.into_iter().collect();
        while hops.pop_if(|hop| hop.is_none()).is_some() {}
        Self { hops, reached }
    }

    /// Who answers at TTL 1, 2 and so on up to the last that is known.
    pub fn hops(&self) -> &[Option<IpAddr>] {
        &self.hops
    }

    /// Whether it ends at the target.
    pub fn is_reached(&self) -> bool {
        self.reached
    }

    /// The first TTL at which the two have different routers; `None` if they may be the same path.
    pub fn first_difference(&self, other: &Self) -> Option<u8> {
        let length = self.hops.len().max(other.hops.len());
        let differs = |at: &usize| {
            let pair = self.at(*at).zip(other.at(*at));
            pair.is_some_and(|(one, other)| one != other)
        };
        (0..length).find(differs).map(|at| at as u8 + 1)
    }

    /// The first TTL at which another run left this path: at another router, or in silence if it
    /// did not get to the target and this path does.
    pub fn left_at(&self, other: &Self) -> Option<u8> {
        let ends = other.hops.len();
        let stopped = self.reached && !other.reached && ends < self.hops.len();
        let stopped = stopped.then_some(ends as u8 + 1);
        self.first_difference(other).or(stopped)
    }

    /// A number for the path that is the same everywhere and fits a 64-bit float exactly: 48 bits
    /// of FNV-1a over the known hops and their TTLs. It changes as silent hops become known.
    pub fn hash(&self) -> u64 {
        let mut hash = FNV_OFFSET;
        let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        for (at, hop) in self.hops.iter().enumerate() {
            let Some(address) = hop else { continue };
            add(at as u8 + 1);
            match address {
                IpAddr::V4(address) => address.octets().into_iter().for_each(&mut add),
                IpAddr::V6(address) => address.octets().into_iter().for_each(&mut add),
            }
        }
        (hash >> 48) ^ (hash & 0xffff_ffff_ffff)
    }

    /// The autonomous systems on the way, each once in a row; hops that `lookup` does not know are
    /// passed over.
    pub fn systems(&self, lookup: impl Fn(IpAddr) -> Option<Asn>) -> Vec<Asn> {
        let known = self.hops.iter().flatten();
        let mut systems: Vec<_> = known.filter_map(|address| lookup(*address)).collect();
        systems.dedup();
        systems
    }

    fn at(&self, position: usize) -> Option<IpAddr> {
        match self.hops.get(position) {
            Some(hop) => *hop,
            None if self.reached => *self.hops.last()?,
            None => None,
        }
    }

    /// Takes over what `other`, the same path, knows more.
    fn learn(&mut self, other: &Self) {
        let reached = self.reached || other.reached;
        // Of two lengths at which the target answered, the lower is the path's.
        let length = match (self.reached, other.reached) {
            (true, true) => self.hops.len().min(other.hops.len()),
            (true, false) => self.hops.len(),
            (false, true) => other.hops.len(),
            (false, false) => self.hops.len().max(other.hops.len()),
        };
        let hops = (0..length).map(|at| self.at(at).or_else(|| other.at(at)));
        *self = Self::new(hops.collect::<Vec<_>>(), reached);
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_no_difference() {
        check("ABCT!", "ABCT!", None);
        check("ABCT!", "A*CT!", None);
        check("A**T!", "*BCT!", None);
        check("ABCT!", "", None);
    }

    #[test]
    fn the_first_ttl_with_two_routers_is_the_difference() {
        check("ABCT!", "AXCT!", Some(2));
        check("A*CT!", "AXYT!", Some(3));
        check("ABT!", "ABCT!", Some(3));
        check("ABCT!", "ABT!", Some(3));
    }

    #[test]
    fn beyond_the_target_is_the_target_and_beyond_silence_anything() {
        check("ABT!", "AB*T!", None);
        check("AB", "ABCT!", None);
        check("ABC", "ABT!", Some(3));
        check("ABT!", "ABTX", Some(4));
    }

    #[test]
    fn a_path_is_left_at_another_router_or_where_it_ends() {
        for (known, seen, expected) in [
            ("ABCT!", "ABCT!", None),
            ("ABCT!", "A*CT!", None),
            ("ABCT!", "AXCT!", Some(2)),
            ("ABCT!", "AB", Some(3)),
            ("ABCT!", "", Some(1)),
            ("ABCT!", "AX", Some(2)),
            ("AB", "A", None),
        ] {
            let (known, seen) = (path(known), path(seen));
            assert_eq!(known.left_at(&seen), expected, "{known:?} {seen:?}");
        }
    }

    #[test]
    fn a_path_has_one_number_everywhere_and_a_float_holds_it() {
        assert_eq!(path("ABCT!").hash(), path("ABCT!").hash());
        assert_ne!(path("ABCT!").hash(), path("BACT!").hash());
        assert_ne!(path("AB").hash(), path("A*B").hash());
        for text in ["", "A", "ABCT!"] {
            let hash = path(text).hash();
            assert!(hash < 1 << 48);
            assert_eq!(hash as f64 as u64, hash);
        }
        assert_eq!(path("AB").hash(), 0xab65_a7fd_2e60);
    }

    #[test]
    fn what_is_learnt_is_kept() {
        for (known, new, expected) in [
            ("A**T!", "*BCT!", "ABCT!"),
            ("AB", "ABCT!", "ABCT!"),
            ("ABCT!", "AB", "ABCT!"),
            ("AB*T!", "ABT!", "ABT!"),
            ("", "A", "A"),
        ] {
            let mut learnt = path(known);
            learnt.learn(&path(new));
            assert_eq!(learnt, path(expected), "{known} and {new}");
        }
    }

    #[test]
    fn systems_are_told_once_in_a_row() {
        let lookup = |address: IpAddr| match address {
            IpAddr::V4(address) if address.octets()[3] < b'C' => Some(Asn(1)),
            IpAddr::V4(address) if address.octets()[3] < b'E' => Some(Asn(2)),
            _ => None,
        };
        assert_eq!(path("AB*CDT!").systems(lookup), [Asn(1), Asn(2)]);
        assert_eq!(path("AXB").systems(lookup), [Asn(1)]);
    }

    fn check(one: &str, other: &str, expected: Option<u8>) {
        let (one, other) = (path(one), path(other));
        assert_eq!(one.first_difference(&other), expected, "{one:?} {other:?}");
        assert_eq!(other.first_difference(&one), expected, "{other:?} {one:?}");
    }

    /// A letter for each router, a star for silence, and `!` if the last is the target.
    pub(super) fn path(text: &str) -> Path {
        let hops = text.trim_end_matches('!').bytes();
        let address = |letter| (letter != b'*').then(|| IpAddr::from([192, 0, 2, letter]));
        Path::new(hops.map(address), text.ends_with('!'))
    }
}
