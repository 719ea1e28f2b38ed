//! How does one run go: when is the next request asked, and what is made of it all in the end?
//!
//! Requests are asked on a grid that starts with the run, whether or not earlier ones were
//! answered. Every request has an outcome when the run ends, however it ends: the future may be
//! dropped at any time, so the last accounts are made in `Drop`. Which answer ends which request,
//! and whose time is over, is decided in `leadsman-wire`; there is one timer here at most.

use std::future::{self, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use leadsman_core::{Blocker, Cause, Context, Fault};
use leadsman_wire::{self as wire, Answer, Flow, Heard, SendError, Silence, What};
use tokio::task::coop;
use tokio::time::{Instant, sleep_until};

use crate::account::Account;
use crate::complaint::Complaint;
use crate::events::{IcmpError, Lost, NotSent, Reply, Sent};
use crate::exchange::{Arrival, Outcome};
use crate::metrics::{
    DUPLICATES, DURATION, ECHOES, LATE, LOSS, REPLY_HOP_LIMIT, RTT, RTT_SOURCE, SENT,
};
use crate::options::PingOptions;
use crate::ping::Line;
use crate::source::{self, Standard};

/// One run under way.
pub(crate) struct Round<'a> {
    cx: &'a Context<'a>,
    options: &'a PingOptions,
    address: IpAddr,
    flow: &'a Flow,
    standard: &'a mut Standard,
    account: &'a mut Account,
    /// Requests of this line so far.
    line_asked: &'a mut u64,
    begin: Instant,
    /// When the next request is due; `None` after the last.
    due: Option<Instant>,
    /// The number of its first request.
    first: u64,
    /// Requests, sent or not.
    requests: u64,
    /// Requests that have not ended.
    in_flight: u64,
    /// Requests that were sent and not abandoned, so that they may tell about loss.
    telling: u64,
    answered: u64,
    /// Requests that this host was late to send, or whose replies it may have dropped.
    suspects: u64,
    /// The last thing heard that was no good reply.
    complaint: Option<(Cause, String)>,
    /// Why a request could not be sent.
    blocked: Option<SendError>,
    /// Whether every request has its outcome.
    closed: bool,
}

impl<'a> Round<'a> {
    /// Begins a run.
    pub(crate) fn new(
        cx: &'a Context<'a>,
        options: &'a PingOptions,
        line: &'a mut Line,
        begin: Instant,
    ) -> Self {
        Self {
            cx,
            options,
            address: line.address,
            flow: &line.flow,
            standard: &mut line.standard,
            account: &mut line.account,
            first: line.asked,
            line_asked: &mut line.asked,
            begin,
            due: Some(begin),
            requests: 0,
            in_flight: 0,
            telling: 0,
            answered: 0,
            suspects: 0,
            complaint: None,
            blocked: None,
            closed: false,
        }
    }

    /// Asks all requests and waits until each has its outcome, or until the deadline or a stop.
    pub(crate) async fn run(&mut self) -> Result<(), Fault> {
        let (cx, flow) = (self.cx, self.flow);
        let mut stopped = pin!(cx.stopped());
        let mut now = self.begin;
        // Whatever is heard, this is looked at first: a flood of answers delays no request, and does
        // not keep the run from its end.
        while now < cx.deadline() && (self.due.is_some() || self.in_flight > 0) {
            if self.due.is_some_and(|due| due <= now) {
                self.ask(now);
            }
            tokio::select! {
                biased;
                () = stopped.as_mut() => break,
                heard = flow.heard() => self.hear(&heard),
                () = until(self.due) => {}
                () = overdue(cx.deadline()) => break,
            }
            coop::consume_budget().await;
            if self.due.is_some() || self.in_flight > 0 {
                now = Instant::now();
            }
        }
        self.close();
        self.result()
    }

    fn ask(&mut self, now: Instant) {
        self.requests += 1;
        self.in_flight += 1;
        *self.line_asked += 1;
        self.cx.add(&SENT, 1);
        let rest = self.cx.deadline().saturating_duration_since(now);
        let wait = self.options.wait.map_or(rest, |wait| (*wait).min(rest));
        let sequence = self.flow.ask(wait);
        self.account.sent(sequence);
        self.cx.event(Sent::NAME, || Sent {
            sequence: sequence + 1,
            to: self.address,
            bytes: self.flow.bytes(),
        });
        self.due = self.next_due(now);
    }

