//! What does leadsman's engine make of the simulated network, without a socket and a clock?
//!
//! The engine must agree with the record on each single request, and on its round trip to the
//! nanosecond.

use std::net::IpAddr;
use std::time::Duration;

use leadsman_lab::packet::{Header, ICMPV6, Packet};
use leadsman_lab::{Asked, Load, Network, Outcome, Scenario, Tunnel, tally};
use leadsman_wire::engine::{
    Arrival, Ask, Engine, Framing, KernelStamp, PeerKey, Reading, Received, Stamp,
};
use leadsman_wire::{Family, Protocol, RequestOptions, Ttl};

use crate::ended::Told;
use crate::scenarios::{check, load, scenarios};

/// An engine of each family with the kernel that it thinks it has.
struct Host {
    network: Network,
    engines: [Engine; 2],
    peers: Vec<PeerKey>,
    addresses: Vec<IpAddr>,
    /// Whose peer of which family that is, by its index.
    hosts: [Vec<usize>; 2],
    told: Told,
    asked: Vec<(usize, u64)>,
}

impl Host {
    fn new(scenario: &Scenario) -> Self {
        let load = load(scenario);
        let options = RequestOptions {
            ttl: Ttl::new(load.ttl),
            payload_size: load.size,
            ..RequestOptions::default()
        };
        let header = Framing::Header { ttl: 64 };
        let mut engines = [
            Engine::new(Family::V4, header, 0x1230, 16),
            Engine::new(Family::V6, Framing::Message, 0x4560, 16),
        ];
        let mut hosts = [Vec::new(), Vec::new()];
        let addresses = load.addresses();
        let peers = addresses.iter().enumerate().map(|(host, address)| {
            let family = usize::from(address.is_ipv6());
            let peer = engines[family].admit(*address, &options);
            assert_eq!(peer.index(), hosts[family].len());
            hosts[family].push(host);
            peer
        });
        Self {
            network: Network::new(scenario).expect("it is a network"),
            peers: peers.collect(),
            engines,
            addresses,
            hosts,
            told: Told::nothing(load),
            asked: Vec::new(),
        }
    }

    /// Sends a request, as the kernel would.
    fn ask(&mut self, asked: Asked, load: &Load) {
        let address = self.addresses[asked.host];
        let family = usize::from(address.is_ipv6());
        let ask = Ask {
            ttl: None,
            peer: self.peers[asked.host],
            sequence: asked.sequence,
            wait: *load.wait,
            asked: reading(asked.at).at,
            padding: 0,
        };
        let mut bytes = Vec::new();
        let mut out = |_, heard| self.told.hear(asked.host, heard);
        let engine = &mut self.engines[family];
        let Some(key) = engine.ask(ask, reading(asked.at), &mut bytes, &mut out) else {
            return;
        };
        let packet = match address {
            IpAddr::V4(_) => {
                bytes[12..16].copy_from_slice(&[10, 0, 0, 1]);
                bytes
            }
            IpAddr::V6(_) => {
                let header = Header {
                    source: Tunnel::V6.into(),
                    destination: address,
                    ttl: load.ttl,
                    tos: 0,
                    protocol: ICMPV6,
                };
                Packet::build(header, &bytes, 2).into_bytes()
            }
        };
        let record = self.network.inject(asked.at, &packet);
        assert_eq!(record, Some(self.asked.len()));
        self.asked.push((asked.host, asked.sequence));
        engine.departed(key, stamp(asked.at));
    }

    /// Lets time pass: what arrives is handed to the engines.
    fn pass(&mut self, until: Duration) {
        while let Some(at) = self.network.next().filter(|at| *at <= until) {
            while let Some(delivery) = self.network.due(at) {
                self.hear(delivery.packet, at);
            }
        }
    }

    fn hear(&mut self, packet: Vec<u8>, at: Duration) {
        let packet = Packet::read(packet).expect("the network delivers packets");
        // The kernel keeps broken ICMPv6 to itself.
        if !packet.is_v4() && !packet.is_intact() {
            return;
        }
        let received = Received {
            protocol: Protocol::Icmp,
            ports: None,
            bytes: if packet.is_v4() {
                packet.bytes()
            } else {
                packet.transport()
            },
            named: packet.source(),
            hop_limit: Some(packet.ttl()),
            error: None,
        };
        let arrival = Arrival {
            user: reading(at),
            kernel: Some(stamp(at)),
        };
        let family = usize::from(!packet.is_v4());
        let (hosts, told) = (&self.hosts[family], &mut self.told);
        let mut out = |peer: PeerKey, heard| told.hear(hosts[peer.index()], heard);
        self.engines[family].heard(&received, arrival, &mut out);
    }

    fn expire(&mut self, now: Duration) {
        for (engine, hosts) in self.engines.iter_mut().zip(&self.hosts) {
            let mut out = |peer: PeerKey, heard| self.told.hear(hosts[peer.index()], heard);
            engine.expire(reading(now).at, 0, &mut out);
        }
    }

    fn in_flight(&self) -> usize {
        self.engines.iter().map(Engine::in_flight).sum()
    }
}

fn reading(at: Duration) -> Reading {
    Reading {
        at: Stamp::from_nanos(at.as_nanos() as u64),
        offset: OFFSET,
    }
}

fn stamp(at: Duration) -> KernelStamp {
    KernelStamp::new(reading(at).realtime()).expect("it is long after 1970")
}

/// What the clock that people set is ahead of the other.
const OFFSET: i64 = 1_700_000_000_000_000_000;

/// Runs a scenario and holds each request against its record.
fn run(name: &str, scenario: &Scenario) -> Host {
    let load = load(scenario);
    let mut host = Host::new(scenario);
    let mut tick = Duration::ZERO;
    for asked in load.requests() {
        host.pass(asked.at);
        if asked.at >= tick {
            host.expire(asked.at);
            tick = asked.at + Duration::from_millis(5);
        }
        host.ask(asked, load);
    }
    // Until the last late answer has come, at most a minute on each way.
    host.pass(Duration::from_hours(1));
    host.expire(Duration::from_hours(1));
    assert_eq!(host.in_flight(), 0, "{name}");
    assert_eq!(host.network.next(), None, "{name}");
    let records = host.network.records();
    let errors = host
        .told
        .check(name, load, records, &host.asked, Duration::ZERO);
    assert!(errors.iter().all(|error| *error == 0.0), "{name}");
    let tally = tally(records, *load.wait);
    let surplus = tally.get(&Outcome::Surplus).copied().unwrap_or_default();
    assert_eq!(host.told.surplus, surplus, "{name}");
    host
}

#[test]
fn the_engine_agrees_with_the_record_of_every_scenario() {
    for (name, scenario) in scenarios() {
        let host = run(&name, &scenario);
        check(&name, &scenario, &host.network);
    }
}

/// Runs a scenario with many more requests than its file has.
fn run_many(name: &str, hosts: u32, count: u32) {
    let scenarios = scenarios();
    let found = scenarios.into_iter().find(|(found, _)| found == name);
    let (_, mut scenario) = found.expect("there is such a file");
    let load = scenario.load.as_mut().expect("it says what is sent");
    (load.hosts, load.count) = (hosts, count);
    run(name, &scenario);
}

#[test]
fn the_engine_agrees_over_a_million_requests() {
    run_many("loss", 50_000, 10);
}

#[test]
fn the_engine_agrees_over_a_hundred_thousand_requests_in_a_storm() {
    run_many("storm", 1_000, 50);
}
