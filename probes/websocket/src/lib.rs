//! Does a server open a WebSocket, and answer there as it should?
//!
//! The opening handshake of RFC 6455, then the steps of a dialogue, message by message. File by file:
//!
//! ```text
//! options, target ──▶ probe ──▶ leadsman-dial, hyper      connect, TLS, the request to upgrade
//!                       │  ├──▶ upgrade                   what is asked, and whether it was granted
//!                       │  └──▶ dialogue ──▶ tungstenite  frames, pings, and the steps
//!                       ▼
//!                    course ──▶ metrics                   what is seen of it
//! ```
//!
//! No redirect is followed, no extension and no proxy is used. When a run begins and how long it may
//! last is the core's decision.

#![forbid(unsafe_code)]

mod course;
mod dialogue;
mod draw;
mod metrics;
mod options;
mod probe;
mod target;
#[cfg(test)]
mod tests;
mod upgrade;

use leadsman_core::{Cause, Command, Difference, Plugin, inventory};

use options::WebsocketOptions;

inventory::submit! {
    Plugin::new::<WebsocketOptions>("websocket", "Whether a WebSocket opens, and what is said there")
        .docs(include_str!("../README.md"))
        .metrics(metrics::ALL)
        .differs(DIFFERENCES)
        .causes(&[
            Cause::Closed,
            Cause::Mismatch,
            Cause::Protocol,
            Cause::Refused,
            Cause::Rejected,
            Cause::Reset,
            Cause::Resolve,
            Cause::Timeout,
            Cause::Tls,
            Cause::Unreachable,
        ])
        .command(Command {
            shorts: &[('I', "source_ip_address")],
            draw: Some(draw::draw),
            ..Command::new("websocket", "URL")
        })
}

/// Where it is not as `blackbox_exporter`'s prober.
const DIFFERENCES: &[Difference] = &[
    Difference::always("All addresses of a name are tried in turn, not the first alone."),
    Difference::always("A message is at most 1 MiB; a longer one fails the run."),
    Difference::always("What a certificate says is known although it was refused."),
];