    /// The next point of the grid, unless enough was sent or a reply could not be waited for.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        if self.options.count != 0 && self.requests >= u64::from(self.options.count) {
            return None;
        }
        let interval = self.options.interval.as_nanos();
        let rest = interval - (now - self.begin).as_nanos() % interval;
        let due = now.checked_add(Duration::from_nanos_u128(rest))?;
        let answer = due.checked_add(*self.options.wait.unwrap_or_default())?;
        // The deadline was set moments before the grid began, and a timeout that is exactly so many
        // intervals and a wait must have room for that many requests.
        let deadline = self.cx.deadline();
        (due < deadline && answer <= deadline + SLACK).then_some(due)
    }

    fn hear(&mut self, heard: &Heard) {
        // Requests of earlier runs have their outcome already.
        let current = heard.sequence() >= self.first;
        match heard {
            Heard::Answer(answer) => self.answer(answer, current),
            Heard::Silence(silence) if current => self.silence(silence),
            Heard::NotSent(not_sent) if current => self.not_sent(not_sent),
            Heard::Silence(_) | Heard::NotSent(_) => {}
        }
    }

    fn answer(&mut self, answer: &Answer, current: bool) {
        let arrived = match answer.arrived.into() {
            Arrival::InTime if !current => Arrival::Late,
            arrived => arrived,
        };
        let mut rtt = None;
        if let What::Reply { bytes } = answer.what {
            rtt = self.reply(answer, bytes, arrived);
        } else {
            let complaint = Complaint::of(answer);
            if let Some(complaint) = complaint {
                complaint.record(self.cx, answer);
            }
            // One that comes too late is about a request that is already accounted for.
            if arrived == Arrival::InTime {
                let detail = format!("from {}: {answer}", answer.from);
                self.complaint = Some((cause(answer.what), detail));
            }
            self.cx.event(IcmpError::NAME, || IcmpError {
                sequence: answer.sequence + 1,
                from: answer.from,
                outcome: Outcome::of(answer.what),
                icmp_type: complaint.map(|complaint| complaint.icmp_type),
                code: complaint.map(|complaint| complaint.code),
                mtu: complaint.and_then(|complaint| complaint.mtu),
                what: answer.to_string(),
                arrived,
            });
        }
        match arrived {
            Arrival::InTime => self.end(answer.sequence, Outcome::of(answer.what), rtt),
            Arrival::Late => self.cx.add(&LATE, 1),
            Arrival::Again => {}
        }
    }

    /// Records a reply, and returns its round trip if that may be compared to the others.
    fn reply(&mut self, reply: &Answer, bytes: usize, arrived: Arrival) -> Option<Duration> {
        let source = source::label(reply.rtt_source);
        let mut apart = false;
        match arrived {
            Arrival::InTime => {
                apart = !self.standard.admits(reply.rtt_source);
                let rtt = reply.rtt.as_secs_f64();
                self.cx.record(|run| {
                    if !apart {
                        run.observe(&RTT, rtt);
                        run.inform(&RTT_SOURCE, &[source]);
                    }
                    run.set(&DURATION, Some("rtt"), rtt);
                    if let Some(hop_limit) = reply.hop_limit {
                        run.set(&REPLY_HOP_LIMIT, None, f64::from(hop_limit));
                    }
                });
            }
            Arrival::Late => {}
            Arrival::Again => self.cx.add(&DUPLICATES, 1),
        }
        self.cx.event(Reply::NAME, || Reply {
            sequence: reply.sequence + 1,
            from: reply.from,
            bytes,
            hop_limit: reply.hop_limit,
            rtt: reply.rtt,
            rtt_source: source.into(),
            apart,
            arrived,
        });
        (!apart).then_some(reply.rtt)
    }

    fn silence(&mut self, silence: &Silence) {
        let outcome = if silence.suspect {
            Outcome::LocalSuspect
        } else {
            Outcome::Timeout
        };
        self.end(silence.sequence, outcome, None);
        self.cx.event(Lost::NAME, || Lost {
            sequence: silence.sequence + 1,
            waited: silence.waited,
            outcome,
        });
    }

    fn not_sent(&mut self, not_sent: &wire::NotSent) {
        let error = self.flow.explain(not_sent.refusal);
        self.end(not_sent.sequence, Outcome::SendError, None);
        self.cx.event(NotSent::NAME, || NotSent {
            sequence: not_sent.sequence + 1,
            error: error.to_string(),
        });
        self.blocked = Some(error);
    }

    /// Gives a request its outcome.
    fn end(&mut self, sequence: u64, outcome: Outcome, rtt: Option<Duration>) {
        self.account.ended(self.cx, sequence, outcome, rtt);
        self.count(outcome);
    }

    fn count(&mut self, outcome: Outcome) {
        self.in_flight -= 1;
        self.cx.add_for(&ECHOES, outcome.label(), 1);
        match outcome {
            Outcome::LocalSuspect => {
                self.suspects += 1;
                return;
            }
            Outcome::SendError | Outcome::Abandoned => return,
            Outcome::Ok => self.answered += 1,
            _ => {}
        }
        self.telling += 1;
    }

    /// Gives every request its outcome.
    fn close(&mut self) {
        if self.in_flight > 0 {
            // What has arrived counts even if the deadline was noticed first.
            self.flow.settle();
        }
        while let Some(heard) = self.flow.heard_already() {
            self.hear(&heard);
        }
        // At the deadline the time of all is over, to within the moment it takes to ask.
        let over = self.in_flight > 0 && self.cx.deadline() <= Instant::now();
        let outcome = if over {
            Outcome::Timeout
        } else {
            Outcome::Abandoned
        };
        while self.in_flight > 0 {
            self.count(outcome);
        }
        self.account.close(self.cx, outcome);
        if self.telling > 0 {
            let lost = self.telling - self.answered;
            self.cx.set(&LOSS, lost as f64 / self.telling as f64);
        }
        self.closed = true;
    }

    fn result(&mut self) -> Result<(), Fault> {
        if self.answered > 0 {
            return Ok(());
        }
        if let Some((cause, detail)) = self.complaint.take() {
            return Err(Fault::target(cause, detail));
        }
        if self.telling > 0 {
            let most = self.cx.deadline() - self.begin;
            let wait = self.options.wait.map_or(most, |wait| (*wait).min(most));
            let wait = Duration::from_millis(wait.as_secs_f64().mul_add(1e3, 0.5) as u64);
            let detail = format!("no reply within {wait:?} ({} sent)", self.telling);
            return Err(Fault::target(Cause::Timeout, detail));
        }
        Err(match self.blocked.take() {
            Some(error) => not_sent(error),
            None if self.suspects > 0 => Fault::Own(Blocker::Resources, DROPPED.into()),
            None => Fault::target(Cause::Timeout, "stopped before there was a reply"),
        })
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.close();
        }
    }
}

