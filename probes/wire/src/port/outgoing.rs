//! How are requests handed to the kernel, and what becomes of those that it does not take?
//!
//! A batch is built into one stretch of memory that is used again and again. One moment is noted
//! for a batch, which the kernel's stamps make good for each packet; where it makes none, batches
//! are so small that the moment is right to within some 40 µs.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockAddr, Socket};

use super::control;
use super::socket::{self, PLAIN_PORTS, Sockets, Way};
use super::stamping::Departures;
use crate::clock::{Reading, Stamp};
use crate::engine::{Ask, Engine, Framing, Key, PeerKey};
use crate::header::{IP_HEADER, TTL};
use crate::heard::{Heard, Refusal};
use crate::sys::batch::{self, MOST_SENT, Parcel};
use crate::{Family, Mode, RequestOptions, Ttl, udp};

/// Requests that wait to be sent.
pub(super) struct Outgoing {
    way: Way,
    packets: Vec<u8>,
    controls: Vec<u8>,
    waiting: Vec<Waiting>,
    /// How many of those have been sent.
    done: usize,
    /// When the first of those was asked.
    reading: Option<Reading>,
    /// What the kernel is told for each peer, by its index.
    told: Vec<ToldFor>,
    /// The control messages of the last peer with its options, for most are told the same.
    alike: Option<(RequestOptions, Arc<[u8]>)>,
    /// Sends what would have to be fragmented, which packets with their header are not.
    fragmenting: Option<Socket>,
    /// How the sockets are set at present, if the kernel writes the headers.
    dont_fragment: [bool; PLAIN_PORTS as usize],
    /// Requests whose stamp has not been read.
    unread: usize,
    /// Requests since the last stamp: some devices make none.
    unstamped: usize,
    /// How often the first request that waits was refused.
    attempts: u16,
    /// How often there was no room for it, once a tick.
    full_ticks: u16,
    /// After how many such ticks it is given up.
    most_full_ticks: u16,
    /// When the kernel last had no room and what it said, until it is asked again.
    full: Option<(Stamp, i32)>,
}

struct Waiting {
    key: Key,
    ask: Ask,
    to: SockAddr,
    packet: Range<usize>,
    control: Range<usize>,
    by: By,
}

/// What a request is sent by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The socket in this place of those that send, with DF set or not if that is a matter of the
    /// socket.
    Usual {
        place: usize,
        dont_fragment: bool,
    },
    Fragmenting,
}

#[derive(Debug, Default)]
struct ToldFor {
    control: Arc<[u8]>,
    /// In network byte order, as in an address.
    flow_label: u32,
    dont_fragment: bool,
    port: u16,
    fragments: bool,
}

/// Why not all was sent.
pub(super) enum Later {
    /// There was no room; there may be on the next tick.
    Tick,
    /// The error queue has to be read first.
    Cleared,
    /// As before, and then the kernel's count of what it sent begins anew.
    Counted,
}

impl Outgoing {
    pub(super) fn new(way: Way) -> Self {
        Self {
            way,
            packets: Vec::new(),
            controls: Vec::new(),
            waiting: Vec::new(),
            done: 0,
            reading: None,
            told: Vec::new(),
            alike: None,
            fragmenting: None,
            dont_fragment: [false; _],
            unread: 0,
            unstamped: 0,
            attempts: 0,
            full_ticks: 0,
            most_full_ticks: ATTEMPTS,
            full: None,
        }
    }

    /// Makes room for so many more peers at once.
    pub(super) fn expect(&mut self, peers: usize) {
        self.told.reserve_exact(peers);
    }

    /// From now on waits for room for some ten seconds. Meanwhile requests count as not asked yet, so
    /// that this is for whoever has no moment to keep at which they are to leave.
    pub(super) fn hold_back(&mut self) {
        self.most_full_ticks = HELD_BACK;
    }

    pub(super) fn admit(&mut self, peer: PeerKey, mode: Mode, options: &RequestOptions) {
        let family = self.way.family;
        if self.told.len() <= peer.index() {
            self.told.resize_with(peer.index() + 1, ToldFor::default);
        }
        let control = match &self.alike {
            Some((known, control)) if known == options => Arc::clone(control),
            _ => {
                let control = control::for_packets(family, options);
                self.alike = Some((*options, Arc::clone(&control)));
                control
            }
        };
        self.told[peer.index()] = ToldFor {
            control,
            flow_label: options.flow_label.map_or(0, |label| label.number().to_be()),
            // In a header that we write it is a bit of that.
            dont_fragment: options.dont_fragment && (family == Family::V6 || mode != Mode::Raw),
            // A raw socket has no ports.
            port: if mode == Mode::Udp { options.port } else { 0 },
            fragments: false,
        };
    }

