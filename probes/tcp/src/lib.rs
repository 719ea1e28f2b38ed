//! Does something listen, and does it say what it should?
//!
//! Two probes that differ in how they come to their peer: `tcp` at an address and a port, `unix` at a
//! path on this host. What is said then is the same:
//!
//! ```text
//! tcp, unix ──▶ script ──▶ talk ──▶ leadsman-dial      sockets, TLS
//!                           │  └──▶ dialogue ──▶ received   decide what to do next, pure
//!                           ▼
//!          trip ──▶ metrics, events ──▶ draw           what is seen of it
//! ```
//!
//! When a run begins and how long it may last is the core's decision; what may be written in a step is
//! `leadsman-dial`'s.

#![forbid(unsafe_code)]

mod connection;
mod dialogue;
mod draw;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod metrics;
mod received;
mod script;
mod talk;
mod tcp;
mod trip;
mod unix;
mod words;

#[cfg(test)]
mod tests;
