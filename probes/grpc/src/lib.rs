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
mod draw;
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

use leadsman_core::{Cause, Command, Difference, Plugin, inventory};

use options::GrpcOptions;

inventory::submit! {
    Plugin::new::<GrpcOptions>("grpc", "Health of a gRPC server, by its own word")
        .docs(include_str!("../README.md"))
        .metrics(metrics::ALL)
        .differs(DIFFERENCES)
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
            draw: Some(draw::draw),
            ..Command::new("grpc", "HOST:PORT")
        })
}

/// Where it is not as `blackbox_exporter`'s prober.
const DIFFERENCES: &[Difference] = &[
    Difference::always("The timeout ends the run, and the server is told of it."),
    Difference::always(
        "The address family that is preferred is the one that is asked, and an IPv6 address may be \
         the target.",
    )
    .mimicked(),
    Difference::always(
        "probe_grpc_status_code is absent where nobody could be asked, not 0, which means OK.",
    )
    .mimicked(),
    Difference::always("Without a section grpc, ip_protocol_fallback is true, as with one.")
        .mimicked(),
    Difference::always("All addresses of a name are tried in turn, not the first alone."),
];
