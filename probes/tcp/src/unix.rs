//! The probe of a path on this host: what may be chosen, and how a run goes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use leadsman_core::{
    Cause, Command, Context, Difference, Fault, Options, OptionsError, Plugin, Probe, Target,
    async_trait, inventory,
};
use leadsman_dial::{Peer, Step, TlsCache, TlsOptions, in_time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use crate::metrics::{ALL_OF_UNIX, OF_UNIX};
use crate::script::{self, Script};
use crate::tcp::{BYTES, LABELS};
use crate::trip::{Phase, Trip};
use crate::{draw, events};

inventory::submit! {
    Plugin::new::<UnixOptions>("unix", "Connection to a unix socket, and what is said over it")
        .docs(include_str!("../UNIX.md"))
        .metrics(ALL_OF_UNIX)
        .differs(DIFFERENCES)
        .causes(&[
            Cause::Closed,
            Cause::Mismatch,
            Cause::Protocol,
            Cause::Refused,
            Cause::Reset,
            Cause::Timeout,
            Cause::Tls,
            Cause::Unreachable,
        ])
        .command(Command {
            draw: Some(draw::draw),
            ..Command::new("unix", "PATH")
        })
}

/// Where it is not as `blackbox_exporter`'s prober.
const DIFFERENCES: &[Difference] = &[
    Difference::always("What a certificate says is known although it was refused."),
    Difference::with("query_response", BYTES).mimicked(),
    Difference::with("query_response", LABELS),
];

/// Options of the probe of unix sockets.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UnixOptions {
    /// Steps of the dialogue: what to wait for, what to send, when to agree on TLS.
    query_response: Vec<Step>,
    /// Agree on TLS before anything is said.
    tls: bool,
    /// TLS, from the first byte or by a step; the name is localhost if none is given.
    #[serde(deserialize_with = "script::consistent")]
    tls_config: TlsOptions,
    #[serde(skip)]
    cache: TlsCache,
}

impl Options for UnixOptions {
    type Probe = UnixProbe;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<UnixProbe, OptionsError> {
        let path = &*target.address;
        if path.is_empty() || path.contains('\0') || path.len() > LONGEST_PATH {
            let message = format!("not the path of a socket, of at most {LONGEST_PATH} bytes");
            return Err(OptionsError::new(message).help("write a path, such as /run/app.sock"));
        }
        script::spoken(&self.tls_config)?;
        let named = self.tls_config.server_name.as_deref();
        let name = named.or(target.hostname.as_deref()).unwrap_or("localhost");
        Ok(UnixProbe {
            options: Arc::clone(self),
            path: path.into(),
            name: name.into(),
        })
    }
}

/// A unix socket at one path.
#[derive(Debug)]
pub(crate) struct UnixProbe {
    options: Arc<UnixOptions>,
    path: Box<str>,
    /// The name for TLS.
    name: Box<str>,
}

impl UnixProbe {
    async fn reach(&self, cx: &Context<'_>) -> Result<UnixStream, Fault> {
        cx.permits_path(&self.path)?;
        // As everywhere on Linux, an at sign stands for the byte that makes a name abstract (unix(7)).
        let path = match self.path.strip_prefix('@') {
            Some(name) => format!("\0{name}"),
            None => self.path.to_string(),
        };
        loop {
            match UnixStream::connect(&path).await {
                // The listener has no room for one more, as unix(7) does not say but the kernel does.
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => sleep(AGAIN).await,
                connected => return connected.map_err(|why| judged(&self.path, why)),
            }
        }
    }
}

#[async_trait]
impl Probe for UnixProbe {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let options = &*self.options;
        let steps = &*options.query_response;
        let tls = script::prepared(options.tls, steps, &options.tls_config, &options.cache).await?;
        let mut trip = Trip::begin(cx, &OF_UNIX, Phase::Connect);
        let begin = Instant::now();
        let Some(stream) = in_time(cx, self.reach(cx)).await else {
            let detail = format!("cannot connect to {}: nobody accepts", self.path);
            return Err(Fault::target(Cause::Timeout, detail));
        };
        let stream = stream?;
        cx.event(events::Connected::NAME, || events::Connected {
            peer: self.path.to_string(),
            took: begin.elapsed().as_secs_f64(),
        });
        let script = Script {
            peer: Peer::Path(&self.path),
            name: &self.name,
            steps,
            from_the_first_byte: options.tls,
            tls,
        };
        trip.talk(stream, &script).await
    }
}

/// Whose fault it is that there is no connection to a path.
fn judged(path: &str, why: io::Error) -> Fault {
    let doing = format!("cannot connect to {path}");
    let cause = match why.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Cause::Unreachable,
        // It is a socket of datagrams (unix(7)).
        _ if why.raw_os_error() == Some(EPROTOTYPE) => Cause::Protocol,
        _ => return Peer::Path(path).fault(&doing, why),
    };
    Fault::target(cause, format!("{doing}: {why}"))
}

/// Linux's number of the error that has no kind.
const EPROTOTYPE: i32 = 91;

/// What `sun_path` holds beside the byte that ends it (unix(7)).
const LONGEST_PATH: usize = 107;

/// How soon to try again where a listener has no room.
const AGAIN: Duration = Duration::from_millis(1);
