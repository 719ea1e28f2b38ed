//! How do requests leave this host, and which answer belongs to which request?
//!
//! Requests are ICMP echo requests, UDP datagrams or TCP SYNs: see [`Protocol`].
//!
//! A [`Flow`] is one target's use of the sockets that all targets share; a [`Sweep`] asks many
//! addresses at once with sockets of its own. Both are thin: what happens to a request is decided
//! in the [`engine`], which is pure. The way of a packet, file by file:
//!
//! ```text
//! flow ──▶ lane ──▶ engine (template: build; slots: remember) ──▶ port (outgoing) ──▶ kernel
//! sweep ─────────▶                                                                      │
//! flow ◀── inbox ◀── engine (packet: read; peers: judge; trip: time) ◀── port (stamping) ◀┘
//! sweep ◀─────────
//! ```
//!
//! ```no_run
//! use leadsman_wire::{RequestOptions, Flow, Heard};
//! use std::time::Duration;
//!
//! # async fn ask() -> Result<(), leadsman_wire::OpenError> {
//! let flow = Flow::open([192, 0, 2, 1].into(), RequestOptions::default())?;
//! flow.send(Duration::from_secs(1));
//! match flow.heard().await {
//!     Heard::Answer(answer) => println!("{answer} from {} after {:?}", answer.from, answer.rtt),
//!     Heard::Silence(silence) => println!("nothing within {:?}", silence.waited),
//!     Heard::NotSent(not_sent) => println!("{}", flow.explain(not_sent.refusal)),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! This crate knows no schedule, no probe, no metric and no configuration, and resolves no names.
//! IPv6 link-local destinations need a zone and are not supported.

mod clock;
mod echo;
pub mod engine;
mod error;
pub mod extension;
mod family;
mod flow;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod header;
mod heard;
mod inbox;
mod lane;
mod options;
mod pace;
mod packet;
mod port;
mod protocol;
mod remarks;
mod spacing;
mod sweep;
mod sys;
mod tcp;
mod template;
mod trip;
mod udp;

pub use error::{OpenError, SendError};
pub use family::Family;
pub use flow::Flow;
pub use heard::{Answer, Arrived, Heard, NotSent, Refusal, Silence, What};
pub use options::{FlowLabel, Interface, Pattern, RequestOptions, Stamps, Ttl};
pub use port::stamping::begin_stamping;
pub use protocol::Protocol;
pub use remarks::{Quoted, Remarks, Sent};
pub use sweep::{Plan, Sweep};
pub use sys::connection::{TcpInfo, WatchedTcp};
#[cfg(feature = "laboratory")]
pub use sys::laboratory;
pub use sys::memory::give_back_memory;
pub use trip::RttSource;

/// How sockets were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Raw sockets, which need `CAP_NET_RAW`. They see every ICMP message that this host receives.
    Raw,
    /// UDP sockets, which every process may open: for [`Protocol::Udp`] only, and for 16 flows at a
    /// time that differ in their source port. The kernel passes on what routers quote of a
    /// datagram's payload, so that those that quote none are not heard.
    Udp,
    /// A datagram ICMP socket, which `net.ipv4.ping_group_range` allows to unprivileged groups.
    /// The kernel chooses its one identifier and keeps corrupted messages to itself.
    Ping,
}

impl Mode {
    /// Returns how many flows to one address routers can tell from each other, if that is limited.
    pub const fn flows(self) -> Option<u16> {
        match self {
            Self::Udp => Some(port::socket::PLAIN_PORTS),
            Self::Raw | Self::Ping => None,
        }
    }
}
