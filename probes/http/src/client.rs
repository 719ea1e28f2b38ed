//! The probe: everything about asking a server, and nothing about being one.

mod cookies;
mod draw;
mod events;
mod exchange;
#[cfg(feature = "http3")]
mod http3;
mod journey;
mod judge;
mod metrics;
mod options;
mod probe;
mod received;
mod target;
mod token;
mod trip;
mod watch;

#[cfg(test)]
mod tests;

use leadsman_core::{Cause, Command, Plugin, inventory};

use options::HttpOptions;

inventory::submit! {
    Plugin::new::<HttpOptions>("http", "Answer of an HTTP server, with the time of each phase")
        .docs(include_str!("../README.md"))
        .metrics(metrics::ALL)
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
            shorts: &[
                ('X', "method"),
                ('d', "body"),
                ('x', "proxy_url"),
                ('I', "source_ip_address"),
            ],
            draw: Some(draw::draw),
            ..Command::new("http", "URL")
        })
}
