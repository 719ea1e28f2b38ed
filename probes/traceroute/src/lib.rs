//! What lies between here and a target?
//!
//! The pure core of the probe: it decides what to ask next and what the answers come to. File by
//! file:
//!
//! ```text
//! step ◀── discovery     the path, in about one round trip
//!      ◀── rounds        the same path again and again; `budget` spares the routers
//!      ◀── multipath     all paths, where balancers spread flows
//! mtu                    the largest packet that gets through
//!
//! reply, quote, reverse  what came back, and what it tells of the way
//! record ──▶ statistics  what many answers of one hop come to
//!    └─────▶ loss, limiter  which silence is loss, and which a router's limit
//! path                   whether it is still the path that it was
//! ```
//!
//! This crate opens no socket and keeps no clock.

#![forbid(unsafe_code)]

pub mod budget;
pub mod discovery;
pub mod limiter;
pub mod loss;
pub mod mtu;
pub mod multipath;
mod pace;
pub mod path;
pub mod quote;
pub mod record;
pub mod reply;
pub mod reverse;
pub mod rounds;
pub mod statistics;
pub mod step;

#[cfg(test)]
mod simulation;
