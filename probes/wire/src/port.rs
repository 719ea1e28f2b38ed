//! How do the engine's packets get out, and what arrives back in?
//!
//! Thin: packets go in batches of one call each, and so do answers and the stamps of departures.
//! The order of reading is what matters: a batch of answers is read first, then the stamps, then
//! the answers are matched. A packet's stamp is there before its answer can be, so no answer has to
//! wait for one.

pub(crate) mod control;
mod filter;
mod outgoing;
mod route;
pub(crate) mod socket;
pub(crate) mod stamping;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::clock::{Reading, Stamp};
use crate::engine::{Ask, Engine, Framing, PeerKey, Received};
use crate::heard::Heard;
use crate::sys::batch::Incoming;
use crate::trip::Arrival;
use crate::{Family, Mode, OpenError, Protocol, RequestOptions, sys};

use outgoing::Outgoing;
pub(crate) use route::{is_local, path_mtu, source};
pub(crate) use socket::Way;
use socket::{Receiver, Sockets};

/// The sockets of one way, and what is on its way through them.
pub(crate) struct Port {
    family: Family,
    sockets: Sockets,
    outgoing: Outgoing,
    answers: Incoming,
    errors: Incoming,
}

impl Port {
    /// Opens the best sockets that this process may have, and an engine that fits them.
    pub(crate) fn open(way: Way) -> Result<(Self, Engine), OpenError> {
        Ok(Self::with(way, socket::open(way)?))
    }

    /// Puts sockets to use.
    pub(crate) fn with(way: Way, sockets: Sockets) -> (Self, Engine) {
        let (family, framing) = (way.family, sockets.framing);
        let engine = Engine::new(family, framing, sockets.first, sockets.identifiers);
        tracing::debug!(?way, mode = ?sockets.mode, first = sockets.first, "sockets opened");
        let mut answers = Incoming::new(SHORT);
        if let (Family::V4, Framing::Header { .. }) = (family, framing) {
            answers = answers.unnamed();
        }
        let port = Self {
            family,
            sockets,
            outgoing: Outgoing::new(way),
            answers,
            errors: Incoming::new(SHORT),
        };
        (port, engine)
    }

    pub(crate) fn mode(&self) -> Mode {
        self.sockets.mode
    }

    /// Whether answers keep: they may be read late, for the kernel has stamped them.
    pub(crate) fn answers_keep(&self) -> bool {
        self.sockets.arrivals
    }

