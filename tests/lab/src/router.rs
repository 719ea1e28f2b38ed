//! What does a node do with a packet that reaches it?
//!
//! One node at a time: how packets get from one to the next is the network's. The order of a
//! router's decisions is that of Linux.

use std::net::IpAddr;
use std::time::Duration;

use fastrand::Rng;

use crate::icmp_error;
use crate::limiter::Limiter;
use crate::nat::Translator;
use crate::packet::{Header, ICMP, ICMPV6, Packet, TCP, UDP};
use crate::way::Passage;
use crate::{Answer, Balance, Node, NodeId, Prefix, Refusal, Tcp, Udp, Why, extension};

/// A node at work.
#[derive(Debug)]
pub(crate) struct Router {
    node: Node,
    own: [IpAddr; 2],
    routes: Vec<Decided>,
    extension: Vec<u8>,
    limiter: Option<Limiter>,
    translator: Option<Translator>,
    random: Rng,
    salt: u64,
    pub(crate) out: Passage,
    pub(crate) back: Passage,
}

/// A route with its names looked up.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) to: Option<Prefix>,
    pub(crate) since: Duration,
    pub(crate) then: Then,
}

/// What a route says.
#[derive(Debug)]
pub(crate) enum Then {
    /// One of these, of which there is at least one.
    Next(Vec<NodeId>),
    Refuse(Refusal),
}

/// What becomes of a packet at a node.
#[derive(Debug)]
pub(crate) enum Step {
    Onward(NodeId),
    Answered(Packet<Vec<u8>>, Answer),
    Vanished(Why),
}

impl Router {
    pub(crate) fn new(node: Node, own: [IpAddr; 2], routes: Vec<Decided>, dice: &mut Rng) -> Self {
        let has_extension = !node.mpls.is_empty() || !node.interfaces.is_empty();
        Self {
            own,
            routes,
            extension: if has_extension {
                extension::write(&node.mpls, &node.interfaces)
            } else {
                Vec::new()
            },
            limiter: node.limit.map(Limiter::new),
            translator: node.nat.map(Translator::new),
            random: Rng::with_seed(dice.u64(..)),
            salt: dice.u64(..),
            out: Passage::new(node.out.clone(), dice.u64(..)),
            back: Passage::new(node.back.clone(), dice.u64(..)),
            node,
        }
    }

    /// Decides on a packet on its way out. `mtus` tells what the link to each node carries.
    pub(crate) fn meet(
        &mut self,
        packet: &mut Packet<Vec<u8>>,
        now: Duration,
        mtus: &[Option<u32>],
    ) -> Step {
        if self.is_down(now) {
            return Step::Vanished(Why::Down);
        }
        if self.is_mine(packet.destination()) {
            return self.answer(packet, now);
        }
        // Linux looks for a route before it looks at the TTL.
        let next = match self.route(packet, now) {
            Ok(next) => next,
            Err(refusal) => {
                return match refusal.code(packet.is_v4()) {
                    Some(code) => self.complain(packet, Answer::Unreachable { code }, now),
                    None => Step::Vanished(Why::Blackhole),
                };
            }
        };
        let least = if self.node.forwards_zero_ttl { 1 } else { 2 };
        if packet.ttl() < least {
            return self.complain(packet, Answer::TimeExceeded, now);
        }
        if let Some(mtu) = mtus[usize::from(next.0)]
            && packet.dont_fragment()
            && packet.bytes().len() > mtu as usize
        {
            return self.complain(packet, Answer::TooBig { mtu }, now);
        }
        packet.set_ttl(packet.ttl() - 1);
        if let Some(translator) = &mut self.translator {
            translator.outwards(packet);
        }
        Step::Onward(next)
    }

    /// Forwards an answer on its way back.
    pub(crate) fn meet_answer(
        &self,
        packet: &mut Packet<Vec<u8>>,
        now: Duration,
    ) -> Result<(), Why> {
        if self.is_down(now) {
            return Err(Why::Down);
        }
        if packet.ttl() < 2 {
            return Err(Why::TtlOfAnswer);
        }
        packet.set_ttl(packet.ttl() - 1);
        if let Some(translator) = &self.translator {
            translator.inwards(packet);
        }
        Ok(())
    }

    fn is_down(&self, now: Duration) -> bool {
        let mut windows = self.node.down.iter();
        windows.any(|window| (*window.from..*window.until).contains(&now))
    }

    fn is_mine(&self, address: IpAddr) -> bool {
        let mut served = self.node.serves.iter();
        self.own.contains(&address) || served.any(|prefix| prefix.contains(address))
    }

