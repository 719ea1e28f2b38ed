//! Are paths discovered truly, in about one round trip and without waste?

use super::*;
use crate::simulation::{self, Bucket, End, Line, Node, Run, TARGET};

#[test]
fn ten_answering_hops_take_one_round_trip() {
    for (rtt, most) in [(20, 23), (0, 2), (300, 303)] {
        let rtts: Vec<_> = (1..=10).map(|hop| ms(rtt) + hop * us(50)).collect();
        let (run, discovery) = discover(&mut Line::new(&rtts), Limits::default());
        assert_eq!(discovery.verdict(), Some(reached(10)), "{rtt} ms");
        assert!(run.took <= ms(most), "{rtt} ms: {run:?}");
        assert!(run.packets <= 18, "{rtt} ms: {run:?}");
    }
}

#[test]
fn two_silent_hops_are_not_waited_out() {
    let rtts: Vec<_> = (1..=10).map(|hop| ms(20) + hop * us(50)).collect();
    let mut line = Line::new(&rtts);
    line.routers[3].silence = 1.0;
    line.routers[6].silence = 1.0;
    let (run, discovery) = discover(&mut line, Limits::default());
    assert_eq!(discovery.verdict(), Some(reached(10)));
    assert!(run.took <= ms(30), "{run:?}");
    assert!(run.packets <= 18, "{run:?}");
    let silent = &discovery.hops()[3];
    assert!(silent.reply.is_none() && silent.waited < Limits::default().wait);
}

#[test]
fn a_path_longer_than_the_window_takes_one_more_round_trip() {
    let rtts: Vec<_> = (1..=21).map(|hop| ms(20) + hop * us(50)).collect();
    let (run, discovery) = discover(&mut Line::new(&rtts), Limits::default());
    assert_eq!(discovery.verdict(), Some(reached(21)));
    assert!(run.took <= ms(50), "{run:?}");
    assert!(run.packets <= 21 + 6, "{run:?}");
}

#[test]
fn a_silent_target_has_its_verdict_within_a_second() {
    for routers in [0, 1, 9, 16] {
        let mut line = Line::new(&vec![ms(20); routers + 1]);
        line.end = End::Nothing;
        let (run, discovery) = discover(&mut line, Limits::default());
        let farthest = (routers > 0).then_some(routers as u8);
        let unreached = Verdict::Unreached { farthest };
        assert_eq!(discovery.verdict(), Some(unreached));
        assert!(
            run.took < Duration::from_secs(1),
            "{routers} routers: {run:?}"
        );
        assert!(run.packets <= 32, "{routers} routers: {run:?}");
    }
}

#[test]
fn a_path_that_goes_on_beyond_the_gap_is_followed() {
    let rtts: Vec<_> = (0..25).map(|hop| ms(10 + hop)).collect();
    let mut line = Line::new(&rtts);
    for router in &mut line.routers[12..] {
        router.silence = 1.0;
    }
    let (run, discovery) = discover(&mut line, Limits::default());
    let (hops, at_least) = (25, 13);
    let expected = Verdict::Reached { hops, at_least };
    assert_eq!(discovery.verdict(), Some(expected));
    assert!(run.packets <= 34, "{run:?}");
}

#[test]
fn a_path_longer_than_may_be_asked_is_known_to_go_on() {
    let rtts: Vec<_> = (0..40).map(|hop| ms(10 + hop)).collect();
    let (run, discovery) = discover(&mut Line::new(&rtts), Limits::default());
    // All thirty are answered, so nothing is silent that a high TTL could see beyond.
    let farthest = Some(30);
    let expected = Verdict::Unreached { farthest };
    assert_eq!(discovery.verdict(), Some(expected), "{run:?}");
    let mut line = Line::new(&rtts);
    for router in &mut line.routers[12..] {
        router.silence = 1.0;
    }
    let (_, discovery) = discover(&mut line, Limits::default());
    let (after, estimate) = (30, None);
    let expected = Verdict::ReachedBeyond { after, estimate };
    assert_eq!(discovery.verdict(), Some(expected));
}

#[test]
fn a_router_that_turns_packets_away_is_named() {
    let mut line = Line::new(&[ms(5), ms(10), ms(15), ms(20), ms(25)]);
    line.end = End::Refusal { code: 13 };
    let (run, discovery) = discover(&mut line, Limits::default());
    let by = line.routers[3].address;
    let (hops, code) = (Some(4), 13);
    assert_eq!(
        discovery.verdict(),
        Some(Verdict::Blocked { hops, by, code })
    );
    assert!(run.took <= ms(30), "{run:?}");
}

