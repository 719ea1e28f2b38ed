//! Does a gRPC server say that it is in good health?
//!
//! One question of the service `grpc.health.v1.Health`, over a connection of its own. File by file:
//!
//! ```text
//! options, target ──▶ probe ──▶ leadsman-dial, hyper     connect, TLS, one call over HTTP/2
//!                       │  ├──▶ health                   the two messages of the service
//!                       │  └──▶ verdict, status          decide what the answer says
//!                       ▼
//!                    course ──▶ metrics                  what is seen of it
//! ```
//!
//! There is no other call than this one, no streaming and no compression. When a run begins and how
//! long it may last is the core's decision.

#![forbid(unsafe_code)]

mod course;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod health;
mod metrics;
mod options;
mod probe;
mod status;
#[cfg(test)]
mod tests;
mod verdict;

use leadsman_core::{Cause, Command, Plugin, inventory};

use options::GrpcOptions;

inventory::submit! {
    Plugin::new::<GrpcOptions>("grpc", "Health of a gRPC server, by its own word")
        .docs(include_str!("../README.md"))
        .metrics(metrics::ALL)
        .causes(&[
            Cause::Closed,
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
            ..Command::new("grpc", "HOST:PORT")
        })
}
