//! Is each hop asked once per round, and the target followed?

use super::*;
use crate::simulation::{self, End, Line, TARGET};

#[test]
fn each_hop_is_asked_once_per_round_and_no_two_at_once() {
    let mut rounds = observe(5, plan());
    let mut line = Line::new(&[ms(20); 5]);
    let mut times = Vec::new();
    let run = simulation::run(&mut rounds, secs(10), |probe, now| {
        times.push((probe.round, probe.ttl.hops(), now));
        line.answer(probe.ttl, now)
    });
    assert_eq!(run.packets, 50);
    let expected = (0..10).flat_map(|round| {
        (1..=5).map(move |ttl| {
            (
                round,
                ttl,
                secs(round.into()) + ms(200) * u32::from(ttl - 1),
            )
        })
    });
    assert_eq!(times, expected.collect::<Vec<_>>());
}

#[test]
fn one_hop_beyond_a_silent_target_is_asked() {
    let mut line = Line::new(&[ms(20); 5]);
    line.end = End::Nothing;
    let mut rounds = observe(5, plan());
    let run = simulation::run(&mut rounds, secs(10), |probe, now| {
        line.answer(probe.ttl, now)
    });
    assert_eq!(run.packets, 5 + 9 * 6);
}

#[test]
fn the_target_is_followed_when_the_path_grows_or_shrinks() {
    for (before, after, silent_last) in [(5, 7, false), (7, 4, false), (5, 6, true)] {
        let mut rounds = observe(before, plan());
        let mut line = Line::new(&vec![ms(20); after.into()]);
        if silent_last {
            line.routers[usize::from(after) - 2].silence = 1.0;
        }
        simulation::run(&mut rounds, secs(10), |probe, now| {
            line.answer(probe.ttl, now)
        });
        assert_eq!(rounds.reach().hops(), after, "from {before}");
    }
}

#[test]
fn a_lost_answer_does_not_move_the_target() {
    let mut line = Line::new(&[ms(20); 5]);
    if let End::Target(target) = &mut line.end {
        target.silence = 0.3;
    }
    let mut rounds = observe(5, plan());
    simulation::run(&mut rounds, secs(30), |probe, now| {
        line.answer(probe.ttl, now)
    });
    assert_eq!(rounds.reach().hops(), 5);
}

#[test]
fn rounds_take_turns_with_the_flows() {
    let flows = vec![Flow(1), Flow(2), Flow(3)];
    let mut rounds = observe(2, Plan { flows, ..plan() });
    let mut line = Line::new(&[ms(20); 2]);
    let mut sent = BTreeMap::<_, u32>::new();
    simulation::run(&mut rounds, secs(9), |probe, now| {
        *sent.entry((probe.ttl, probe.flow)).or_default() += 1;
        line.answer(probe.ttl, now)
    });
    assert_eq!(sent.into_values().collect::<Vec<_>>(), [3; 6]);
}

#[test]
fn rounds_missed_by_a_stopped_process_are_not_made_up() {
    let mut rounds = observe(3, plan());
    let sent_at = |rounds: &mut Rounds, now| {
        let mut sent = Vec::new();
        while let Step::Send(probe) = rounds.poll(now) {
            sent.push((probe.round, probe.ttl.hops()));
        }
        sent
    };
    assert_eq!(sent_at(&mut rounds, Duration::ZERO), [(0, 1)]);
    assert_eq!(sent_at(&mut rounds, secs(100)), [(100, 1)]);
}

#[test]
fn after_its_last_probe_it_is_done() {
    let rounds = Some(3);
    let mut rounds = observe(4, Plan { rounds, ..plan() });
    let mut line = Line::new(&[ms(20); 4]);
    let run = simulation::run(&mut rounds, secs(10), |probe, now| {
        line.answer(probe.ttl, now)
    });
    assert_eq!((run.packets, run.took), (12, secs(2) + ms(750)));
}

fn observe(reach: u8, plan: Plan) -> Rounds {
    Rounds::new(TARGET, Ttl::new(reach).unwrap(), plan)
}

fn plan() -> Plan {
    Plan {
        first: Ttl::new(1).unwrap(),
        max: Ttl::new(30).unwrap(),
        interval: secs(1),
        rounds: None,
        flows: Vec::new(),
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
