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
use crate::line::Line;
use crate::options::TraceOptions;
use crate::walk::Walk;

/// Traces aimed at one host.
#[derive(Debug)]
pub(crate) struct Trace {
    options: Arc<TraceOptions>,
    echo: EchoOptions,
    limits: Limits,
    line: Option<Line>,
    past: Past,
}

impl Trace {
    pub(crate) fn new(options: Arc<TraceOptions>, echo: EchoOptions, limits: Limits) -> Self {
        Self {
            options,
            echo,
            limits,
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
        let (limits, shown) = (self.limits, self.options.hops);
        let (line, past) = self.aim_at(address)?;
        Walk::new(cx, limits, line, Account::new(cx, shown, past))
            .run()
            .await
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
