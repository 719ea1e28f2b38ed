//! Which request is this answer to, and how did each request end?
//!
//! The engine is given everything: moments, packets, stamps, what the kernel refused. It reads no
//! clock, opens no socket and starts no thread, so that a simulated network can drive it as well
//! as a real one.
//!
//! Every request ends exactly once, and is in flight until then. It ends with its first answer if
//! that arrived in time, by its stamp; with silence, declared only when all that arrived before
//! its deadline has been read, so that a stopped process invents no loss; or because it was not
//! sent. What comes later is late or a duplicate.

mod deadlines;
mod key;
mod peers;
mod slots;

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use crate::echo::{Cookies, Fillers};
use crate::heard::{Answer, Arrived, Heard, NotSent, Refusal, Silence};
use crate::packet::{self, Message};
use crate::template::Template;
use crate::trip::{Departure, round_trip, tolerance};
use crate::{Family, Remarks, RequestOptions, Ttl, header};

pub use crate::clock::{KernelStamp, Reading, Stamp};
pub use crate::packet::{Received, Reported};
pub use crate::trip::Arrival;
pub use key::{Key, PeerKey};

use deadlines::{Deadlines, Entry};
use peers::{Peer, Peers};
use slots::{Slot, Slots, State};

/// The requests of all users of one block of identifiers, over one address family.
#[derive(Debug)]
pub struct Engine {
    family: Family,
    framing: Framing,
    first: u16,
    cookies: Cookies,
    fillers: Fillers,
    peers: Peers,
    slots: Slots,
    deadlines: Deadlines,
    in_flight: usize,
    drops: u32,
}

impl Engine {
    /// Makes an engine that uses `identifiers` ICMP identifiers or source ports from `first` on, at
    /// least one: each has 65,536 sequence numbers.
    pub fn new(family: Family, framing: Framing, first: u16, identifiers: u16) -> Self {
        Self {
            family,
            framing,
            first,
            cookies: Cookies::default(),
            fillers: Fillers::default(),
            peers: Peers::default(),
            slots: Slots::new(identifiers),
            deadlines: Deadlines::new(),
            in_flight: 0,
            drops: 0,
        }
    }

    /// Makes room for so many more destinations at once.
    pub(crate) fn expect(&mut self, destinations: usize) {
        self.peers.expect(destinations);
    }

    /// Takes a destination in. It keeps one identifier or source port, by which some routers choose
    /// the way and some firewalls know it. UDP and TCP over IPv4 need the source address, if the
    /// engine writes the IPv4 header, for their checksum.
    pub fn admit(&mut self, destination: IpAddr, options: &RequestOptions) -> PeerKey {
        let (cookies, fillers, framing) = (&self.cookies, &mut self.fillers, self.framing);
        let (first, identifiers) = (self.first, self.slots.identifiers());
        self.peers.insert(|key| {
            let id = first.wrapping_add(key.page(identifiers));
            Peer {
                destination,
                template: Template::new(cookies, fillers, key, framing, id, destination, options),
                remarks: options.remarks,
                newest: 0,
                in_flight: 0,
            }
        })
    }

    /// Lets a destination go: its requests are no longer in flight, and what still comes for them
    /// is nobody's.
    pub fn forget(&mut self, peer: PeerKey) {
        if let Some(peer) = self.peers.remove(peer) {
            self.in_flight -= peer.in_flight as usize;
        }
    }

    /// Begins a request and appends its packet to `packet`; or ends it at once, as not sent.
    ///
    /// The key is what [`Engine::departed`] and [`Engine::unsent`] want to hear of it.
    pub fn ask(
        &mut self,
        ask: Ask,
        now: Reading,
        packet: &mut Vec<u8>,
        out: &mut impl FnMut(PeerKey, Heard),
    ) -> Option<Key> {
        let Self { peers, slots, .. } = self;
        peers.get(ask.peer)?;
        let left = ask.asked.after(ask.wait).since(now.at);
        let waits = |slot: &Slot| slot.state == State::InFlight && peers.get(slot.peer).is_some();
        let taken = if ask.is_over(now.at) {
            Err(Refusal::TooLate)
        } else {
            let taken = slots.take(ask.peer.page(slots.identifiers()), now.at, waits);
            taken.ok_or(Refusal::OutOfSequenceNumbers)
        };
        let (key, slot) = match taken {
            Ok(taken) => taken,
            Err(refusal) => {
                let sequence = ask.sequence;
                out(ask.peer, Heard::NotSent(NotSent { sequence, refusal }));
                return None;
            }
        };
        *slot = Slot {
            left: now,
            departed: None,
            peer: ask.peer,
            sequence: ask.sequence as u32,
            wait: microseconds(left),
            drops: self.drops as u16,
            padding: ask.padding,
            lap: slot.lap,
            state: State::InFlight,
            hurried: ask.is_late(now.at),
        };
        let entry = Entry { key, lap: slot.lap };
        self.deadlines.enter(entry, slot.deadline());
        let peer = peers.get_mut(ask.peer)?;
        peer.newest = peer.newest.max(ask.sequence);
        peer.in_flight += 1;
        self.in_flight += 1;
        let cookie = self.cookies.cookie(ask.peer, ask.sequence);
        let begin = packet.len();
        peer.template.write(key.sequence(), cookie, now.at, packet);
        if let (Some(ttl), Family::V4, Framing::Header { .. }) =
            (ask.ttl, self.family, self.framing)
        {
            header::set_ttl(&mut packet[begin..], ttl);
        }
        if ask.padding > 0 {
            peer.template.pad(packet, begin, ask.padding);
        }
        Some(key)
    }

