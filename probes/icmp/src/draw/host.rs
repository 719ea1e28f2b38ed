//! What has been heard of one host so far?
//!
//! Counts what its events tell; says nothing itself.

use std::net::IpAddr;
use std::time::Duration;

use leadsman_core::draw::{Mark, Strip};
use leadsman_core::{Run, Target};
use serde_json::{Map, Value, json};

use crate::events::Said;
use crate::exchange::{Arrival, Outcome};
use crate::statistics::{Fate, Statistics};

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
    pub(super) strip: Strip,
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
            strip: Strip::default(),
        }
    }

    pub(super) fn take(&mut self, said: &Said) {
        match said {
            Said::Sent(sent) => {
                self.sent += 1;
                self.address = Some(sent.to);
                self.trips.sent(sent.sequence);
                self.strip.sent(sent.sequence);
            }
            Said::Reply(reply) => match reply.arrived {
                Arrival::InTime => {
                    self.received += 1;
                    let comparable = Some(reply.rtt).filter(|_| !reply.apart);
                    let fate = Fate::Received(comparable);
                    self.ended(reply.sequence, fate, Mark::Reply(reply.rtt));
                }
                Arrival::Late => {
                    self.late += 1;
                    self.trips.late(reply.sequence);
                }
                Arrival::Again => self.duplicates += 1,
            },
            Said::Error(error) => match error.arrived {
                Arrival::InTime => {
                    self.errors += 1;
                    self.ended(error.sequence, Fate::Lost, Mark::Error);
                }
                Arrival::Late => self.late += 1,
                Arrival::Again => {}
            },
            Said::Lost(lost) if lost.outcome == Outcome::LocalSuspect => {
                self.suspect += 1;
                self.ended(lost.sequence, Fate::Unknown, Mark::Unknown);
            }
            Said::Lost(lost) => {
                self.lost += 1;
                self.ended(lost.sequence, Fate::Lost, Mark::Lost);
            }
            Said::NotSent(not_sent) => {
                // It was about to be when it was announced.
                self.sent = self.sent.saturating_sub(1);
                self.not_sent += 1;
                self.ended(not_sent.sequence, Fate::Unknown, Mark::NotSent);
            }
        }
    }

    fn ended(&mut self, sequence: u64, fate: Fate, mark: Mark) {
        self.trips.ended(sequence, fate);
        self.strip.ended(sequence, mark);
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

    /// Share of the decided requests that got no good reply in time, from 0 to 1: the loss ratio of
    /// RFC 6673. `None` while nothing is decided.
    pub(super) fn loss_ratio(&self) -> Option<f64> {
        let ratio = (self.lost + self.errors) as f64 / self.decided() as f64;
        (self.decided() > 0).then_some(ratio)
    }

    /// The same in percent with a decimal where it has one: `0%`, `33.3%`.
    pub(super) fn loss(&self) -> Option<String> {
        let text = format!("{:.1}", self.loss_ratio()? * 100.0);
        let text = text.strip_suffix(".0").unwrap_or(&text);
        Some(format!("{text}%"))
    }

    /// All figures, for a program.
    pub(super) fn figures(&self) -> Map<String, Value> {
        let trips = &self.trips;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let percentile = |percent| seconds(trips.percentile(percent));
        let figures = [
            ("sent", self.sent.into()),
            ("received", self.received.into()),
            ("lost", self.lost.into()),
            ("errors", self.errors.into()),
            ("local_suspect", self.suspect.into()),
            ("in_flight", self.in_flight().into()),
            ("not_sent", self.not_sent.into()),
            ("late", self.late.into()),
            ("duplicates", self.duplicates.into()),
            ("reordered", trips.reordered().into()),
            ("loss_ratio", self.loss_ratio().into()),
            ("loss_periods", trips.loss_periods().into()),
            ("longest_loss_period", trips.longest_loss().into()),
            (
                "rtt_seconds",
                json!({
                    "min": seconds(trips.min()),
                    "mean": seconds(trips.mean()),
                    "max": seconds(trips.max()),
                    "mdev": seconds(trips.mdev()),
                    "sdev": seconds(trips.sdev()),
                    "p50": percentile(50),
                    "p95": percentile(95),
                    "p99": percentile(99),
                }),
            ),
            ("jitter_seconds", seconds(trips.jitter()).into()),
            (
                "ipdv_seconds",
                json!({
                    "mean": seconds(trips.ipdv_mean()),
                    "p95": seconds(trips.ipdv_percentile(95)),
                }),
            ),
            (
                "pdv_seconds",
                json!({ "p99": seconds(trips.pdv_percentile(99)) }),
            ),
        ];
        let figures = figures.map(|(name, figure)| (name.to_owned(), figure));
        figures.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