const DROPPED: &str = "this host was late to send, or dropped packets for want of room to receive \
                       them, so that nothing is known of the replies: give it more time, or allow \
                       more (`sysctl -w net.core.rmem_max=16777216`)";

/// How much of its wait a last request may lack.
const SLACK: Duration = Duration::from_millis(10);

/// Is ready when polled after the deadline: whoever keeps that wakes the task. When it is first
/// polled the deadline has just been looked at.
async fn overdue(deadline: Instant) {
    let mut polled = false;
    poll_fn(|_| {
        if polled && deadline <= Instant::now() {
            return Poll::Ready(());
        }
        polled = true;
        Poll::Pending
    })
    .await;
}

async fn until(at: Option<Instant>) {
    match at {
        // The timer would wait for its next millisecond.
        Some(at) if at <= Instant::now() => {}
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}

pub(crate) fn cause(what: What) -> Cause {
    match what {
        What::Reply { .. } | What::Corrupt | What::WrongSource | What::Refused => Cause::Mismatch,
        What::Unreachable { .. } | What::ParameterProblem { .. } => Cause::Unreachable,
        What::TimeExceeded { .. } => Cause::TtlExceeded,
        What::TooBig { .. } => Cause::TooBig,
    }
}

pub(crate) fn not_sent(error: SendError) -> Fault {
    match error {
        SendError::NoSuchSource { .. } | SendError::TooLong { .. } => {
            Fault::Own(Blocker::Network, Box::new(error))
        }
        SendError::NoBuffers { .. }
        | SendError::OutOfSequenceNumbers { .. }
        | SendError::TooLate { .. }
        | SendError::Unheard { .. } => Fault::Own(Blocker::Resources, Box::new(error)),
        error => Fault::own(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_host_lacks_is_no_network() {
        let destination = IpAddr::from([192, 0, 2, 1]);
        let full = std::io::ErrorKind::WouldBlock.into();
        for error in [
            SendError::TooLate { destination },
            SendError::OutOfSequenceNumbers { destination },
            SendError::NoBuffers {
                destination,
                source: full,
            },
        ] {
            let fault = not_sent(error);
            assert!(
                matches!(fault, Fault::Own(Blocker::Resources, _)),
                "{fault}"
            );
        }
    }
}
