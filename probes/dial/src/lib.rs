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
//! What proves to a server of HTTP who is asking is in [`credentials`]. What the kernel measured of
//! the connection is asked of [`TcpInfo`] before it is given up; a [`Witness`] sees to that. Where
//! hyper speaks over it, a [`Driver`] has it go on without a task of its own, and [`hyper_failure`]
//! says whose fault its errors are. What probes of dialogues write down beforehand is in [`Step`],
//! with Go's patterns and templates.
//!
//! Whoever is connected to finds the other side of TLS in [`ServerTls`]; servers of tests find
//! certificates behind the feature `testing`.
//!
//! Nothing is kept open, tried again or shared between targets. What is said over the stream is the
//! probe's affair, and so is what a phase is called in its metrics.

#![forbid(unsafe_code)]

pub mod alpn;
mod connect;
mod connection;
pub mod credentials;
mod driver;
mod laps;
pub mod metrics;
mod octets;
mod patience;
mod pattern;
mod peer;
mod proxy;
#[cfg(feature = "quic")]
mod quic;
mod seconds;
mod server;
mod step;
mod stream;
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod together;
mod verdict;

pub use connect::{Connected, NotConnected, connect};
pub use connection::TcpConnection;
pub use driver::{Driver, Spawner};
pub use laps::{Laps, Phase};
pub use leadsman_wire::TcpInfo;
pub use octets::Octets;
pub use patience::in_time;
pub use pattern::{Found, Pattern};
pub use peer::Peer;
pub use proxy::{Bypass, Proxy, ProxyError};
#[cfg(feature = "quic")]
pub use quic::{Quic, QuicHandshake, connect_quic, quic_failure};
pub use seconds::{Phases, Seconds};
pub use server::{
    Accepted, CipherSuite, ClientAuth, Curve, Renewable, ServerFiles, ServerTls, ServerTlsError,
    ServerTlsOptions,
};
pub use step::{Label, LabelName, Step};
pub use stream::{Stream, Witness, Witnessed};
pub use template::Template;
pub use tls::{
    Certificate, Distrust, Handshake, Protocol, Shown, Tls, TlsCache, TlsError, TlsOptions,
    TlsStream, TlsVersion, failure,
};
pub use together::Together;
pub use verdict::hyper_failure;
