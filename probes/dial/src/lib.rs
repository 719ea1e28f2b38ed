//! How does a probe of a stream come to its peer, and how long does each step take?
//!
//! The steps are calls of their own, in the order in which a probe makes them, so that the probe
//! knows which one failed and [`Laps`] can time them:
//!
//! ```text
//! Context::resolve_all ──▶ connect ──▶ Proxy::tunnel ──▶ Tls::handshake
//!                                                             │
//!                                              Handshake: what the peer showed, refused or not
//! ```
//!
//! What the kernel measured of the connection is asked of [`TcpInfo`] before it is given up.
//! What probes of dialogues write down beforehand is in [`Step`], with Go's patterns and templates.
//! Nothing is kept open, tried again or shared between targets. What is said over the stream is the
//! probe's affair, and so is what a phase is called in its metrics.

#![forbid(unsafe_code)]

mod bars;
mod connect;
mod laps;
pub mod metrics;
mod octets;
mod patience;
mod pattern;
mod peer;
mod proxy;
mod step;
mod template;
mod tls;

pub use bars::bars;
pub use connect::{Connected, connect};
pub use laps::Laps;
pub use leadsman_wire::TcpInfo;
pub use octets::Octets;
pub use patience::in_time;
pub use pattern::{Found, Pattern};
pub use peer::Peer;
pub use proxy::{Bypass, Proxy, ProxyError};
pub use step::{Label, LabelName, Step};
pub use template::Template;
pub use tls::{
    Certificate, Distrust, Handshake, Protocol, Shown, Tls, TlsCache, TlsError, TlsOptions,
    TlsStream, TlsVersion, failure,
};
