//! What does a run say while it runs?
//!
//! Written by the probe, read back by the drawing, and by programs as `--json`.

use std::borrow::Cow;
use std::net::SocketAddr;

use leadsman_dial::{Laps, Seconds};
use serde::{Deserialize, Serialize};

use super::watch::Phase;

/// A request is about to be made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    /// The proxy it goes through, if it does.
    pub(crate) proxy: Option<String>,
}

/// The head of a final response has come.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) version: Cow<'static, str>,
    /// Who answered: the server, or the proxy.
    pub(crate) peer: SocketAddr,
    /// Version and cipher of TLS, if it was spoken.
    pub(crate) tls: Option<String>,
    /// Where it leads on, if it does.
    pub(crate) location: Option<String>,
}

/// A hop is over; how long its phases took, in seconds, by their names.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hop {
    pub(crate) seconds: Seconds,
}

impl Request {
    pub(crate) const NAME: &str = "request";
}

impl Response {
    pub(crate) const NAME: &str = "response";
}

impl Hop {
    pub(crate) const NAME: &str = "hop";

    pub(crate) fn new(laps: &Laps<Phase>) -> Self {
        let seconds = Seconds::of(laps);
        Self { seconds }
    }
}
