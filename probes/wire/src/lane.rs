//! How do all flows that go the same way share one pair of sockets?
//!
//! Requests are put into a queue. One plain thread per lane sends them, reads what comes and says
//! whose time is over; so an answer is read in time however busy the runtimes are, and whichever
//! runtime a flow is used from. Being woken is what costs: whoever is about to wait for an answer
//! does the thread's work first, for all that were asked by then, and wakes it only if something is
//! in flight then and it does not listen, or is to look sooner than it would; and while much comes
//! for many flows, the thread looks every [`NAP`] rather than be woken by each packet and request. The kernel's stamps make good for it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::clock::Stamp;
use crate::engine::{Ask, Engine, PeerKey};
use crate::inbox::Inbox;
use crate::pace::Pace;
use crate::port::{Drained, Port, Way};
use crate::spacing::Spacing;
use crate::{EchoOptions, Mode, OpenError, sys};

/// The sockets of one way, and who waits for what on them.
pub(crate) struct Lane {
    way: Way,
    mode: Mode,
    queue: Mutex<Vec<Ask>>,
    /// Whether the thread sleeps until it is woken. It is not woken from a nap.
    asleep: AtomicBool,
    wake: File,
    /// One of them can be read when there are answers.
    answers: Vec<OwnedFd>,
    core: Mutex<Core>,
}

/// What sending and receiving need to themselves.
struct Core {
    port: Port,
    engine: Engine,
    /// By the peers' indexes.
    inboxes: Vec<Option<Arc<Inbox>>>,
    /// Requests taken from the queue, after those that came too fast the last time.
    taken: Vec<Ask>,
    /// Those that come too fast.
    later: Vec<Ask>,
    pace: Pace,
    spacing: Spacing,
    traffic: Traffic,
    /// What the thread rests in.
    rest: Rest,
}

