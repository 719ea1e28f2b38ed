//! Does the schedule keep its grid, and count what it drops? Time is made up: nothing sleeps.

use std::time::Duration;

use super::*;

const NS: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn grid_stays_absolute_over_a_thousand_late_runs() {
    let (mut schedule, start) = schedule(0);
    let slot = schedule.add(target(1), every(SECOND), start);
    let first = schedule.next().unwrap();
    let mut dice = Dice(1);
    for n in 0..1000 {
        let planned = first + n * SECOND;
        assert_eq!(schedule.next(), Some(planned));
        let now = planned + dice.roll(101) * MS;
        assert_eq!(due(&mut schedule, now), [Due { slot, planned }]);
        assert_eq!(schedule.finished(slot, now + 300 * MS), None);
    }
    assert_eq!(schedule.missed(), Missed::default());
}

#[test]
fn first_run_is_the_first_grid_point_strictly_after_adding() {
    let (mut schedule, start) = schedule(0);
    schedule.add(target(1), every(SECOND), start);
    let first = schedule.next().unwrap();
    let check = |added, expected| {
        let mut schedule = Schedule::new(schedule.anchor, 0);
        schedule.add(target(1), every(SECOND), added);
        assert_eq!(schedule.next(), Some(expected));
    };
    check(first - SECOND, first);
    check(first - NS, first);
    check(first, first + SECOND);
    check(first + 5 * SECOND / 2, first + 3 * SECOND);
}

#[test]
fn grid_is_the_same_after_a_restart() {
    let away = 12_345_678 * MS;
    let (mut before, start) = schedule(7);
    before.add(target(1), every(10 * SECOND), start);
    // A new process has a new monotonic clock: only the wall clock carries the grid over.
    let since_epoch = before.anchor.since_epoch + away;
    let mut after = Schedule::new(
        Anchor {
            instant: start,
            since_epoch,
        },
        7,
    );
    after.add(target(1), every(10 * SECOND), start);
    let apart = after.next().unwrap() + away - before.next().unwrap();
    assert_eq!(apart.as_nanos() % (10 * SECOND).as_nanos(), 0);
}

#[test]
fn removed_and_added_again_keeps_its_phase() {
    let (mut schedule, start) = schedule(0);
    let old = schedule.add(target(1), every(SECOND), start);
    let first = schedule.next().unwrap();
    schedule.remove(old);
    let new = schedule.add(target(1), every(SECOND), first + 100 * SECOND);
    let planned = first + 101 * SECOND;
    assert_eq!(due(&mut schedule, planned), [Due { slot: new, planned }]);
}

#[test]
fn run_of_a_removed_slot_finishes_without_effect() {
    let (mut schedule, start) = schedule(0);
    let old = schedule.add(target(1), every(SECOND), start);
    let first = schedule.next().unwrap();
    assert_eq!(due(&mut schedule, first).len(), 1);
    schedule.remove(old);
    schedule.remove(old);
    let new = schedule.add(target(2), every(SECOND), first);
    let planned = schedule.next().unwrap();
    assert_eq!(due(&mut schedule, planned), [Due { slot: new, planned }]);
    assert_eq!(due(&mut schedule, planned + SECOND), []);
    assert_eq!(schedule.finished(old, planned + SECOND), None);
    let tardy = Due {
        slot: new,
        planned: planned + SECOND,
    };
    assert_eq!(schedule.finished(new, planned + SECOND), Some(tardy));
}

#[test]
fn wakes_of_removed_slots_do_not_pile_up() {
    let (mut schedule, start) = schedule(0);
    let kept = schedule.add(target(0), every(HOUR), start);
    let planned = schedule.next().unwrap();
    for number in 0..10_000 {
        let slot = schedule.add(target(number), every(HOUR), start);
        schedule.remove(slot);
    }
    let wakes: usize = schedule.rings.values().map(Ring::len).sum();
    assert!(wakes <= 2, "{wakes}");
    assert_eq!(
        due(&mut schedule, planned),
        [Due {
            slot: kept,
            planned
        }]
    );
}

