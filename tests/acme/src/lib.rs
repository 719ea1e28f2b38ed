//! How long does a daytime server (RFC 867) take to tell the time?

use std::{net::SocketAddr, sync::Arc};

use leadsman_core::{Cause, Command, Context, Fault, Gauge, Options, OptionsError, Plugin};
use leadsman_core::{Preference, Probe, Target, async_trait, inventory};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncReadExt, net::TcpStream};

mod responder;
#[cfg(test)]
mod tests;

inventory::submit! {
    Plugin::new::<DaytimeOptions>("daytime", "Time that a daytime server takes to answer")
        .command(Command::new("daytime", "HOST:PORT"))
        .metrics(&[&ANSWER])
        .causes(&[Cause::Closed, Cause::Mismatch, Cause::Protocol, Cause::Refused, Cause::Reset,
            Cause::Resolve, Cause::Timeout, Cause::Unreachable])
}

static ANSWER: Gauge = Gauge::new("probe_daytime_answer_seconds", "Time to the answer's end.");

/// What a user may set.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DaytimeOptions {
    /// Text that the answer must contain.
    contains: String,
}

impl Options for DaytimeOptions {
    type Probe = Daytime;
    fn aim(self: &Arc<Self>, target: &Target) -> Result<Daytime, OptionsError> {
        let (host, port) = target.host_port(Some(13))?;
        Ok(Daytime(host.to_owned(), port, self.clone()))
    }
}

/// The probe: host, port and what the answer must contain.
#[derive(Debug)]
pub struct Daytime(String, u16, Arc<DaytimeOptions>);

#[async_trait]
impl Probe for Daytime {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let begin = tokio::time::Instant::now();
        let host = cx.resolve(&self.0, Preference::new("ip4", true)).await?;
        let peer = SocketAddr::new(host, self.1);
        let asking = |error| Fault::connection(peer, "cannot ask for the time", error);
        let mut server = TcpStream::connect(peer).await.map_err(asking)?.take(512);
        let mut answer = String::new();
        server.read_to_string(&mut answer).await.map_err(asking)?;
        cx.set(&ANSWER, begin.elapsed().as_secs_f64());
        let good = answer.contains(&self.2.contains).then_some(());
        good.ok_or_else(|| Fault::target(Cause::Mismatch, format!("the answer is {answer:?}")))
    }
}
