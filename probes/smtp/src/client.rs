//! The probe: everything about speaking to a mail exchanger, and nothing about being one.

mod auth;
mod conversation;
mod course;
mod dialogue;
mod draw;
mod events;
mod exchangers;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(feature = "load")]
pub mod load;
mod metrics;
mod offers;
mod options;
mod phase;
mod probe;
mod rails;
mod reach;
mod reply;
mod talk;
mod trip;
mod wire;

#[cfg(test)]
mod tests;

use leadsman_core::{Cause, Command, Plugin, inventory};

use options::SmtpOptions;

inventory::submit! {
    Plugin::new::<SmtpOptions>("smtp", "Dialogue with a mail server, with the time of each phase")
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
            shorts: &[('s', "server"), ('f', "from"), ('I', "source_ip_address")],
            phrases: &[("dry-run", "stop_after", "mx")],
            draw: Some(draw::draw),
            ..Command::new("smtp", "ADDRESS")
        })
}
