//! When is a request's number free for another, and how many are taken at once?

use super::*;

#[test]
fn a_refused_request_ends_as_not_sent_and_frees_its_number() {
    let mut bench = Bench::new();
    let (key, request) = bench.ask(0);
    let refusal = Refusal::Kernel(libc::EPERM);
    let heard = &mut bench.heard;
    for _ in 0..2 {
        bench
            .engine
            .unsent(key, refusal, &mut |peer, h| heard.push((peer, h)));
    }
    let expected = [Heard::NotSent(NotSent {
        sequence: 0,
        refusal,
    })];
    assert_eq!(bench.take(), expected);
    assert_eq!(bench.engine.in_flight(), 0);
    bench.engine.departed(key, stamp(1).unwrap());
    assert_eq!(bench.hear(&reply(&request), 1, Some(1)), []);
    assert_eq!(bench.expire(100, 0), []);
}

#[test]
fn numbers_run_out_and_are_reused_after_that() {
    let mut engine = Engine::new(Family::V4, Framing::Header { ttl: 64 }, FIRST, 1);
    let peer = engine.admit(TARGET.into(), &RequestOptions::default());
    let mut packet = Vec::new();
    let mut refused = Vec::new();
    for sequence in 0..=u64::from(u16::MAX) + 1 {
        let ask = Ask {
            ttl: None,
            peer,
            sequence,
            wait: WAIT,
            asked: ms(0),
            padding: 0,
        };
        packet.clear();
        engine.ask(ask, reading(0), &mut packet, &mut |_, heard| {
            refused.push(heard);
        });
    }
    assert_eq!(engine.in_flight(), 1 << 16);
    let refusal = Refusal::OutOfSequenceNumbers;
    let sequence = 1 << 16;
    assert_eq!(refused, [Heard::NotSent(NotSent { sequence, refusal })]);
    let mut ended = 0;
    engine.expire(ms(26), 0, &mut |_, _| ended += 1);
    assert_eq!((ended, engine.in_flight()), (1 << 16, 0));
    let ask = Ask {
        ttl: None,
        peer,
        sequence,
        wait: WAIT,
        asked: ms(30),
        padding: 0,
    };
    let key = engine.ask(ask, reading(30), &mut packet, &mut |_, heard| {
        panic!("{heard:?}")
    });
    assert!(key.is_some());
}

#[test]
fn two_hundred_thousand_are_in_flight_and_each_is_answered() {
    let mut engine = Engine::new(Family::V4, Framing::Header { ttl: 64 }, FIRST, 16);
    let options = RequestOptions::default();
    let peers = (0..2_000).map(|_| engine.admit(TARGET.into(), &options));
    let peers: Vec<_> = peers.collect();
    let mut packets = Vec::new();
    let mut heard = 0;
    for sequence in 0..100 {
        for peer in &peers {
            let ask = Ask {
                ttl: None,
                peer: *peer,
                sequence,
                wait: WAIT,
                asked: ms(0),
                padding: 0,
            };
            engine.ask(ask, reading(0), &mut packets, &mut |_, heard| {
                panic!("{heard:?}")
            });
        }
    }
    assert_eq!(engine.in_flight(), 200_000);
    for request in packets.chunks_exact(84) {
        let received = Received {
            protocol: Protocol::Icmp,
            ports: None,
            bytes: &reply(request),
            named: TARGET.into(),
            hop_limit: None,
            error: None,
        };
        let arrival = Arrival {
            user: reading(2),
            kernel: stamp(1),
        };
        engine.heard(&received, arrival, &mut |_, answer| {
            assert_eq!(whats(&[answer])[0].2, Arrived::InTime);
            heard += 1;
        });
    }
    assert_eq!((heard, engine.in_flight()), (200_000, 0));
}