#[test]
fn runs_gather_after_a_look_that_found_work() {
    fn check(intervals: &[Duration], rest: Duration) {
        let (mut schedule, start) = schedule(0);
        for (number, interval) in intervals.iter().enumerate() {
            schedule.add(target(number as u32), every(*interval), start);
        }
        let now = schedule.next().unwrap();
        assert_ne!(due(&mut schedule, now), []);
        let point = schedule
            .rings
            .values()
            .filter_map(Ring::next)
            .min()
            .unwrap();
        let expected = schedule.anchor.instant(point).max(now + rest);
        assert_eq!(schedule.next(), Some(expected), "{intervals:?}");
        // A look that finds nothing is no reason to rest.
        assert_eq!(due(&mut schedule, now + rest / 2), []);
        assert_eq!(schedule.next(), Some(expected), "{intervals:?}");
    }
    check(&[HOUR], 7 * MS);
    check(&[SECOND], 7 * MS);
    check(&[50 * MS], 5 * MS / 2);
    check(&[MS], MS / 20);
    check(&[HOUR, MS], MS / 20);
}

#[test]
fn a_rest_costs_no_run_and_delays_none_by_more() {
    let (mut schedule, start) = schedule(0);
    for number in 0..1_000 {
        schedule.add(target(number), every(SECOND), start);
    }
    let (mut looks, mut runs) = (0, 0);
    let end = start + 10 * SECOND;
    while let Some(now) = schedule.next().filter(|next| *next < end + 7 * MS) {
        looks += 1;
        for due in due(&mut schedule, now) {
            assert!(now - due.planned <= 7 * MS);
            assert_eq!(schedule.finished(due.slot, now), None);
            runs += i32::from(due.planned <= end);
        }
    }
    assert_eq!((runs, schedule.missed()), (10_000, Missed::default()));
    assert!(looks <= 1_430, "{looks} looks");
}

#[test]
fn a_rest_is_as_short_as_the_shortest_interval_needs() {
    let (mut schedule, start) = schedule(0);
    for number in 0..20_000 {
        schedule.add(target(number), every(SECOND), start);
    }
    let hasty = schedule.add(target(0), every(10 * MS), start);
    let mut now = schedule.next().unwrap();
    let mut check = |schedule: &mut Schedule, rest| {
        assert_ne!(due(schedule, now), []);
        assert_eq!(schedule.next(), Some(now + rest));
        now += rest;
    };
    check(&mut schedule, MS / 2);
    schedule.remove(hasty);
    check(&mut schedule, 7 * MS);
    // That look found 140 runs.
    check(&mut schedule, 4 * MS);
    // One that comes during a rest cuts it short.
    let now = schedule.next().unwrap();
    assert_ne!(due(&mut schedule, now), []);
    schedule.add(target(0), every(10 * MS), now + MS);
    assert_eq!(schedule.next(), Some(now + 3 * MS / 2));
}

#[test]
fn neighbouring_seeds_lie_far_apart() {
    let first_run = |seed| {
        let (mut schedule, start) = schedule(seed);
        schedule.add(target(1), every(10 * SECOND), start);
        schedule.next().unwrap() - start
    };
    let phases: Vec<_> = (0..4).map(first_run).collect();
    for (n, one) in phases.iter().enumerate() {
        for other in &phases[..n] {
            assert!(one.abs_diff(*other) > 100 * MS, "{phases:?}");
        }
    }
}

#[test]
fn ten_thousand_targets_spread_evenly_over_the_interval() {
    let (mut schedule, start) = schedule(0);
    for number in 0..10_000 {
        schedule.add(target(number), every(10 * SECOND), start);
    }
    let mut buckets = [0_u32; 100];
    for bucket in 1..=100 {
        let runs = due(&mut schedule, start + bucket * 100 * MS);
        buckets[bucket as usize - 1] = runs.len() as u32;
    }
    assert_eq!(buckets.iter().sum::<u32>(), 10_000);
    // Chi-square of 99 degrees of freedom: mean 99, and 160 is passed once in ten thousand.
    let chi_square: u32 = buckets.iter().map(|&n| n.abs_diff(100).pow(2)).sum::<u32>() / 100;
    assert!((40..160).contains(&chi_square), "{chi_square}: {buckets:?}");
}

#[test]
fn two_intervals_run_side_by_side() {
    let (mut schedule, start) = schedule(0);
    let fast = schedule.add(target(1), every(SECOND), start);
    let slow = schedule.add(target(2), every(10 * SECOND), start);
    let mut runs = Vec::new();
    while let Some(now) = schedule.next().filter(|now| *now <= start + 100 * SECOND) {
        for run in due(&mut schedule, now) {
            assert_eq!(run.planned, now);
            assert_eq!(schedule.finished(run.slot, now), None);
            runs.push(run.slot);
        }
    }
    let count = |slot| runs.iter().filter(|run| **run == slot).count();
    assert_eq!((count(fast), count(slow)), (100, 10));
}

