//! The engine against packets made by hand and moments made up, and against a network that does
//! everything to it at random.

mod faults;
mod hops;
mod numbers;
mod ports;
mod random;

use std::net::Ipv4Addr;

use super::*;
use crate::{Protocol, RttSource, What};

const TARGET: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const ROUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const WAIT: Duration = Duration::from_millis(25);
const OFFSET: i64 = 1_700_000_000_000_000_000;
const FIRST: u16 = 0xfff8;

/// An engine with one peer, at a clock that stands until it is moved.
struct Bench {
    engine: Engine,
    peer: PeerKey,
    asked: u64,
    heard: Vec<(PeerKey, Heard)>,
}

impl Bench {
    fn new() -> Self {
        Self::of(TARGET, 56)
    }

    fn of(target: Ipv4Addr, payload_size: usize) -> Self {
        // The block of identifiers wraps around.
        let mut engine = Engine::new(Family::V4, Framing::Header { ttl: 64 }, FIRST, 16);
        let options = RequestOptions {
            payload_size,
            ..RequestOptions::default()
        };
        let peer = engine.admit(target.into(), &options);
        Self {
            engine,
            peer,
            asked: 0,
            heard: Vec::new(),
        }
    }

    /// Asks at so many milliseconds; returns the key and the packet.
    fn ask(&mut self, at: u64) -> (Key, Vec<u8>) {
        self.ask_late(at, at, WAIT).expect("there is a number")
    }

    fn ask_late(&mut self, asked: u64, at: u64, wait: Duration) -> Option<(Key, Vec<u8>)> {
        let mut packet = Vec::new();
        let ask = Ask {
            ttl: None,
            peer: self.peer,
            sequence: self.asked,
            wait,
            asked: ms(asked),
            padding: 0,
        };
        self.asked += 1;
        let heard = &mut self.heard;
        let key = self
            .engine
            .ask(ask, reading(at), &mut packet, &mut |peer, h| {
                heard.push((peer, h));
            })?;
        Some((key, packet))
    }

    /// Has a packet read at a moment; it arrived at `stamped`, if that is told.
    fn hear(&mut self, bytes: &[u8], at: u64, stamped: Option<u64>) -> Vec<Heard> {
        let received = Received {
            protocol: Protocol::Icmp,
            ports: None,
            bytes,
            named: TARGET.into(),
            hop_limit: None,
            error: None,
        };
        let arrival = Arrival {
            user: reading(at),
            kernel: stamped.and_then(stamp),
        };
        let heard = &mut self.heard;
        self.engine
            .heard(&received, arrival, &mut |peer, h| heard.push((peer, h)));
        self.take()
    }

    fn expire(&mut self, drained_from: u64, drops: u32) -> Vec<Heard> {
        let heard = &mut self.heard;
        self.engine.expire(ms(drained_from), drops, &mut |peer, h| {
            heard.push((peer, h));
        });
        self.take()
    }

    fn take(&mut self) -> Vec<Heard> {
        let peer = self.peer;
        let heard = std::mem::take(&mut self.heard);
        heard
            .into_iter()
            .map(|(whose, heard)| {
                assert_eq!(whose, peer);
                heard
            })
            .collect()
    }
}

fn ms(ms: u64) -> Stamp {
    Stamp(ms * 1_000_000)
}

fn reading(at: u64) -> Reading {
    Reading {
        at: ms(at),
        offset: OFFSET,
    }
}

fn stamp(at: u64) -> Option<KernelStamp> {
    KernelStamp::new(reading(at).realtime())
}

/// The answer of the host that a request went to.
fn reply(request: &[u8]) -> Vec<u8> {
    let mut reply = request.to_vec();
    let destination: [u8; 4] = request[16..20].try_into().unwrap();
    reply[12..16].copy_from_slice(&destination);
    reply[8] = 57;
    reply[20] = 0;
    let (sum, carry) = u16::from_be_bytes([reply[22], reply[23]]).overflowing_add(0x0800);
    reply[22..24].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
    reply
}

fn reply_from(from: Ipv4Addr, request: &[u8]) -> Vec<u8> {
    let mut reply = reply(request);
    reply[12..16].copy_from_slice(&from.octets());
    reply
}

/// A router's host unreachable, quoting so much of the request.
fn unreachable(request: &[u8], quoted: usize) -> Vec<u8> {
    let mut error = request[..20].to_vec();
    error[3] = (20 + 8 + quoted) as u8;
    error[9] = 1;
    error[12..16].copy_from_slice(&ROUTER.octets());
    error.extend([3, 1, 0, 0, 0, 0, 0, 0]);
    error.extend(&request[..quoted]);
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&error[20..]);
    error[22..24].copy_from_slice(&sum.ones_complement().to_ne_bytes());
    error
}