#[test]
fn a_circle_is_named_by_where_it_begins() {
    let mut line = Line::new(&[ms(5); 6]);
    line.end = End::Circle(3);
    let (run, discovery) = discover(&mut line, Limits::default());
    let (from, length) = (4, 2);
    assert_eq!(discovery.verdict(), Some(Verdict::Loop { from, length }));
    assert!(run.took <= ms(10), "{run:?}");
}

#[test]
fn an_error_from_the_target_has_arrived_and_a_time_exceeded_has_not() {
    let reply = |from, says| Reply {
        from,
        rtt: ms(1),
        says,
        hop_limit: None,
        quote: None,
        extensions: Vec::new(),
    };
    let other = IpAddr::from([10, 0, 0, 1]);
    for (from, says, expected) in [
        (TARGET, Says::Arrived, true),
        (other, Says::Arrived, true),
        (TARGET, Says::Unreachable { code: 10 }, true),
        (other, Says::Unreachable { code: 10 }, false),
        (TARGET, Says::TimeExceeded, false),
        (other, Says::TimeExceeded, false),
    ] {
        assert_eq!(reply(from, says).arrived_at(TARGET), expected, "{says:?}");
    }
}

#[test]
fn a_lost_answer_of_the_target_does_not_lengthen_the_path() {
    let mut line = Line::new(&[ms(20); 10]);
    let mut first = true;
    let mut discovery = Discovery::new(TARGET, Flow::default(), Limits::default());
    simulation::run(&mut discovery, Duration::from_secs(9), |probe, now| {
        let reply = line.answer(probe.ttl, now);
        let lost = probe.ttl.hops() == 10 && std::mem::take(&mut first);
        reply.filter(|_| !lost)
    });
    assert_eq!(discovery.verdict(), Some(reached(10)));
}

#[test]
fn a_silent_router_next_to_the_target_leaves_the_length_open() {
    let mut line = Line::new(&[ms(20); 10]);
    line.routers[8].silence = 1.0;
    let (run, discovery) = discover(&mut line, Limits::default());
    let (hops, at_least) = (10, 9);
    let expected = Verdict::Reached { hops, at_least };
    assert_eq!(discovery.verdict(), Some(expected));
    assert!(run.took <= ms(60), "{run:?}");
}

#[test]
fn the_path_ends_at_the_target() {
    let mut line = Line::new(&[ms(20); 4]);
    line.routers[1].silence = 1.0;
    let (_, discovery) = discover(&mut line, Limits::default());
    let router = |number| Some(IpAddr::from([10, 0, 0, number]));
    let expected = [router(1), None, router(3), Some(TARGET)];
    assert_eq!(discovery.path(), Path::new(expected, true));
    line.end = End::Nothing;
    let limits = Limits {
        first: Ttl::new(2).unwrap(),
        ..Limits::default()
    };
    let (_, discovery) = discover(&mut line, limits);
    assert_eq!(discovery.path(), Path::new([None, None, router(3)], false));
}

#[test]
fn nothing_is_asked_beyond_the_limits() {
    let limits = Limits {
        first: Ttl::new(3).unwrap(),
        max: Ttl::new(5).unwrap(),
        last_ditch: None,
        ..Limits::default()
    };
    let (run, discovery) = discover(&mut Line::new(&[ms(1); 9]), limits);
    assert_eq!(run.packets, 3);
    let ttls = discovery.hops().iter().map(|hop| hop.ttl.hops());
    assert_eq!(ttls.collect::<Vec<_>>(), [3, 4, 5]);
    let none = Limits {
        max: Ttl::new(2).unwrap(),
        ..limits
    };
    let (run, discovery) = discover(&mut Line::new(&[ms(1); 9]), none);
    assert_eq!((run.packets, run.took), (0, Duration::ZERO));
    let farthest = None;
    assert_eq!(discovery.verdict(), Some(Verdict::Unreached { farthest }));
}

