//! How do the probes of a trace leave, and to which does an answer belong?
//!
//! A line is what is kept for as long as a host's address stays the same. Each of its flows keeps
//! its header fields, so all packets of all runs take the same way where routers share their load.
//! What to send, and what an answer means, is for the core to say.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::task::Poll;
use std::time::Duration;

use leadsman_core::Fault;
use leadsman_wire::{FlowLabel, Heard, Protocol, Refusal, RequestOptions, SendError};

use crate::step::{Flow, Probe};
use crate::trace::{not_opened, not_sent};

/// The way to one address, by as many flows as were asked for.
#[derive(Debug)]
pub(crate) struct Line {
    address: IpAddr,
    options: RequestOptions,
    flows: BTreeMap<Flow, Strand>,
    /// Whether no run has begun yet.
    is_new: bool,
}

/// One flow, and what the current run has asked with it.
#[derive(Debug)]
struct Strand {
    flow: leadsman_wire::Flow,
    /// The number within the flow of this run's first packet.
    begin: u64,
    /// That of the first packet that is remembered, and what it and all after it were.
    first: u64,
    asked: VecDeque<Probe>,
    in_flight: usize,
}

impl Line {
    /// Prepares to trace the way to `address`; the sockets are opened with the first flow, which
    /// is one of its own here, so that what is missing shows at once.
    pub(crate) fn open(address: IpAddr, options: RequestOptions) -> Result<Self, Fault> {
        let mut line = Self {
            address,
            options,
            flows: BTreeMap::new(),
            is_new: true,
        };
        line.strand(Flow::default())?;
        Ok(line)
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// What packets are.
    pub(crate) fn protocol(&self) -> Protocol {
        self.options.protocol
    }

    /// The port that they go to; none of echo requests.
    pub(crate) fn port(&self) -> Option<u16> {
        match self.options.protocol {
            Protocol::Icmp => None,
            Protocol::Udp | Protocol::Tcp => Some(self.options.port),
        }
    }

    /// The TOS or traffic class byte that packets leave with.
    pub(crate) fn tos(&self) -> u8 {
        self.options.tos
    }

    /// Length of its packets after the IP header, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.flows
            .values()
            .next()
            .map_or(0, |strand| strand.flow.bytes())
    }

    /// Begins a run: what still comes for earlier ones is passed over, and flows whose packets
    /// have an address that this host would no longer send from are opened again.
    pub(crate) fn begin(&mut self) {
        // What was opened a moment ago is not asked whether it still fits.
        if !std::mem::replace(&mut self.is_new, false) {
            self.flows.retain(|_, strand| !strand.flow.is_outdated());
        }
        for strand in self.flows.values_mut() {
            strand.first += strand.asked.len() as u64;
            strand.begin = strand.first;
            strand.asked.clear();
            strand.in_flight = 0;
        }
    }

    /// How many flows there can be to one address, if something limits that here.
    pub(crate) fn most_flows(&self) -> Option<u16> {
        self.flows.values().next()?.flow.mode().flows()
    }

    /// Lets go of all flows but the first so many: what still comes for them is nobody's.
    pub(crate) fn keep(&mut self, flows: u16) {
        self.flows.retain(|flow, _| flow.0 < flows);
    }

    /// Sends a probe, at the latest when [`Line::heard`] is next waited for: all that were sent by
    /// then leave together. Its end will be heard within little more than `wait`.
    pub(crate) fn send(&mut self, probe: Probe, wait: Duration) -> Result<(), Fault> {
        let strand = self.strand(probe.flow)?;
        strand.flow.ask_hop(probe.ttl, wait);
        strand.remember(probe);
        Ok(())
    }

    /// As [`Line::send`], as an IP packet of so many bytes, at least the usual and at most 65,535.
    pub(crate) fn send_sized(
        &mut self,
        probe: Probe,
        size: u32,
        wait: Duration,
    ) -> Result<(), Fault> {
        let header = self.headers();
        let strand = self.strand(probe.flow)?;
        let payload = size.saturating_sub(header) as usize;
        strand.flow.ask_hop_sized(probe.ttl, payload, wait);
        strand.remember(probe);
        Ok(())
    }

    /// The size of the IP packets that [`Line::send`] sends.
    pub(crate) fn usual_size(&self) -> u32 {
        self.headers() + self.options.payload_size as u32
    }

    /// What stands before the payload, in bytes.
    fn headers(&self) -> u32 {
        match self.address {
            IpAddr::V4(_) => 20 + 8,
            IpAddr::V6(_) => 40 + 8,
        }
    }

    /// If a probe was not sent for its size, what this host believes to fit, as far as it knows.
    pub(crate) fn too_long(&self, refusal: Refusal) -> Result<Option<u32>, Fault> {
        let strand = self.flows.values().next().expect("opened with one");
        match strand.flow.explain(refusal) {
            SendError::TooLong { mtu, .. } => Ok(mtu),
            error => Err(not_sent(error)),
        }
    }