impl Lane {
    /// Returns the lane for a way, opened by whoever comes first.
    pub(crate) fn of(way: Way) -> Result<&'static Self, OpenError> {
        static LANES: Mutex<Vec<&'static Lane>> = Mutex::new(Vec::new());
        let mut lanes = lock(&LANES);
        if let Some(lane) = lanes.iter().find(|lane| lane.way == way) {
            return Ok(lane);
        }
        let lane = Self::start(way, Port::open(way)?)?;
        lanes.push(lane);
        Ok(lane)
    }

    /// Puts sockets to use for as long as the process lives.
    pub(crate) fn start(
        way: Way,
        (port, engine): (Port, Engine),
    ) -> Result<&'static Self, OpenError> {
        let family = way.family.name();
        let thread = |source| OpenError::Thread { family, source };
        let answers = port.answers().map(|answers| answers.try_clone_to_owned());
        let answers: Result<_, _> = answers.collect();
        let lane: &'static Self = Box::leak(Box::new(Self {
            way,
            mode: port.mode(),
            queue: Mutex::default(),
            asleep: AtomicBool::new(false),
            wake: sys::event().map_err(thread)?,
            answers: answers.map_err(thread)?,
            core: Mutex::new(Core {
                port,
                engine,
                inboxes: Vec::new(),
                taken: Vec::new(),
                later: Vec::new(),
                pace: Pace::new(RATE, BURST),
                spacing: Spacing::default(),
                traffic: Traffic::default(),
                rest: Rest::Nap(Stamp::default()),
            }),
        }));
        std::thread::Builder::new()
            .name(format!("{}-{family}", way.protocol.name()))
            .spawn(|| lane.run())
            .map_err(thread)?;
        Ok(lane)
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Takes a flow in: what becomes of its requests goes to its inbox.
    pub(crate) fn admit(
        &self,
        destination: IpAddr,
        options: &EchoOptions,
        inbox: Arc<Inbox>,
    ) -> PeerKey {
        let mut core = lock(&self.core);
        let Core {
            port,
            engine,
            inboxes,
            spacing,
            ..
        } = &mut *core;
        let peer = port.admit(engine, destination, options);
        inboxes.resize(inboxes.len().max(peer.index() + 1), None);
        inboxes[peer.index()] = Some(inbox);
        spacing.admit(destination);
        peer
    }

    /// The identifier or source port of a flow's requests.
    pub(crate) fn source_id(&self, peer: PeerKey) -> u16 {
        lock(&self.core).engine.source_id(peer)
    }

    /// Lets a flow go: what still comes for its requests is nobody's.
    pub(crate) fn forget(&self, peer: PeerKey) {
        let mut core = lock(&self.core);
        if let Some(destination) = core.engine.destination(peer) {
            core.spacing.forget(destination);
        }
        core.engine.forget(peer);
        core.inboxes[peer.index()] = None;
    }

    /// Has a request sent by whoever next calls [`Lane::flush`].
    pub(crate) fn ask(&self, ask: Ask) {
        lock(&self.queue).push(ask);
    }

    /// Has the thread look, unless it naps.
    pub(crate) fn hasten(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            // It cannot be full: it is read before the thread sleeps again.
            let written = (&self.wake).write(&1_u64.to_ne_bytes());
            debug_assert!(written.is_ok(), "{written:?}");
        }
    }

    /// Whether requests wait to be sent.
    fn is_asked(&self) -> bool {
        !lock(&self.queue).is_empty()
    }

    /// Sends what was asked, and reads what has come, on the caller's thread.
    pub(crate) fn flush(&self) {
        let mut woken = Vec::new();
        {
            let mut core = lock(&self.core);
            // Somebody else may have sent it meanwhile.
            if !self.is_asked() {
                return;
            }
            self.tick(&mut core, &mut woken);
            if core.next_rest().is_less_than(core.rest) {
                self.hasten();
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Does what the thread would do now, on the caller's.
    pub(crate) fn settle(&self) {
        let mut woken = Vec::new();
        self.tick(&mut lock(&self.core), &mut woken);
        woken.into_iter().for_each(Waker::wake);
    }

    fn run(&self) -> ! {
        let mut woken = Vec::new();
        loop {
            let rest = {
                let mut core = lock(&self.core);
                self.tick(&mut core, &mut woken);
                core.rest = core.next_rest();
                let naps = matches!(core.rest, Rest::Nap(_));
                // Before the lock is released, so that whoever then adds to the work finds it.
                self.asleep.store(!naps, Ordering::SeqCst);
                core.rest
            };
            woken.drain(..).for_each(Waker::wake);
            match rest {
                Rest::Nap(until) => std::thread::sleep(until.since(Stamp::now())),
                Rest::Listen(until) => self.sleep(&self.answers, until),
                Rest::Sleep(until) => self.sleep(&[], Some(until)),
            }
        }
    }

    /// Sleeps until there are `answers`, somebody hastens it or the time has come.
    fn sleep(&self, answers: &[OwnedFd], until: Option<Stamp>) {
        // What was asked before anybody could know that this thread sleeps.
        if self.is_asked() {
            self.asleep.store(false, Ordering::SeqCst);
            return;
        }
        let most = until.map(|until| until.since(Stamp::now()));
        let answers = answers.iter().map(OwnedFd::as_fd);
        let woken = sys::wait([self.wake.as_fd()].into_iter().chain(answers), most).unwrap_or_else(
            |error| {
                if error.kind() != io::ErrorKind::Interrupted {
                    // The kernel is short of memory, which does not last.
                    tracing::debug!(%error, way = ?self.way, "cannot wait for answers");
                    std::thread::yield_now();
                }
                false
            },
        );
        self.asleep.store(false, Ordering::SeqCst);
        if woken {
            let mut count = [0; 8];
            // A waker that is slow to write wakes the next sleep, for nothing.
            let read = (&self.wake).read(&mut count);
            debug_assert!(read.is_ok(), "{read:?}");
        }
    }

    /// Reads what has come, sends what was asked, and says whose time is over.
    fn tick(&self, core: &mut Core, woken: &mut Vec<Waker>) {
        let Core {
            port,
            engine,
            inboxes,
            taken,
            later,
            pace,
            spacing,
            traffic,
            ..
        } = core;
        let mut out = |peer: PeerKey, heard| {
            let inbox = inboxes[peer.index()].as_ref();
            woken.extend(inbox.and_then(|inbox| inbox.put(heard)));
        };
        // With nothing in flight there is nothing that has to be read before what is asked leaves.
        let mut drained = if engine.in_flight() == 0 && self.is_asked() {
            Drained::nothing()
        } else {
            port.drain(engine, &mut out)
        };
        let mut packets = drained.packets;
        if taken.is_empty() {
            std::mem::swap(taken, &mut *lock(&self.queue));
        } else {
            taken.append(&mut lock(&self.queue));
        }
        if !taken.is_empty() || port.holds() {
            let now = drained.from;
            port.send(engine, &mut out);
            for ask in taken.drain(..) {
                let mut must_wait = || {
                    let to = engine.destination(ask.peer);
                    port.is_full()
                        || to.is_some_and(|to| !spacing.take(to, ask.peer, now))
                        || !pace.take(now)
                };
                // One whose time is over takes nobody's turn: it is not sent.
                if !ask.is_over(now) && must_wait() {
                    later.push(ask);
                    continue;
                }
                if !port.room() {
                    port.send(engine, &mut out);
                }
                port.ask(engine, ask, &mut out);
            }
            std::mem::swap(taken, later);
            if !port.is_full() {
                port.send(engine, &mut out);
            }
            drained = port.drain(engine, &mut out);
            packets += drained.packets;
        }
        engine.expire(drained.from, port.drops(engine), &mut out);
        traffic.saw(packets, drained.from);
    }
}

impl Core {
    /// How long there is nothing to do, unless something happens.
    fn next_rest(&mut self) -> Rest {
        let now = Stamp::now();
        if self.port.holds() || !self.taken.is_empty() {
            return Rest::Nap(now.after(TICK));
        }
        if self.port.answers_keep() {
            if self.engine.in_flight() == 0 && self.engine.peers() > 0 {
                return Rest::Sleep(now.after(UNASKED));
            }
            if self.traffic.is_heavy && self.engine.peers() >= MANY {
                return Rest::Nap(now.after(NAP));
            }
        }
        Rest::Listen(self.engine.next_deadline())
    }
}

/// How a thread rests, and until when at most.
#[derive(Debug, Clone, Copy)]
enum Rest {
    /// Nothing is to end it.
    Nap(Stamp),
    /// Packets and requests end it.
    Listen(Option<Stamp>),
    /// Requests end it: what comes late or again is in no haste.
    Sleep(Stamp),
}

impl Rest {
    /// Whether something ends this rest that does not end `other`.
    fn is_less_than(self, other: Self) -> bool {
        let sooner = |end| other.end().is_none_or(|other| end < other);
        match (self, other) {
            (Self::Sleep(_), _) => false,
            (Self::Listen(_), Self::Sleep(_)) => true,
            _ => self.end().is_some_and(sooner),
        }
    }

    fn end(self) -> Option<Stamp> {
        match self {
            Self::Listen(until) => until,
            Self::Nap(until) | Self::Sleep(until) => Some(until),
        }
    }
}

/// How much comes.
#[derive(Debug, Default)]
struct Traffic {
    packets: usize,
    since: Stamp,
    is_heavy: bool,
}

impl Traffic {
    fn saw(&mut self, packets: usize, now: Stamp) {
        self.packets += packets;
        let time = now.since(self.since);
        if time >= SEEN {
            let each = time.checked_div(self.packets as u32);
            *self = Self {
                packets: 0,
                since: now,
                is_heavy: each.is_some_and(|each| each < HEAVY),
            };
        }
    }
}

/// How long the thread naps while traffic is heavy. Measured over a pair of virtual interfaces, a
/// request costs the thread 36 us at 1,000/s when each wakes it, and at 5,000/s 17, 14 and 12 us with
/// naps of 1, 2 and 4 ms; from 50,000/s on it makes no difference. Requests leave late by as much.
const NAP: Duration = Duration::from_millis(4);

/// Traffic is heavy while packets come faster than this, over [`SEEN`].
const HEAVY: Duration = Duration::from_millis(2);
const SEEN: Duration = Duration::from_millis(20);

/// How soon is read what comes while nothing is in flight, and nobody waits for.
const UNASKED: Duration = Duration::from_millis(100);

/// Flows from which on nobody waits for one answer to ask for the next.
const MANY: usize = 64;

/// When requests are tried again that there was no room for, or that came too fast.
const TICK: Duration = Duration::from_millis(1);

/// Packets a second that leave by one lane at most, and how many at once.
const RATE: NonZeroU32 = NonZeroU32::new(100_000).expect("not 0");
const BURST: u32 = 256;

/// Without its requests, of which there may be a million.
impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("way", &self.way)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Locks even what a panicking thread left: each change under these locks is whole in itself, and
/// one flow's fault must not silence the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::Family;

    /// Whoever wakes the thread may be slow to, and the thread have been woken by a packet.
    #[test]
    fn a_wake_that_comes_too_late_is_for_nothing_but_once() {
        let way = Way::new(
            Family::of(Ipv4Addr::LOCALHOST.into()),
            &EchoOptions::default(),
        );
        let Ok(port) = Port::open(way) else {
            return;
        };
        let lane = Lane::start(way, port).unwrap();
        (&lane.wake).write_all(&1_u64.to_ne_bytes()).unwrap();
        let wakes = || sys::wait([lane.wake.as_fd()].into_iter(), Some(Duration::ZERO)).unwrap();
        let begin = Stamp::now();
        while wakes() {
            assert!(Stamp::now().since(begin) < Duration::from_secs(20));
            std::thread::yield_now();
        }
    }
}