    fn route(&mut self, packet: &Packet<Vec<u8>>, now: Duration) -> Result<NodeId, Refusal> {
        let destination = packet.destination();
        let applies = |route: &&Decided| {
            now >= route.since && route.to.is_none_or(|prefix| prefix.contains(destination))
        };
        match &self
            .routes
            .iter()
            .rfind(applies)
            .ok_or(Refusal::NoRoute)?
            .then
        {
            Then::Refuse(refusal) => Err(*refusal),
            Then::Next(next) => {
                let chance = match self.node.balance {
                    Balance::PerPacket => self.random.u64(..),
                    _ => 0,
                };
                let hash = self.node.balance.hash(packet, self.salt, chance);
                Ok(next[(hash % next.len() as u64) as usize])
            }
        }
    }

    /// Answers as the host that a packet was meant for.
    fn answer(&mut self, packet: &Packet<Vec<u8>>, now: Duration) -> Step {
        if self.node.silent {
            return Step::Vanished(Why::Silent);
        }
        if packet.is_later_fragment() || packet.transport().len() < 8 {
            return Step::Vanished(Why::Unanswerable);
        }
        if !packet.is_intact() {
            return Step::Vanished(Why::Corrupted);
        }
        let mut transport = packet.transport().to_vec();
        let (answer, checksum_at) = match (packet.protocol(), transport[0]) {
            (ICMP, 8) => {
                transport[0] = 0;
                (Answer::EchoReply, 2)
            }
            (ICMPV6, 128) => {
                transport[0] = 129;
                (Answer::EchoReply, 2)
            }
            (UDP, _) if self.node.udp == Udp::Silent => return Step::Vanished(Why::Silent),
            (UDP, _) => {
                let code = if packet.is_v4() { 3 } else { 4 };
                return self.complain(packet, Answer::Unreachable { code }, now);
            }
            (TCP, _) => match self.handshake(&mut transport) {
                Ok(answer) => (answer, 16),
                Err(why) => return Step::Vanished(why),
            },
            _ => return Step::Vanished(Why::Unanswerable),
        };
        let header = Header {
            tos: packet.tos(),
            protocol: packet.protocol(),
            ..self.header(packet, packet.destination())
        };
        Step::Answered(Packet::build(header, &transport, checksum_at), answer)
    }

    /// Makes the answer to a SYN out of it (RFC 9293, section 3.10.7).
    fn handshake(&mut self, transport: &mut Vec<u8>) -> Result<Answer, Why> {
        if transport.len() < 20 || transport[13] & 0x17 != SYN {
            return Err(Why::Unanswerable);
        }
        let (answer, sequence, flags) = match self.node.tcp {
            Tcp::Silent => return Err(Why::Silent),
            Tcp::Reset => (Answer::Reset, 0, RST | ACK),
            Tcp::SynAck => (Answer::SynAck, self.random.u32(..), SYN | ACK),
        };
        let asked = transport[4..8].try_into().expect("four bytes");
        let acknowledged = u32::from_be_bytes(asked).wrapping_add(1);
        transport.truncate(20);
        transport[..4].rotate_left(2);
        transport[4..8].copy_from_slice(&sequence.to_be_bytes());
        transport[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        transport[12..14].copy_from_slice(&[5 << 4, flags]);
        Ok(answer)
    }

    /// Sends an error, if this node sends any, and now.
    fn complain(&mut self, packet: &Packet<Vec<u8>>, answer: Answer, now: Duration) -> Step {
        if self.node.silent {
            return Step::Vanished(Why::Silent);
        }
        if !icmp_error::may_be_about(packet) {
            return Step::Vanished(Why::Unanswerable);
        }
        // Linux does not limit these, for path MTU discovery depends on them (RFC 8201).
        let is_limited = packet.is_v4() || !matches!(answer, Answer::TooBig { .. });
        if let Some(limiter) = &mut self.limiter
            && is_limited
            && !limiter.allows(packet.source(), now)
        {
            return Step::Vanished(Why::Limited);
        }
        let own = self.own[usize::from(!packet.is_v4())];
        // The target speaks as the address that was asked.
        let from = if self.is_mine(packet.destination()) {
            packet.destination()
        } else {
            own
        };
        let header = self.header(packet, from);
        let error = icmp_error::write(packet, answer, header, self.node.quote, &self.extension);
        Step::Answered(error, answer)
    }

    /// The header of an ICMP message to whom a packet is from.
    fn header(&self, packet: &Packet<Vec<u8>>, from: IpAddr) -> Header {
        let mut others = self.node.answers_from.iter();
        let other = others.find(|other| other.is_ipv4() == packet.is_v4());
        Header {
            source: other.copied().unwrap_or(from),
            destination: packet.source(),
            ttl: self.node.ttl,
            // RFC 1812, section 4.3.2.5: internetwork control.
            tos: if packet.is_v4() { 0xc0 } else { 0 },
            protocol: if packet.is_v4() { ICMP } else { ICMPV6 },
        }
    }
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
