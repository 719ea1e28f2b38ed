//! A network in memory, in which a machine of this crate can be run in no time.
//!
//! It knows when packets leave and arrive and nothing of what a machine should make of it. What
//! happens is decided by a seeded generator alone.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use leadsman_wire::Ttl;

use crate::reply::{Reply, Says};
use crate::step::{Machine, Probe, Step};

/// One line of routers, and what is at its end.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) routers: Vec<Node>,
    pub(crate) end: End,
    pub(crate) random: fastrand::Rng,
}

/// Something with an address.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) address: IpAddr,
    pub(crate) rtt: Duration,
    /// The share of probes that it does not answer, although it forwards them.
    pub(crate) silence: f64,
    pub(crate) bucket: Option<Bucket>,
}

/// What is beyond the last router.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Target(Node),
    Nothing,
    /// The last router turns packets away.
    Refusal {
        code: u8,
    },
    /// The last router sends packets back to that at this position.
    Circle(usize),
}

/// A limit on the answers of a router.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) tokens: f64,
    pub(crate) burst: f64,
    pub(crate) every: Duration,
    pub(crate) filled: Duration,
}

pub(crate) const TARGET: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

impl Node {
    pub(crate) fn new(address: impl Into<IpAddr>, rtt: Duration) -> Self {
        Self {
            address: address.into(),
            rtt,
            silence: 0.0,
            bucket: None,
        }
    }

    fn answer(&mut self, says: Says, now: Duration, random: &mut fastrand::Rng) -> Option<Reply> {
        let heard = random.f64() >= self.silence;
        let paid = self.bucket.as_mut().is_none_or(|bucket| bucket.pay(now));
        (heard && paid).then(|| Reply {
            from: self.address,
            rtt: self.rtt,
            says,
            hop_limit: None,
            quote: None,
            extensions: Vec::new(),
        })
    }
}

impl Bucket {
    pub(crate) fn new(burst: u8, every: Duration) -> Self {
        Self {
            tokens: burst.into(),
            burst: burst.into(),
            every,
            filled: Duration::ZERO,
        }
    }

    pub(crate) fn pay(&mut self, now: Duration) -> bool {
        let earned = now.saturating_sub(self.filled).as_secs_f64() / self.every.as_secs_f64();
        self.tokens = (self.tokens + earned).min(self.burst);
        self.filled = now;
        let paid = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(paid));
        paid
    }
}

impl Line {
    /// Routers with these round trips and a target with the last one.
    pub(crate) fn new(rtts: &[Duration]) -> Self {
        let (last, routers) = rtts.split_last().expect("there is at least a target");
        let router =
            |(index, rtt): (usize, &Duration)| Node::new([10, 0, 0, index as u8 + 1], *rtt);
        Self {
            routers: routers.iter().enumerate().map(router).collect(),
            end: End::Target(Node::new(TARGET, *last)),
            random: fastrand::Rng::with_seed(1),
        }
    }

    /// The answer to a packet that leaves now, if there is one.
    pub(crate) fn answer(&mut self, ttl: Ttl, now: Duration) -> Option<Reply> {
        let position = usize::from(ttl.hops()) - 1;
        let length = self.routers.len();
        if let Some(router) = self.routers.get_mut(position) {
            return match self.end {
                End::Refusal { code } if position + 1 == length => {
                    router.answer(Says::Unreachable { code }, now, &mut self.random)
                }
                _ => router.answer(Says::TimeExceeded, now, &mut self.random),
            };
        }
        match &mut self.end {
            End::Target(target) => target.answer(Says::Arrived, now, &mut self.random),
            End::Nothing => None,
            End::Refusal { code } => {
                let says = Says::Unreachable { code: *code };
                let last = self.routers.last_mut()?;
                last.answer(says, now, &mut self.random)
            }
            End::Circle(start) => {
                let position = *start + (position - *start) % (length - *start);
                let router = &mut self.routers[position];
                router.answer(Says::TimeExceeded, now, &mut self.random)
            }
        }
    }
}

/// How a run went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) took: Duration,
    pub(crate) packets: u32,
}

/// Runs `machine` until it is done or `end` has come; `answer` is the network.
pub(crate) fn run(
    machine: &mut impl Machine,
    end: Duration,
    mut answer: impl FnMut(Probe, Duration) -> Option<Reply>,
) -> Run {
    let mut now = Duration::ZERO;
    let mut packets = 0;
    let mut under_way: BTreeMap<(Duration, u32), (Probe, Reply)> = BTreeMap::new();
    while now < end {
        let until = match machine.poll(now) {
            Step::Done => break,
            Step::Send(probe) => {
                packets += 1;
                if let Some(reply) = answer(probe, now) {
                    under_way.insert((now + reply.rtt, packets), (probe, reply));
                }
                continue;
            }
            Step::Wait(until) => until,
        };
        assert!(until > now, "waiting must take time");
        match under_way.first_entry() {
            Some(first) if first.key().0 <= until => {
                now = first.key().0;
                let (probe, reply) = first.remove();
                machine.hear(probe, reply, now);
            }
            _ => now = until,
        }
    }
    Run { took: now, packets }
}
