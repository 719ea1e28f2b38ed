//! How did an echo request end, in one word?
//!
//! Names, for metrics and events: which answer ends which request is decided in `leadsman-wire`.
//! Loss is that of RFC 6673: no good reply in time.

use leadsman_wire::{Arrived, What};
use serde::{Deserialize, Serialize};

/// When an answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrival {
    /// First, and while it was waited for.
    InTime,
    /// First, but too late: its request had been given up.
    Late,
    /// After another answer to the same request.
    Again,
}

/// What became of an echo request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// A good reply came in time.
    Ok,
    /// Nothing came in time.
    Timeout,
    /// Somebody reported that the target cannot be reached, or that the request is not understood.
    Unreachable,
    /// Somebody reported that its hops, or the time to reassemble its fragments, ran out.
    TtlExceeded,
    /// Somebody reported that it needs fragmentation where that is forbidden.
    FragNeeded,
    /// A reply came damaged.
    Corrupt,
    /// A good reply came from an address that was not asked.
    WrongSource,
    /// This host did not send it.
    SendError,
    /// Nothing came in time, but this host dropped packets meanwhile, or was late to send it.
    LocalSuspect,
    /// The run was stopped while it was in flight.
    Abandoned,
}

impl From<Arrived> for Arrival {
    fn from(arrived: Arrived) -> Self {
        match arrived {
            Arrived::InTime => Self::InTime,
            Arrived::Late => Self::Late,
            Arrived::Again => Self::Again,
        }
    }
}

impl Outcome {
    /// The values of the label `outcome`, in the order of the variants.
    pub(crate) const LABELS: &[&str] = &[
        "ok",
        "timeout",
        "unreachable",
        "ttl_exceeded",
        "frag_needed",
        "corrupt",
        "wrong_source",
        "send_error",
        "local_suspect",
        "abandoned",
    ];

    /// The value of the label `outcome`.
    pub(crate) fn label(self) -> &'static str {
        Self::LABELS[self as usize]
    }

    /// How an answer in time ends its request.
    pub(crate) fn of(what: What) -> Self {
        match what {
            What::Reply { .. } => Self::Ok,
            What::Corrupt => Self::Corrupt,
            // Nothing refuses an echo request.
            What::WrongSource | What::Refused => Self::WrongSource,
            What::Unreachable { .. } | What::ParameterProblem { .. } => Self::Unreachable,
            What::TimeExceeded { .. } => Self::TtlExceeded,
            What::TooBig { .. } => Self::FragNeeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_labelled_as_it_is_written_in_events() {
        for outcome in [Outcome::Ok, Outcome::TtlExceeded, Outcome::Abandoned] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.label());
        }
        assert_eq!(Outcome::Abandoned as usize + 1, Outcome::LABELS.len());
    }
}