fn silence(sequence: u64, suspect: bool) -> Heard {
    Heard::Silence(Silence {
        sequence,
        waited: WAIT,
        suspect,
    })
}

/// What was heard, and when it came.
fn whats(heard: &[Heard]) -> Vec<(u64, What, Arrived)> {
    let answers = heard.iter().map(|heard| match heard {
        Heard::Answer(answer) => (answer.sequence, answer.what, answer.arrived),
        other => panic!("{other:?}"),
    });
    answers.collect()
}

const GOOD: What = What::Reply { bytes: 64 };

#[test]
fn requests_whose_answers_nobody_can_hear_end_at_once_and_others_are_asked_after_them() {
    let mut bench = Bench::new();
    for at in 0..100 {
        bench.ask(at);
    }
    let refusal = Refusal::Unheard(11);
    let heard = &mut bench.heard;
    let mut out = |peer, what| heard.push((peer, what));
    bench.engine.give_up(refusal, &mut out);
    let ended = bench.heard.drain(..);
    let ended: Vec<_> = ended.map(|(_, heard)| heard).collect();
    let expected = (0..100).map(|sequence| Heard::NotSent(NotSent { sequence, refusal }));
    assert_eq!(ended, expected.collect::<Vec<_>>());
    assert_eq!(bench.engine.in_flight(), 0);
    bench.ask(100);
    assert_eq!(bench.engine.in_flight(), 1);
}

#[test]
fn each_request_ends_with_its_own_answer_in_any_order() {
    let mut bench = Bench::new();
    let requests: Vec<_> = (0..4).map(|n| bench.ask(n)).collect();
    assert_eq!(bench.engine.in_flight(), 4);
    for n in [2, 0, 3] {
        let heard = bench.hear(&reply(&requests[n].1), 5, Some(5));
        assert_eq!(whats(&heard), [(n as u64, GOOD, Arrived::InTime)]);
    }
    assert_eq!(bench.engine.in_flight(), 1);
    assert_eq!(bench.expire(100, 0), [silence(1, false)]);
    assert_eq!(bench.engine.in_flight(), 0);
    assert_eq!(bench.engine.next_deadline(), None);
}

#[test]
fn a_round_trip_is_that_of_the_stamps() {
    let mut bench = Bench::new();
    for (departed, arrived, rtt, source) in [
        (Some(11), Some(13), 2, RttSource::Kernel),
        (None, Some(13), 3, RttSource::KernelReceive),
        (Some(11), None, 5, RttSource::User),
    ] {
        let (key, request) = bench.ask(10);
        if let Some(departed) = departed.and_then(stamp) {
            bench.engine.departed(key, departed);
        }
        let heard = bench.hear(&reply(&request), 15, arrived);
        let [Heard::Answer(answer)] = &heard[..] else {
            panic!("{heard:?}");
        };
        assert_eq!(answer.rtt, Duration::from_millis(rtt));
        assert_eq!(answer.rtt_source, source);
        assert_eq!((answer.from, answer.hop_limit), (TARGET.into(), Some(57)));
    }
}

#[test]
fn an_answer_is_in_time_by_its_arrival_however_late_it_is_read() {
    let mut bench = Bench::new();
    let (_, request) = bench.ask(0);
    assert_eq!(bench.expire(24, 0), []);
    let heard = bench.hear(&reply(&request), 3_000, Some(24));
    assert_eq!(whats(&heard), [(0, GOOD, Arrived::InTime)]);

    // Read before its time was found to be over, but it came after it.
    let (_, request) = bench.ask(4_000);
    let heard = bench.hear(&reply(&request), 4_100, Some(4_025));
    assert_eq!(heard[0], silence(1, false));
    assert_eq!(whats(&heard[1..]), [(1, GOOD, Arrived::Late)]);
}

/// As when the process is stopped: nothing is over until what arrived meanwhile has been read.
#[test]
fn no_time_is_over_before_what_arrived_has_been_read() {
    let mut bench = Bench::new();
    let (_, request) = bench.ask(0);
    let _silent = bench.ask(0);
    // The process went on at 3000, and the reading that ends now began before it was stopped.
    assert_eq!(bench.expire(24, 0), []);
    let heard = bench.hear(&reply(&request), 3_000, Some(1));
    assert_eq!(whats(&heard), [(0, GOOD, Arrived::InTime)]);
    assert_eq!(bench.expire(3_000, 0), [silence(1, false)]);
}

