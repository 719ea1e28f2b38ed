//! The file server: everything about being asked, and nothing about asking.
//!
//! The way of a request, file by file:
//!
//! ```text
//! options ──▶ responder ──▶ accept ──▶ connection ──▶ answer ──▶ payload
//!              threads        seats      tls, patience,  │
//!                                        http2           │
//!                                                        ├──▶ request, refusal          may it be answered at all
//!                                                        ├──▶ path, directory           which file is meant
//!                                                        ├──▶ representation, cache     what is sent of it
//!                                                        ├──▶ listing                   or of a directory
//!                                                        └──▶ conditional, range, coding, cookie   and to whom
//! ```

mod accept;
mod answer;
mod cache;
mod coding;
mod conditional;
mod connection;
mod cookie;
mod directory;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod http2;
mod listing;
mod options;
mod path;
mod patience;
mod payload;
mod quality;
mod range;
mod refusal;
mod representation;
mod request;
mod responder;
mod tls;

#[cfg(test)]
mod tests;

use leadsman_core::{ResponderPlugin, ServeCommand, inventory};

use options::ServerOptions;

inventory::submit! {
    ResponderPlugin::new::<ServerOptions>("http", "Files of a directory, with a cookie for each visit")
        .docs(include_str!("../SERVER.md"))
        .command(ServeCommand {
            name: "serve",
            argument: "DIR",
            option: "directory",
        })
}
