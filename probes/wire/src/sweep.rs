//! How are a hundred thousand addresses asked at once?
//!
//! On the calling thread, with sockets of its own: nothing is shared, locked or woken. A batch is
//! sent, all that has come is read, and so on, so that the kernel's receive buffer never has to
//! hold more than comes in the time of a batch. Silent addresses hold up nobody: their time runs
//! beside.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::clock::Stamp;
use crate::engine::{Ask, Engine, PeerKey};
use crate::pace::Pace;
use crate::port::{Port, Way};
use crate::{Family, Heard, OpenError, Refusal, RequestOptions, SendError, What, sys};

/// Asks many addresses; keeps its sockets from one run to the next.
#[derive(Debug)]
pub struct Sweep {
    options: RequestOptions,
    v4: Option<Side>,
    v6: Option<Side>,
}

/// How often, how fast and how patiently each address is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Requests to each address, at most.
    pub count: u32,
    /// Whether an address is asked no more once it has sent a good reply.
    pub until_answered: bool,
    /// Time between two requests to one address.
    pub interval: Duration,
    /// How long to wait for each answer: at most 71 minutes.
    pub wait: Duration,
    /// Requests a second to all addresses together; `None` is as fast as this host can.
    pub rate: Option<NonZeroU32>,
}

impl Sweep {
    /// Prepares to ask with these options; opens nothing yet.
    pub fn new(options: RequestOptions) -> Self {
        let source = options.source.map(|source| source.to_canonical());
        Self {
            options: RequestOptions { source, ..options },
            v4: None,
            v6: None,
        }
    }

    /// Asks the addresses and waits until every request has ended, or until `stop` says so, which
    /// is asked at least every 200 milliseconds: then what is in flight does not end.
    ///
    /// `on` is told what becomes of each request, with the address's place in `addresses`. The
    /// requests to one address are numbered from 0. An IPv4-mapped IPv6 address is taken for the
    /// IPv4 address it holds. Blocks the calling thread.
    pub fn run(
        &mut self,
        addresses: &[IpAddr],
        plan: &Plan,
        stop: impl Fn() -> bool,
        on: &mut impl FnMut(usize, Heard),
    ) -> Result<(), OpenError> {
        for family in [Family::V4, Family::V6] {
            let addresses = addresses.iter().map(IpAddr::to_canonical);
            let mut addresses = addresses.filter(|address| Family::of(*address) == family);
            if let Some(first) = addresses.next() {
                self.options.fit(first)?;
                let side = match family {
                    Family::V4 => &mut self.v4,
                    Family::V6 => &mut self.v6,
                };
                let side = match side {
                    Some(side) => side,
                    None => side.insert(Side::open(Way::new(family, &self.options))?),
                };
                side.expect(1 + addresses.count());
            }
        }
        let mut run = Run {
            options: self.options,
            plan,
            sides: [self.v4.as_mut(), self.v6.as_mut()],
            addresses,
            progress: vec![Progress::default(); addresses.len()],
            fresh: 0,
            again: VecDeque::new(),
            pace: plan.rate.map(|rate| Pace::new(rate, burst(rate))),
            expired: Stamp(0),
        };
        while !stop() && run.step(on) {}
        run.close();
        Ok(())
    }

    /// Tells what the kernel's refusal to send to an address means.
    pub fn explain(&self, address: IpAddr, refusal: Refusal) -> SendError {
        SendError::of(refusal, address.to_canonical(), &self.options)
    }
}

/// An address family's part.
#[derive(Debug)]
struct Side {
    port: Port,
    engine: Engine,
    /// Whose peer that is, by its index.
    places: Vec<u32>,
}

impl Side {
    fn open(way: Way) -> Result<Self, OpenError> {
        let (mut port, engine) = Port::open(way)?;
        // Nobody minds when a sweep asks, as long as it does.
        port.hold_back();
        Ok(Self {
            port,
            engine,
            places: Vec::new(),
        })
    }

    /// Makes room for so many more addresses at once.
    fn expect(&mut self, addresses: usize) {
        self.port.expect(&mut self.engine, addresses);
        self.places.reserve_exact(addresses);
    }
}

/// One run under way.
struct Run<'a> {
    options: RequestOptions,
    plan: &'a Plan,
    sides: [Option<&'a mut Side>; 2],
    addresses: &'a [IpAddr],
    progress: Vec<Progress>,
    /// The first address that has not been asked yet.
    fresh: usize,
    /// Addresses that will be asked again, in the order of when.
    again: VecDeque<(Stamp, u32)>,
    pace: Option<Pace>,
    /// When it was last looked whose time is over.
    expired: Stamp,
}

/// How far it has come with one address.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    peer: Option<PeerKey>,
    asked: u32,
    answered: bool,
}

