//! How long does a daytime server (RFC 867) take to tell the time?

use std::sync::Arc;

use leadsman_core::metric::Gauge;
use leadsman_core::options::OptionsError;
use leadsman_core::{Cause, Command, Context, Fault, Options, Plugin, Preference, Probe, Target};
use leadsman_core::{async_trait, inventory};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

mod responder;

inventory::submit! {
    Plugin::new::<DaytimeOptions>("daytime", "Time that a daytime server takes to answer")
        .command(Command::new("daytime", "HOST:PORT"))
        .metrics(&[&ANSWER])
        .causes(&[Cause::Resolve, Cause::Refused, Cause::Reset, Cause::Mismatch, Cause::Timeout])
}

static ANSWER: Gauge = Gauge::new(
    "probe_daytime_answer_seconds",
    "Time from connecting to the answer's end.",
);

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
        let (host, port) = target
            .address
            .rsplit_once(':')
            .unwrap_or((&target.address, "13"));
        let port = port
            .parse()
            .map_err(|_| OptionsError::new("a daytime target is HOST:PORT"))?;
        Ok(Daytime {
            host: host.to_owned(),
            port,
            options: Arc::clone(self),
        })
    }
}

/// A daytime probe aimed at one server.
#[derive(Debug)]
pub struct Daytime {
    host: String,
    port: u16,
    options: Arc<DaytimeOptions>,
}

#[async_trait]
impl Probe for Daytime {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let address = cx.resolve(&self.host, Preference::new("ip4", true)).await?;
        let begin = tokio::time::Instant::now();
        let asking = |error| Fault::connection("cannot ask for the time", error);
        let mut server = TcpStream::connect((address, self.port))
            .await
            .map_err(asking)?;
        let mut answer = String::new();
        server
            .take(512)
            .read_to_string(&mut answer)
            .await
            .map_err(asking)?;
        cx.set(&ANSWER, begin.elapsed().as_secs_f64());
        if answer.contains(&self.options.contains) {
            return Ok(());
        }
        Err(Fault::target(
            Cause::Mismatch,
            format!("the answer is {:?}", answer.trim_end()),
        ))
    }
}
