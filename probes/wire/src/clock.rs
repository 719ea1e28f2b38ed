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

/// Nanoseconds since this process first asked; comparable within the process only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(pub(crate) u64);

impl Stamp {
    #[expect(
        clippy::disallowed_types,
        reason = "round trips are real time, paused or not"
    )]
    pub(crate) fn now() -> Self {
        static EPOCH: OnceLock<std::time::Instant> = OnceLock::new();
        let epoch = EPOCH.get_or_init(std::time::Instant::now);
        // 64 bits hold 584 years of nanoseconds.
        Self(epoch.elapsed().as_nanos() as u64)
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// When the kernel says that a packet left or arrived: nanoseconds of `CLOCK_REALTIME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KernelStamp(NonZeroI64);

impl KernelStamp {
    /// 0 is how the kernel says that it has no stamp.
    pub(crate) fn new(nanoseconds: i64) -> Option<Self> {
        NonZeroI64::new(nanoseconds).map(Self)
    }

    pub(crate) fn nanoseconds(self) -> i64 {
        self.0.get()
    }
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) at: Stamp,
    /// `CLOCK_REALTIME` less the stamp, in nanoseconds: constant but for steps and slews.
    pub(crate) offset: i64,
}

impl Reading {
    /// Reads the clocks, again if something came in between: that would look like a step.
    pub(crate) fn now() -> Self {
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
    pub(crate) fn realtime(self) -> i64 {
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