#[test]
fn only_the_first_answer_ends_a_request() {
    let mut bench = Bench::new();
    let (_, request) = bench.ask(0);
    let reply = reply(&request);
    for expected in [Arrived::InTime, Arrived::Again, Arrived::Again] {
        assert_eq!(
            whats(&bench.hear(&reply, 1, Some(1))),
            [(0, GOOD, expected)]
        );
    }
    let (_, request) = bench.ask(10);
    bench.expire(35, 0);
    let error = unreachable(&request, 28);
    let unreachable = What::Unreachable { code: 1 };
    for expected in [Arrived::Late, Arrived::Again] {
        let heard = bench.hear(&error, 40, Some(40));
        assert_eq!(whats(&heard), [(1, unreachable, expected)]);
    }
}

#[test]
fn a_reply_is_judged_by_checksum_then_cookie_then_source() {
    let check = |target, packet: &dyn Fn(&[u8], &[u8]) -> Vec<u8>, expected: Option<What>| {
        let mut bench = Bench::of(target, 56);
        let (_, request) = bench.ask(0);
        let (_, another) = bench.ask(0);
        let heard = bench.hear(&packet(&request, &another), 1, Some(1));
        let what = whats(&heard).first().map(|(_, what, _)| *what);
        assert_eq!(what, expected);
    };
    let damaged = |request: &[u8]| {
        let mut reply = reply(request);
        reply[22] ^= 1;
        reply
    };
    // The numbers of the one, the payload of the other.
    let foreign = |ours: &[u8], theirs: &[u8]| {
        let mut packet = reply(ours);
        packet[32..48].copy_from_slice(&theirs[32..48]);
        packet
    };
    check(TARGET, &|r, _| reply(r), Some(GOOD));
    check(TARGET, &|r, _| damaged(r), Some(What::Corrupt));
    check(TARGET, &foreign, None);
    check(
        TARGET,
        &|r, _| reply_from(OTHER, r),
        Some(What::WrongSource),
    );
    check(TARGET, &|r, _| reply_from(OTHER, &damaged(r)), None);
    let groups = [Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::BROADCAST];
    for group in groups {
        check(group, &|r, _| reply_from(OTHER, r), Some(GOOD));
    }
}

#[test]
fn an_error_must_quote_our_destination_and_as_much_of_our_cookie_as_it_returns() {
    let check = |quoted, damage: &dyn Fn(&mut [u8]), expected: bool| {
        let mut bench = Bench::new();
        let (_, mut request) = bench.ask(0);
        damage(&mut request);
        let heard = bench.hear(&unreachable(&request, quoted), 1, Some(1));
        assert_eq!(!heard.is_empty(), expected, "{quoted} bytes");
    };
    check(84, &|_| {}, true);
    check(28, &|_| {}, true);
    check(84, &|request| request[33] ^= 1, false);
    check(39, &|request| request[33] ^= 1, true);
    check(84, &|request| request[19] ^= 1, false);
    // What routers and NATs change.
    check(84, &|request| request[8] = 0, true);
    check(84, &|request| request[15] ^= 1, true);
    check(84, &|request| request[22] ^= 1, true);
}

#[test]
fn a_stamp_from_before_the_request_is_another_ones() {
    let mut bench = Bench::new();
    let (key, request) = bench.ask(10);
    bench.engine.departed(key, stamp(9).unwrap());
    bench.engine.departed(Key::new(15, 7), stamp(10).unwrap());
    let heard = bench.hear(&reply(&request), 15, Some(13));
    let [Heard::Answer(answer)] = &heard[..] else {
        panic!("{heard:?}");
    };
    assert_eq!(answer.rtt_source, RttSource::KernelReceive);
}

#[test]
fn a_peer_that_was_let_go_is_heard_no_more() {
    let mut bench = Bench::new();
    let (key, request) = bench.ask(0);
    let (old, options) = (bench.peer, RequestOptions::default());
    bench.engine.forget(old);
    bench.engine.forget(old);
    assert_eq!((bench.engine.in_flight(), bench.engine.peers()), (0, 0));
    assert!(bench.ask_late(0, 0, WAIT).is_none());
    // Whoever comes next has its place, but not its requests.
    let new = bench.engine.admit(TARGET.into(), &options);
    assert_eq!(new.index(), old.index());
    assert_eq!(bench.hear(&reply(&request), 1, Some(1)), []);
    let mut refuse = |_, heard| panic!("{heard:?}");
    bench
        .engine
        .unsent(key, Refusal::Kernel(libc::EPERM), &mut refuse);
    assert_eq!(bench.expire(100, 0), []);
}

#[test]
fn identifiers_of_others_stand_for_nothing() {
    let mut bench = Bench::new();
    let (_, request) = bench.ask(0);
    for id in [
        FIRST - 1,
        FIRST.wrapping_add(16),
        FIRST.wrapping_add(1),
        !FIRST,
    ] {
        let mut packet = reply(&request);
        packet[24..26].copy_from_slice(&id.to_be_bytes());
        assert_eq!(bench.hear(&packet, 1, Some(1)), [], "{id:#x}");
    }
}
