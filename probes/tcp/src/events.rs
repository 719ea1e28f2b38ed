//! What does a run say while it runs?
//!
//! Written by the probes, read back by the drawing, and by programs as `--json`. Times are since the
//! beginning of the run, in seconds.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A connection is there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connected {
    pub(crate) peer: String,
    /// How long its own handshake took, in seconds.
    pub(crate) took: f64,
}

/// TLS was agreed on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Secured {
    pub(crate) version: Cow<'static, str>,
    pub(crate) cipher: String,
    pub(crate) at: f64,
}

/// Something came: a line, or the bytes that were waited for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// Which step heard it, the first being 1.
    pub(crate) step: usize,
    pub(crate) text: String,
    /// Whether it is what the step waited for.
    pub(crate) matched: bool,
    pub(crate) at: f64,
}

/// Something was sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// Which step sent it, the first being 1.
    pub(crate) step: usize,
    pub(crate) text: String,
    pub(crate) at: f64,
}

impl Connected {
    pub(crate) const NAME: &str = "connected";
}

impl Secured {
    pub(crate) const NAME: &str = "tls";
}

impl Heard {
    pub(crate) const NAME: &str = "heard";
}

impl Sent {
    pub(crate) const NAME: &str = "sent";
}
