//! What does a round trip say while this host's clock is being set?

use std::fs::File;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use super::echoes::{Ping, round_trips};
use super::lab::Lab;
use super::responder::Responder;
use crate::program::skipped;

#[test]
fn a_step_of_the_clock_spoils_no_round_trip() {
    const TEST: &str = "a_step_of_the_clock_spoils_no_round_trip";
    let Some(lab) = Lab::new(TEST) else {
        return;
    };
    let responder = Responder::new(&lab.far);
    let options = ["-c", "60", "-i", "20ms", "-W", "2s", "10.77.0.1"];
    let ping = Ping::start(&lab.prober, &options);
    responder.wait(1);
    let answering = responder.after(WAIT);

    thread::sleep(Duration::from_millis(400));
    let step = match Step::forward(STEP) {
        Ok(step) => step,
        Err(Errno::PERM) => return skipped(TEST, "CAP_SYS_TIME"),
        Err(error) => panic!("cannot set the clock: {error}"),
    };
    // Those under way now have left before the step, those at its end come after it was undone.
    thread::sleep(Duration::from_millis(400));
    drop(step);

    let round_trips = round_trips(&ping.events());
    let waits = answering.end();
    assert_eq!((round_trips.len(), waits.len()), (60, 60));
    for (round_trip, wait) in round_trips.iter().zip(&waits) {
        // Longer by what a busy machine needs to wake the responder, but by no step.
        let most = *wait + STEP * 3 / 5;
        assert!(
            (*wait..most).contains(round_trip),
            "{round_trip:?} for {wait:?} in {round_trips:?}"
        );
    }
}

/// How long each request is under way.
const WAIT: Duration = Duration::from_millis(200);

const STEP: Duration = Duration::from_millis(250);

/// The clock of this machine set forward, until this is dropped.
struct Step {
    /// What was between the clock and the one that nobody sets.
    offset: Duration,
    /// Two steps at a time would not both be undone.
    _alone: File,
}

impl Step {
    fn forward(by: Duration) -> Result<Self, Errno> {
        let alone = File::create(std::env::temp_dir().join("leadsman-test-clock.lock"))
            .expect("there is room");
        alone.lock().expect("whoever holds it lets it go");
        let offset = read(ClockId::Realtime)
            .checked_sub(read(ClockId::Monotonic))
            .expect("this machine was not started before 1970");
        set(offset + by)?;
        Ok(Self {
            offset,
            _alone: alone,
        })
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        set(self.offset).expect("it could be set before");
    }
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::try_from(time).expect("it is after 1970")
}

fn set(offset: Duration) -> Result<(), Errno> {
    let time = read(ClockId::Monotonic) + offset;
    let time = Timespec::try_from(time).expect("it is no distant future");
    clock_settime(ClockId::Realtime, time)
}
