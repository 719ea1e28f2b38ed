//! How do echo requests leave this host, and which answer belongs to which request?
//!
//! All targets of an address family share their ICMP sockets and one receiving thread; a [`Flow`]
//! is one target's use of them. The way of a packet, file by file:
//!
//! ```text
//! flow ──▶ lane ──▶ echo (build) ──▶ slots (remember) ──────────────▶ kernel
//! flow ◀── inbox (judge) ◀── slots (find) ◀── packet (read) ◀── receiver ◀── kernel
//!            └── trip (time) ◀── slots ◀────── stamping ◀────────┘
//! ```
//!
//! This crate decides nothing about time: no schedule, no timeout, no retry. What never comes is
//! for the caller to miss. It knows no probe, no metric and no configuration, and resolves no
//! names. IPv6 link-local destinations need a zone and are not supported.

mod clock;
mod control;
mod echo;
mod error;
mod extension;
mod filter;
mod flow;
mod heard;
mod inbox;
mod lane;
mod options;
mod packet;
mod receiver;
mod slots;
mod socket;
mod stamping;
mod sys;
mod trip;

pub use error::{OpenError, SendError};
pub use extension::{Extension, Interface, Label, Role};
pub use flow::{Drops, Flow, Mode, Sent};
pub use heard::{Heard, What};
pub use options::{EchoOptions, Ttl};
pub use trip::RttSource;
