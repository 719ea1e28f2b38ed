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
//! Whoever is connected to finds the other side of TLS in [`ServerTls`].
//!
//! What the kernel measured of the connection is asked of [`TcpInfo`] before it is given up.
//! Nothing is kept open, tried again or shared between targets. What is said over the stream is the
//! probe's affair, and so is what a phase is called in its metrics.

#![forbid(unsafe_code)]

pub mod alpn;
mod connect;
mod laps;
pub mod metrics;
mod proxy;
mod server;
mod tls;

pub use connect::{Connected, connect};
pub use laps::Laps;
pub use leadsman_wire::TcpInfo;
pub use proxy::{Bypass, Proxy, ProxyError};
pub use server::{
    Accepted, CipherSuite, ClientAuth, Curve, ServerFiles, ServerTls, ServerTlsError,
    ServerTlsOptions,
};
pub use tls::{
    Certificate, Distrust, Handshake, Protocol, Shown, Tls, TlsCache, TlsError, TlsOptions,
    TlsStream, TlsVersion, failure,
};
