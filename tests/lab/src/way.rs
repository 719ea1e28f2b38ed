//! What happens to a packet on a link, in one direction?
//!
//! Chance only, each way with dice of its own: what the n-th packet of a way meets depends on the
//! seed and on nothing that goes on elsewhere.

use std::time::Duration;

use fastrand::Rng;
use leadsman_core::options::Period;
use serde::Deserialize;

use crate::packet::Packet;
use crate::{Delay, Loss};

/// One direction of a link. The default is perfect: no delay, no loss.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Way {
    /// How long packets take. Each draws its own delay, so that one may overtake another.
    pub delay: Delay,
    /// Which packets are lost.
    pub loss: Loss,
    /// Probability that a packet arrives twice. The copy draws a delay of its own.
    pub duplicate: f64,
    /// Which packets are held back so that others overtake them.
    pub reorder: Option<Reorder>,
    /// Probability that one bit of a packet is flipped, after the first 8 bytes of its transport
    /// header: what the packet is for can still be read.
    pub corrupt: f64,
    /// How TOS or traffic class are rewritten.
    pub tos: Option<TosRewrite>,
    /// Whether no packet overtakes another, save those that `reorder` holds back.
    pub in_order: bool,
}

/// Packets held back.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    /// Probability that a packet is held back.
    pub chance: f64,
    /// How much later than others it arrives.
    pub by: Period,
}

/// What becomes of TOS or traffic class: `new = old & keep | set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TosRewrite {
    /// Bits that stay. 0x03 keeps ECN alone, 0xfc bleaches it.
    pub keep: u8,
    /// Bits that are set.
    #[serde(default)]
    pub set: u8,
}

/// A way in use.
#[derive(Debug)]
pub(crate) struct Passage {
    way: Way,
    random: Rng,
    is_bad: bool,
    last_arrival: Duration,
}

impl Passage {
    pub(crate) fn new(way: Way, seed: u64) -> Self {
        Self {
            way,
            random: Rng::with_seed(seed),
            is_bad: false,
            last_arrival: Duration::ZERO,
        }
    }

    /// Sends a packet along, and says what arrives: nothing, or one or two copies of it.
    pub(crate) fn carry(&mut self, packet: &mut Packet<Vec<u8>>, now: Duration) -> Carried {
        if self.way.loss.takes(&mut self.is_bad, &mut self.random) {
            return Carried::Lost;
        }
        if let Some(tos) = self.way.tos {
            packet.set_tos(packet.tos() & tos.keep | tos.set);
        }
        let is_corrupted = self.happens(self.way.corrupt) && self.flip_a_bit(packet);
        let first = self.arrival(now);
        let second = self.happens(self.way.duplicate).then(|| self.arrival(now));
        Carried::Arrives {
            first,
            second,
            is_corrupted,
        }
    }

    fn arrival(&mut self, now: Duration) -> Duration {
        let mut arrival = now + self.way.delay.draw(&mut self.random);
        if self.way.in_order {
            arrival = arrival.max(self.last_arrival);
            self.last_arrival = arrival;
        }
        if let Some(reorder) = self.way.reorder
            && self.happens(reorder.chance)
        {
            arrival += *reorder.by;
        }
        arrival
    }

    /// Returns whether there was a bit to flip.
    fn flip_a_bit(&mut self, packet: &mut Packet<Vec<u8>>) -> bool {
        let bits = packet.transport().len().saturating_sub(8) * 8;
        if bits > 0 {
            let bit = self.random.usize(..bits);
            packet.transport_mut()[8 + bit / 8] ^= 1 << (bit % 8);
        }
        bits > 0
    }

    fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.random.f64() < chance
    }
}

/// What came of sending a packet along a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Lost,
    Arrives {
        first: Duration,
        second: Option<Duration>,
        is_corrupted: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Header, ICMP};

    fn echo() -> Packet<Vec<u8>> {
        let header = Header {
            source: "10.0.0.1".parse().unwrap(),
            destination: "10.9.0.1".parse().unwrap(),
            ttl: 64,
            tos: 0xbb,
            protocol: ICMP,
        };
        Packet::build(header, &[8; 40], 2)
    }

    /// Sends 10,000 packets, 1 ms apart, and counts what `counts` says of each.
    fn check(way: &Way, counts: impl Fn(&Packet<Vec<u8>>, Carried) -> bool, share: f64) {
        let mut passage = Passage::new(way.clone(), 1);
        let sent = (0..10_000).map(|n| {
            let mut packet = echo();
            let carried = passage.carry(&mut packet, Duration::from_millis(n));
            counts(&packet, carried)
        });
        let counted = sent.filter(|counted| *counted).count() as f64 / 1e4;
        assert!((counted - share).abs() < 0.02, "{way:?}: {counted}");
    }

    #[test]
    fn each_mishap_strikes_its_share_of_packets() {
        let perfect = Way::default();
        let untouched = |packet: &Packet<Vec<u8>>, _| *packet == echo();
        check(&perfect, untouched, 1.0);
        let corrupt = Way {
            corrupt: 0.3,
            ..perfect.clone()
        };
        check(&corrupt, |packet, _| !packet.is_intact(), 0.3);
        let duplicate = Way {
            duplicate: 0.1,
            ..perfect.clone()
        };
        let twice = |_: &_, carried| {
            matches!(
                carried,
                Carried::Arrives {
                    second: Some(_),
                    ..
                }
            )
        };
        check(&duplicate, twice, 0.1);
        let bleached = Way {
            tos: Some(TosRewrite { keep: 0xfc, set: 0 }),
            ..perfect
        };
        check(&bleached, |packet, _| packet.tos() == 0xb8, 1.0);
    }

    /// Counts how often a packet arrives before one that was sent earlier.
    fn overtakings(way: Way) -> usize {
        let mut passage = Passage::new(way, 1);
        let arrivals =
            (0..1_000).map(
                |n| match passage.carry(&mut echo(), Duration::from_millis(n)) {
                    Carried::Arrives { first, .. } => first,
                    Carried::Lost => unreachable!("this way loses nothing"),
                },
            );
        let arrivals: Vec<Duration> = arrivals.collect();
        let pairs = arrivals.windows(2);
        pairs.filter(|pair| pair[1] < pair[0]).count()
    }

    #[test]
    fn jitter_reorders_unless_the_way_keeps_order() {
        let (least, most) = (Period::default(), Period(Duration::from_millis(5)));
        let jitter = Way {
            delay: Delay::Uniform { least, most },
            ..Way::default()
        };
        assert!(overtakings(jitter.clone()) > 100);
        let queue = Way {
            in_order: true,
            ..jitter
        };
        assert_eq!(overtakings(queue.clone()), 0);
        let by = Period(Duration::from_millis(10));
        let held = Way {
            reorder: Some(Reorder { chance: 0.05, by }),
            ..queue
        };
        let held = overtakings(held);
        assert!((20..80).contains(&held), "{held}");
    }
}
