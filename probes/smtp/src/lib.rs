//! Does mail get through, and where does the time go?
//!
//! `client` is the probe, which speaks to mail exchangers as a sender of mail does; `message` is
//! what it sends, `delivery` what has become of that, `maildir` where it may be seen. `sink` is the
//! responder, where mail ends.

#![forbid(unsafe_code)]

mod client;
mod delivery;
mod mailbox;
mod maildir;
mod message;
mod sink;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
#[cfg(feature = "load")]
pub use client::load;
