//! What lies between here and a target?
//!
//! The way of one run, file by file:
//!
//! ```text
//! options ──▶ trace ──▶ walk ─────▶ line             send, hear, and let the core decide
//!               │        │ └──────▶ answer            what came back, in the core's words
//!               │        ▼
//!               │ metrics, events ──▶ draw            what a person sees of it
//!               │        ▲
//!               │     account ──▶ recent, known       what a run comes to, after those before it
//!               ├─▶ toll                              whether a run may ask for more than the path
//!               ├─▶ enumeration                       the same for all paths, after the walk
//!               ├─▶ sounding                          and for what the path carries
//!               ├─▶ observe                           or for rounds on the path
//!               └─▶ routers, systems                  who it is that answered
//! ```
//!
//! The core is pure. It decides what to ask next and what the answers come to:
//!
//! ```text
//! step ◀── discovery     the path, in about one round trip
//!      ◀── rounds        the same path again and again; `budget` spares the routers
//!      ◀── multipath     all paths, where balancers spread flows
//! mtu                    the largest packet that gets through, and where larger ones end
//!
//! reply, quote, reverse  what came back, and what it tells of the way
//! record ──▶ statistics  what many answers of one hop come to
//!    └─────▶ loss, limiter  which silence is loss, and which a router's limit
//! path                   whether it is still the path that it was
//! ```
//!
//! The probe runs a discovery, and after it what else is wanted: an enumeration of all paths, a
//! search for the path MTU, or rounds. This crate touches no packet and no socket: those are
//! `leadsman-wire`'s.

#![forbid(unsafe_code)]

mod account;
mod answer;
pub mod budget;
pub mod discovery;
mod draw;
mod enumeration;
mod events;
mod known;
pub mod limiter;
mod line;
pub mod loss;
mod metrics;
pub mod mtu;
pub mod multipath;
mod observe;
mod options;
mod pace;
pub mod path;
pub mod quote;
mod recent;
pub mod record;
pub mod reply;
pub mod reverse;
pub mod rounds;
mod routers;
mod sounding;
pub mod statistics;
pub mod step;
pub mod systems;
mod toll;
mod trace;
mod walk;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use leadsman_core::{Cause, Command, Need, Plugin, inventory};

use crate::options::TraceOptions;

inventory::submit! {
    Plugin::new::<TraceOptions>("traceroute", "The routers between here and a host, in about one round trip")
        .docs(include_str!("../README.md"))
        .needs(&[Need::IcmpSocket])
        .metrics(metrics::ALL)
        .causes(&[
            Cause::Resolve,
            Cause::Timeout,
            Cause::TtlExceeded,
            Cause::Unreachable,
        ])
        .demonstration(&["127.0.0.1"])
        .command(Command {
            shorts: &[
                ('c', "report"),
                ('i', "interval"),
                ('n', "numeric"),
                ('f', "first_ttl"),
                ('m', "max_ttl"),
                ('w', "wait"),
                ('p', "port"),
                ('Q', "tos"),
                ('s', "source_ip_address"),
            ],
            choices: &[
                ('I', "protocol", "icmp"),
                ('U', "protocol", "udp"),
                ('T', "protocol", "tcp"),
            ],
            phrases: &[("all-paths", "paths", "all")],
            defaults: &[("once", "false"), ("numeric", "false")],
            unwatched: &[("report", "10")],
            open_ended: true,
            prepare: Some(leadsman_wire::begin_stamping),
            draw: Some(draw::draw),
            ..Command::new("trace", "HOST")
        })
}
