//! How is one host pinged, run after run?
//!
//! Keeps the flow while the address stays the same, so that answers which come after their run are
//! still recognised in the next one. What happens within a run is in [`crate::round`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use leadsman_core::{Blocker, Context, Fault, Probe, async_trait};
use leadsman_wire::{Flow, OpenError};
use tokio::time::Instant;

use crate::account::Account;
use crate::metrics::{DURATION, PHASES};
use crate::options::PingOptions;
use crate::round::Round;
use crate::source::Standard;

/// ICMP echo aimed at one host.
#[derive(Debug)]
pub(crate) struct Ping {
    options: Arc<PingOptions>,
    line: Option<Line>,
}

/// What is kept for as long as the host's address stays the same.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) address: IpAddr,
    pub(crate) flow: Flow,
    /// Requests so far: those of earlier runs have numbers below.
    pub(crate) asked: u64,
    pub(crate) standard: Standard,
    pub(crate) account: Account,
}

impl Ping {
    pub(crate) fn new(options: Arc<PingOptions>) -> Self {
        Self {
            options,
            line: None,
        }
    }

    /// Makes sure that `address` is where the line leads.
    fn aim_at(&mut self, address: IpAddr) -> Result<&mut Line, Fault> {
        let line = match self.line.take() {
            Some(line) if line.address == address => line,
            _ => Line {
                address,
                flow: Flow::open(address, self.options.echo()).map_err(not_opened)?,
                asked: 0,
                standard: Standard::default(),
                account: Account::default(),
            },
        };
        Ok(self.line.insert(line))
    }
}

#[async_trait]
impl Probe for Ping {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        cx.record(|run| {
            for phase in PHASES {
                run.set(&DURATION, Some(phase), 0.0);
            }
        });
        let options = Arc::clone(&self.options);
        let begin = Instant::now();
        let address = cx.resolve(&cx.target().address, options.preference()).await;
        let resolved = Instant::now();
        cx.set_for(&DURATION, "resolve", (resolved - begin).as_secs_f64());
        let address = address?;
        cx.permits(SocketAddr::new(address, 0))?;
        cx.enter("setup");
        options.fit(address)?;
        let line = self.aim_at(address)?;
        let ready = Instant::now();
        cx.set_for(&DURATION, "setup", (ready - resolved).as_secs_f64());

        cx.enter("rtt");
        Round::new(cx, &options, line, ready).run().await
    }
}

pub(crate) fn not_opened(error: OpenError) -> Fault {
    match error {
        OpenError::NotPermitted { .. } | OpenError::Mark { .. } => {
            Fault::Own(Blocker::Permission, Box::new(error))
        }
        OpenError::SourceFamily { .. } | OpenError::Source { .. } | OpenError::Interface { .. } => {
            Fault::Own(Blocker::Network, Box::new(error))
        }
        error => Fault::own(error),
    }
}