    pub(super) fn fragmenting(&self) -> Option<&Socket> {
        self.fragmenting.as_ref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the kernel had no room, and was not asked again.
    pub(super) fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Whether so many stamps may wait in the error queue that they should be read, answers or not.
    pub(super) fn stamps_pile_up(&self) -> bool {
        self.unread >= STAMPS
    }

    /// Notes that the error queue was read, and how many stamps were in it.
    pub(super) fn read_stamps(&mut self, count: usize) {
        self.unread = 0;
        if count > 0 {
            self.unstamped = 0;
        }
    }

    pub(super) fn room(&self, departures: &Departures) -> bool {
        let stamped = !matches!(departures, Departures::Unstamped) && self.unstamped < PATIENCE;
        self.waiting.len() < if stamped { MOST_SENT } else { FEW }
    }

    pub(super) fn ask(
        &mut self,
        engine: &mut Engine,
        sockets: &Sockets,
        ask: Ask,
        out: &mut impl FnMut(PeerKey, Heard),
    ) {
        let Some(destination) = engine.destination(ask.peer) else {
            return;
        };
        let reading = *self.reading.get_or_insert_with(Reading::now);
        let packet = self.packets.len();
        let Some(key) = engine.ask(ask, reading, &mut self.packets, out) else {
            return;
        };
        let told = &self.told[ask.peer.index()];
        let control = self.controls.len();
        let by = if told.fragments {
            By::Fragmenting
        } else {
            By::Usual {
                place: sockets.place(key),
                dont_fragment: told.dont_fragment,
            }
        };
        if by == By::Fragmenting || sockets.framing == Framing::Message {
            self.controls.extend_from_slice(&told.control);
            if let Some(ttl) = ask.ttl {
                control::append_ttl(&mut self.controls, self.way.family, ttl);
            }
        }
        if let Departures::Keyed = sockets.departures {
            control::append_stamp_key(&mut self.controls, key);
        }
        self.waiting.push(Waiting {
            key,
            ask,
            to: match destination {
                IpAddr::V4(_) => SocketAddr::new(destination, told.port).into(),
                IpAddr::V6(address) => {
                    SocketAddrV6::new(address, told.port, told.flow_label, 0).into()
                }
            },
            packet: packet..self.packets.len(),
            control: control..self.controls.len(),
            by,
        });
    }

    /// Notes that what there was no room for is handed over only now, and gives up what it is too
    /// late for. There is nothing to be sent if less than a tick has passed, which is `false`.
    pub(super) fn resume(
        &mut self,
        engine: &mut Engine,
        out: &mut impl FnMut(PeerKey, Heard),
    ) -> bool {
        let Some((at, errno)) = self.full else {
            return true;
        };
        let now = Reading::now();
        if now.at.since(at) < TICK {
            return false;
        }
        self.full = None;
        self.reading = Some(now);
        if self.most_full_ticks == HELD_BACK {
            for waiting in &mut self.waiting {
                waiting.ask.asked = now.at;
            }
        }
        let refusal = Refusal::Kernel(errno);
        let first = self.waiting.first().map(|waiting| waiting.key);
        self.waiting
            .retain(|waiting| engine.asked_again(waiting.key, &waiting.ask, now, refusal, out));
        if self.waiting.first().map(|waiting| waiting.key) != first {
            self.next();
        }
        if self.waiting.is_empty() {
            self.clear();
        }
        true
    }

    /// Hands over what waits, as many as are sent the same way.
    pub(super) fn send(
        &mut self,
        engine: &mut Engine,
        sockets: &mut Sockets,
        out: &mut impl FnMut(PeerKey, Heard),
    ) -> Result<(), Later> {
        let Some(first) = self.waiting.get(self.done) else {
            self.clear();
            return Ok(());
        };
        let by = first.by;
        let run = self.waiting[self.done..]
            .iter()
            .take_while(|waiting| waiting.by == by);
        let header = match (by, sockets.mode) {
            (By::Fragmenting, _) => IP_HEADER,
            (_, Mode::Udp) => udp::HEADER,
            _ => 0,
        };
        let parcels = run.map(|waiting| Parcel {
            to: &waiting.to,
            packet: &self.packets[waiting.packet.clone()][header..],
            control: &self.controls[waiting.control.clone()],
        });
        let sent = match (by, &self.fragmenting) {
            (By::Fragmenting, Some(socket)) => batch::send(socket, parcels),
            (By::Fragmenting, None) => Err(io::ErrorKind::Unsupported.into()),
            (
                By::Usual {
                    place,
                    dont_fragment,
                },
                _,
            ) => {
                let (socket, is_set) = (&sockets.transmit[place], &mut self.dont_fragment[place]);
                let set = if dont_fragment == *is_set {
                    Ok(())
                } else {
                    socket::set_dont_fragment(socket, self.way.family, dont_fragment)
                };
                set.and_then(|()| {
                    *is_set = dont_fragment;
                    batch::send(socket, parcels)
                })
            }
        };
        match sent {
            Ok(count) => {
                if let Departures::Counted(counter) = &mut sockets.departures
                    && by != By::Fragmenting
                {
                    for waiting in &self.waiting[self.done..self.done + count] {
                        counter.sent(waiting.key);
                    }
                }
                self.done += count;
                self.unread += count;
                self.unstamped += count;
                self.next();
            }
            Err(error) => return self.refused(engine, sockets, &error, out),
        }
        Ok(())
    }

    /// Decides what to do about the first request that waits.
    fn refused(
        &mut self,
        engine: &mut Engine,
        sockets: &mut Sockets,
        error: &io::Error,
        out: &mut impl FnMut(PeerKey, Heard),
    ) -> Result<(), Later> {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        let full = matches!(errno, libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM);
        let (refusals, most) = if full {
            (&mut self.full_ticks, self.most_full_ticks)
        } else {
            (&mut self.attempts, ATTEMPTS)
        };
        *refusals += 1;
        let again = *refusals < most;
        match errno {
            _ if full && again => {
                self.waiting.drain(..self.done);
                self.done = 0;
                self.full = Some((Stamp::now(), errno));
                return Err(Later::Tick);
            }
            libc::EMSGSIZE if self.fragment(sockets) => return Ok(()),
            _ if again && self.follow(sockets) => return Ok(()),
            _ if sockets.mode != Mode::Raw && again => return Err(Later::Cleared),
            _ => {}
        }
        engine.unsent(self.waiting[self.done].key, Refusal::Kernel(errno), out);
        self.done += 1;
        self.next();
        match sockets.departures {
            Departures::Counted(_) => Err(Later::Counted),
            _ => Ok(()),
        }
    }

    /// Another request is the first that waits: it has all attempts before it.
    fn next(&mut self) {
        self.attempts = 0;
        self.full_ticks = 0;
    }

    /// Goes to the interface that has the name now, if the one that had it is gone.
    fn follow(&self, sockets: &Sockets) -> bool {
        let Some(interface) = self.way.interface else {
            return false;
        };
        let receive = sockets.receive.iter().map(|receiver| &receiver.socket);
        let mut bound = receive.chain(&sockets.transmit).chain(self.fragmenting());
        // The kernel remembers which one it was, and finds no name for one that is gone.
        sockets.transmit[0].device().is_err()
            && bound.all(|socket| socket.bind_device(Some(interface.bytes())).is_ok())
    }

    /// Has the first request that waits, and all of its peer's, sent by the socket whose packets
    /// the kernel may fragment. There is nothing to be done if they must not be, or are already.
    fn fragment(&mut self, sockets: &Sockets) -> bool {
        let first = &mut self.waiting[self.done];
        let header = &self.packets[first.packet.clone()];
        let forbidden = header.get(6).is_none_or(|flags| flags & DONT_FRAGMENT != 0);
        if matches!(sockets.framing, Framing::Message) || first.by == By::Fragmenting || forbidden {
            return false;
        }
        if self.fragmenting.is_none() {
            let opened = socket::fragmenting(self.way, &sockets.departures);
            self.fragmenting = opened
                .inspect_err(|error| tracing::debug!(%error, "nothing can be fragmented"))
                .ok();
        }
        let told = &mut self.told[first.ask.peer.index()];
        told.fragments = self.fragmenting.is_some();
        if told.fragments {
            // The key of its stamp stays where it is: what is told goes before it.
            let begin = self.controls.len();
            self.controls.extend_from_slice(&told.control);
            if let Some(ttl) = Ttl::new(self.packets[first.packet.start + TTL]) {
                control::append_ttl(&mut self.controls, Family::V4, ttl);
            }
            self.controls.extend_from_within(first.control.clone());
            first.control = begin..self.controls.len();
            first.by = By::Fragmenting;
        }
        told.fragments
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.packets.clear();
        self.controls.clear();
        self.done = 0;
        self.reading = None;
    }
}

/// Stamps that may wait while nothing is answered; the queue holds some 20,000 of them, where
/// its size may be chosen, and else 256.
const STAMPS: usize = 128;

/// Requests in a batch whose departures nobody but us stamps.
const FEW: usize = 8;

/// Requests without a stamp after which none is expected any more.
const PATIENCE: usize = 2_048;

/// How often a request is offered to the kernel, if it is to leave at once.
const ATTEMPTS: u16 = 4;

/// How often the kernel may have no room for one that is held back. Dead neighbours fill the buffer
/// of a ping socket for three seconds, until the kernel has given up looking for them.
const HELD_BACK: u16 = 10_000;

/// How soon the kernel is asked again whether it has room.
const TICK: Duration = Duration::from_millis(1);

/// RFC 791, section 3.1: the second of the three flags.
const DONT_FRAGMENT: u8 = 0x40;