/// A thousand paths of 1 to 24 hops, up to 300 ms of round trip in each, a fifth of the routers
/// silent and a tenth slow to answer: the length is right, and time and packets near the ideal.
#[test]
fn random_paths_are_found_in_nearly_the_ideal_time() {
    let mut random = fastrand::Rng::with_seed(20);
    let mut times = Vec::new();
    let mut packets = Vec::new();
    for case in 0..1_000 {
        let mut line = random_line(&mut random);
        let length = line.routers.len() + 1;
        if hardest_jump(&line) > Limits::default().wait || silent_row(&line) >= 6 {
            continue;
        }
        let (run, discovery) = discover(&mut line, Limits::default());
        let Some(Verdict::Reached { hops, at_least }) = discovery.verdict() else {
            panic!("case {case}: {:?} {line:?}", discovery.verdict());
        };
        assert_eq!(usize::from(hops), length, "case {case}: {line:?}");
        assert!(at_least <= hops, "case {case}");
        let slowest = slowest(&line);
        // What is beyond the window takes further round trips, more if silent hops narrow the gap
        // that runs ahead; so does asking again.
        let again = discovery.hops().iter().any(|hop| hop.tries > 1);
        let rounds = 1 + length.saturating_sub(10) / 4 + usize::from(again);
        let most = slowest * 5 / 4 * rounds as u32 + ms(24);
        assert!(run.took <= most, "case {case}: {run:?}, {most:?} {line:?}");
        assert!(
            run.packets <= 16.max(hops.into()) + 6 + 1 + 2,
            "case {case}: {run:?}"
        );
        if length <= 16 {
            let overhead = ms(10);
            times.push(run.took.as_secs_f64() / (slowest + overhead).as_secs_f64());
        }
        packets.push(run.packets as usize - length.min(run.packets as usize));
    }
    times.sort_by(f64::total_cmp);
    packets.sort_unstable();
    let (middle, most) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{} paths of at most 16 hops: time/(ideal + 10 ms) median {middle:.3}, p99 {most:.3}",
        times.len()
    );
    println!(
        "packets beyond the hops: median {}, most {:?}",
        packets[packets.len() / 2],
        packets.last()
    );
    assert!(middle <= 1.05, "the usual path takes {middle} round trips");
    assert!(most <= 2.6, "the worst takes {most} round trips");
}

/// Five in a hundred packets lost and routers with a Linux router's limits: the truth is within
/// what is claimed.
#[test]
fn loss_and_rate_limits_seldom_mislead() {
    let mut random = fastrand::Rng::with_seed(5);
    let (mut wrong, mut loose) = (0, 0);
    for _ in 0..1_000 {
        let length = random.usize(2..16);
        let rtts: Vec<_> = (0..length).map(|hop| ms(5 + 3 * hop as u64)).collect();
        let mut line = Line::new(&rtts);
        line.random = random.fork();
        for router in &mut line.routers {
            router.silence = 0.05;
            router.bucket = Some(Bucket::new(6, Duration::from_secs(1)));
        }
        if let End::Target(target) = &mut line.end {
            target.silence = 0.05;
        }
        let (_, discovery) = discover(&mut line, Limits::default());
        let length = length as u8;
        match discovery.verdict() {
            Some(Verdict::Reached { hops, at_least }) => {
                wrong += i32::from(!(at_least..=hops).contains(&length));
                loose += i32::from(at_least != hops);
            }
            _ => wrong += 1,
        }
    }
    println!("of 1000 lossy paths {wrong} are wrong and {loose} of uncertain length");
    assert!(wrong <= 1, "{wrong} wrong");
    assert!(loose <= 20, "{loose} of uncertain length");
}

/// Answers from anybody, saying anything, at any time.
#[test]
fn whatever_is_heard_it_ends() {
    let mut random = fastrand::Rng::with_seed(64);
    for case in 0..1_000 {
        let mut discovery = Discovery::new(TARGET, Flow::default(), Limits::default());
        let routers = random.u8(1..=20);
        let arrivals = random.f64() / 10.0;
        let run = simulation::run(&mut discovery, Duration::from_mins(5), |_, _| {
            let router = IpAddr::from([10, 0, 0, random.u8(..routers)]);
            let code = random.u8(..16);
            let (from, says) = match random.f64() {
                chance if chance < arrivals => (TARGET, Says::Arrived),
                chance if chance < 0.2 => (router, Says::Unreachable { code }),
                chance if chance < 0.3 => (TARGET, Says::TimeExceeded),
                chance if chance < 0.8 => (router, Says::TimeExceeded),
                _ => return None,
            };
            Some(Reply {
                from,
                rtt: ms(random.u64(..2_000)),
                says,
                hop_limit: Some(random.u8(..)),
                quote: None,
                extensions: Vec::new(),
            })
        });
        assert!(discovery.verdict().is_some(), "case {case}: {discovery:?}");
        assert!(run.packets <= 30 + 1 + 30, "case {case}: {run:?}");
        assert!(run.took < Duration::from_secs(30), "case {case}: {run:?}");
    }
}

