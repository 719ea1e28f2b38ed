//! Do packets travel as the scenario has it?

use std::net::IpAddr;

use super::*;
use crate::Verdict;
use crate::packet::{Header, ICMP, ICMPV6, TCP, UDP};

/// A prober without a mind: it sends what it is told, and keeps what it gets.
struct Prober {
    network: Network,
    now: Duration,
    got: Vec<Delivery>,
}

impl Prober {
    fn new(scenario: &str) -> Self {
        let scenario: Scenario = format!("about = 'a test'\n{scenario}").parse().unwrap();
        Self {
            network: Network::new(&scenario).unwrap(),
            now: Duration::ZERO,
            got: Vec::new(),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while let Some(at) = self.network.next().filter(|at| *at <= self.now) {
            self.got.extend(self.network.due(at));
        }
    }

    /// Sends a packet, waits a second, and says what became of it.
    fn send(&mut self, to: &str, ttl: u8, payload: Payload) -> Record {
        let packet = packet(to, ttl, payload);
        let place = self.network.inject(self.now, packet.bytes()).unwrap();
        self.pass(Duration::from_secs(1));
        self.network.records()[place].clone()
    }

    /// Which node answers an echo request with which TTL, and how.
    fn answer(&mut self, to: &str, ttl: u8) -> Option<(u16, Answer)> {
        match self
            .send(to, ttl, Payload::Echo(ttl.into()))
            .verdict(Duration::from_secs(1))
        {
            Verdict::Answered(delivered) => Some((delivered.node.0, delivered.answer)),
            _ => None,
        }
    }

    fn last(&self) -> Packet<Vec<u8>> {
        Packet::read(self.got.last().unwrap().packet.clone()).unwrap()
    }
}

#[derive(Clone, Copy)]
enum Payload {
    Echo(u16),
    Udp(u16),
    Syn(u32),
}

fn packet(to: &str, ttl: u8, payload: Payload) -> Packet<Vec<u8>> {
    let destination: IpAddr = to.parse().unwrap();
    let source = if destination.is_ipv4() {
        "10.0.0.1"
    } else {
        "fd00::1"
    };
    let (protocol, transport, checksum_at) = match payload {
        Payload::Echo(sequence) => {
            let kind = if destination.is_ipv4() { 8 } else { 128 };
            let [high, low] = sequence.to_be_bytes();
            let start = [kind, 0, 0, 0, 0x12, 0x34, high, low];
            let protocol = if destination.is_ipv4() { ICMP } else { ICMPV6 };
            (protocol, [&start[..], &[0xa5; 56]].concat(), 2)
        }
        Payload::Udp(port) => {
            let [high, low] = port.to_be_bytes();
            (
                UDP,
                [&[high, low, 0x82, 0x9a, 0, 40, 0, 0][..], &[1; 32]].concat(),
                6,
            )
        }
        Payload::Syn(sequence) => {
            let mut header = vec![0x80, 1, 0, 80];
            header.extend(sequence.to_be_bytes());
            header.extend([0, 0, 0, 0, 5 << 4, 2, 0xff, 0xff, 0, 0, 0, 0]);
            (TCP, header, 16)
        }
    };
    let header = Header {
        source: source.parse().unwrap(),
        destination,
        ttl,
        tos: 0,
        protocol,
    };
    Packet::build(header, &transport, checksum_at)
}

const LINE: &str = "
    [[node]]
    out.delay.constant = '1ms'
    [[node]]
    back.delay.constant = '2ms'
    [[node]]
    serves = ['10.9.0.0/16', 'fd00:9::/64']
";

#[test]
fn each_ttl_finds_its_hop_and_the_target_answers_for_its_range() {
    let mut prober = Prober::new(LINE);
    for (to, hop) in [("10.9.0.7", "10.0.2.1"), ("fd00:9::7", "fd00:0:2::1")] {
        assert_eq!(prober.answer(to, 1), Some((0, Answer::TimeExceeded)));
        assert_eq!(prober.answer(to, 2), Some((1, Answer::TimeExceeded)));
        assert_eq!(prober.last().source(), hop.parse::<IpAddr>().unwrap());
        assert_eq!(prober.last().ttl(), 63);
        assert_eq!(prober.answer(to, 3), Some((2, Answer::EchoReply)));
        assert_eq!(prober.last().source(), to.parse::<IpAddr>().unwrap());
        assert_eq!(prober.last().ttl(), 62);
        assert!(prober.last().is_intact());
        assert_eq!(prober.answer(hop, 64), Some((1, Answer::EchoReply)));
    }
}

#[test]
fn an_answer_comes_when_its_ways_are_behind_it() {
    let mut prober = Prober::new(LINE);
    for (ttl, milliseconds) in [(1, 1), (2, 3), (3, 3)] {
        let record = prober.send("10.9.0.7", ttl, Payload::Echo(1));
        let [Ending::Delivered(delivered)] = &record.endings[..] else {
            panic!("{record:?}");
        };
        assert_eq!(
            record.round_trip(delivered),
            Duration::from_millis(milliseconds)
        );
    }
}

#[test]
fn what_was_held_up_on_its_last_step_is_there_later_than_it_left() {
    let mut prober = Prober::new("[[node]]\nback = { duplicate = 1.0 }\nserves = ['10.9.0.1']");
    let record = prober.send("10.9.0.1", 9, Payload::Echo(1));
    let at: Vec<_> = record.heard().iter().map(|answer| answer.at).collect();
    for (copy, late) in [(1, 3), (0, 5)] {
        let late = at[copy] + Duration::from_millis(late);
        prober.network.arrived(&prober.got[copy], late);
    }
    let heard = prober.network.records()[0].heard();
    let mut late: Vec<_> = heard
        .iter()
        .map(|answer| answer.by.saturating_sub(answer.at))
        .collect();
    late.sort_unstable();
    assert_eq!(late, [3, 5].map(Duration::from_millis));
    assert_eq!(heard.iter().map(|answer| answer.at).collect::<Vec<_>>(), at);
}

#[test]
fn udp_finds_a_closed_port_and_tcp_an_open_one() {
    let mut prober = Prober::new("[[node]]\nserves = ['10.9.0.1', 'fd00:9::1']\ntcp = 'syn_ack'");
    for (to, code) in [("10.9.0.1", 3), ("fd00:9::1", 4)] {
        let record = prober.send(to, 9, Payload::Udp(33_000));
        let answer = record.heard()[0];
        assert_eq!(answer.answer, Answer::Unreachable { code });
        assert_eq!(answer.from, to.parse::<IpAddr>().unwrap());
        let record = prober.send(to, 9, Payload::Syn(0xffff_ffff));
        assert_eq!(record.heard()[0].answer, Answer::SynAck);
        let segment = prober.last();
        assert!(segment.is_intact());
        assert_eq!(segment.transport()[..4], [0, 80, 0x80, 1]);
        assert_eq!(segment.transport()[8..12], [0; 4]);
        assert_eq!(segment.transport()[13], 0x12);
    }
}

#[test]
fn what_cannot_be_forwarded_is_refused_as_the_route_says() {
    let mut prober = Prober::new(
        "
        [[node]]
        [[node]]
        routes = [
            { next = ['n3'] },
            { to = '10.9.1.0/24', refuse = 'no_route' },
            { to = '10.9.2.0/24', refuse = 'host' },
            { to = '10.9.3.0/24', refuse = 'prohibited' },
            { to = '10.9.4.0/24', refuse = { code = 9 } },
            { to = '10.9.5.0/24', refuse = 'silently' },
            { to = 'fd00:9:1::/48', refuse = 'no_route' },
            { to = 'fd00:9:2::/48', refuse = 'host' },
            { to = 'fd00:9:3::/48', refuse = 'prohibited' },
        ]
        [[node]]
        mtu = 80
        serves = ['10.9.0.0/16', 'fd00:9::/32']
        ",
    );
    for (to, code) in [
        ("10.9.1.1", 0),
        ("10.9.2.1", 1),
        ("10.9.3.1", 13),
        ("10.9.4.1", 9),
        ("fd00:9:1::1", 0),
        ("fd00:9:2::1", 3),
        ("fd00:9:3::1", 1),
    ] {
        assert_eq!(
            prober.answer(to, 64),
            Some((1, Answer::Unreachable { code })),
            "{to}"
        );
    }
    assert_eq!(prober.answer("10.9.5.1", 64), None);
    assert_eq!(
        prober.answer("10.9.6.1", 64),
        Some((2, Answer::EchoReply)),
        "it may be cut"
    );
    assert_eq!(
        prober.answer("fd00:9:6::1", 64),
        Some((1, Answer::TooBig { mtu: 80 }))
    );
}

#[test]
fn a_path_changes_loops_and_comes_back() {
    let mut prober = Prober::new(
        "
        [[node]]
        routes = [
            { next = ['east'] },
            { since = '2s', next = ['west'] },
        ]
        [[node]]
        name = 'east'
        routes = [{ next = ['target'] }]
        [[node]]
        name = 'west'
        routes = [{ next = ['target'] }, { since = '4s', next = ['n1'] }, { since = '6s', next = ['target'] }]
        [[node]]
        name = 'target'
        serves = ['10.9.0.1']
        down = [{ from = '7s', until = '8s' }]
        ",
    );
    let hops = |prober: &mut Prober| [2, 3].map(|ttl| prober.answer("10.9.0.1", ttl));
    let exceeded = |node| Some((node, Answer::TimeExceeded));
    let reached = Some((3, Answer::EchoReply));
    assert_eq!(hops(&mut prober), [exceeded(1), reached]);
    assert_eq!(hops(&mut prober), [exceeded(2), reached]);
    assert_eq!(hops(&mut prober), [exceeded(2), exceeded(0)]);
    assert_eq!(prober.answer("10.9.0.1", 255), reached);
    assert_eq!(prober.answer("10.9.0.1", 255), None, "it restarts");
    assert_eq!(prober.answer("10.9.0.1", 255), reached);
}

#[test]
fn a_flow_keeps_its_path_and_many_flows_take_all() {
    let mut prober = Prober::new(
        "
        [[node]]
        routes = [{ next = ['a', 'b', 'c'] }]
        [[node]]
        name = 'a'
        routes = [{ next = ['d'] }]
        [[node]]
        name = 'b'
        routes = [{ next = ['d'] }]
        [[node]]
        name = 'c'
        [[node]]
        name = 'd'
        serves = ['10.9.0.1']
        ",
    );
    let mut hop = |payload| prober.send("10.9.0.1", 2, payload).heard()[0].node.0;
    let flows: Vec<u16> = (0..40)
        .map(|port| hop(Payload::Udp(33_000 + port)))
        .collect();
    assert!((1..=3).all(|node| flows.contains(&node)), "{flows:?}");
    assert!((0..9).all(|_| hop(Payload::Udp(33_000)) == flows[0]));
    let echo = hop(Payload::Echo(0));
    assert!((0..9).all(|sequence| hop(Payload::Echo(sequence)) == echo));
}

#[test]
fn routers_have_their_habits() {
    let mut prober = Prober::new(
        "
        [[node]]
        forwards_zero_ttl = true
        [[node]]
        silent = true
        [[node]]
        answers_from = ['192.0.2.3', '2001:db8::3']
        limit = { burst = 2, every = '60s' }
        mpls = [{ label = 16001, ttl = 1 }]
        quote = { most = 8 }
        [[node]]
        serves = ['10.9.0.1', 'fd00:9::1']
        answers_from = ['10.9.0.2', 'fd00:9::2']
        ttl = 255
        ",
    );
    for to in ["10.9.0.1", "fd00:9::1"] {
        assert_eq!(prober.answer(to, 1), None, "the next one is silent");
        assert_eq!(prober.answer(to, 2), None);
        assert_eq!(prober.answer(to, 3), Some((2, Answer::TimeExceeded)));
        assert_eq!(prober.last().source().to_string().chars().last(), Some('3'));
        assert_eq!(prober.answer(to, 3), Some((2, Answer::TimeExceeded)));
        assert_eq!(prober.answer(to, 3), None, "it has complained enough");
        let record = prober.send(to, 4, Payload::Echo(1));
        assert!(matches!(
            record.verdict(Duration::from_secs(1)),
            Verdict::WrongSource(_)
        ));
        assert_eq!(prober.last().ttl(), 252);
    }
}

#[test]
fn a_zero_ttl_is_quoted_by_the_next_router() {
    let mut prober = Prober::new("[[node]]\nforwards_zero_ttl = true\n[[node]]\n[[node]]");
    for to in ["10.9.0.1", "fd00:9::1"] {
        assert_eq!(prober.answer(to, 1), Some((1, Answer::TimeExceeded)));
        let error = prober.last();
        let quoted = Packet::read(&error.transport()[8..]).unwrap();
        assert_eq!(quoted.ttl(), 0);
        assert_eq!(prober.answer(to, 2), Some((1, Answer::TimeExceeded)));
    }
}

#[test]
fn every_request_ends_and_the_same_seed_ends_them_alike() {
    let storm = |seed: u64| {
        let way = "delay.pareto = { least = '1ms', shape = 2.5 }, duplicate = 0.05, corrupt = 0.05";
        let mut prober = Prober::new(&format!(
            "
            seed = {seed}
            [[node]]
            out = {{ {way}, loss.bernoulli = 0.1 }}
            back = {{ {way} }}
            [[node]]
            out = {{ {way} }}
            back = {{ {way}, loss.gilbert_elliott = {{ worsen = 0.1, recover = 0.3, good = 0, bad = 1 }} }}
            serves = ['10.9.0.0/16', 'fd00:9::/64']
            "
        ));
        for n in 0..2_000_u16 {
            let to = ["10.9.0.1", "fd00:9::1"][usize::from(n % 2)];
            prober
                .network
                .inject(prober.now, packet(to, 64, Payload::Echo(n)).bytes());
            prober.pass(Duration::from_micros(100));
        }
        prober.pass(Duration::from_hours(1));
        assert_eq!(prober.network.next(), None);
        (prober.network.records().to_vec(), prober.got)
    };
    let (records, got) = storm(1);
    assert_eq!(records.len(), 2_000);
    let endings: Vec<&Ending> = records.iter().flat_map(|record| &record.endings).collect();
    assert!(!endings.contains(&&Ending::Travelling));
    let delivered = endings
        .iter()
        .filter(|ending| matches!(ending, Ending::Delivered(_)));
    assert_eq!(delivered.count(), got.len());
    for delivery in &got {
        let packet = Packet::read(&delivery.packet).unwrap();
        let told = records[delivery.record]
            .endings
            .iter()
            .any(|ending| match ending {
                Ending::Delivered(delivered) => delivered.is_corrupted != packet.is_intact(),
                _ => false,
            });
        assert!(told, "{delivery:?}");
    }
    assert_eq!(storm(1), (records.clone(), got));
    assert_ne!(storm(2).0, records);
}

#[test]
fn what_is_not_for_one_host_is_ignored() {
    let mut prober = Prober::new(LINE);
    assert_eq!(prober.network.inject(Duration::ZERO, &[0x60; 7]), None);
    let everybody = packet("ff02::2", 255, Payload::Echo(1));
    assert_eq!(
        prober.network.inject(Duration::ZERO, everybody.bytes()),
        None
    );
    assert!(prober.network.records().is_empty());
}

#[test]
fn a_scenario_with_a_mistake_is_refused() {
    let check = |nodes: &str, told: &str| {
        let scenario = format!("about = 'a mistake'\n{nodes}").parse::<Scenario>();
        let refused = scenario
            .and_then(|scenario| Network::new(&scenario))
            .unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    };
    check("[[node]]\nsilence = true", "unknown field `silence`");
    check(
        "[[node]]\nroutes = [{ next = ['n7'] }]",
        "n1 has a route to \"n7\"",
    );
    check(
        "[[node]]\nroutes = [{ to = '::/0' }]",
        "needs either `next` or `refuse`",
    );
    check(
        "[[node]]\nout.delay.constant = '7'",
        "a duration needs a unit",
    );
    check(
        "[[node]]\n[expect]\nhope = [0, 1]",
        "unknown variant `hope`",
    );
}
