//! Does mail get through, and where does the time go?
//!
//! `client` is the probe, which speaks to mail exchangers as a sender of mail does; `message` is
//! what it sends, `delivery` what has become of that.

#![forbid(unsafe_code)]

mod client;
mod delivery;
mod mailbox;
mod message;
