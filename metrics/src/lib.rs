//! What do the probes' results look like to Prometheus?
//!
//! The [`Store`] keeps the series of every target: each gives out a [`Series`], a sink that adds
//! finished runs up. A [`Scrape`] is the exposition of one moment, made chunk by chunk as its
//! reader takes it. [`Own`] holds the metrics of the program itself, and [`render_run`] shows one
//! run alone, as `/probe` answers.
//!
//! The `prometheus` crate is the authority on names and carries the program's own metrics; nothing
//! of it can be seen from outside. Its vectors are not used for targets: they cost tens of times
//! as much, see `benches/scrape.rs`. This crate knows no protocol, listens on no port and decides
//! nothing about when to probe.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    expect(
        clippy::float_cmp,
        reason = "samples are written so that they read back exactly"
    )
)]

mod answer;
mod column;
mod family;
#[cfg(test)]
mod fixture;
mod form;
mod format;
mod gzip;
mod own;
#[cfg(test)]
mod parse;
mod scrape;
mod store;
mod text;
mod totals;

pub use answer::{Answer, render_run};
pub use family::{NameError, series_per_target};
pub use format::{Format, gzip_accepted};
pub use gzip::Gzip;
pub use own::{Own, Watch};
pub use scrape::Scrape;
pub use store::{Series, Store};
