//! What has been heard of one host so far?
//!
//! Counts what its events tell; says nothing itself.

use std::net::IpAddr;

use leadsman_core::{Run, Target};

use crate::events::Said;
use crate::exchange::{Arrival, Outcome};
use crate::statistics::Statistics;

/// One target and its accounts.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    /// Where its requests went, once one did.
    pub(super) address: Option<IpAddr>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) lost: u64,
    /// Requests whose replies this host may have dropped.
    pub(super) suspect: u64,
    /// Requests that ended with an ICMP error or a bad reply.
    pub(super) errors: u64,
    pub(super) late: u64,
    pub(super) duplicates: u64,
    pub(super) not_sent: u64,
    pub(super) trips: Statistics,
}

impl Host {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            name: target.address.to_string(),
            address: None,
            sent: 0,
            received: 0,
            lost: 0,
            suspect: 0,
            errors: 0,
            late: 0,
            duplicates: 0,
            not_sent: 0,
            trips: Statistics::default(),
        }
    }

    pub(super) fn take(&mut self, said: &Said) {
        match said {
            Said::Sent(sent) => {
                self.sent += 1;
                self.address = Some(sent.to);
            }
            Said::Reply(reply) => match reply.arrived {
                Arrival::InTime => {
                    self.received += 1;
                    if !reply.apart {
                        self.trips.add(reply.sequence, reply.rtt);
                    }
                }
                Arrival::Late => self.late += 1,
                Arrival::Again => self.duplicates += 1,
            },
            Said::Error(error) => match error.arrived {
                Arrival::InTime => self.errors += 1,
                Arrival::Late => self.late += 1,
                Arrival::Again => {}
            },
            Said::Lost(lost) if lost.outcome == Outcome::LocalSuspect => self.suspect += 1,
            Said::Lost(_) => self.lost += 1,
            Said::NotSent(_) => {
                // It was about to be when it was announced.
                self.sent = self.sent.saturating_sub(1);
                self.not_sent += 1;
            }
        }
    }

    /// Why a run failed, unless its events have said so: without a request there are none.
    pub(super) fn unsaid(&self, run: &Run) -> Option<String> {
        let fault = run.result.as_ref().err()?;
        (self.sent + self.not_sent == 0).then(|| fault.to_string())
    }

    /// Requests that are still waited for.
    pub(super) fn in_flight(&self) -> u64 {
        self.sent - self.decided() - self.suspect
    }

    /// Requests of which it is known what came of them.
    pub(super) fn decided(&self) -> u64 {
        self.received + self.lost + self.errors
    }

    /// Share of the decided requests that got no good reply in time, in percent with a decimal
    /// where it has one: `0%`, `33.3%`. `None` while nothing is decided.
    pub(super) fn loss(&self) -> Option<String> {
        let share = (self.lost + self.errors) as f64 / self.decided() as f64;
        let text = format!("{:.1}", share * 100.0);
        let text = text.strip_suffix(".0").unwrap_or(&text);
        (self.decided() > 0).then(|| format!("{text}%"))
    }
}
