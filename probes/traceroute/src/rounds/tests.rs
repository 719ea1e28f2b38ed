//! Is each hop asked once per round, and is every probe accounted for?

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
    for record in rounds.records().values() {
        assert_eq!((record.sent, record.lost), (10, 0));
    }
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
fn every_probe_is_accounted_for_at_every_moment() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut line = Line::new(&[ms(20), ms(600), ms(1700), ms(40), ms(60)]);
    for router in &mut line.routers {
        router.silence = 0.3;
    }
    let mut rounds = observe(5, plan());
    simulation::run(&mut rounds, secs(60), |probe, now| {
        let mut reply = line.answer(probe.ttl, now)?;
        reply.rtt += ms(random.u64(..300));
        Some(reply)
    });
    let late: u64 = rounds.records().values().map(|record| record.late).sum();
    assert!(late > 0, "some take more than the wait");
    for ((ttl, _), record) in rounds.records() {
        let Record {
            sent,
            answered,
            late,
            lost,
            ..
        } = *record;
        assert_eq!(sent, answered + late + lost + record.under_way(), "{ttl:?}");
        assert_eq!(record.statistics.count(), answered);
        let heard: u64 = record.responders.iter().map(|(_, count)| count).sum();
        assert_eq!(heard, answered + late);
        let settled = record.tally().settled;
        assert_eq!(record.outcomes().count() as u64, settled.min(128));
    }
}

#[test]
fn late_and_duplicate_answers_are_told_apart() {
    let mut rounds = observe(1, plan());
    let mut line = Line::new(&[ms(20)]);
    let Step::Send(probe) = rounds.poll(Duration::ZERO) else {
        panic!("the first is due at once");
    };
    let reply = line.answer(probe.ttl, Duration::ZERO).unwrap();
    rounds.poll(ms(750));
    let record = |rounds: &Rounds| rounds.records()[&(probe.ttl, probe.flow)].clone();
    assert_eq!(record(&rounds).lost, 1);
    rounds.hear(probe, reply.clone(), ms(800));
    assert_eq!((record(&rounds).lost, record(&rounds).late), (0, 1));
    rounds.hear(probe, reply, ms(900));
    assert_eq!(record(&rounds).duplicates, 1);
}

#[test]
fn what_was_not_sent_counts_nowhere() {
    let mut rounds = observe(1, plan());
    let Step::Send(probe) = rounds.poll(Duration::ZERO) else {
        panic!("the first is due at once");
    };
    rounds.withdraw(probe);
    rounds.poll(ms(999));
    let record = &rounds.records()[&(probe.ttl, probe.flow)];
    let counts = (record.sent, record.lost, record.outcomes().count());
    assert_eq!(counts, (0, 0, 0));
}

#[test]
fn rounds_take_turns_with_the_flows() {
    let flows = vec![Flow(1), Flow(2), Flow(3)];
    let mut rounds = observe(2, Plan { flows, ..plan() });
    let mut line = Line::new(&[ms(20); 2]);
    simulation::run(&mut rounds, secs(9), |probe, now| {
        line.answer(probe.ttl, now)
    });
    let sent = rounds.records().values().map(|record| record.sent);
    assert_eq!(sent.collect::<Vec<_>>(), [3; 6]);
    let responder = rounds.responder(Ttl::new(2).unwrap(), Flow(3));
    assert_eq!(responder, Some(TARGET));
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

fn observe(reach: u8, plan: Plan) -> Rounds {
    Rounds::new(TARGET, Ttl::new(reach).unwrap(), plan)
}

fn plan() -> Plan {
    Plan {
        first: Ttl::new(1).unwrap(),
        max: Ttl::new(30).unwrap(),
        interval: secs(1),
        wait: ms(750),
        flows: Vec::new(),
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