    /// Notes that a request is handed to the kernel only now, which had no room before, and
    /// returns whether it still is to be: if so late that a silence would tell nothing, or for
    /// nobody any more, it is not. Then it ends as refused.
    pub fn asked_again(
        &mut self,
        key: Key,
        ask: &Ask,
        now: Reading,
        refusal: Refusal,
        out: &mut impl FnMut(PeerKey, Heard),
    ) -> bool {
        if ask.is_late(now.at) || self.peers.get(ask.peer).is_none() {
            self.unsent(key, refusal, out);
            return false;
        }
        if let Some(slot) = self.slots.get_mut(key) {
            slot.wait = microseconds(ask.asked.after(ask.wait).since(now.at));
            slot.left = now;
        }
        true
    }

    /// Ends a request that the kernel refused to send.
    pub fn unsent(&mut self, key: Key, refusal: Refusal, out: &mut impl FnMut(PeerKey, Heard)) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        if slot.state == State::InFlight {
            slot.state = State::Free;
            let (key, lower) = (slot.peer, slot.sequence);
            if let Some(peer) = self.peers.get_mut(key) {
                peer.in_flight -= 1;
                self.in_flight -= 1;
                let sequence = peer.sequence(lower);
                out(key, Heard::NotSent(NotSent { sequence, refusal }));
            }
        }
    }

    /// Ends all requests, for nobody can listen for their answers.
    pub fn give_up(&mut self, refusal: Refusal, out: &mut impl FnMut(PeerKey, Heard)) {
        let in_flight = |slot: &Slot| slot.state == State::InFlight;
        for key in self.slots.keys(in_flight) {
            self.unsent(key, refusal, out);
        }
    }

    /// Notes when a request left, by the kernel's stamp. One from before it was handed over is
    /// that of an earlier user of its numbers.
    pub fn departed(&mut self, key: Key, stamp: KernelStamp) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let handed_over = slot.left.realtime() - tolerance(Duration::ZERO).cast_signed();
        let plausible = stamp.nanoseconds() >= handed_over;
        if slot.state != State::Free && slot.departed.is_none() && plausible {
            slot.departed = Some(stamp);
        }
    }

    /// Takes in a packet. One that is no answer to a request of this engine is ignored.
    pub fn heard(
        &mut self,
        received: &Received<'_>,
        arrival: Arrival,
        out: &mut impl FnMut(PeerKey, Heard),
    ) {
        let Some(read) = packet::read(self.family, self.framing, received) else {
            return;
        };
        let (id, sequence) = read.message.name();
        let key = Key::new(id.wrapping_sub(self.first), sequence);
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let whose = slot.peer;
        let Some(peer) = self.peers.get_mut(whose) else {
            return;
        };
        if slot.state == State::Free {
            return;
        }
        let sequence = peer.sequence(slot.sequence);
        let cookie = self.cookies.cookie(whose, sequence);
        let Some(what) = peer.judge(cookie, slot.padding, read.from, &read.message) else {
            return;
        };
        let remarks = match read.message {
            Message::Error { whole, .. } if peer.remarks => whole,
            _ => None,
        };
        let remarks = remarks.and_then(|whole| {
            let sent = peer.template.sent(key.sequence());
            Remarks::read(self.family, whole, sent)
        });
        let departure = Departure {
            user: slot.left,
            kernel: slot.departed,
        };
        let (rtt, rtt_source) = round_trip(departure, arrival);
        let before = std::mem::replace(&mut slot.state, State::Done);
        if before == State::InFlight {
            peer.in_flight -= 1;
            self.in_flight -= 1;
        }
        let arrived = match before {
            State::InFlight if rtt < slot.waits() => Arrived::InTime,
            State::InFlight => {
                let waited = slot.waits();
                let suspect = slot.hurried;
                out(
                    whose,
                    Heard::Silence(Silence {
                        sequence,
                        waited,
                        suspect,
                    }),
                );
                Arrived::Late
            }
            State::TimedOut => Arrived::Late,
            State::Done | State::Free => Arrived::Again,
        };
        out(
            whose,
            Heard::Answer(Answer {
                sequence,
                arrived,
                rtt,
                rtt_source,
                from: read.from,
                hop_limit: read.hop_limit,
                what,
                remarks: remarks.map(Box::new),
            }),
        );
    }

    /// Ends the requests whose time was over when reading all that had arrived began.
    ///
    /// `drops` is what this host had dropped when that reading ended: a number to compare, for the
    /// kernel counts packets of others too. If it is not the same as when a request was asked, its
    /// answer may have been among them.
    pub fn expire(
        &mut self,
        drained_from: Stamp,
        drops: u32,
        out: &mut impl FnMut(PeerKey, Heard),
    ) {
        self.drops = drops;
        let Self {
            peers,
            slots,
            in_flight,
            ..
        } = self;
        self.deadlines.turn(drained_from, |entry| {
            let slot = slots.get_mut(entry.key)?;
            let whose = slot.peer;
            let peer = peers.get_mut(whose)?;
            if slot.lap != entry.lap || slot.state != State::InFlight {
                return None;
            }
            if slot.deadline() > drained_from {
                return Some(slot.deadline());
            }
            slot.state = State::TimedOut;
            peer.in_flight -= 1;
            *in_flight -= 1;
            let sequence = peer.sequence(slot.sequence);
            let suspect = slot.hurried || slot.drops != drops as u16;
            let waited = slot.waits();
            out(
                whose,
                Heard::Silence(Silence {
                    sequence,
                    waited,
                    suspect,
                }),
            );
            None
        });
    }

    /// When [`Engine::expire`] is next worth calling: at most some milliseconds after the earliest
    /// deadline, and never more than a second away. `None` if nothing is in flight.
    pub fn next_deadline(&mut self) -> Option<Stamp> {
        if self.in_flight == 0 {
            return None;
        }
        let (peers, slots) = (&self.peers, &self.slots);
        self.deadlines.next(|entry| {
            let slot = slots.get(entry.key);
            slot.is_some_and(|slot| {
                slot.lap == entry.lap
                    && slot.state == State::InFlight
                    && peers.get(slot.peer).is_some()
            })
        })
    }

    /// Returns how many requests have not ended.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns how many destinations are taken in.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// What this host had dropped when last told.
    pub(crate) fn drops(&self) -> u32 {
        self.drops
    }

    pub(crate) fn source_id(&self, peer: PeerKey) -> u16 {
        self.first.wrapping_add(peer.page(self.slots.identifiers()))
    }

    /// Reads a little of what is known of a destination, for who is about to ask many.
    pub(crate) fn touch(&self, peer: PeerKey) {
        black_box(self.peers.get(peer).map(|peer| peer.newest));
    }

    pub(crate) fn destination(&self, peer: PeerKey) -> Option<IpAddr> {
        self.peers.get(peer).map(|peer| peer.destination)
    }
}

