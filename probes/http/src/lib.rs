//! Does an HTTP server answer as it should, and where does the time go?
//!
//! `client` is the probe, `server` the file server that is there to be probed; neither knows the
//! other.
//!
//! The way of one run of the probe, file by file:
//!
//! ```text
//! options, target ──▶ probe ──▶ exchange ──▶ leadsman-dial             one hop, nothing reused
//!                       │  │         └──▶ http1, plain, hyper
//!                       │  ├──▶ token, cookies          what a request carries, and to whom
//!                       │  ├──▶ journey                 decide where a redirect leads
//!                       │  └──▶ received, judge         decide what the answer is worth
//!                       ▼
//!       watch, trip ──▶ metrics, events ──▶ draw        what is seen of it
//! ```
//!
//! Connections are never kept, nothing is asked twice. When a run begins and how long it may last
//! is the core's decision.

#![forbid(unsafe_code)]

mod client;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod server;
