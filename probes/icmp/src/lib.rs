//! Does a host answer ICMP echo requests, how fast, and how many answers are missing?
//!
//! The way of one run, file by file:
//!
//! ```text
//! options ──▶ ping ──▶ round ──▶ leadsman-wire      ask on a grid, hear what comes
//!                        │  ├──▶ exchange           decide which answer ends which request
//!                        │  ├──▶ source             decide which round trips are comparable
//!                        │  └──▶ account            follow jitter and loss from run to run
//!                        ▼
//!                 metrics, events ──▶ draw ──▶ statistics     what a person sees of it
//! ```
//!
//! This crate touches no packet and no socket: those are `leadsman-wire`'s. When a run begins and
//! how long it may last is the core's decision.

#![forbid(unsafe_code)]

mod account;
mod complaint;
mod draw;
mod events;
mod exchange;
mod metrics;
mod options;
mod ping;
mod round;
mod source;
mod statistics;
mod sweep;
mod tally;

#[cfg(test)]
mod tests;

use leadsman_core::{Cause, Command, Difference, Need, Plugin, inventory};

use crate::options::PingOptions;

inventory::submit! {
    Plugin::new::<PingOptions>("icmp", "Round-trip time and loss of ICMP echo")
        .docs(include_str!("../README.md"))
        .needs(&[Need::IcmpSocket])
        .metrics(metrics::ALL)
        .differs(DIFFERENCES)
        .causes(&[
            Cause::Mismatch,
            Cause::Resolve,
            Cause::Timeout,
            Cause::TooBig,
            Cause::TtlExceeded,
            Cause::Unreachable,
        ])
        .demonstration(&["127.0.0.1", "::1"])
        .command(Command {
            defaults: &[("count", "0"), ("wait", "1s"), ("payload_size", "56")],
            shorts: &[
                ('c', "count"),
                ('i', "interval"),
                ('W', "wait"),
                ('s', "payload_size"),
                ('t', "ttl"),
                ('Q', "tos"),
                ('I', "source_ip_address"),
                ('m', "mark"),
                ('p', "pattern"),
                ('F', "flow_label"),
            ],
            words: &[('M', "dont_fragment", &[("do", "true"), ("dont", "false")])],
            open_ended: true,
            prepare: Some(leadsman_wire::begin_stamping),
            draw: Some(draw::draw),
            ..Command::new("ping", "HOST")
        })
}

/// What people who come from `blackbox_exporter` should know.
const DIFFERENCES: &[Difference] = &[
    Difference::always(
        "The round trip is taken from the kernel's stamps where there are some, so that it is less \
         than that of a program which was kept waiting; probe_icmp_rtt_source_info tells.",
    ),
    Difference::always(
        "An ICMP error is told as the reason: unreachable, ttl_exceeded or too_big.",
    ),
    Difference::where_set(
        "dont_fragment",
        "true",
        "An answer that a larger packet was needed to be cut fails with the reason too_big, and \
         probe_icmp_next_hop_mtu_bytes says what would fit.",
    ),
];