/// Probes every second for 120 grid points, with runs that all last as long as `run`.
#[test]
fn overrun_beyond_a_tenth_of_the_interval_loses_the_next_run() {
    fn check(run: Duration, expected: Missed) {
        let (mut schedule, start) = schedule(0);
        let slot = schedule.add(target(1), every(SECOND), start);
        let mut end = None;
        let mut now = schedule.next().unwrap();
        let stop = now + 120 * SECOND;
        while now < stop {
            let mut started = due(&mut schedule, now);
            if end == Some(now) {
                end = None;
                started.extend(schedule.finished(slot, now));
            }
            if !started.is_empty() {
                assert_eq!(end.replace(now + run), None, "two runs in flight");
            }
            now += MS;
        }
        assert_eq!(schedule.missed(), expected, "{run:?}");
    }
    let overrun = |overrun| Missed {
        overrun,
        overload: 0,
    };
    check(MS, overrun(0));
    check(999 * MS, overrun(0));
    check(1000 * MS, overrun(0));
    // Each run starts 10 ms later than the one before: 11 fit, and the 12th is lost.
    check(1010 * MS, overrun(10));
    check(1100 * MS, overrun(40));
    check(1101 * MS, overrun(60));
    check(3500 * MS, overrun(90));
}

#[test]
fn tolerance_is_a_tenth_of_the_interval_and_at_most_a_second() {
    fn check(interval: Duration, tolerance: Duration) {
        for (late, runs) in [(tolerance, true), (tolerance + NS, false)] {
            let (mut schedule, start) = schedule(0);
            let slot = schedule.add(target(1), every(interval), start);
            let planned = schedule.next().unwrap();
            assert_eq!(
                !due(&mut schedule, planned + late).is_empty(),
                runs,
                "{interval:?}"
            );

            let planned = schedule.next().unwrap();
            due(&mut schedule, planned);
            let planned = schedule.next().unwrap();
            due(&mut schedule, planned);
            let tardy = schedule.finished(slot, planned + late);
            assert_eq!(tardy.is_some(), runs, "{interval:?} after an overrun");
        }
    }
    check(100 * MS, 10 * MS);
    check(SECOND, 100 * MS);
    check(10 * SECOND, SECOND);
    check(HOUR, SECOND);
}

#[test]
fn finishing_on_the_next_grid_point_loses_nothing_whichever_is_told_first() {
    let (mut schedule, start) = schedule(0);
    let slot = schedule.add(target(1), every(SECOND), start);
    let first = schedule.next().unwrap();
    let run = |n| Due {
        slot,
        planned: first + n * SECOND,
    };
    assert_eq!(due(&mut schedule, first), [run(0)]);
    assert_eq!(due(&mut schedule, first + SECOND), []);
    assert_eq!(schedule.finished(slot, first + SECOND), Some(run(1)));
    assert_eq!(schedule.finished(slot, first + 2 * SECOND), None);
    assert_eq!(due(&mut schedule, first + 2 * SECOND), [run(2)]);
    assert_eq!(schedule.missed(), Missed::default());
}

#[test]
fn hour_of_suspend_is_counted_and_not_caught_up() {
    let (mut schedule, start) = schedule(0);
    let idle = schedule.add(target(1), every(SECOND), start);
    let first = schedule.next().unwrap();
    assert_eq!(
        due(&mut schedule, first),
        [Due {
            slot: idle,
            planned: first
        }]
    );
    assert_eq!(schedule.finished(idle, first), None);

    let awake = first + HOUR + 500 * MS;
    assert_eq!(due(&mut schedule, awake), []);
    assert_eq!(
        schedule.missed(),
        Missed {
            overrun: 0,
            overload: 3600
        }
    );
    let planned = first + HOUR + SECOND;
    assert_eq!(schedule.next(), Some(planned));
    assert_eq!(
        due(&mut schedule, planned),
        [Due {
            slot: idle,
            planned
        }]
    );
    assert_eq!(due(&mut schedule, planned), []);
    assert_eq!(
        schedule.missed(),
        Missed {
            overrun: 0,
            overload: 3600
        }
    );
}

