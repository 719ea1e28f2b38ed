//! How does a deadline come to cost no system call?
//!
//! The deadline of a run is most often earlier than all timers that the runtime has. The thread that
//! sets it then writes to an eventfd to wake whoever waits for timers, which is itself, and it is
//! awake. While much is asked for there is a timer here that is earlier still. While little is there
//! is none, for then its own end would cost more than it saves.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// Counts what is asked for, and keeps a timer while it is much.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// What was asked for since somebody last looked.
    asked: AtomicU32,
    busy: Notify,
}

impl Pulse {
    /// Takes note of a run that is asked for.
    pub(super) fn asked(&self) {
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == MUCH {
            self.busy.notify_one();
        }
    }

    /// Keeps a timer whenever that is worth it, and never ends.
    pub(super) async fn beat(&self) {
        loop {
            self.spell().await;
        }
    }

    /// One time in which much is asked for, from its beginning to its end.
    async fn spell(&self) {
        self.busy.notified().await;
        while self.asked.swap(0, Ordering::Relaxed) >= MUCH {
            sleep(BEAT).await;
        }
    }
}

/// So many runs in one beat are worth a timer.
const MUCH: u32 = 32;
/// Shorter than most runs may take.
const BEAT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_a_timer_only_while_much_is_asked_for() {
        let pulse = Pulse::default();
        let ask = |times| (0..times).for_each(|_| pulse.asked());
        ask(MUCH - 1);
        assert!(timeout(100 * BEAT, pulse.spell()).await.is_err());
        ask(1);
        let begin = Instant::now();
        tokio::join!(pulse.spell(), async {
            for _ in 0..3 {
                sleep(BEAT / 2).await;
                ask(MUCH);
                sleep(BEAT / 2).await;
            }
        });
        assert!(begin.elapsed() >= 4 * BEAT && begin.elapsed() < 5 * BEAT);
        // It was told of them while it beat, which is no reason to go on.
        assert!(timeout(100 * BEAT, pulse.beat()).await.is_err());
        ask(MUCH - 1);
        assert!(timeout(100 * BEAT, pulse.spell()).await.is_err());
    }
}
