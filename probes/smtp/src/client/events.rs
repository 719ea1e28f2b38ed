//! What does a run say while it runs?
//!
//! Written by the probe, read back by the drawing, and by programs as `--json`. Secrets are left
//! out of it, and what servers say is escaped.

use std::borrow::Cow;
use std::net::SocketAddr;

use leadsman_dial::{Laps, Seconds};
use serde::{Deserialize, Serialize};

use super::phase::Phase;

/// The exchangers of a domain were looked up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Mx {
    pub(crate) domain: String,
    /// Preference and name, in the order in which they are tried.
    pub(crate) exchangers: Vec<(u16, String)>,
    /// Whether the domain stands in for exchangers that it does not have.
    pub(crate) implicit: bool,
    /// What is wrong with records, each with the name that it is about.
    pub(crate) flaws: Vec<(Cow<'static, str>, String)>,
    /// Seconds since the run began.
    pub(crate) at: f64,
}

/// An exchanger's addresses were looked up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resolved {
    pub(crate) host: String,
    pub(crate) addresses: Vec<std::net::IpAddr>,
    /// The name that it is an alias of.
    pub(crate) alias: Option<String>,
    /// Why there are none, or none is used.
    pub(crate) why: Option<String>,
    /// Seconds since the run began.
    pub(crate) at: f64,
}

/// A server takes a connection.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connected {
    pub(crate) host: String,
    pub(crate) peer: SocketAddr,
    /// Seconds since the run began.
    pub(crate) at: f64,
}

/// TLS is agreed on, or not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Secured {
    /// Version and cipher; none if it is not agreed on.
    pub(crate) agreed: Option<String>,
    /// Whether the certificate is to be trusted.
    pub(crate) verified: bool,
    /// Why the certificate is not to be trusted.
    pub(crate) distrust: Option<String>,
    /// Seconds since the run began.
    pub(crate) at: f64,
}

/// Something was written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) phase: Cow<'static, str>,
    /// Lines without their ends; what is secret is left out.
    pub(crate) lines: Vec<String>,
    /// Whether it went in TLS.
    pub(crate) secure: bool,
    /// Seconds since the run began.
    pub(crate) at: f64,
}

/// A reply has come.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Heard {
    pub(crate) phase: Cow<'static, str>,
    pub(crate) code: u16,
    /// The text of its lines.
    pub(crate) lines: Vec<String>,
    /// Whether it came in TLS.
    pub(crate) secure: bool,
    /// Seconds since the run began.
    pub(crate) at: f64,
}

/// The run is over: how it ended, and how long its phases took, in seconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Phases {
    pub(crate) outcome: Option<Cow<'static, str>>,
    pub(crate) seconds: Seconds,
}

impl Mx {
    pub(crate) const NAME: &str = "mx";
}

impl Resolved {
    pub(crate) const NAME: &str = "exchanger";
}

impl Connected {
    pub(crate) const NAME: &str = "connected";
}

impl Secured {
    pub(crate) const NAME: &str = "secured";
}

impl Said {
    pub(crate) const NAME: &str = "said";
}

impl Heard {
    pub(crate) const NAME: &str = "heard";
}

impl Phases {
    pub(crate) const NAME: &str = "phases";

    pub(crate) fn new(laps: &Laps<Phase>, outcome: Option<&'static str>) -> Self {
        Self {
            outcome: outcome.map(Cow::Borrowed),
            seconds: Seconds::of(laps),
        }
    }
}
