//! How do all flows that go the same way share one pair of sockets?
//!
//! Requests are put into a queue. One plain thread per lane, started when there is first something
//! to wait for, sends them, reads what comes and says whose time is over; so an answer is read in
//! time however busy the runtimes are, and whichever runtime a flow is used from. Being woken is
//! what costs: whoever is about to wait for an answer does the thread's work first, for all that
//! were asked by then, and wakes it only if something is in flight then and it does not listen, or
//! is to look sooner than it would; and while much comes for many flows, the thread looks every
//! `NAP` rather than be woken by each packet and request. The kernel's stamps make good for it. Once
//! no flow has gone this way for a while, the thread closes the sockets and ends.

mod rest;

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use self::rest::{Rest, Traffic};
use crate::clock::Stamp;
use crate::engine::{Ask, Engine, PeerKey};
use crate::inbox::Inbox;
use crate::pace::Pace;
use crate::port::{Drained, Port, Way};
use crate::spacing::Spacing;
use crate::{Heard, Mode, NotSent, OpenError, Refusal, RequestOptions, sys};

/// The sockets of one way, and who waits for what on them.
pub(crate) struct Lane {
    way: Way,
    mode: Mode,
    queue: Mutex<Vec<Ask>>,
    /// Whether the thread was started.
    attended: AtomicBool,
    /// Whether the thread sleeps until it is woken. It is not woken from a nap.
    asleep: AtomicBool,
    wake: File,
    /// One of them can be read when there are answers.
    answers: Vec<OwnedFd>,
    core: Mutex<Core>,
    /// How long it stays open without a flow.
    kept: Duration,
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
    /// Since when there is no flow, if there is none.
    idle: Option<Stamp>,
}

/// All that are open. One is only taken from here under the lock, under which it is closed, too.
static LANES: Mutex<Vec<Arc<Lane>>> = Mutex::new(Vec::new());

impl Lane {
    /// Returns the lane for a way, opened by whoever comes first.
    pub(crate) fn of(way: Way) -> Result<Arc<Self>, OpenError> {
        Self::shared(way, KEPT)
    }

    /// As [`Lane::of`], of one that is `kept` for so long if it is not open yet.
    pub(crate) fn shared(way: Way, kept: Duration) -> Result<Arc<Self>, OpenError> {
        let mut lanes = lock(&LANES);
        if let Some(lane) = lanes.iter().find(|lane| lane.way == way) {
            return Ok(Arc::clone(lane));
        }
        lanes.retain(|lane| !lane.is_left_behind());
        let lane = Self::start(way, Port::open(way)?, kept)?;
        lanes.push(Arc::clone(&lane));
        Ok(lane)
    }

    #[cfg(test)]
    pub(crate) fn is_known(lane: &std::sync::Weak<Self>) -> bool {
        let lanes = lock(&LANES);
        lanes
            .iter()
            .any(|known| Arc::as_ptr(known) == lane.as_ptr())
    }