    /// The descriptors of which one can be read when there are answers.
    pub(crate) fn answers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let receive = self.sockets.receive.iter();
        receive.map(|receiver| receiver.socket.as_fd())
    }

    /// Makes room for so many more destinations at once, for to grow again and again touches more
    /// memory than it keeps.
    pub(crate) fn expect(&mut self, engine: &mut Engine, destinations: usize) {
        engine.expect(destinations);
        self.outgoing.expect(destinations);
    }

    /// Takes a destination in.
    pub(crate) fn admit(
        &mut self,
        engine: &mut Engine,
        destination: IpAddr,
        options: &RequestOptions,
    ) -> PeerKey {
        let peer = engine.admit(destination, options);
        let longest = options.payload_size + BEFORE_PAYLOAD;
        for incoming in [&mut self.answers, &mut self.errors] {
            incoming.fit(longest);
        }
        self.outgoing.admit(peer, self.sockets.mode, options);
        peer
    }

    /// From now on waits some ten seconds for the kernel to have room for a request, whose time
    /// begins only then.
    pub(crate) fn hold_back(&mut self) {
        self.outgoing.hold_back();
    }

    /// Begins a request, to leave with the next [`Port::send`], which is due at the latest when
    /// there is no [`Port::room`].
    pub(crate) fn ask(
        &mut self,
        engine: &mut Engine,
        ask: Ask,
        out: &mut impl FnMut(PeerKey, Heard),
    ) {
        self.outgoing.ask(engine, &self.sockets, ask, out);
    }

    /// Whether a further request may join those that wait to be sent.
    pub(crate) fn room(&self) -> bool {
        self.outgoing.room(&self.sockets.departures)
    }

    /// Whether requests wait to be sent again, in a millisecond: there was no room for them.
    pub(crate) fn holds(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether the kernel had no room the last time: nothing more should be asked on this tick.
    pub(crate) fn is_full(&self) -> bool {
        self.outgoing.is_full()
    }

    /// Sends what was asked; what the kernel refuses for now is kept for the next time.
    pub(crate) fn send(&mut self, engine: &mut Engine, out: &mut impl FnMut(PeerKey, Heard)) {
        if !self.outgoing.resume(engine, out) {
            return;
        }
        while !self.outgoing.is_empty() {
            match self.outgoing.send(engine, &mut self.sockets, out) {
                Ok(()) => {}
                Err(outgoing::Later::Tick) => break,
                // An ICMP error about an earlier request, whosever it was, makes the next call on
                // a ping socket fail in its stead, until the error queue is read empty.
                Err(outgoing::Later::Cleared) => self.drain_errors(engine, out),
                Err(outgoing::Later::Counted) => {
                    self.drain_errors(engine, out);
                    self.sockets.departures.restart(&self.sockets.transmit[0]);
                }
            }
        }
    }

    /// Reads all that has arrived; returns how many packets that was, and when reading began.
    pub(crate) fn drain(
        &mut self,
        engine: &mut Engine,
        out: &mut impl FnMut(PeerKey, Heard),
    ) -> Drained {
        let from = Stamp::now();
        let mut packets = 0;
        if self.sockets.mode != Mode::Raw || self.outgoing.stamps_pile_up() {
            self.drain_errors(engine, out);
        }
        for place in 0..self.sockets.receive.len() {
            packets += self.drain_one(place, engine, out);
        }
        Drained { packets, from }
    }

    /// Reads all that has arrived at one socket.
    fn drain_one(
        &mut self,
        place: usize,
        engine: &mut Engine,
        out: &mut impl FnMut(PeerKey, Heard),
    ) -> usize {
        let mut packets = 0;
        for _ in 0..MORE_THAN_THERE_IS {
            let Receiver { socket, protocol } = &self.sockets.receive[place];
            let (protocol, port) = (*protocol, self.sockets.port(place));
            let (count, more) = match self.answers.receive(socket, 0) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // A ping socket repeats once what its error queue has told already.
                Err(error) => {
                    tracing::debug!(%error, family = self.family.name(), ?protocol, "cannot receive");
                    continue;
                }
            };
            let user = Reading::now();
            self.drain_errors(engine, out);
            for number in 0..count {
                let told = control::read(self.answers.control(number));
                let received = Received {
                    bytes: self.answers.packet(number),
                    protocol,
                    ports: port.map(|port| (port, self.answers.port(number))),
                    named: self.answers.name(number),
                    hop_limit: told.hop_limit,
                    error: told.error,
                };
                let arrival = Arrival {
                    user,
                    kernel: told.stamp,
                };
                engine.heard(&received, arrival, out);
            }
            packets += count;
            if !more {
                break;
            }
        }
        packets
    }

    /// Returns how many packets found no room to be received.
    pub(crate) fn drops(&self, engine: &Engine) -> u32 {
        let receive = self.sockets.receive.iter();
        let mut drops = receive.map(|receiver| sys::drops(&receiver.socket));
        let sum = drops.try_fold(0_u32, |sum, drops| Some(sum.wrapping_add(drops.ok()?)));
        sum.unwrap_or_else(|| engine.drops())
    }

    /// Reads the error queue of what sends: stamps, and what a ping socket is told of errors.
    fn drain_errors(&mut self, engine: &mut Engine, out: &mut impl FnMut(PeerKey, Heard)) {
        let Self {
            sockets,
            outgoing,
            errors,
            ..
        } = self;
        let mut stamps = 0;
        let transmit = sockets.transmit.iter().chain(outgoing.fragmenting());
        for (place, socket) in transmit.enumerate() {
            let port = sockets.port(place);
            for _ in 0..MORE_THAN_THERE_IS {
                let Ok((count, more)) = errors.receive(socket, libc::MSG_ERRQUEUE) else {
                    break;
                };
                let user = Reading::now();
                for number in 0..count {
                    let told = control::read(errors.control(number));
                    if let (Some(number), Some(stamp)) = (told.departed, told.stamp) {
                        if let Some(key) = sockets.departures.request(number) {
                            engine.departed(key, stamp);
                            stamps += 1;
                        }
                        continue;
                    }
                    let received = Received {
                        bytes: errors.packet(number),
                        protocol: Protocol::Icmp,
                        ports: port.map(|port| (port, errors.port(number))),
                        named: errors.name(number),
                        hop_limit: told.hop_limit,
                        error: told.error,
                    };
                    let arrival = Arrival {
                        user,
                        kernel: told.stamp,
                    };
                    if told.error.is_some() {
                        engine.heard(&received, arrival, out);
                    }
                }
                if !more {
                    break;
                }
            }
        }
        outgoing.read_stamps(stamps);
    }
}

/// Without its buffers.
impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("family", &self.family)
            .field("mode", &self.sockets.mode)
            .finish_non_exhaustive()
    }
}

/// What a reading of all that had arrived came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    pub(crate) packets: usize,
    /// What arrived before this has been read.
    pub(crate) from: Stamp,
}

impl Drained {
    /// A reading that is done without, for there is nothing to read.
    pub(crate) fn nothing() -> Self {
        Self {
            packets: 0,
            from: Stamp::now(),
        }
    }
}

/// What packets come to that quote ours or answer them, but for large ones.
const SHORT: usize = 1_536;

/// The longest IPv4 header, and ICMP's.
const BEFORE_PAYLOAD: usize = 60 + 8;

/// No receive buffer holds as many batches, so reading this many ends even in a flood.
const MORE_THAN_THERE_IS: usize = 1 << 10;
