//! The mail sink: everything about being sent mail, and nothing about sending any.
//!
//! Mail ends here. There is no queue, no file and no connection to anybody else; a message is looked
//! at for the token of a probe, and forgotten.
//!
//! The way of a message, file by file:
//!
//! ```text
//! options ──▶ responder ──▶ session ──▶ dialogue ──▶ command, reply     what may be said, and what is answered
//!                             │   │        └──▶ content                where a message ends, and whose it is
//!                             │   └──▶ tls
//!                             ▼
//!                     counts, the log, crate::delivery                 what has come of it all
//! ```

mod command;
mod content;
mod counts;
mod demonstration;
mod dialogue;
mod options;
mod reply;
mod responder;
mod session;
mod tls;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod trial;

use leadsman_core::{ResponderPlugin, inventory};

use options::SinkOptions;

inventory::submit! {
    ResponderPlugin::new::<SinkOptions>("smtp", "A sink for mail, which tells probes what has arrived")
        .docs(include_str!("../SINK.md"))
        .metrics(&counts::METRICS)
        .demonstration(demonstration::stage)
}
