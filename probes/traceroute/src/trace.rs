//! How is the way to one host traced, run after run?
//!
//! Keeps the line while the address stays the same, so that another path is a change and no
//! accident. What happens within a run is in [`crate::walk`].

use std::net::IpAddr;
use std::sync::Arc;

use leadsman_core::{Blocker, Context, Fault, Probe, async_trait};
use leadsman_wire::{EchoOptions, OpenError, SendError};

use crate::account::{Account, Past};
use crate::discovery::Limits;
use crate::enumeration::{Enumeration, scope};
use crate::line::Line;
use crate::multipath::Confidence;
use crate::options::TraceOptions;
use crate::sounding::{Sounding, Way};
use crate::step::Flow;
use crate::walk::Walk;

/// What is to be found out beside the path of one flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Those of so many flows, one a run.
    pub(crate) flows: u16,
    /// All paths, with how much confidence.
    pub(crate) all_paths: Option<Confidence>,
    /// The path MTU.
    pub(crate) mtu: bool,
}

/// Traces aimed at one host.
#[derive(Debug)]
pub(crate) struct Trace {
    options: Arc<TraceOptions>,
    echo: EchoOptions,
    limits: Limits,
    wanted: Wanted,
    /// That of the next run.
    flow: Flow,
    line: Option<Line>,
    past: Past,
}

impl Trace {
    pub(crate) fn new(
        options: Arc<TraceOptions>,
        echo: EchoOptions,
        limits: Limits,
        wanted: Wanted,
    ) -> Self {
        Self {
            options,
            echo,
            limits,
            wanted,
            flow: Flow::default(),
            line: None,
            past: Past::default(),
        }
    }

    /// Makes sure that `address` is where the line leads.
    fn aim_at(&mut self, address: IpAddr) -> Result<(&mut Line, &mut Past), Fault> {
        let line = match self.line.take() {
            Some(line) if line.address() == address => line,
            _ => {
                self.past = Past::default();
                Line::open(address, self.echo)?
            }
        };
        let line = self.line.insert(line);
        Ok((line, &mut self.past))
    }
}

#[async_trait]
impl Probe for Trace {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let preference = self.options.preference();
        let address = cx.resolve(&cx.target().address, preference).await?;
        let (limits, wanted, flow) = (self.limits, self.wanted, self.flow);
        let shown = self.options.hops;
        self.flow = Flow((flow.0 + 1) % wanted.flows);
        let (line, past) = self.aim_at(address)?;
        let account = Account::new(cx, shown, flow, past);
        let mut walk = Walk::new(cx, limits, flow, line, account);
        let outcome = walk.run().await;
        let found = walk.discovery();
        let scope = wanted
            .all_paths
            .and_then(|confidence| scope(found, limits, confidence));
        let way = Some(found).filter(|_| wanted.mtu);
        let way = way.and_then(|found| Way::of(found, flow, limits));
        drop(walk);
        if let Some(way) = way {
            Sounding::new(cx, way, line).run().await?;
        }
        if let Some(scope) = scope {
            Enumeration::new(cx, scope, line).run().await?;
            line.keep(wanted.flows);
        }
        outcome
    }
}

pub(crate) fn not_opened(error: OpenError) -> Fault {
    match error {
        OpenError::NotPermitted { .. }
        | OpenError::TcpNotPermitted { .. }
        | OpenError::Mark { .. } => Fault::Own(Blocker::Permission, Box::new(error)),
        OpenError::SourceFamily { .. } | OpenError::Source { .. } | OpenError::Interface { .. } => {
            Fault::Own(Blocker::Network, Box::new(error))
        }
        error => Fault::own(error),
    }
}

pub(crate) fn not_sent(error: SendError) -> Fault {
    match error {
        SendError::NoSuchSource { .. } | SendError::TooLong { .. } => {
            Fault::Own(Blocker::Network, Box::new(error))
        }
        SendError::NoBuffers { .. }
        | SendError::OutOfSequenceNumbers { .. }
        | SendError::TooLate { .. } => Fault::Own(Blocker::Resources, Box::new(error)),
        error => Fault::own(error),
    }
}
