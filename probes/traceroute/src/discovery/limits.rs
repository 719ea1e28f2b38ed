//! How far, how fast and how patiently is a path discovered?

use std::time::Duration;

use leadsman_wire::Ttl;

/// Limits of one discovery. The defaults suit paths through the Internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The first TTL to ask, 1 by default.
    pub first: Ttl,
    /// The last TTL to ask, 30 by default. If it is below the first, nothing is asked.
    pub max: Ttl,
    /// How many TTLs to ask before anything is heard, 16 by default.
    ///
    /// A path of so many hops takes one round trip; a shorter one costs so many packets.
    pub window: u8,
    /// How many TTLs to ask beyond the farthest that answered, 6 by default. As many silent ones
    /// in a row are taken for the end of what can be seen.
    pub gap: u8,
    /// How many packets may leave at once, 12 by default. No two of them expire at one router.
    pub burst: u32,
    /// Least time between packets after that, 1 ms by default, and taken for 1 ms if shorter.
    /// Every answer earns a packet besides.
    pub pace: Duration,
    /// How long to wait where nothing farther answers, 750 ms by default; twice the slowest
    /// answer if that is longer.
    pub wait: Duration,
    /// The TTL to ask when all beyond the gap is silent, 64 by default.
    pub last_ditch: Option<Ttl>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first: FIRST,
            max: MAX,
            window: 16,
            gap: 6,
            burst: 12,
            pace: Duration::from_millis(1),
            wait: Duration::from_millis(750),
            last_ditch: Some(LAST_DITCH),
        }
    }
}

const FIRST: Ttl = Ttl::new(1).expect("one is not zero");
const MAX: Ttl = Ttl::new(30).expect("thirty is not zero");
const LAST_DITCH: Ttl = Ttl::new(64).expect("64 is not zero");
