//! Who answers at one TTL, and what else is to be asked there?

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use leadsman_wire::Ttl;

use super::{Branches, Spread};
use crate::step::{Flow, Probe};

/// One TTL of all paths.
#[derive(Debug)]
pub(super) struct Ply {
    ttl: Ttl,
    /// Every flow that was sent, answered or not.
    flows: BTreeSet<Flow>,
    /// The lowest flow that was not sent.
    fresh: u16,
    /// Who answered each flow first.
    heard: BTreeMap<Flow, IpAddr>,
    /// When each packet under way is given up.
    under_way: BTreeMap<Probe, Duration>,
    /// How many packets were given up.
    missed: usize,
    /// How often the first answered flow was sent again.
    repeated: u32,
    per_packet: bool,
    addresses: BTreeSet<IpAddr>,
}

impl Ply {
    pub(super) fn new(ttl: Ttl) -> Self {
        Self {
            ttl,
            flows: BTreeSet::new(),
            fresh: 0,
            heard: BTreeMap::new(),
            under_way: BTreeMap::new(),
            missed: 0,
            repeated: 0,
            per_packet: false,
            addresses: BTreeSet::new(),
        }
    }

    pub(super) fn ttl(&self) -> Ttl {
        self.ttl
    }

    pub(super) fn heard(&self) -> &BTreeMap<Flow, IpAddr> {
        &self.heard
    }

    /// Whether this flow was sent, answered or not.
    pub(super) fn was_asked(&self, flow: Flow) -> bool {
        self.flows.contains(&flow)
    }

    /// How many packets were sent.
    pub(super) fn asked(&self) -> usize {
        self.flows.len() + self.repeated as usize
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    pub(super) fn flows_under_way(&self) -> usize {
        let under_way = self.under_way.keys();
        under_way.filter(|probe| probe.round == 0).count()
    }

    pub(super) fn is_under_way(&self, flow: Flow) -> bool {
        let (ttl, round) = (self.ttl, 0);
        self.under_way.contains_key(&Probe { ttl, flow, round })
    }

    pub(super) fn is_per_packet(&self) -> bool {
        self.per_packet
    }

    pub(super) fn width(&self) -> usize {
        self.addresses.len()
    }

    /// Who answers, if there is nobody else.
    pub(super) fn alone(&self) -> Option<IpAddr> {
        self.addresses
            .first()
            .copied()
            .filter(|_| self.width() == 1)
    }

    /// Whether so many flows were answered or, if all under way are, will have been.
    pub(super) fn has_enough(&self, flows: usize, under_way: usize) -> bool {
        self.heard.len() + under_way >= flows
    }

    /// Whether it answers so little that asking on is of no use.
    pub(super) fn is_given_up(&self) -> bool {
        self.missed >= MOST_MISSED.max(self.heard.len() * 2)
    }

    /// A flow that was not sent yet: the same at all TTLs, as far as that goes.
    /// There are so many in all.
    pub(super) fn new_flow(&self, flows: u16) -> Option<Flow> {
        (self.fresh < flows).then_some(Flow(self.fresh))
    }

    /// The first answered flow once more, if there is a choice of routers that may be made anew
    /// for each packet.
    pub(super) fn repetition(&self) -> Option<(Flow, u32)> {
        let (flow, _) = self.heard.first_key_value()?;
        let wanted = self.width() > 1 && self.repeated < REPETITIONS;
        wanted.then_some((*flow, self.repeated + 1))
    }

    /// Takes in who was heard with a flow before the enumeration began.
    pub(super) fn know(&mut self, flow: Flow, from: IpAddr) {
        self.take_up(flow);
        self.heard.insert(flow, from);
        self.addresses.insert(from);
    }

    pub(super) fn note_sent(&mut self, probe: Probe, until: Duration) {
        self.take_up(probe.flow);
        if probe.round > 0 {
            self.repeated += 1;
        }
        self.under_way.insert(probe, until);
    }

    fn take_up(&mut self, flow: Flow) {
        self.flows.insert(flow);
        while self.flows.contains(&Flow(self.fresh)) {
            self.fresh += 1;
        }
    }

    /// Takes in an answer, unless it was not asked for.
    pub(super) fn note_answer(&mut self, probe: Probe, from: IpAddr) -> bool {
        if self.under_way.remove(&probe).is_none() {
            return false;
        }
        let first = *self.heard.entry(probe.flow).or_insert(from);
        self.per_packet |= first != from;
        self.addresses.insert(from);
        true
    }

    pub(super) fn expire(&mut self, now: Duration) {
        let before = self.under_way.len();
        self.under_way.retain(|_, until| *until > now);
        self.missed += before - self.under_way.len();
    }

    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.under_way.values().min().copied()
    }

    pub(super) fn branches(&self) -> Branches {
        let addresses: Vec<_> = self.addresses.iter().copied().collect();
        let spread = match addresses.len() {
            0 => Spread::Silent,
            1 => Spread::Single,
            _ if self.per_packet => Spread::PerPacket,
            _ => Spread::PerFlow,
        };
        Branches {
            ttl: self.ttl,
            addresses,
            spread,
            flows: self.heard.len(),
        }
    }
}

/// A balancer that decides for each packet evenly between two goes unnoticed by five repetitions
/// in one case of 32.
const REPETITIONS: u32 = 5;

/// A TTL at which so many are missed, and twice as many as are answered, is given up.
const MOST_MISSED: usize = 6;