/// What one request is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Whom to ask.
    pub peer: PeerKey,
    /// The user's own number of the request, by which its end is told; counted up from 0.
    pub sequence: u64,
    /// How long to wait for an answer, from `asked` on: at most 71 minutes.
    pub wait: Duration,
    /// When it was asked for. Who sends it much later than this is at fault for what follows.
    pub asked: Stamp,
    /// Hops that this request may travel, if not as many as the others of its flow. The engine
    /// writes them only where it writes the IPv4 header.
    pub ttl: Option<Ttl>,
    /// Bytes by which its payload is larger than that of the others of its flow; together at most
    /// [`RequestOptions::MAX_PAYLOAD_SIZE`].
    pub padding: u16,
}

impl Ask {
    /// Whether its time is over before it could be sent.
    pub(crate) fn is_over(&self, now: Stamp) -> bool {
        now.since(self.asked) > PROMPT && self.asked.after(self.wait) <= now
    }

    /// Whether it leaves so late that this host may be at fault for a silence.
    fn is_late(&self, now: Stamp) -> bool {
        let half = (self.wait / 2).max(AT_ONCE);
        now.since(self.asked) > PROMPT.max(self.wait / 8).min(half)
    }
}

/// Who writes and reads the IPv4 header. There is no such choice over IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// The engine, as raw sockets want it.
    Header {
        /// The system's TTL, for requests that ask for none.
        ttl: u8,
    },
    /// The kernel, and packets begin with the ICMP header.
    Message,
}

fn microseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// A request that leaves within this is late only if it is to be waited for no longer than twice
/// as long.
const PROMPT: Duration = Duration::from_millis(10);

/// A request that leaves within this is never late.
const AT_ONCE: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests;
