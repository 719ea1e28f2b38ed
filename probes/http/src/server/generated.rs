//! Which content comes from nowhere?
//!
//! Zeros without a file behind them: as fast as they are taken, or slowly, or fewer than promised.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Sleep, sleep};

/// Zeros on their way.
#[derive(Debug)]
pub(super) struct Generated {
    left: u64,
    step: u64,
    /// Before each step.
    pause: Option<Duration>,
    /// Whether it ends with an error, one byte before the promised end.
    breaks: bool,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Generated {
    /// So many bytes.
    pub(super) fn whole(bytes: u64) -> Self {
        Self {
            left: bytes,
            step: ZEROS.len() as u64,
            pause: None,
            breaks: false,
            alarm: None,
        }
    }

    /// So many bytes in even steps, the last after `time`.
    pub(super) fn dripping(bytes: u64, time: Duration) -> Self {
        let step = bytes.div_ceil(MOST_STEPS).max(1);
        let steps = u32::try_from(bytes.div_ceil(step)).unwrap_or(u32::MAX);
        Self {
            step,
            pause: time.checked_div(steps),
            ..Self::whole(bytes)
        }
    }

    /// So many bytes, and then an end where one more was promised.
    pub(super) fn broken(bytes: u64) -> Self {
        Self {
            breaks: true,
            ..Self::whole(bytes)
        }
    }

    /// The same, of which so many bytes leave at once, at most.
    pub(super) fn in_steps_of(mut self, most: u64) -> Self {
        self.step = self.step.min(most);
        self
    }

    /// Bytes that are still to come, or so it is said.
    pub(super) fn promised(&self) -> u64 {
        self.left + u64::from(self.breaks)
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let pause = match (self.left, self.breaks) {
            (0, false) => return Poll::Ready(None),
            // What was sent before would be lost if it had not left by then.
            (0, true) => Some(BEFORE_BREAK),
            _ => self.pause,
        };
        if let Some(pause) = pause {
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(pause)));
            ready!(alarm.as_mut().poll(cx));
            self.alarm = None;
        }
        if self.left == 0 {
            let why = "the answer was asked to end too early";
            return Poll::Ready(Some(Err(io::Error::other(why))));
        }
        let step = self.step.min(self.left);
        self.left -= step;
        let step = usize::try_from(step).expect("a step fits in memory");
        Poll::Ready(Some(Ok(Bytes::from_static(&ZEROS[..step]))))
    }
}

/// Steps of content that drips.
const MOST_STEPS: u64 = 1000;
/// How long the last bytes before a break have to leave.
const BEFORE_BREAK: Duration = Duration::from_millis(20);
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::Instant;

    use super::*;

    /// How much came, how long it took, and whether it ended well.
    async fn drained(mut content: Generated) -> (usize, Duration, bool) {
        let began = Instant::now();
        let mut length = 0;
        loop {
            match poll_fn(|cx| content.poll_next(cx)).await {
                Some(Ok(bytes)) => length += bytes.len(),
                end => return (length, began.elapsed(), end.is_none()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn content_is_as_long_and_slow_as_it_was_asked_for() {
        let million = drained(Generated::whole(1_000_000)).await;
        assert_eq!(million, (1_000_000, Duration::ZERO, true));
        let none = drained(Generated::dripping(0, Duration::from_secs(1))).await;
        assert_eq!(none, (0, Duration::ZERO, true));
        for bytes in [1, 10, 100_001] {
            let (length, took, well) =
                drained(Generated::dripping(bytes, Duration::from_secs(10))).await;
            assert_eq!((length as u64, well), (bytes, true));
            // The clock of timers counts milliseconds, and each step rounds up.
            assert!((9..=12).contains(&took.as_secs()), "{bytes} took {took:?}");
        }
        let broken = Generated::broken(7);
        assert_eq!(broken.promised(), 8);
        let (length, _, well) = drained(broken).await;
        assert_eq!((length, well), (7, false));
    }
}
