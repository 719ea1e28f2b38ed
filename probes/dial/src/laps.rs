//! Which phase is running, and how long did each take?
//!
//! Every instant from the first phase to [`Laps::stop`] belongs to exactly one phase, so the phases
//! always add up to the whole, wherever a run ends.

use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

/// A phase of a run.
pub trait Phase: Copy + PartialEq {
    /// Its name, as it stands in metrics, in events and where a failure is told.
    fn label(self) -> &'static str;
}

/// A stopwatch that runs from phase to phase; a phase that is entered again is added to.
#[derive(Clone, Debug)]
pub struct Laps<P> {
    /// In place for most runs, or it would grow while they are timed.
    ended: SmallVec<[(P, Duration); PHASES]>,
    running: Option<P>,
    since: Instant,
}

impl<P: Copy + PartialEq> Laps<P> {
    /// Begins with this phase, now.
    pub fn begin(phase: P) -> Self {
        Self {
            ended: SmallVec::new(),
            running: Some(phase),
            since: Instant::now(),
        }
    }

    /// Ends the running phase and begins another, now.
    pub fn enter(&mut self, phase: P) {
        self.enter_at(phase, Instant::now());
    }

    /// The same for a change that is noticed only later. One that is said to lie before the running
    /// phase began counts from then.
    pub fn enter_at(&mut self, phase: P, at: Instant) {
        self.stop_at(at);
        self.running = Some(phase);
    }

    /// Ends the running phase, now; no other begins.
    pub fn stop(&mut self) {
        self.stop_at(Instant::now());
    }

    /// The phase that is running, unless it was stopped.
    pub fn running(&self) -> Option<P> {
        self.running
    }

    /// How long a phase took so far, its running part left out; `None` if it never began.
    pub fn of(&self, phase: P) -> Option<Duration> {
        let lap = self.ended.iter().find(|(lap, _)| *lap == phase);
        lap.map(|(_, took)| *took)
    }

    /// Every phase that came to an end, in the order in which they first began.
    pub fn all(&self) -> impl Iterator<Item = (P, Duration)> {
        self.ended.iter().copied()
    }

    /// How long all phases took together.
    pub fn total(&self) -> Duration {
        self.all().map(|(_, took)| took).sum()
    }

    fn stop_at(&mut self, at: Instant) {
        let at = at.max(self.since);
        if let Some(phase) = self.running.take() {
            let took = at - self.since;
            match self.ended.iter_mut().find(|(lap, _)| *lap == phase) {
                Some((_, sum)) => *sum += took,
                None => self.ended.push((phase, took)),
            }
        }
        self.since = at;
    }
}

/// Phases of most runs, at the most.
const PHASES: usize = 8;

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_phases_add_up_to_the_whole() {
        let begin = Instant::now();
        let ms = Duration::from_millis;
        let mut laps = Laps::begin('a');
        advance(ms(10)).await;
        laps.enter('b');
        advance(ms(5)).await;
        laps.enter('a');
        advance(ms(1)).await;
        // Noticed late, and before the running phase began.
        laps.enter_at('c', begin);
        advance(ms(4)).await;
        laps.enter_at('d', begin + ms(17));
        laps.stop();
        assert_eq!(
            laps.all().collect::<Vec<_>>(),
            [('a', ms(10)), ('b', ms(5)), ('c', ms(2)), ('d', ms(3))]
        );
        assert_eq!(laps.total(), begin.elapsed());
        assert_eq!(
            (laps.of('b'), laps.of('e'), laps.running()),
            (Some(ms(5)), None, None)
        );
    }
}
