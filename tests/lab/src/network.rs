//! How does a packet travel, and what comes of it?
//!
//! The whole network as one value without a clock, a socket or a thread: time is a number given
//! with each call, so that an hour passes in a moment and the same seed gives the same outcome.
//! Who lets real time pass and real packets in is the TUN device's concern.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use fastrand::Rng;

use crate::packet::Packet;
use crate::router::{Decided, Router, Step, Then};
use crate::scenario::{Scenario, ScenarioError};
use crate::way::Carried;
use crate::{Answer, Delivered, Ending, NodeId, Record, Request, Route, Why};

/// A network with its prober at one end.
///
/// Times are since the network began. They may not go back.
#[derive(Debug)]
pub struct Network {
    routers: Vec<Router>,
    /// What the link to each node carries.
    mtus: Vec<Option<u32>>,
    /// What arrives somewhere, soonest first.
    arrivals: BinaryHeap<Reverse<Arrival>>,
    arrived: u64,
    records: Vec<Record>,
}

impl Network {
    /// Builds the network of a scenario.
    pub fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let mut dice = Rng::with_seed(scenario.seed);
        let names: Vec<String> = scenario.names();
        let routers = scenario.nodes.iter().enumerate().map(|(n, node)| {
            let own = scenario.addresses(n);
            let decide = |route| decided(route, &names, &names[n]);
            let mut routes: Vec<Decided> =
                node.routes.iter().map(decide).collect::<Result<_, _>>()?;
            if routes.is_empty() && n + 1 < names.len() {
                let then = Then::Next(vec![NodeId(n as u16 + 1)]);
                let since = Duration::ZERO;
                routes.push(Decided {
                    to: None,
                    since,
                    then,
                });
            }
            Ok::<_, ScenarioError>(Router::new(node.clone(), own, routes, &mut dice))
        });
        Ok(Self {
            routers: routers.collect::<Result<_, _>>()?,
            mtus: scenario.nodes.iter().map(|node| node.mtu).collect(),
            arrivals: BinaryHeap::new(),
            arrived: 0,
            records: Vec::new(),
        })
    }

    /// Lets an IP packet of the prober in, and returns the place of its record.
    ///
    /// What is no IP packet, or goes to many, is ignored: a kernel says a few things to its
    /// neighbours unasked.
    pub fn inject(&mut self, now: Duration, packet: &[u8]) -> Option<usize> {
        let packet = Packet::read(packet.to_vec())?;
        let destination = packet.destination();
        if destination.is_multicast() || self.routers.is_empty() {
            return None;
        }
        let mut start = [0; 8];
        let known = packet.transport().len().min(8);
        start[..known].copy_from_slice(&packet.transport()[..known]);
        let record = self.records.len();
        self.records.push(Record {
            entered: now,
            request: Request {
                destination,
                ttl: packet.ttl(),
                protocol: packet.protocol(),
                start,
            },
            endings: vec![Ending::Travelling],
        });
        let traveller = Traveller {
            record,
            ending: 0,
            packet,
            trail: Vec::new(),
            answer: None,
            is_corrupted: false,
        };
        self.cross(NodeId(0), Box::new(traveller), now);
        Some(record)
    }

    /// When [`Network::due`] should be asked again; never if nothing is under way.
    pub fn next(&self) -> Option<Duration> {
        self.arrivals.peek().map(|Reverse(arrival)| arrival.at)
    }

    /// Returns the next packet for the prober that has come by now, and takes `now` for the time
    /// at which the prober gets it.
    pub fn due(&mut self, now: Duration) -> Option<Delivery> {
        while self.next().is_some_and(|at| at <= now) {
            let Reverse(arrival) = self.arrivals.pop()?;
            if let Some(delivery) = self.arrive(arrival, now) {
                return Some(delivery);
            }
        }
        None
    }

    /// Notes that the prober has got a packet, `now` at the latest.
    pub fn arrived(&mut self, delivery: &Delivery, now: Duration) {
        let ending = &mut self.records[delivery.record].endings[delivery.ending];
        if let Ending::Delivered(delivered) = ending {
            delivered.by = now;
        }
    }

    /// What happened to each packet, in the order in which they came.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    fn arrive(&mut self, arrival: Arrival, now: Duration) -> Option<Delivery> {
        let Arrival {
            at, mut traveller, ..
        } = arrival;
        match (traveller.answer, arrival.place) {
            (Some((answer, node)), None) => {
                let delivered = Delivered {
                    at: now,
                    by: now,
                    answer,
                    node,
                    from: traveller.packet.source(),
                    is_corrupted: traveller.is_corrupted,
                };
                *self.ending(&traveller) = Ending::Delivered(delivered);
                return Some(Delivery {
                    record: traveller.record,
                    ending: traveller.ending,
                    packet: traveller.packet.into_bytes(),
                });
            }
            (Some(_), Some(place)) => {
                let router = &self.routers[usize::from(place.0)];
                match router.meet_answer(&mut traveller.packet, at) {
                    Ok(()) => self.cross(place, traveller, at),
                    Err(why) => self.vanish(&traveller, place, why),
                }
            }
            (None, place) => {
                let place = place.expect("only answers go to the prober");
                self.arrive_out(place, traveller, at);
            }
        }
        None
    }

    fn arrive_out(&mut self, place: NodeId, mut traveller: Box<Traveller>, at: Duration) {
        // In a loop the way back is the short one.
        let seen = traveller.trail.iter().position(|seen| *seen == place);
        traveller
            .trail
            .truncate(seen.unwrap_or(traveller.trail.len()));
        traveller.trail.push(place);
        let router = &mut self.routers[usize::from(place.0)];
        match router.meet(&mut traveller.packet, at, &self.mtus) {
            Step::Onward(next) => self.cross(next, traveller, at),
            Step::Vanished(why) => self.vanish(&traveller, place, why),
            Step::Answered(packet, answer) => {
                traveller.packet = packet;
                traveller.answer = Some((answer, place));
                traveller.is_corrupted = false;
                self.cross(place, traveller, at);
            }
        }
    }

    /// Sends a traveller along the link to `node`, or if it is an answer, from it.
    fn cross(&mut self, node: NodeId, mut traveller: Box<Traveller>, now: Duration) {
        let router = &mut self.routers[usize::from(node.0)];
        let passage = match traveller.answer {
            None => &mut router.out,
            Some(_) => &mut router.back,
        };
        let carried = passage.carry(&mut traveller.packet, now);
        let Carried::Arrives {
            first,
            second,
            is_corrupted,
        } = carried
        else {
            return self.vanish(&traveller, node, Why::Loss);
        };
        traveller.is_corrupted |= is_corrupted;
        let place = if traveller.answer.is_some() {
            traveller.trail.pop();
            traveller.trail.last().copied()
        } else {
            Some(node)
        };
        if let Some(second) = second {
            let mut copy = traveller.clone();
            let endings = &mut self.records[copy.record].endings;
            copy.ending = endings.len();
            endings.push(Ending::Travelling);
            self.schedule(second, place, copy);
        }
        self.schedule(first, place, traveller);
    }

    fn schedule(&mut self, at: Duration, place: Option<NodeId>, traveller: Box<Traveller>) {
        self.arrived += 1;
        self.arrivals.push(Reverse(Arrival {
            at,
            order: self.arrived,
            place,
            traveller,
        }));
    }

    fn vanish(&mut self, traveller: &Traveller, node: NodeId, why: Why) {
        *self.ending(traveller) = Ending::Vanished {
            node,
            answered: traveller.answer.is_some(),
            why,
        };
    }

    fn ending(&mut self, traveller: &Traveller) -> &mut Ending {
        &mut self.records[traveller.record].endings[traveller.ending]
    }
}

