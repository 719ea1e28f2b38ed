//! Does every request end exactly once, whatever happens in whatever order?

use std::collections::HashMap;

use super::*;

/// What a network and a host may do to requests, with its own account of them.
struct World {
    random: fastrand::Rng,
    engine: Engine,
    now: u64,
    peers: Vec<PeerKey>,
    /// The next number of each peer's requests.
    next: HashMap<PeerKey, u64>,
    /// Those that were asked, and how often they ended.
    ends: HashMap<(PeerKey, u64), u32>,
    packets: Vec<(Key, Vec<u8>)>,
    forgotten: usize,
}

#[test]
fn every_request_ends_exactly_once() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        for _ in 0..2_000 {
            world.step();
            world.check();
        }
        world.now += 10_000;
        world.expire();
        world.check();
        assert_eq!(world.engine.in_flight(), 0);
        let ended = world.ends.values().filter(|ends| **ends == 1).count();
        assert_eq!(ended + world.forgotten, world.ends.len(), "seed {seed}");
    }
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            engine: Engine::new(Family::V4, Framing::Header { ttl: 64 }, FIRST, 2),
            now: 0,
            peers: Vec::new(),
            next: HashMap::new(),
            ends: HashMap::new(),
            packets: Vec::new(),
            forgotten: 0,
        }
    }

    fn step(&mut self) {
        match self.random.u8(..100) {
            0..4 => {
                let target = Ipv4Addr::from(self.random.u32(..));
                let peer = self.engine.admit(target.into(), &RequestOptions::default());
                self.peers.push(peer);
            }
            4..6 if !self.peers.is_empty() => {
                let peer = self
                    .peers
                    .swap_remove(self.random.usize(..self.peers.len()));
                self.engine.forget(peer);
                let lost =
                    |((whose, _), ends): &(&(PeerKey, u64), &u32)| *whose == peer && **ends == 0;
                self.forgotten += self.ends.iter().filter(lost).count();
            }
            6..50 if !self.peers.is_empty() => self.ask(),
            50..54 => self.now += self.random.u64(..30),
            54..60 => self.expire(),
            60..64 => self.refuse(),
            _ => self.deliver(),
        }
    }

    fn ask(&mut self) {
        let peer = self.peers[self.random.usize(..self.peers.len())];
        let next = self.next.entry(peer).or_default();
        let ask = Ask {
            ttl: None,
            peer,
            sequence: *next,
            wait: Duration::from_millis(self.random.u64(..3_000)),
            asked: ms(self.now.saturating_sub(self.random.u64(..20))),
            padding: 0,
        };
        *next += 1;
        self.ends.insert((peer, ask.sequence), 0);
        let mut packet = Vec::new();
        let (engine, ends) = (&mut self.engine, &mut self.ends);
        let mut out = |peer, heard: Heard| count(ends, peer, &heard);
        if let Some(key) = engine.ask(ask, reading(self.now), &mut packet, &mut out) {
            self.packets.push((key, packet));
        }
    }

    fn expire(&mut self) {
        let (engine, ends) = (&mut self.engine, &mut self.ends);
        let drops = self.random.u32(..2);
        engine.expire(ms(self.now), drops, &mut |peer, heard| {
            count(ends, peer, &heard);
        });
    }

    fn refuse(&mut self) {
        if let Some((key, _)) = self.random.choice(&self.packets) {
            let (engine, ends) = (&mut self.engine, &mut self.ends);
            let mut out = |peer, heard: Heard| count(ends, peer, &heard);
            engine.unsent(*key, Refusal::Kernel(libc::EPERM), &mut out);
        }
    }

    /// An answer to any request so far, good or not, perhaps damaged, perhaps again.
    fn deliver(&mut self) {
        if self.packets.is_empty() {
            return;
        }
        let (key, request) = &self.packets[self.random.usize(..self.packets.len())];
        let mut packet = match self.random.u8(..10) {
            0 => unreachable(request, self.random.usize(20..=request.len())),
            1 => reply_from(OTHER, request),
            _ => reply(request),
        };
        if self.random.u8(..10) == 0 {
            let at = self.random.usize(..packet.len());
            packet[at] ^= self.random.u8(..);
        }
        if self.random.bool() {
            self.engine.departed(*key, stamp(self.now).unwrap());
        }
        let received = Received {
            protocol: Protocol::Icmp,
            ports: None,
            bytes: &packet,
            named: TARGET.into(),
            hop_limit: None,
            error: None,
        };
        let arrival = Arrival {
            user: reading(self.now),
            kernel: stamp(self.now.saturating_sub(self.random.u64(..50))),
        };
        let (engine, ends) = (&mut self.engine, &mut self.ends);
        engine.heard(&received, arrival, &mut |peer, heard| {
            count(ends, peer, &heard);
        });
    }

    /// sent = ended + in flight, but for what nobody wants to hear any more.
    fn check(&self) {
        let open = self.ends.values().filter(|ends| **ends == 0).count();
        assert_eq!(self.engine.in_flight() + self.forgotten, open);
    }
}

fn count(ends: &mut HashMap<(PeerKey, u64), u32>, peer: PeerKey, heard: &Heard) {
    let ended = ends
        .get_mut(&(peer, heard.sequence()))
        .expect("it was asked");
    if heard.is_end() {
        *ended += 1;
        assert_eq!(*ended, 1, "{heard:?}");
    } else {
        assert_eq!(
            *ended, 1,
            "nothing is late or a duplicate before the end: {heard:?}"
        );
    }
}
