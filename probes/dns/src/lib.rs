//! Does a DNS server answer as it should, and where does the time go?
//!
//! The way of one run, file by file:
//!
//! ```text
//! options, name ──▶ probe ──▶ datagram, or stream over leadsman-dial      bytes to and fro
//!      │              ├──▶ question                build it, and tell an answer to it from others
//!      ▼              ├──▶ answer, text            read the answer and its records
//!   codes, pattern    └──▶ judge                   decide what the answer is worth
//!                     ▼
//!               course ──▶ metrics, events ──▶ draw        what is seen of it
//! ```
//!
//! Names and the header are hickory-proto's to read and to write. Its records are not used: it takes
//! EDNS out of the additional section, where `blackbox_exporter` counts it, and knows the types of
//! DNSSEC only together with their cryptography. Nothing is cached and no referral is followed: it is
//! this server that is probed.

#![forbid(unsafe_code)]

mod answer;
mod codes;
mod course;
mod datagram;
mod draw;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod judge;
mod metrics;
mod options;
mod probe;
mod question;
mod stream;
mod system;
mod text;

#[cfg(test)]
mod tests;

use leadsman_core::{Cause, Command, Difference, Plugin, Subject, inventory};

use options::DnsOptions;

inventory::submit! {
    Plugin::new::<DnsOptions>("dns", "Answer of a DNS server, with the time of each phase")
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
            subject: Some(Subject {
                argument: "NAME",
                option: "query_name",
                targets: system::server,
            }),
            defaults: &[
                ("query_type", "A"),
                ("retry_over_tcp", "true"),
                ("edns", "true"),
            ],
            shorts: &[('t', "query_type"), ('c', "query_class"), ('I', "source_ip_address")],
            phrases: &[
                ("tcp", "transport_protocol", "tcp"),
                ("tls", "dns_over_tls", "true"),
            ],
            draw: Some(draw::draw),
            ..Command::new("dns", "SERVER")
        })
}

/// Where it is not as `blackbox_exporter`'s prober.
const DIFFERENCES: &[Difference] = &[
    Difference::always(
        "Only what answers the question counts: messages with another id or question are left out \
         and the wait goes on.",
    ),
    Difference::always("The time of a phase that was not reached is absent, not 0.").mimicked(),
    Difference::always("What a certificate says is known although it was refused."),
    Difference::where_set(
        "dns_over_tls",
        "true",
        "TCP is meant where transport_protocol is left out, and every run fails there.",
    ),
    Difference::with(
        "validate_answer_rrs.fail_if_all_match_regexp",
        "fail_if_all_match_regexp fails where all records match, as its name says, not where they \
         do not.",
    )
    .mimicked(),
    Difference::with(
        "validate_authority_rrs.fail_if_all_match_regexp",
        "fail_if_all_match_regexp fails where all records match, as its name says, not where they \
         do not.",
    )
    .mimicked(),
    Difference::with(
        "validate_additional_rrs.fail_if_all_match_regexp",
        "fail_if_all_match_regexp fails where all records match, as its name says, not where they \
         do not.",
    )
    .mimicked(),
];
