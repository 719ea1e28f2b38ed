//! How does one host's ping read, line by line?
//!
//! As ping(8) prints it, with two lines more: a reply that is missed is said when its time is over,
//! and one that comes late is shown as late.

use std::fmt::Write as _;
use std::time::Duration;

use leadsman_core::draw::Draw;
use leadsman_core::{Event, Run, Target};
use serde_json::{Map, Value};

use super::{Host, INFALLIBLE, milliseconds, red};
use crate::events::{IcmpError, Reply, Said, Sent};
use crate::exchange::Arrival;

/// A line for each answer, and a summary.
#[derive(Debug)]
pub(super) struct Lines {
    host: Host,
    color: bool,
    duration: Duration,
}

impl Lines {
    pub(super) fn new(target: &Target, color: bool) -> Self {
        Self {
            host: Host::new(target),
            color,
            duration: Duration::ZERO,
        }
    }

    /// What to print for what was said, if anything.
    fn line(&self, said: &Said) -> Option<String> {
        let bad = |text: String| red(&text, self.color);
        Some(match said {
            Said::Sent(sent) if self.host.address != Some(sent.to) => self.header(sent),
            Said::Sent(_) => return None,
            Said::Reply(reply) => reply_line(reply),
            Said::Error(error) => bad(error_line(error)),
            Said::Lost(lost) => {
                let ms = Duration::from_millis((lost.waited.as_secs_f64() * 1e3).round() as u64);
                bad(format!(
                    "no reply to icmp_seq={} within {ms:?}",
                    lost.sequence
                ))
            }
            Said::NotSent(not_sent) => bad(not_sent.error.clone()),
        })
    }

    fn header(&self, sent: &Sent) -> String {
        let payload = sent.bytes - ICMP_HEADER;
        format!(
            "PING {} ({}) {payload} bytes of data",
            self.host.name, sent.to
        )
    }
}

impl Draw for Lines {
    fn event(&mut self, _: usize, event: &Event, page: &mut String) {
        let Some(said) = Said::of(event) else {
            return;
        };
        if let Some(line) = self.line(&said) {
            writeln!(page, "{line}").expect(INFALLIBLE);
        }
        self.host.take(&said);
    }

    fn finished(&mut self, _: usize, run: &Run, page: &mut String) {
        self.duration += run.duration;
        if let Some(fault) = self.host.unsaid(run) {
            writeln!(page, "{}", red(&fault, self.color)).expect(INFALLIBLE);
        }
    }

    fn summary(&mut self, page: &mut String) {
        let host = &self.host;
        write!(
            page,
            "\n--- {} ping statistics ---\n{} packets transmitted, {} received",
            host.name, host.sent, host.received
        )
        .expect(INFALLIBLE);
        for (count, what) in [
            (host.duplicates, "duplicates"),
            (host.late, "late"),
            (host.trips.reordered(), "reordered"),
            (host.errors, "errors"),
            (host.not_sent, "not sent"),
            (host.suspect, "perhaps dropped by this host"),
            (host.in_flight(), "in flight"),
        ] {
            if count > 0 {
                write!(page, ", +{count} {what}").expect(INFALLIBLE);
            }
        }
        if let Some(loss) = host.loss() {
            write!(page, ", {loss} packet loss").expect(INFALLIBLE);
        }
        writeln!(page, ", time {}ms", self.duration.as_millis()).expect(INFALLIBLE);
        figures(host, page);
    }

    fn figures(&self, _: usize) -> Map<String, Value> {
        self.host.figures()
    }
}

fn reply_line(reply: &Reply) -> String {
    let (bytes, from, sequence) = (reply.bytes, reply.from, reply.sequence);
    let mut line = format!("{bytes} bytes from {from}: icmp_seq={sequence}");
    if let Some(hop_limit) = reply.hop_limit {
        write!(line, " ttl={hop_limit}").expect(INFALLIBLE);
    }
    write!(line, " time={} ms", milliseconds(reply.rtt)).expect(INFALLIBLE);
    if reply.apart {
        write!(line, " (stamps: {})", reply.rtt_source).expect(INFALLIBLE);
    }
    line + mark(reply.arrived)
}

fn error_line(error: &IcmpError) -> String {
    let (from, sequence, what) = (error.from, error.sequence, &error.what);
    format!(
        "From {from} icmp_seq={sequence} {what}{}",
        mark(error.arrived)
    )
}

/// What stands behind an answer that ended no request.
fn mark(arrived: Arrival) -> &'static str {
    match arrived {
        Arrival::InTime => "",
        Arrival::Late => " (late)",
        Arrival::Again => " (DUP!)",
    }
}

/// The figures of the round trips and of the losses, as far as there were any.
fn figures(host: &Host, page: &mut String) {
    let trips = &host.trips;
    for (names, times) in [
        (
            "rtt min/avg/max/mdev",
            [trips.min(), trips.mean(), trips.max(), trips.mdev()],
        ),
        (
            "rtt p50/p95/p99/sdev",
            [
                trips.percentile(50),
                trips.percentile(95),
                trips.percentile(99),
                trips.sdev(),
            ],
        ),
        (
            "jitter/ipdv/ipdv95/pdv99",
            [
                trips.jitter(),
                trips.ipdv_mean(),
                trips.ipdv_percentile(95),
                trips.pdv_percentile(99),
            ],
        ),
    ] {
        if times[0].is_some() {
            let times = times.map(|time| {
                time.map_or_else(
                    || "-".to_owned(),
                    |t| format!("{:.3}", t.as_secs_f64() * 1e3),
                )
            });
            writeln!(page, "{names} = {} ms", times.join("/")).expect(INFALLIBLE);
        }
    }
    let (periods, longest) = (trips.loss_periods(), trips.longest_loss());
    if periods > 0 {
        writeln!(page, "loss periods = {periods}, at most {longest} in a row").expect(INFALLIBLE);
    }
}

const ICMP_HEADER: usize = 8;
