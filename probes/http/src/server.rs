//! The file server: everything about being asked, and nothing about asking.
//!
//! The way of a request, file by file:
//!
//! ```text
//! options ──▶ responder ──▶ accept ──▶ connection ──▶ answer ──▶ payload
//!              threads        seats      tls, patience,  │
//!                                        http2, plain    │
//!                                                        ├──▶ request, refusal          may it be answered at all
//!                                                        ├──▶ path, directory           which file is meant
//!                                                        ├──▶ representation, cache     what is sent of it
//!                                                        ├──▶ twin                      and how without a copy
//!                                                        ├──▶ listing                   or of a directory
//!                                                        └──▶ conditional, range, coding, cookie   and to whom
//!
//! plain ──▶ date                                                   how the common request is answered without hyper
//! fault ──▶ generated, disturb                                     how to misbehave, if wanted
//! exchange ──▶ counts, access_log                                  what has come of it all
//! ```

mod accept;
mod access_log;
mod answer;
mod cache;
mod coding;
mod conditional;
mod connection;
mod cookie;
mod counts;
mod date;
mod demonstration;
mod directory;
mod disturb;
mod exchange;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod generated;
mod http2;
mod listing;
mod media;
mod options;
mod path;
mod patience;
mod payload;
mod plain;
mod quality;
mod range;
mod refusal;
mod representation;
mod request;
mod responder;
mod tls;
mod twin;

#[cfg(test)]
mod tests;

use leadsman_core::{ResponderPlugin, ServeCommand, inventory};

use options::ServerOptions;

inventory::submit! {
    ResponderPlugin::new::<ServerOptions>("http", "Files of a directory, with a cookie for each visit")
        .docs(include_str!("../SERVER.md"))
        .metrics(&counts::METRICS)
        .demonstration(demonstration::stage)
        .command(ServeCommand {
            name: "serve",
            argument: "DIR",
            option: "directory",
        })
}
