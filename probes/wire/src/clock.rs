//! When was that, on a clock that nothing adjusts, and what do the kernel's stamps say on it?
//!
//! The kernel stamps packets on the clock that people set. Both clocks are read together whenever
//! a packet is handed over, so that a step of the one shows against the other.
//!
//! Not tokio's clock: that one can be paused by a test, and the receiving thread, which runs
//! outside any runtime, would not see it.

use std::num::NonZeroI64;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment on a monotonic clock: nanoseconds since this process first asked, or since a
/// simulation began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub(crate) u64);

impl Stamp {
    /// Makes the moment so many nanoseconds after the clock began.
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Returns how many nanoseconds after the clock began this is.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Reads this process's clock.
    #[expect(
        clippy::disallowed_types,
        reason = "round trips are real time, paused or not"
    )]
    pub fn now() -> Self {
        static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();
        let epoch = EPOCH.get_or_init(std::time::Instant::now);
        // 64 bits hold 584 years of nanoseconds.
        Self(epoch.elapsed().as_nanos() as u64)
    }

    /// Returns the time from `earlier` until this moment; none if that is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns the moment that is `time` later, or the last there is.
    pub const fn after(self, time: Duration) -> Self {
        let nanoseconds = time.as_nanos();
        if nanoseconds > u64::MAX as u128 {
            return Self(u64::MAX);
        }
        Self(self.0.saturating_add(nanoseconds as u64))
    }
}

/// When the kernel says that a packet left or arrived: nanoseconds of `CLOCK_REALTIME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelStamp(NonZeroI64);

impl KernelStamp {
    /// Makes a stamp of nanoseconds; 0 is how the kernel says that it has none.
    pub const fn new(nanoseconds: i64) -> Option<Self> {
        match NonZeroI64::new(nanoseconds) {
            Some(nanoseconds) => Some(Self(nanoseconds)),
            None => None,
        }
    }

    pub(crate) const fn nanoseconds(self) -> i64 {
        self.0.get()
    }
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// On the clock that nothing adjusts.
    pub at: Stamp,
    /// `CLOCK_REALTIME` less the stamp, in nanoseconds: constant but for steps and slews.
    pub offset: i64,
}

impl Reading {
    /// Reads the clocks, again if something came in between: that would look like a step.
    pub fn now() -> Self {
        let mut before = Stamp::now();
        for _ in 0..ATTEMPTS {
            let reading = Self::since(before);
            if reading.at.since(before) < APART {
                return reading;
            }
            before = reading.at;
        }
        Self::since(before)
    }

    /// This moment as the kernel would stamp it, in nanoseconds.
    pub const fn realtime(self) -> i64 {
        self.at.0.cast_signed() + self.offset
    }

    fn since(before: Stamp) -> Self {
        let realtime = SystemTime::now().duration_since(UNIX_EPOCH);
        let realtime = realtime.map_or(0, |realtime| realtime.as_nanos() as i64);
        let at = Stamp::now();
        let middle = before.0.midpoint(at.0).cast_signed();
        Self {
            at,
            offset: realtime - middle,
        }
    }
}

/// How long reading both clocks takes at most, undisturbed.
const APART: Duration = Duration::from_micros(5);
const ATTEMPTS: usize = 3;
