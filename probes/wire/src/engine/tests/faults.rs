//! Whose fault is a silence: the network's, or this host's, which dropped, was late or had no room?

use super::*;

#[test]
fn what_this_host_dropped_makes_silence_suspect() {
    let mut bench = Bench::new();
    bench.ask(0);
    assert_eq!(bench.expire(25, 0), [silence(0, false)]);
    bench.ask(30);
    assert_eq!(bench.expire(55, 1), [silence(1, true)]);
    bench.ask(60);
    assert_eq!(bench.expire(85, 1), [silence(2, false)]);
}

#[test]
fn who_takes_most_of_a_short_wait_to_send_is_at_fault_too() {
    for (late, expected) in [(1, false), (2, false), (3, true), (7, true)] {
        let mut bench = Bench::new();
        let short = Duration::from_millis(4);
        bench.ask_late(0, late, short).unwrap();
        let [Heard::Silence(silence)] = bench.expire(10, 0)[..] else {
            panic!("it ends in silence");
        };
        assert_eq!(silence.suspect, expected, "{late} ms");
    }
}

#[test]
fn what_there_was_no_room_for_is_measured_from_when_it_left_or_is_no_loss() {
    let refusal = Refusal::Kernel(libc::ENOBUFS);
    for (late, expected) in [(5, true), (11, false)] {
        let mut bench = Bench::new();
        let ask = Ask {
            peer: bench.peer,
            sequence: 0,
            wait: WAIT,
            asked: ms(0),
            ttl: None,
            padding: 0,
        };
        let (key, request) = bench.ask(0);
        let heard = &mut bench.heard;
        let goes = bench
            .engine
            .asked_again(key, &ask, reading(late), refusal, &mut |peer, h| {
                heard.push((peer, h));
            });
        assert_eq!(goes, expected);
        if goes {
            assert_eq!(bench.expire(24, 0), []);
            let heard = bench.hear(&reply(&request), 9, None);
            assert!(
                matches!(&heard[..], [Heard::Answer(answer)] if answer.rtt == Duration::from_millis(4)),
                "{heard:?}"
            );
        } else {
            let expected = NotSent {
                sequence: 0,
                refusal,
            };
            assert_eq!(bench.take(), [Heard::NotSent(expected)]);
            assert_eq!(bench.engine.in_flight(), 0);
        }
        assert_eq!(bench.expire(100, 0), []);
    }
}

#[test]
fn the_time_of_what_was_held_back_begins_when_it_leaves() {
    let mut bench = Bench::new();
    let (key, request) = bench.ask(0);
    let ask = Ask {
        peer: bench.peer,
        sequence: 0,
        wait: WAIT,
        asked: ms(1_000),
        ttl: None,
        padding: 0,
    };
    let refusal = Refusal::Kernel(libc::EAGAIN);
    let heard = &mut bench.heard;
    let now = reading(1_000);
    let goes = bench
        .engine
        .asked_again(key, &ask, now, refusal, &mut |peer, h| {
            heard.push((peer, h));
        });
    assert!(goes);
    assert_eq!(bench.expire(1_000, 0), []);
    let heard = bench.hear(&reply(&request), 1_004, None);
    assert!(
        matches!(&heard[..], [Heard::Answer(answer)] if answer.rtt == Duration::from_millis(4)),
        "{heard:?}"
    );
}

#[test]
fn who_is_late_to_send_is_at_fault_for_the_silence() {
    let long = Duration::from_secs(1);
    let mut bench = Bench::new();
    let suspect = |heard: Vec<Heard>| match heard[..] {
        [Heard::Silence(silence)] => silence.suspect,
        _ => panic!("{heard:?}"),
    };
    for (late, expected) in [(0, false), (100, false), (130, true), (900, true)] {
        let asked = 10_000 + 2_000 * bench.asked;
        bench.ask_late(asked, asked + late, long).unwrap();
        assert_eq!(bench.expire(asked + 999, 0), []);
        assert_eq!(
            suspect(bench.expire(asked + 1_000, 0)),
            expected,
            "{late} ms"
        );
    }
    assert!(bench.ask_late(50_000, 51_001, long).is_none());
    let refusal = Refusal::TooLate;
    let expected = [Heard::NotSent(NotSent {
        sequence: 4,
        refusal,
    })];
    assert_eq!(bench.take(), expected);
}