#[test]
fn ten_thousand_random_calls_agree_with_a_naive_model() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let (mut schedule, mut now) = schedule(seed);
        let mut model = Model {
            anchor: schedule.anchor,
            slots: Vec::new(),
            missed: schedule.missed,
        };
        for _ in 0..10_000 {
            now += match dice.roll(1000) {
                0 => dice.roll(100_000) * MS,
                1..200 => Duration::ZERO,
                _ => dice.roll(100) * MS,
            };
            let chosen = dice.roll(model.slots.len().max(1) as u64) as usize;
            match dice.roll(100) {
                0..2 => {
                    let interval = [50 * MS, 333 * MS, SECOND, 60 * SECOND][dice.roll(4) as usize];
                    let who = target(dice.roll(1000));
                    let slot = schedule.add(who, every(interval), now);
                    model.add(slot, who.phase(seed, every(interval)), interval, now);
                }
                2..4 if chosen < model.slots.len() => {
                    schedule.remove(model.slots.swap_remove(chosen).slot);
                }
                4..50 if chosen < model.slots.len() => {
                    let slot = model.slots[chosen].slot;
                    assert_eq!(schedule.finished(slot, now), model.finished(chosen, now));
                }
                _ => {
                    let mut runs = due(&mut schedule, now);
                    runs.sort_by_key(|run| run.slot);
                    assert_eq!(runs, model.due(now));
                }
            }
            assert_eq!(schedule.missed(), model.missed);
            let next = model.slots.iter().map(|slot| slot.next).min();
            let latest = next.map(|next| next.max(now + 7 * MS));
            assert!(
                next.is_none() || schedule.next() <= latest,
                "would oversleep"
            );
        }
    }
}

/// The rules once more, one grid point at a time.
#[derive(Debug)]
struct Model {
    anchor: Anchor,
    slots: Vec<ModelSlot>,
    missed: Missed,
}

#[derive(Debug)]
struct ModelSlot {
    slot: Slot,
    interval: Duration,
    next: Instant,
    in_flight: bool,
    tardy: Option<Instant>,
}

impl Model {
    fn add(&mut self, slot: Slot, phase: u64, interval: Duration, now: Instant) {
        let age = (now - self.anchor.instant + self.anchor.since_epoch).as_nanos();
        let into_interval = Duration::from_nanos((age % interval.as_nanos()) as u64);
        let mut next = now - into_interval + Duration::from_nanos(phase);
        while next <= now {
            next += interval;
        }
        self.slots.push(ModelSlot {
            slot,
            interval,
            next,
            in_flight: false,
            tardy: None,
        });
    }

    fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for slot in &mut self.slots {
            while slot.next <= now {
                let planned = slot.next;
                slot.next += slot.interval;
                if slot.too_late(planned, now) {
                    self.missed.overload += 1;
                } else if !slot.in_flight {
                    slot.in_flight = true;
                    due.push(Due {
                        slot: slot.slot,
                        planned,
                    });
                } else if slot.tardy.replace(planned).is_some() {
                    self.missed.overrun += 1;
                }
            }
        }
        due.sort_by_key(|run| run.slot);
        due
    }

    fn finished(&mut self, index: usize, now: Instant) -> Option<Due> {
        let slot = &mut self.slots[index];
        slot.in_flight = false;
        let planned = slot.tardy.take()?;
        if slot.too_late(planned, now) {
            self.missed.overrun += 1;
            return None;
        }
        slot.in_flight = true;
        Some(Due {
            slot: slot.slot,
            planned,
        })
    }
}

impl ModelSlot {
    fn too_late(&self, planned: Instant, now: Instant) -> bool {
        now - planned > (self.interval / 10).min(SECOND)
    }
}

/// A schedule anchored at a moment in 2026, and that moment.
fn schedule(seed: u64) -> (Schedule, Instant) {
    let instant = Instant::now();
    let since_epoch = Duration::new(1_780_000_000, 123_456_789);
    (
        Schedule::new(
            Anchor {
                instant,
                since_epoch,
            },
            seed,
        ),
        instant,
    )
}

fn every(interval: Duration) -> Interval {
    Interval::new(interval).expect("a test's interval is neither zero nor a century")
}

fn target(number: u32) -> Identity {
    Identity::of(["edge", &format!("192.0.2.{number}")])
}

fn due(schedule: &mut Schedule, now: Instant) -> Vec<Due> {
    let mut due = Vec::new();
    schedule.due(now, &mut due);
    due
}

/// Numbers that look random, the same in every run of the tests.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    /// A number below `sides`, as `u32` so that it multiplies a `Duration`.
    fn roll(&mut self, sides: u64) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        ((self.0 >> 33) % sides) as u32
    }
}