impl Run<'_> {
    /// Sends a batch and reads what has come; `false` when all is done.
    fn step(&mut self, on: &mut impl FnMut(usize, Heard)) -> bool {
        let now = Stamp::now();
        let mut asked = 0;
        while asked < BATCH {
            let Some(next) = self.next(now) else { break };
            self.ask(next, now, on);
            asked += 1;
        }
        let expire = now.since(self.expired) >= TICK;
        if expire {
            self.expired = now;
        }
        let plan = self.plan;
        let progress = &mut self.progress;
        let mut packets = 0;
        let mut in_flight = 0;
        for side in self.sides.iter_mut().flatten() {
            let Side {
                port,
                engine,
                places,
            } = &mut **side;
            let mut out = |peer: PeerKey, heard: Heard| {
                let place = places[peer.index()] as usize;
                progress[place].heard(plan, &heard);
                on(place, heard);
            };
            port.send(engine, &mut out);
            let drained = port.drain(engine, &mut out);
            packets += drained.packets;
            if expire {
                engine.expire(drained.from, port.drops(engine), &mut out);
            }
            in_flight += engine.in_flight();
        }
        if asked < BATCH {
            if in_flight == 0 && self.fresh == self.addresses.len() && self.again.is_empty() {
                return false;
            }
            self.rest(packets > 0);
        }
        true
    }

    /// The place of the next address that may be asked now.
    fn next(&mut self, now: Stamp) -> Option<usize> {
        let room = |side: &&mut Side| side.port.room();
        if !self.sides.iter().flatten().all(room) {
            return None;
        }
        while let Some((_, place)) = self.again.front()
            && self.progress[*place as usize].is_done(self.plan)
        {
            self.again.pop_front();
        }
        let again = self.again.front().filter(|(due, _)| *due <= now);
        if again.is_none() && self.fresh == self.addresses.len()
            || self.pace.as_mut().is_some_and(|pace| !pace.take(now))
        {
            return None;
        }
        if let Some((_, place)) = again.copied() {
            self.again.pop_front();
            return Some(place as usize);
        }
        self.fresh += 1;
        Some(self.fresh - 1)
    }

    fn ask(&mut self, place: usize, now: Stamp, on: &mut impl FnMut(usize, Heard)) {
        let address = self.addresses[place].to_canonical();
        let [v4, v6] = &mut self.sides;
        let side = match Family::of(address) {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        let side = side
            .as_mut()
            .expect("opened for the families of all addresses");
        let Side {
            port,
            engine,
            places,
        } = &mut **side;
        let progress = &mut self.progress[place];
        let peer = *progress.peer.get_or_insert_with(|| {
            let peer = port.admit(engine, address, &self.options);
            places.resize(places.len().max(peer.index() + 1), 0);
            places[peer.index()] = place as u32;
            peer
        });
        let ask = Ask {
            ttl: None,
            peer,
            sequence: progress.asked.into(),
            wait: self.plan.wait,
            asked: now,
            padding: 0,
        };
        progress.asked += 1;
        if !progress.is_done(self.plan) {
            self.again
                .push_back((now.after(self.plan.interval), place as u32));
        }
        port.ask(engine, ask, &mut |_, heard| on(place, heard));
    }

    /// Sleeps until there may be something to do. While answers come it looks now and then rather
    /// than be woken by each: they are stamped already.
    fn rest(&mut self, answers: bool) {
        let now = Stamp::now();
        let mut most = PATIENCE;
        let due = match self.again.front() {
            _ if self.fresh < self.addresses.len() => Some(now),
            again => again.map(|(due, _)| *due),
        };
        if let Some(due) = due {
            let paced = self
                .pace
                .as_ref()
                .map_or(Duration::ZERO, |pace| pace.rest(now));
            most = most.min(due.since(now).max(paced));
        }
        let mut keep = true;
        let mut holds = false;
        for side in self.sides.iter_mut().flatten() {
            if let Some(deadline) = side.engine.next_deadline() {
                most = most.min(deadline.since(now));
            }
            keep &= side.port.answers_keep();
            holds |= side.port.holds();
        }
        if holds {
            most = TICK;
        }
        if most.is_zero() {
            return;
        }
        let lull = self.lull();
        let waited = if keep && (answers || due.is_some() && most <= lull) {
            std::thread::sleep(lull);
            Ok(false)
        } else {
            let answers = self
                .sides
                .iter()
                .flatten()
                .flat_map(|side| side.port.answers());
            sys::wait(answers, Some(most.max(TICK)))
        };
        if let Err(error) = waited
            && error.kind() != io::ErrorKind::Interrupted
        {
            tracing::debug!(%error, "cannot wait for icmp");
            std::thread::sleep(TICK);
        }
    }

    /// How long to let answers and requests gather that nobody waits for.
    fn lull(&self) -> Duration {
        match self.pace {
            Some(_) => TICK,
            None => (self.plan.interval / 128).clamp(TICK, LULL),
        }
    }

    /// Lets the addresses go.
    fn close(&mut self) {
        for progress in &self.progress {
            for side in self.sides.iter_mut().flatten() {
                if let Some(peer) = progress.peer {
                    side.engine.forget(peer);
                }
            }
        }
    }
}

impl Progress {
    fn heard(&mut self, plan: &Plan, heard: &Heard) {
        let reply = |heard: &Heard| matches!(heard, Heard::Answer(answer) if matches!(answer.what, What::Reply { .. }));
        self.answered |= plan.until_answered && reply(heard);
    }

    fn is_done(&self, plan: &Plan) -> bool {
        self.answered || self.asked >= plan.count
    }
}

/// What may leave at once: as much as comes together in two ticks, for a sleep may be late.
fn burst(rate: NonZeroU32) -> u32 {
    rate.get() / 500 + 1
}

/// Requests between two readings.
const BATCH: usize = sys::batch::MOST_SENT;

/// As short as a sleep is worth it.
const TICK: Duration = Duration::from_millis(1);

/// As long as nobody minds that a request to an address that was asked before is late.
const LULL: Duration = Duration::from_millis(4);

/// As long as nobody is asked whether to stop. A person sees no difference to less, and between two
/// rounds there is nothing else to wake for.
const PATIENCE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
