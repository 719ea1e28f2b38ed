//! The probe of an address and a port: what may be chosen, and how a run goes.

use std::net::IpAddr;
use std::sync::Arc;

use leadsman_core::{
    Cause, Command, Context, Difference, Fault, Options, OptionsError, Plugin, Preference, Probe,
    Target, async_trait, inventory,
};
use leadsman_dial::{Connected, Peer, Step, TlsCache, TlsOptions, connect, in_time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::metrics::{ALL_OF_TCP, OF_TCP};
use crate::script::{self, Script};
use crate::trip::{Phase, Trip};
use crate::{draw, events};

inventory::submit! {
    Plugin::new::<TcpOptions>("tcp", "Connection to a port, and what is said over it")
        .docs(include_str!("../README.md"))
        .metrics(ALL_OF_TCP)
        .differs(DIFFERENCES)
        .causes(&[
            Cause::Closed,
            Cause::Mismatch,
            Cause::Protocol,
            Cause::Refused,
            Cause::Reset,
            Cause::Resolve,
            Cause::Timeout,
            Cause::Tls,
            Cause::Unreachable,
        ])
        .command(Command {
            shorts: &[('I', "source_ip_address")],
            draw: Some(draw::draw),
            ..Command::new("tcp", "HOST:PORT")
        })
}

/// Where it is not as `blackbox_exporter`'s prober.
const DIFFERENCES: &[Difference] = &[
    Difference::always("All addresses of a name are tried in turn, not the first alone.")
        .mimicked(),
    Difference::always("What a certificate says is known although it was refused."),
    Difference::with("query_response", BYTES).mimicked(),
    Difference::with("query_response", LABELS),
];

/// What is different about `expect_bytes`.
pub(crate) const BYTES: &str = "The bytes of expect_bytes may come in several segments, and those \
     count that came behind a line; where send_bytes takes the place of send, no line feed is added.";
/// What is different about `labels`.
pub(crate) const LABELS: &str = "Several steps may have labels, which ends the request there from \
     0.26 to 0.28.";

/// Options of the TCP probe.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TcpOptions {
    /// Address family to use if the name has addresses of both: ip4 or ip6.
    preferred_ip_protocol: String,
    /// Use the other family if the name has no address of the preferred one.
    ip_protocol_fallback: bool,
    /// Address of this host to connect from; the routing table chooses if none is given.
    source_ip_address: Option<IpAddr>,
    /// Steps of the dialogue: what to wait for, what to send, when to agree on TLS.
    query_response: Vec<Step>,
    /// Agree on TLS before anything is said.
    tls: bool,
    /// TLS, from the first byte or by a step.
    #[serde(deserialize_with = "script::consistent")]
    tls_config: TlsOptions,
    #[serde(skip)]
    cache: TlsCache,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self {
            preferred_ip_protocol: "ip6".to_owned(),
            ip_protocol_fallback: true,
            source_ip_address: None,
            query_response: Vec::new(),
            tls: false,
            tls_config: TlsOptions::default(),
            cache: TlsCache::default(),
        }
    }
}

impl Options for TcpOptions {
    type Probe = TcpProbe;

    fn aim(self: &Arc<Self>, target: &Target) -> Result<TcpProbe, OptionsError> {
        let (host, port) = target.host_port(None)?;
        script::spoken(&self.tls_config)?;
        let named = self.tls_config.server_name.as_deref();
        let name = named.or(target.hostname.as_deref()).unwrap_or(host);
        Ok(TcpProbe {
            options: Arc::clone(self),
            name: (name != host).then(|| name.into()),
            is_address: host.parse::<IpAddr>().is_ok(),
            host: host.into(),
            port,
        })
    }
}

/// TCP aimed at one address and port.
#[derive(Debug)]
pub(crate) struct TcpProbe {
    options: Arc<TcpOptions>,
    host: Box<str>,
    port: u16,
    /// The name for TLS, where it is not the host's.
    name: Option<Box<str>>,
    is_address: bool,
}

impl TcpProbe {
    async fn reach(&self, trip: &mut Trip<'_, '_>) -> Result<Connected, Fault> {
        let (cx, options) = (trip.cx, &self.options);
        let preference =
            Preference::new(&options.preferred_ip_protocol, options.ip_protocol_fallback);
        // An address is one, and blackbox_exporter tries no second one of a name.
        let (one, many);
        let addresses = if self.is_address || cx.is_compatible() {
            one = [cx.resolve(&self.host, preference).await?];
            &one[..]
        } else {
            many = cx.resolve_all(&self.host, preference).await?;
            &many
        };
        trip.enter(Phase::Connect);
        let connecting = connect(cx, addresses, self.port, options.source_ip_address);
        let Some(connected) = in_time(cx, connecting).await else {
            let peer = addresses.iter().map(ToString::to_string);
            let peer = peer.collect::<Vec<_>>().join(" and ");
            let detail = format!("cannot connect to port {} of {peer}: no answer", self.port);
            return Err(Fault::target(Cause::Timeout, detail));
        };
        let connected = connected?;
        if connected.attempts > 1 {
            cx.address(connected.peer.ip());
        }
        cx.event(events::Connected::NAME, || events::Connected {
            peer: connected.peer.to_string(),
            took: connected.took.as_secs_f64(),
        });
        Ok(connected)
    }
}

#[async_trait]
impl Probe for TcpProbe {
    async fn measure(&mut self, cx: &Context<'_>) -> Result<(), Fault> {
        let options = &*self.options;
        let steps = &*options.query_response;
        let tls = script::prepared(options.tls, steps, &options.tls_config, &options.cache).await?;
        let mut trip = Trip::begin(cx, &OF_TCP, Phase::Resolve);
        let Connected { stream, peer, .. } = self.reach(&mut trip).await?;
        let script = Script {
            peer: Peer::Socket(peer),
            name: self.name.as_deref().unwrap_or(&self.host),
            steps,
            from_the_first_byte: options.tls,
            tls,
        };
        trip.talk(Connection::new(stream, cx), &script).await
    }
}
