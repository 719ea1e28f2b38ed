//! How long was the way there and back, and who says so?
//!
//! Pure: the stamps are given. The kernel's are better, for ours contain how long this process
//! waited for a processor; but they are on a clock that may be set while a packet is under way.

use std::time::Duration;

use crate::clock::{KernelStamp, Reading};

/// Whose stamps a round trip is the difference of.
///
/// Ordered from the worst to the best. Round trips from different sources have different errors,
/// so they do not belong in one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RttSource {
    /// This process's, on the monotonic clock: before the request was handed to the kernel, and
    /// after the answer was read.
    User,
    /// This process's for the request, the kernel's for the answer: some microseconds too long.
    KernelReceive,
    /// The kernel's for both: when the request was given to the device, and when the answer was
    /// taken from it.
    Kernel,
}

/// When a request left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Departure {
    /// When it was handed to the kernel.
    pub(crate) user: Reading,
    /// Comes later than the request leaves, if at all.
    pub(crate) kernel: Option<KernelStamp>,
}

/// When an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When this process read it.
    pub user: Reading,
    /// When the kernel took it from the device, if that was stamped.
    pub kernel: Option<KernelStamp>,
}

/// Returns the round trip by the best stamps that can be trusted.
pub(crate) fn round_trip(departure: Departure, arrival: Arrival) -> (Duration, RttSource) {
    let by_user = arrival.user.at.since(departure.user.at);
    let user = (by_user, RttSource::User);
    let Some(received) = arrival.kernel else {
        return user;
    };
    let tolerance = tolerance(by_user);
    if arrival.user.offset.abs_diff(departure.user.offset) > tolerance {
        return user;
    }
    let handed_over = departure.user.realtime();
    let (sent, source) = match departure.kernel {
        Some(sent) => (sent.nanoseconds(), RttSource::Kernel),
        None => (handed_over, RttSource::KernelReceive),
    };
    // The kernel's moments lie between ours, in this order. If they do not, the clock was set
    // back and forth in between, or a stamp is another packet's.
    let tolerance = tolerance.cast_signed();
    let in_order = sent >= handed_over - tolerance
        && received.nanoseconds() >= sent
        && received.nanoseconds() <= arrival.user.realtime() + tolerance;
    if !in_order {
        return user;
    }
    let nanoseconds = received.nanoseconds().abs_diff(sent);
    (Duration::from_nanos(nanoseconds), source)
}

/// Nanoseconds by which the clocks may drift apart in a time without being set: a clock under
/// correction runs up to 500 ppm fast or slow (adjtimex(2)), and reading two takes a moment.
pub(crate) fn tolerance(time: Duration) -> u64 {
    let slew = time.as_nanos() as u64 / 1_000_000 * 600;
    slew.max(50_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stamp;

    use RttSource::{Kernel, KernelReceive, User};

    /// The clocks differ by this much, unless set.
    const OFFSET: i64 = 1_700_000_000_000_000_000;

    /// Handed over at 1 ms and read at 1.1 ms; times in microseconds, `step` that of the clock.
    #[track_caller]
    fn check(sent: Option<i64>, received: Option<i64>, step: i64, expected: (u64, RttSource)) {
        check_after(100, sent, received, step, expected);
    }

    #[track_caller]
    fn check_after(
        took: u64,
        sent: Option<i64>,
        received: Option<i64>,
        step: i64,
        (microseconds, source): (u64, RttSource),
    ) {
        let kernel = |us: Option<i64>| KernelStamp::new(us? * 1_000 + OFFSET);
        let user = |us: u64, step: i64| Reading {
            at: Stamp(us * 1_000),
            offset: OFFSET + step * 1_000,
        };
        let departure = Departure {
            user: user(1_000, 0),
            kernel: kernel(sent),
        };
        let arrival = Arrival {
            user: user(1_000 + took, step),
            kernel: kernel(received),
        };
        let expected = (Duration::from_micros(microseconds), source);
        assert_eq!(round_trip(departure, arrival), expected);
    }

    #[test]
    fn the_best_stamps_that_are_there_are_taken() {
        check(Some(1_010), Some(1_050), 0, (40, Kernel));
        check(None, Some(1_050), 0, (50, KernelReceive));
        check(Some(1_010), None, 0, (100, User));
        check(None, None, 0, (100, User));
    }

    #[test]
    fn a_clock_that_was_set_on_the_way_is_not_asked() {
        for step in [51, -51, 1_000_000, -1_000_000] {
            check(Some(1_010), Some(1_050 + step), step, (100, User));
            check(None, Some(1_050 + step), step, (100, User));
        }
        check(Some(1_010), Some(1_060), 10, (50, Kernel));
    }

    #[test]
    fn a_clock_that_is_being_corrected_is_trusted() {
        let second = 1_000_000;
        check_after(
            second,
            Some(1_000),
            Some(2_000 + second.cast_signed() / 2),
            500,
            (501_000, Kernel),
        );
        check_after(second, Some(1_000), Some(500_000), 601, (second, User));
    }

    #[test]
    fn stamps_in_an_impossible_order_are_not_believed() {
        check(Some(1_060), Some(1_050), 0, (100, User));
        check(Some(900), Some(1_050), 0, (100, User));
        check(Some(1_010), Some(1_200), 0, (100, User));
        check(None, Some(900), 0, (100, User));
    }
}
