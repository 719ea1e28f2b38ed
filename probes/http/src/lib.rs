//! Does an HTTP server answer as it should, and where does the time go?
//!
//! The way of one run of the probe, file by file:
//!
//! ```text
//! options, target ──▶ probe ──▶ exchange ──▶ leadsman-dial, hyper      one hop, nothing reused
//!                       │  ├──▶ credentials, cookies    what a request carries, and to whom
//!                       │  └──▶ judge                   decide what the answer is worth
//!                       ▼
//!            watch ──▶ metrics, events ──▶ draw         what is seen of it
//! ```
//!
//! Connections are never kept, nothing is asked twice. When a run begins and how long it may last
//! is the core's decision.

#![forbid(unsafe_code)]

mod client;
