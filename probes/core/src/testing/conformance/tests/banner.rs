//! A probe that does everything right: it connects and reads the first line.

use std::net::SocketAddr;
use std::sync::Arc;
use std::{io, str};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::metric::{Counter, Gauge, Histogram, Info, RTT_BUCKETS};
use crate::options::OptionsError;
use crate::{Cause, Context, Fault, Options, Plugin, Preference, Probe, Target, async_trait};

static PHASE: Gauge = Gauge::new("probe_banner_duration_seconds", "Time of each phase.")
    .by(&["phase"], &["connect", "read"]);
static BYTES: Counter = Counter::new("probe_banner_read_bytes_total", "Bytes read.");
static READS: Histogram = Histogram::new(
    "probe_banner_read_seconds",
    "Time of each read.",
    RTT_BUCKETS,
);
static TEXT: Info = Info::new("probe_banner_text_info", "The banner itself.", &["text"]);
static CUT: Counter = Counter::new("probe_banner_cut_total", "Banners that were too long.");

pub(super) static BANNER: Plugin = Plugin::new::<BannerOptions>("banner", "First line of a server")
    .metrics(&[&PHASE, &BYTES, &READS, &TEXT, &CUT])
    .causes(&[
        Cause::Timeout,
        Cause::Refused,
        Cause::Reset,
        Cause::Closed,
        Cause::Mismatch,
    ])
    .docs(
        "# banner\n## What it measures\n## How\n## Options\n## Metrics\n## Privileges\n\
         ## Limits\n## Reading the numbers\n",
    );

/// Options of the banner probe.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BannerOptions {
    /// Bytes after which a banner is cut.
    longest: usize,
}

impl Default for BannerOptions {
    fn default() -> Self {
        Self { longest: 1024 }
    }
}

impl Options for BannerOptions {
    type Probe = Banner;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<Banner, OptionsError> {
        let address = target.address.parse();
        let address = address.map_err(|_| OptionsError::new("the target is not ADDRESS:PORT"))?;
        Ok(Banner {
            address,
            options: Arc::clone(self),
        })
    }
}

struct Banner {
    address: SocketAddr,
    options: Arc<BannerOptions>,
}

#[async_trait]
impl Probe for Banner {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let host = self.address.ip().to_string();
        cx.resolve(&host, Preference::new("ip4", true)).await?;
        let begin = Instant::now();
        let mut stream = TcpStream::connect(self.address).await.map_err(fault)?;
        cx.set_for(&PHASE, "connect", begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        let mut banner = Vec::new();
        let end = loop {
            if let Some(end) = banner.iter().position(|byte| *byte == b'\n') {
                break end;
            }
            if banner.len() >= self.options.longest {
                cx.add(&CUT, 1);
                return Err(Fault::target(Cause::Mismatch, "the banner is too long"));
            }
            let before = Instant::now();
            match stream.read_buf(&mut banner).await.map_err(fault)? {
                0 => {
                    return Err(Fault::target(
                        Cause::Closed,
                        "closed before a line was complete",
                    ));
                }
                read => cx.add(&BYTES, read as u64),
            }
            cx.observe(&READS, before.elapsed());
        };
        cx.set_for(&PHASE, "read", begin.elapsed().as_secs_f64());
        let text = str::from_utf8(&banner[..end]).map_err(|error| {
            Fault::target(Cause::Mismatch, format!("the banner is not text: {error}"))
        })?;
        cx.inform(&TEXT, &[text]);
        cx.event("banner", || json!({ "text": text }));
        Ok(())
    }
}

fn fault(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::target(Cause::Refused, "connection refused"),
        io::ErrorKind::ConnectionReset => Fault::target(Cause::Reset, "connection reset"),
        _ => Fault::own(error),
    }
}
