//! How is the way to one host traced, run after run?
//!
//! Keeps the line while the address stays the same, so that another path is a change and no
//! accident. What happens within a run is in [`crate::walk`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use leadsman_core::{Blocker, Context, Fault, Probe, async_trait};
use leadsman_wire::{OpenError, RequestOptions, SendError};
use tokio::task::spawn_blocking;
use tokio::time::sleep_until;

use crate::account::{Account, Past};
use crate::discovery::Limits;
use crate::enumeration::{Enumeration, scope};
use crate::known::Known;
use crate::line::Line;
use crate::metrics;
use crate::multipath::{Confidence, Scope};
use crate::observe::Observation;
use crate::options::TraceOptions;
use crate::routers::Routers;
use crate::sounding::{Sounding, Way};
use crate::step::Flow;
use crate::systems::Systems;
use crate::toll::Toll;
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
    echo: RequestOptions,
    limits: Limits,
    wanted: Wanted,
    /// That of the next run.
    flow: Flow,
    line: Option<Line>,
    past: Past,
    systems: Option<Arc<Systems>>,
}

impl Trace {
    pub(crate) fn new(
        options: Arc<TraceOptions>,
        echo: RequestOptions,
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
            systems: None,
        }
    }

    /// The database of systems, if there is to be one; read by the first run.
    async fn systems(&mut self) -> Result<Option<Arc<Systems>>, Fault> {
        if let (None, Some(path)) = (&self.systems, &self.options.as_database) {
            let path = path.clone();
            let read = spawn_blocking(move || Systems::shared(&path)).await;
            let read = read.map_err(Fault::own)?;
            self.systems = Some(read.map_err(Fault::own)?);
        }
        Ok(self.systems.clone())
    }

    /// Makes sure that `address` is where the line leads.
    fn aim_at(&mut self, address: IpAddr) -> Result<(&mut Line, &mut Past), Fault> {
        let line = match self.line.take() {
            Some(line) if line.address() == address => line,
            _ => {
                let line = Line::open(address, self.echo)?;
                let known = Known::new(address, line.protocol(), line.port());
                self.past = Past::sharing(known);
                line
            }
        };
        let line = self.line.insert(line);
        Ok((line, &mut self.past))
    }
}

#[async_trait]
impl Probe for Trace {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let options = Arc::clone(&self.options);
        let address = cx
            .resolve(&cx.target().address, options.preference())
            .await?;
        cx.permits(SocketAddr::new(address, 0))?;
        cx.enter("trace");
        let systems = self.systems().await?;
        let (limits, wanted, flow) = (self.limits, self.wanted, self.flow);
        self.flow = Flow((flow.0 + 1) % wanted.flows);
        let (line, past) = self.aim_at(address)?;
        let account = Account::new(cx, options.hops, flow, past).knowing(systems.clone());
        let mut walk = Walk::new(cx, limits, flow, line, account);
        let mut routers = Routers::new(cx, !options.numeric, systems);
        let outcome = walk.run(&mut routers).await;
        let discovery = walk.end();
        let is_known = discovery.verdict().is_some();
        if options.goes_on() && is_known && !matches!(outcome, Err(Fault::Own(..))) {
            let observation =
                Observation::new(cx, line, routers, &options, (&discovery, past.path(flow)));
            return observation.run(outcome).await;
        }
        let found = (&discovery, line.address());
        let way = Way::of(&discovery, flow, limits).filter(|_| wanted.mtu);
        if let Some(way) = way
            && let Some(toll) = Toll::pay(cx, found, metrics::MTU, 1, &mut past.mtu)
        {
            cx.enter("mtu");
            Sounding::new(cx, way, line, toll).run().await?;
        }
        let flows = line.most_flows().unwrap_or(Scope::MOST_FLOWS);
        let sure = wanted.all_paths;
        let scope = sure.and_then(|sure| scope(&discovery, limits, sure, flows));
        if let Some(scope) = scope
            && let packets = scope.confidence.flows()
            && let Some(toll) =
                Toll::pay(cx, found, metrics::ALL_PATHS, packets, &mut past.all_paths)
        {
            let known = (&discovery, flow);
            Enumeration::new(cx, scope, line, known, toll).run().await?;
            line.keep(wanted.flows);
        }
        // A name that nobody tells in time makes no failure of what is known.
        tokio::select! {
            biased;
            () = cx.stopped() => {}
            () = sleep_until(cx.deadline()) => {}
            () = routers.learn_all() => {}
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
        | SendError::TooLate { .. }
        | SendError::Unheard { .. } => Fault::Own(Blocker::Resources, Box::new(error)),
        error => Fault::own(error),
    }
}
