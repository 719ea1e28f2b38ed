//! Where do the planned times of a slot lie?
//!
//! On the points phase + n · interval since the Unix epoch, where the phase is a hash of who the
//! slot is and of a seed: a function of the configuration alone, with nothing to remember. Which
//! of these times are kept and which are missed is the schedule's to say.

use std::time::Duration;

use tokio::time::Instant;

/// One moment on both clocks, which ties the grid to the wall clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anchor {
    /// The moment on the monotonic clock that all of the schedule's times are on.
    pub(crate) instant: Instant,
    /// The same moment as time since the Unix epoch; below 2^63 ns, which ends in 2262.
    pub(crate) since_epoch: Duration,
}

impl Anchor {
    /// A moment before the anchor counts as the anchor.
    pub(super) fn point(self, instant: Instant) -> Point {
        let since_anchor = instant.saturating_duration_since(self.instant);
        Point((self.since_epoch + since_anchor).as_nanos() as u64)
    }

    pub(super) fn instant(self, point: Point) -> Instant {
        self.instant + Duration::from_nanos(point.0).saturating_sub(self.since_epoch)
    }
}

/// Who a slot is, over restarts and builds: what its phase is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity(u64);

impl Identity {
    /// Hashes the names that tell a slot from others, such as its probe's and its target's; where
    /// one name ends and the next begins matters.
    ///
    /// This is FNV-1a, for it is five lines that never change: the standard library's hasher may
    /// differ between releases, and would move every phase with a compiler. It is not proof
    /// against chosen names, but who writes the configuration gains nothing by colliding phases.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        // 0xff is in no UTF-8 string, so it can only be a name's end.
        let bytes = names
            .into_iter()
            .flat_map(|name| name.bytes().chain([0xff]));
        Self(bytes.fold(FNV_OFFSET, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
        }))
    }

    /// The hash itself, to seed a schedule with who its host is.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Where in the interval the slot's grid lies, in nanoseconds.
    ///
    /// The seed goes in before the bits are mixed: mixed first, seeds 0 and 1 would lie one
    /// nanosecond apart. FNV alone would also keep names that differ in their last letter close.
    pub(crate) fn phase(self, seed: u64, interval: Interval) -> u64 {
        avalanche(self.0 ^ seed) % interval.0
    }
}

/// The time from one run of a slot to the next, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval(u64);

impl Interval {
    /// Accepts what the grid's arithmetic holds: `None` for zero and for more than 100 years.
    pub(crate) fn new(interval: Duration) -> Option<Self> {
        let fits = !interval.is_zero() && interval <= LONGEST_INTERVAL;
        fits.then_some(Self(interval.as_nanos() as u64))
    }

    /// The same as a duration, to the nanosecond.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The first point strictly after `now` on the grid that starts at `phase`.
    pub(super) fn next_point(self, phase: u64, now: Point) -> Point {
        let since_last = (now.0 + self.0 - phase) % self.0;
        Point(now.0 + self.0 - since_last)
    }

    pub(super) fn later(self, point: Point, steps: u64) -> Point {
        Point(point.0 + steps * self.0)
    }

    /// How many grid points, `first` and those after it, are too long past to start now.
    pub(super) fn points_lost(self, first: Point, now: Point) -> u64 {
        now.0
            .saturating_sub(first.0)
            .saturating_sub(self.tolerance())
            .div_ceil(self.0)
    }

    /// Until when runs may be let gather that become due after `now`, when so many were `found`. It
    /// takes up no more than half of what a run may be late.
    pub(super) fn rest_after(self, now: Point, found: usize) -> Point {
        let longest = if found < MANY {
            LONGEST_REST
        } else {
            REST_AFTER_MANY
        };
        Point(now.0 + (self.tolerance() / 2).min(longest))
    }

    /// How late a run may start and still be worth it, in nanoseconds.
    fn tolerance(self) -> u64 {
        (self.0 / 10).min(MOST_TOLERANCE)
    }
}

/// A moment on the grid's clock, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point(u64);

/// Makes every bit of the result depend on every bit of the input (`SplitMix64`'s finaliser).
fn avalanche(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
const LONGEST_INTERVAL: Duration = Duration::from_hours(100 * 365 * 24);
/// Nanoseconds; with a tenth of the interval, how late a run may start and still be worth it.
const MOST_TOLERANCE: u64 = 1_000_000_000;
/// Nanoseconds. 140 wake-ups a second are half a hundredth of a core where each costs 40 µs, and
/// with the millisecond to which timers are exact, runs start within 9 ms.
const LONGEST_REST: u64 = 7_000_000;
/// Nanoseconds. The last of many that start together waits for the others too.
const REST_AFTER_MANY: u64 = 4_000_000;
/// Runs among which a wake-up costs each but little.
const MANY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_never_changes_and_tells_names_apart() {
        fn check(names: &[&str], expected: u64) {
            let identity = Identity::of(names.iter().copied());
            assert_eq!(identity, Identity(expected), "{names:?}: {:#x}", identity.0);
        }
        check(&[], 0xcbf2_9ce4_8422_2325);
        check(&["edge", "192.0.2.1"], 0x5e31_4e7e_9f06_b579);
        check(&["ab", "c"], 0x20ba_9b30_25a8_b421);
        check(&["a", "bc"], 0xa0a3_542c_19b9_00ab);
    }

    #[test]
    fn interval_of_zero_or_beyond_a_century_is_refused() {
        fn check(interval: Duration, accepted: bool) {
            assert_eq!(Interval::new(interval).is_some(), accepted, "{interval:?}");
        }
        check(Duration::ZERO, false);
        check(Duration::from_nanos(1), true);
        check(LONGEST_INTERVAL, true);
        check(LONGEST_INTERVAL + Duration::from_nanos(1), false);
        check(Duration::MAX, false);
    }
}