    /// Puts sockets to use, until there was no flow for as long as they are `kept`.
    pub(crate) fn start(
        way: Way,
        (port, engine): (Port, Engine),
        kept: Duration,
    ) -> Result<Arc<Self>, OpenError> {
        let family = way.family.name();
        let failed = |source| OpenError::Receive { family, source };
        let answers = port.answers().map(|answers| answers.try_clone_to_owned());
        let answers: Result<_, _> = answers.collect();
        Ok(Arc::new(Self {
            way,
            mode: port.mode(),
            queue: Mutex::default(),
            attended: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            wake: sys::event().map_err(failed)?,
            answers: answers.map_err(failed)?,
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
                idle: Some(Stamp::now()),
            }),
            kept,
        }))
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Takes a flow in: what becomes of its requests goes to its inbox.
    pub(crate) fn admit(
        &self,
        destination: IpAddr,
        options: &RequestOptions,
        inbox: Arc<Inbox>,
    ) -> PeerKey {
        let mut core = lock(&self.core);
        let Core {
            port,
            engine,
            inboxes,
            spacing,
            idle,
            ..
        } = &mut *core;
        *idle = None;
        let peer = port.admit(engine, destination, options);
        inboxes.resize(inboxes.len().max(peer.index() + 1), None);
        inboxes[peer.index()] = Some(inbox);
        spacing.admit(destination, peer);
        peer
    }

    /// The identifier or source port of a flow's requests.
    pub(crate) fn source_id(&self, peer: PeerKey) -> u16 {
        lock(&self.core).engine.source_id(peer)
    }

    /// Lets a flow go: what still comes for its requests is nobody's.
    pub(crate) fn forget(&self, peer: PeerKey) {
        let mut core = lock(&self.core);
        core.spacing.forget(peer);
        core.engine.forget(peer);
        core.inboxes[peer.index()] = None;
        if core.engine.peers() == 0 {
            core.idle = Some(Stamp::now());
        }
    }

    /// Has a request sent by whoever next calls [`Lane::flush`].
    pub(crate) fn ask(&self, ask: Ask) {
        lock(&self.queue).push(ask);
    }

    /// Has the thread look, unless it naps.
    pub(crate) fn hasten(self: &Arc<Self>) {
        if !self.attended.load(Ordering::Acquire) {
            self.attend();
        } else if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            // It cannot be full: it is read before the thread sleeps again.
            let written = (&self.wake).write(&1_u64.to_ne_bytes());
            debug_assert!(written.is_ok(), "{written:?}");
        }
    }

    /// Starts the thread, unless there is one. Where the system has none, all that was asked ends:
    /// nobody would hear what comes of it.
    fn attend(self: &Arc<Self>) {
        if self.attended.swap(true, Ordering::AcqRel) {
            return;
        }
        let its_own = Arc::clone(self);
        let (protocol, family) = (self.way.protocol.name(), self.way.family.name());
        let started = std::thread::Builder::new()
            .name(format!("{protocol}-{family}"))
            .spawn(move || its_own.run());
        if let Err(error) = started {
            self.attended.store(false, Ordering::Release);
            self.give_up(&error);
        }
    }

    /// Ends all that was asked.
    fn give_up(&self, why: &io::Error) {
        let refusal = Refusal::Unheard(why.raw_os_error().unwrap_or_default());
        let mut woken = Vec::new();
        {
            let mut core = lock(&self.core);
            self.tick(&mut core, &mut woken);
            let Core {
                engine,
                inboxes,
                taken,
                ..
            } = &mut *core;
            let mut out = |peer: PeerKey, heard| {
                let inbox = inboxes[peer.index()].as_ref();
                woken.extend(inbox.and_then(|inbox| inbox.put(heard)));
            };
            for Ask { peer, sequence, .. } in taken.drain(..) {
                out(peer, Heard::NotSent(NotSent { sequence, refusal }));
            }
            engine.give_up(refusal, &mut out);
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether requests wait to be sent.
    fn is_asked(&self) -> bool {
        !lock(&self.queue).is_empty()
    }

    /// Sends what was asked, and reads what has come, on the caller's thread.
    pub(crate) fn flush(self: &Arc<Self>) {
        self.work(|| self.is_asked());
    }

    /// Does what the thread would do now, on the caller's.
    pub(crate) fn settle(self: &Arc<Self>) {
        self.work(|| true);
    }

    fn work(self: &Arc<Self>, is_wanted: impl FnOnce() -> bool) {
        let mut woken = Vec::new();
        let is_thread_needed = {
            let mut core = lock(&self.core);
            // Somebody else may have done it meanwhile.
            if !is_wanted() {
                return;
            }
            self.tick(&mut core, &mut woken);
            if self.attended.load(Ordering::Acquire) {
                core.next_rest(self.kept).is_less_than(core.rest)
            } else {
                core.has_work()
            }
        };
        if is_thread_needed {
            self.hasten();
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Works until the lane is closed.
    fn run(self: Arc<Self>) {
        let mut woken = Vec::new();
        loop {
            let (rest, is_deserted) = {
                let mut core = lock(&self.core);
                self.tick(&mut core, &mut woken);
                core.rest = core.next_rest(self.kept);
                let naps = matches!(core.rest, Rest::Nap(_));
                // Before the lock is released, so that whoever then adds to the work finds it.
                self.asleep.store(!naps, Ordering::SeqCst);
                (core.rest, core.is_deserted(self.kept))
            };
            woken.drain(..).for_each(Waker::wake);
            if is_deserted && self.has_closed() {
                tracing::debug!(way = ?self.way, "sockets are closed, for no flow has gone this way for long");
                return;
            }
            match rest {
                Rest::Nap(until) => std::thread::sleep(until.since(Stamp::now())),
                Rest::Listen(until) => self.sleep(&self.answers, until),
                Rest::Sleep(until) => self.sleep(&[], until),
            }
        }
    }

    /// Sees to it that nobody gets this lane any more, unless somebody just did.
    fn has_closed(self: &Arc<Self>) -> bool {
        let mut lanes = lock(&LANES);
        // One is this thread's, and one in there.
        if Arc::strong_count(self) > 2 {
            lock(&self.core).idle = Some(Stamp::now());
            return false;
        }
        lanes.retain(|lane| !Arc::ptr_eq(lane, self));
        true
    }

    /// Whether nobody has used it for long, nor is there a thread that would close it.
    fn is_left_behind(self: &Arc<Self>) -> bool {
        !self.attended.load(Ordering::Acquire)
            && Arc::strong_count(self) == 1
            && lock(&self.core).is_deserted(self.kept)
    }

    /// Sleeps until there are `answers`, somebody hastens it or the time has come.
    fn sleep(&self, answers: &[OwnedFd], until: Stamp) {
        // What was asked before anybody could know that this thread sleeps.
        if self.is_asked() {
            self.asleep.store(false, Ordering::SeqCst);
            return;
        }
        let most = Some(until.since(Stamp::now()));
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
            // Of as many as may leave: then the processor waits once for all that is in no cache.
            for ask in taken.iter().take(BURST as usize) {
                engine.touch(ask.peer);
                black_box(inboxes[ask.peer.index()].as_ref().map(Arc::strong_count));
            }
            port.send(engine, &mut out);
            for ask in taken.drain(..) {
                let mut must_wait =
                    || port.is_full() || !spacing.take(ask.peer, now) || !pace.take(now);
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
    /// Whether there was no flow for as long as the lane is `kept`.
    fn is_deserted(&self, kept: Duration) -> bool {
        let idle = self.idle.map(|since| Stamp::now().since(since));
        idle.is_some_and(|idle| idle >= kept)
    }

    /// Whether there is something to wait for.
    fn has_work(&self) -> bool {
        self.engine.in_flight() > 0 || self.port.holds() || !self.taken.is_empty()
    }

    /// How long there is nothing to do, unless something happens.
    fn next_rest(&mut self, kept: Duration) -> Rest {
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
        let end = self.engine.next_deadline();
        Rest::Listen(end.unwrap_or_else(|| self.idle.unwrap_or(now).after(kept)))
    }
}

/// How long the thread naps while traffic is heavy. Measured over a pair of virtual interfaces, a
/// request costs the thread 36 us at 1,000/s when each wakes it, and at 5,000/s 17, 14 and 12 us with
/// naps of 1, 2 and 4 ms; from 50,000/s on it makes no difference. Requests leave late by as much.
const NAP: Duration = Duration::from_millis(4);

/// How soon is read what comes while nothing is in flight, and nobody waits for.
const UNASKED: Duration = Duration::from_millis(100);

/// Flows from which on nobody waits for one answer to ask for the next.
const MANY: usize = 64;

/// How long a lane stays open without a flow: longer than it is until who probes now and then does
/// so again, for opening takes a millisecond.
const KEPT: Duration = Duration::from_mins(5);

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
            &RequestOptions::default(),
        );
        let Ok(port) = Port::open(way) else {
            return;
        };
        let lane = Lane::start(way, port, KEPT).unwrap();
        lane.attend();
        (&lane.wake).write_all(&1_u64.to_ne_bytes()).unwrap();
        let wakes = || sys::wait([lane.wake.as_fd()].into_iter(), Some(Duration::ZERO)).unwrap();
        let begin = Stamp::now();
        while wakes() {
            assert!(Stamp::now().since(begin) < Duration::from_secs(20));
            std::thread::yield_now();
        }
    }
}