fn random_line(random: &mut fastrand::Rng) -> Line {
    let length = random.usize(1..=24);
    let mut rtt = us(100);
    let mut rtts = Vec::new();
    for _ in 0..length {
        rtt += match random.u8(..10) {
            0 => ms(random.u64(..=300)),
            1..4 => ms(random.u64(..=20)),
            _ => us(random.u64(..=999)),
        };
        rtts.push(rtt);
    }
    let mut line = Line::new(&rtts);
    for router in &mut line.routers {
        match random.u8(..10) {
            0 | 1 => router.silence = 1.0,
            2 => router.rtt += ms(random.u64(..=50)),
            _ => (),
        }
    }
    line
}

fn nodes(line: &Line) -> impl Iterator<Item = &Node> {
    let target = match &line.end {
        End::Target(target) => Some(target),
        _ => None,
    };
    line.routers.iter().chain(target)
}

/// The most by which a round trip exceeds that of the answering node before.
fn hardest_jump(line: &Line) -> Duration {
    let mut last = Duration::ZERO;
    let mut hardest = Duration::ZERO;
    for node in nodes(line).filter(|node| node.silence < 1.0) {
        hardest = hardest.max(node.rtt.saturating_sub(last));
        last = node.rtt;
    }
    hardest
}

fn silent_row(line: &Line) -> usize {
    let answers = nodes(line)
        .map(|node| node.silence < 1.0)
        .collect::<Vec<_>>();
    let rows = answers.split(|answers| *answers);
    rows.map(<[bool]>::len).max().unwrap_or(0)
}

fn slowest(line: &Line) -> Duration {
    let answering = nodes(line).filter(|node| node.silence < 1.0);
    answering.map(|node| node.rtt).max().unwrap_or_default()
}

#[test]
fn routers_that_are_spared_are_neither_waited_for_nor_asked_again() {
    /// Spares some TTLs.
    struct Sparing(Discovery, &'static [u8]);

    impl Machine for Sparing {
        fn poll(&mut self, now: Duration) -> Step {
            match self.0.poll(now) {
                Step::Send(probe) if self.1.contains(&probe.ttl.hops()) => {
                    self.0.spare(probe);
                    self.poll(now)
                }
                step => step,
            }
        }

        fn hear(&mut self, probe: Probe, reply: Reply, now: Duration) {
            self.0.hear(probe, reply, now);
        }
    }

    for spared in [&[1, 2][..], &[5], &[8, 9], &[1, 2, 3, 4, 5, 6, 7, 8, 9]] {
        let mut line = Line::new(&[ms(20); 10]);
        let discovery = Discovery::new(TARGET, Flow::default(), Limits::default());
        let mut sparing = Sparing(discovery, spared);
        let run = simulation::run(&mut sparing, Duration::from_mins(1), |probe, now| {
            line.answer(probe.ttl, now)
        });
        let Sparing(discovery, _) = sparing;
        let verdict = discovery.verdict();
        let reached = matches!(verdict, Some(Verdict::Reached { hops: 10, .. }));
        assert!(reached, "{spared:?}: {verdict:?}");
        assert!(run.took <= ms(23), "{spared:?}: {run:?}");
        assert!(run.packets <= 18, "{spared:?}: {run:?}");
        assert_eq!(discovery.packets(), run.packets, "{spared:?}");
        for hop in &discovery.hops()[..9] {
            let is_spared = spared.contains(&hop.ttl.hops());
            assert_eq!((hop.spared, hop.reply.is_none()), (is_spared, is_spared));
        }
    }
}

fn discover(line: &mut Line, limits: Limits) -> (Run, Discovery) {
    let mut discovery = Discovery::new(TARGET, Flow::default(), limits);
    let run = simulation::run(&mut discovery, Duration::from_mins(1), |probe, now| {
        line.answer(probe.ttl, now)
    });
    assert!(discovery.verdict().is_some(), "{line:?}");
    assert_eq!(discovery.packets(), run.packets);
    (run, discovery)
}

fn reached(hops: u8) -> Verdict {
    let at_least = hops;
    Verdict::Reached { hops, at_least }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn us(us: u64) -> Duration {
    Duration::from_micros(us)
}
