//! When was that, on a clock that nothing adjusts?
//!
//! Not tokio's clock: that one can be paused by a test, and the receiving thread, which runs
//! outside any runtime, would not see it.

use std::sync::OnceLock;
use std::time::Duration;

/// Nanoseconds since this process first asked; comparable within the process only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