    /// How many packets of this run have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.flows.values().map(|strand| strand.in_flight).sum()
    }

    /// Waits for what becomes known about a probe of this run. Cancel safe.
    pub(crate) async fn heard(&mut self) -> (Probe, Heard) {
        loop {
            let (flow, heard) = self.next().await;
            if let Some(known) = self.known(flow, heard) {
                return known;
            }
        }
    }

    /// Reads all that has arrived, so that [`Line::heard_already`] has it.
    pub(crate) fn settle(&self) {
        // All flows share their sockets.
        if let Some(strand) = self.flows.values().next() {
            strand.flow.settle();
        }
    }

    /// As [`Line::heard`], of what is known already.
    pub(crate) fn heard_already(&mut self) -> Option<(Probe, Heard)> {
        loop {
            let mut strands = self.flows.iter();
            let (flow, heard) =
                strands.find_map(|(flow, strand)| Some((*flow, strand.flow.heard_already()?)))?;
            if let Some(known) = self.known(flow, heard) {
                return Some(known);
            }
        }
    }

    async fn next(&self) -> (Flow, Heard) {
        let mut waiting: Vec<_> = self
            .flows
            .iter()
            .map(|(flow, strand)| (*flow, Box::pin(strand.flow.heard())))
            .collect();
        poll_fn(|cx| {
            for (flow, heard) in &mut waiting {
                if let Poll::Ready(heard) = heard.as_mut().poll(cx) {
                    return Poll::Ready((*flow, heard));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Tells which probe of this run it is about; none if it is about an earlier run's.
    fn known(&mut self, flow: Flow, heard: Heard) -> Option<(Probe, Heard)> {
        let strand = self.flows.get_mut(&flow)?;
        if heard.sequence() < strand.begin {
            return None;
        }
        // Of one that is no longer remembered, too.
        strand.in_flight -= usize::from(heard.is_end());
        let place = heard.sequence().checked_sub(strand.first)?;
        let probe = *strand.asked.get(usize::try_from(place).ok()?)?;
        Some((probe, heard))
    }

    /// Tells what it means that a probe was not sent.
    pub(crate) fn not_sent(&self, refusal: Refusal) -> Fault {
        let strand = self.flows.values().next().expect("opened with one");
        not_sent(strand.flow.explain(refusal))
    }

    fn strand(&mut self, flow: Flow) -> Result<&mut Strand, Fault> {
        let (address, options) = (self.address, self.options);
        let used: Vec<_> = if self.flows.contains_key(&flow) {
            Vec::new()
        } else {
            let strands = self.flows.values();
            strands.map(|strand| strand.flow.source_id()).collect()
        };
        match self.flows.entry(flow) {
            Entry::Occupied(strand) => Ok(strand.into_mut()),
            Entry::Vacant(place) => {
                let options = of_flow(options, flow);
                let flow = open(address, options, &used)?;
                Ok(place.insert(Strand {
                    flow,
                    begin: 0,
                    first: 0,
                    asked: VecDeque::new(),
                    in_flight: 0,
                }))
            }
        }
    }
}

impl Strand {
    /// Notes a packet that was just sent.
    fn remember(&mut self, probe: Probe) {
        if self.asked.len() == MOST_REMEMBERED {
            self.asked.pop_front();
            self.first += 1;
        }
        self.asked.push_back(probe);
        self.in_flight += 1;
    }
}

/// Opens a flow that differs from those that use these ports, where there is nothing else to differ in.
fn open(
    address: IpAddr,
    options: RequestOptions,
    used: &[u16],
) -> Result<leadsman_wire::Flow, Fault> {
    let open = || leadsman_wire::Flow::open(address, options).map_err(not_opened);
    // Until the end, so that each has another port than those before it.
    let mut others = vec![open()?];
    loop {
        let last = others.last().expect("there is one");
        let most = last.mode().flows().map_or(0, usize::from);
        if used.len() >= most || others.len() > most || !used.contains(&last.source_id()) {
            return Ok(others.pop().expect("there is one"));
        }
        others.push(open()?);
    }
}

/// The options of one flow: each has a flow label of its own. What else differs between flows,
/// the identifier and the checksum, `leadsman-wire` sees to.
fn of_flow(options: RequestOptions, flow: Flow) -> RequestOptions {
    let label = options.flow_label.map(|label| {
        let label = (label.number() + u32::from(flow.0)) & 0xf_ffff;
        FlowLabel::new(label.max(1)).expect("20 bits, and not 0")
    });
    RequestOptions {
        flow_label: label,
        ..options
    }
}

/// Packets of a flow whose answers are recognised: far more than there are in the time that any is
/// waited for.
const MOST_REMEMBERED: usize = 4_096;

#[cfg(test)]
mod tests {
    use leadsman_wire::Ttl;

    use super::*;
    use crate::tests::skips;

    #[tokio::test]
    async fn all_packets_of_a_run_end_however_many_there_are() {
        if skips("127.0.0.1") {
            return;
        }
        let mut line = Line::open([127, 0, 0, 1].into(), RequestOptions::default()).unwrap();
        let ttl = Ttl::new(1).unwrap();
        line.begin();
        for round in 0..MOST_REMEMBERED as u32 + 9 {
            let flow = Flow::default();
            line.send(Probe { ttl, flow, round }, WAIT).unwrap();
        }
        while line.in_flight() > 0 {
            let heard = line.heard();
            let all = tokio::time::timeout(WAIT * 20, heard).await;
            assert!(all.is_ok() || line.in_flight() == 0, "{}", line.in_flight());
        }
    }

    const WAIT: Duration = Duration::from_millis(500);
}
