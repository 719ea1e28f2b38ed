//! What lies between here and a target?
//!
//! The pure core of the probe: it decides what to ask next and what the answers come to. File by
//! file:
//!
//! ```text
//! step ◀── discovery, …      what to send next; `pace` says how soon
//! reply, quote, reverse      what came back, and what it tells of the way
//! ```
//!
//! This crate opens no socket and keeps no clock.

#![forbid(unsafe_code)]

pub mod discovery;
mod pace;
pub mod quote;
pub mod reply;
pub mod reverse;
pub mod step;

#[cfg(test)]
mod simulation;