fn decided(route: &Route, names: &[String], node: &str) -> Result<Decided, ScenarioError> {
    let place = |name: &String| {
        let place = names.iter().position(|known| known == name);
        place
            .map(|n| NodeId(n as u16))
            .ok_or_else(|| ScenarioError::NoSuchNode {
                node: node.to_owned(),
                next: name.clone(),
            })
    };
    let then = match (&route.next[..], route.refuse) {
        ([], Some(refusal)) => Then::Refuse(refusal),
        ([_, ..], None) => Then::Next(route.next.iter().map(place).collect::<Result<_, _>>()?),
        _ => {
            return Err(ScenarioError::UndecidedRoute {
                node: node.to_owned(),
            });
        }
    };
    Ok(Decided {
        to: route.to,
        since: *route.since,
        then,
    })
}

/// A packet that the prober gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which request it answers: the place of its [`Record`].
    pub record: usize,
    /// Which of that request's answers it is.
    ending: usize,
    /// The IP packet.
    pub packet: Vec<u8>,
}

/// A packet under way.
#[derive(Debug, Clone)]
struct Traveller {
    record: usize,
    ending: usize,
    packet: Packet<Vec<u8>>,
    /// The nodes that it has come by, and that an answer goes back by.
    trail: Vec<NodeId>,
    /// If it is an answer: which, and whose.
    answer: Option<(Answer, NodeId)>,
    is_corrupted: bool,
}

#[derive(Debug)]
struct Arrival {
    at: Duration,
    /// Among arrivals at one time, the one that was sent first is first.
    order: u64,
    /// Where; none for the prober.
    place: Option<NodeId>,
    traveller: Box<Traveller>,
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Arrival {}

#[cfg(test)]
mod tests;
