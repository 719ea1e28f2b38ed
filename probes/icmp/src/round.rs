//! How does one run go: when is the next request sent, and what is made of it all in the end?
//!
//! Requests leave on a grid that starts with the run, whether or not earlier ones were answered.
//! Every request has an outcome when the run ends, however it ends: the future may be dropped at
//! any time, so the last accounts are made in `Drop`. Which answer ends which request is decided in
//! [`crate::exchange`].

use std::future;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use leadsman_core::{Blocker, Cause, Context, Fault};
use leadsman_wire::{Flow, Heard, SendError, What};
use tokio::task::coop;
use tokio::time::{Instant, sleep_until};

use crate::account::Account;
use crate::complaint::Complaint;
use crate::events::{IcmpError, Lost, NotSent, Reply, Sent};
use crate::exchange::{Arrival, Exchange, Outcome, Request};
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
    exchange: &'a mut Exchange,
    standard: &'a mut Standard,
    account: &'a mut Account,
    begin: Instant,
    /// When the next request is due; `None` after the last.
    due: Option<Instant>,
    /// Requests, sent or not.
    requests: u64,
    /// Requests that were sent and not abandoned, so that they may tell about loss.
    asked: u64,
    answered: u64,
    /// Requests whose replies this host may have dropped.
    suspects: u64,
    /// The last thing heard that was no good reply.
    complaint: Option<(Cause, String)>,
    /// Why a request could not be sent.
    blocked: Option<SendError>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(cx: &'a Context<'a>, options: &'a PingOptions, line: &'a mut Line) -> Self {
        let begin = Instant::now();
        Self {
            cx,
            options,
            address: line.address,
            flow: &line.flow,
            exchange: &mut line.exchange,
            standard: &mut line.standard,
            account: &mut line.account,
            begin,
            due: Some(begin),
            requests: 0,
            asked: 0,
            answered: 0,
            suspects: 0,
            complaint: None,
            blocked: None,
        }
    }

    /// Sends all requests and waits until each has its outcome, or until the deadline or a stop.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        let (cx, flow) = (self.cx, self.flow);
        let mut stopped = pin!(cx.stopped());
        while self.due.is_some() || self.exchange.next_expiry().is_some() {
            tokio::select! {
                // In this order a flood of answers delays no request, and none expires while its
                // answer waits to be looked at.
                biased;
                () = stopped.as_mut() => break,
                () = until(self.due) => self.send(),
                heard = flow.heard() => self.hear(&heard),
                () = until(self.exchange.next_expiry()) => self.settle(),
            }
            if cx.deadline() <= Instant::now() {
                break;
            }
            coop::consume_budget().await;
        }
        self.close();
        self.result()
    }

    fn send(&mut self) {
        self.requests += 1;
        self.cx.add(&SENT, 1);
        match self.flow.send() {
            Ok(sent) => {
                let deadline = self.cx.deadline();
                let waited = self
                    .options
                    .wait
                    .and_then(|wait| sent.at.checked_add(*wait));
                self.exchange.sent(Request {
                    sequence: sent.sequence,
                    sent: sent.at,
                    expires: waited.map_or(deadline, |waited| waited.min(deadline)),
                    drops: sent.drops,
                });
                self.account.sent(sent.sequence);
                self.cx.event(Sent::NAME, || Sent {
                    sequence: sent.sequence + 1,
                    to: self.address,
                    bytes: sent.bytes,
                });
            }
            Err(error) => {
                self.count(Outcome::SendError);
                self.cx.event(NotSent::NAME, || NotSent {
                    sequence: None,
                    error: error.to_string(),
                });
                self.blocked = Some(error);
            }
        }
        self.due = self.next_due(Instant::now());
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

    /// Hears all that has arrived, then counts as lost whatever had no answer until before that.
    fn settle(&mut self) {
        let now = Instant::now();
        self.flow.settle();
        // A flood has no end, so no more is heard than a flow keeps.
        for _ in 0..1_024 {
            match self.flow.heard().now_or_never() {
                Some(heard) => self.hear(&heard),
                None => break,
            }
        }
        self.expire(now);
    }

    fn hear(&mut self, heard: &Heard) {
        // Answers are heard in the order of their arrival, so nothing else can have come for it.
        if let Some(arrival) = self.exchange.arrival(heard) {
            self.expire(arrival);
        }
        let arrived = self.exchange.heard(heard.sequence);
        let mut rtt = None;
        if let What::Reply { bytes } = heard.what {
            rtt = self.reply(heard, bytes, arrived);
        } else {
            let complaint = Complaint::of(heard);
            if let Some(complaint) = complaint {
                complaint.record(self.cx, heard);
            }
            // One that comes too late is about a request that is already accounted for.
            if arrived == Arrival::InTime {
                self.complaint = Some((cause(heard.what), format!("from {}: {heard}", heard.from)));
            }
            self.cx.event(IcmpError::NAME, || IcmpError {
                sequence: heard.sequence + 1,
                from: heard.from,
                outcome: Outcome::of(heard.what),
                icmp_type: complaint.map(|complaint| complaint.icmp_type),
                code: complaint.map(|complaint| complaint.code),
                mtu: complaint.and_then(|complaint| complaint.mtu),
                what: heard.to_string(),
                arrived,
            });
        }
        match arrived {
            Arrival::InTime => self.end(heard.sequence, Outcome::of(heard.what), rtt),
            Arrival::Late => self.cx.add(&LATE, 1),
            Arrival::Again => {}
        }
    }

    /// Records a reply, and returns its round trip if that may be compared to the others.
    fn reply(&mut self, heard: &Heard, bytes: usize, arrived: Arrival) -> Option<Duration> {
        let source = source::label(heard.rtt_source);
        let mut apart = false;
        match arrived {
            Arrival::InTime => {
                apart = !self.standard.admits(heard.rtt_source);
                if !apart {
                    self.cx.observe(&RTT, heard.rtt);
                    self.cx.inform(&RTT_SOURCE, &[source]);
                }
                self.cx.set_for(&DURATION, "rtt", heard.rtt.as_secs_f64());
                if let Some(hop_limit) = heard.hop_limit {
                    self.cx.set(&REPLY_HOP_LIMIT, f64::from(hop_limit));
                }
            }
            Arrival::Late => {}
            Arrival::Again => self.cx.add(&DUPLICATES, 1),
        }
        self.cx.event(Reply::NAME, || Reply {
            sequence: heard.sequence + 1,
            from: heard.from,
            bytes,
            hop_limit: heard.hop_limit,
            rtt: heard.rtt,
            rtt_source: source.into(),
            apart,
            arrived,
        });
        (!apart).then_some(heard.rtt)
    }

    /// Counts as lost whatever had no answer until `now`.
    fn expire(&mut self, now: Instant) {
        while let Some(request) = self.exchange.expire(now) {
            let outcome = Outcome::of_silence(&request, self.flow.drops());
            self.end(request.sequence, outcome, None);
            self.cx.event(Lost::NAME, || Lost {
                sequence: request.sequence + 1,
                waited: request.expires - request.sent,
                outcome,
            });
        }
    }

    /// Gives a request that was sent its outcome.
    fn end(&mut self, sequence: u64, outcome: Outcome, rtt: Option<Duration>) {
        self.account.ended(self.cx, sequence, outcome, rtt);
        self.count(outcome);
    }

    fn count(&mut self, outcome: Outcome) {
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
        self.asked += 1;
    }

    /// Gives every request its outcome.
    fn close(&mut self) {
        // What has arrived counts even if the deadline was noticed first.
        self.settle();
        while let Some(request) = self.exchange.give_up() {
            self.end(request.sequence, Outcome::Abandoned, None);
        }
        self.account.close(self.cx);
        if self.asked > 0 {
            let lost = self.asked - self.answered;
            self.cx.set(&LOSS, lost as f64 / self.asked as f64);
        }
    }

    fn result(&mut self) -> Result<(), Fault> {
        if self.answered > 0 {
            return Ok(());
        }
        if let Some((cause, detail)) = self.complaint.take() {
            return Err(Fault::target(cause, detail));
        }
        if self.asked > 0 {
            let most = self.cx.deadline() - self.begin;
            let wait = self.options.wait.map_or(most, |wait| (*wait).min(most));
            let wait = Duration::from_millis(wait.as_secs_f64().mul_add(1e3, 0.5) as u64);
            let detail = format!("no reply within {wait:?} ({} sent)", self.asked);
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
        self.close();
    }
}

const DROPPED: &str = "this host dropped packets for want of room to receive them, so that nothing \
                       is known of the replies: allow more (`sysctl -w net.core.rmem_max=16777216`)";

/// How much of its wait a last request may lack.
const SLACK: Duration = Duration::from_millis(10);

async fn until(at: Option<Instant>) {
    match at {
        // The timer would wait for its next millisecond.
        Some(at) if at <= Instant::now() => {}
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}

fn cause(what: What) -> Cause {
    match what {
        What::Reply { .. } | What::Corrupt | What::WrongSource => Cause::Mismatch,
        What::Unreachable { .. } | What::ParameterProblem { .. } => Cause::Unreachable,
        What::TimeExceeded { .. } => Cause::TtlExceeded,
        What::TooBig { .. } => Cause::TooBig,
    }
}

fn not_sent(error: SendError) -> Fault {
    match error {
        SendError::NoSuchSource { .. } | SendError::TooLong { .. } => {
            Fault::Own(Blocker::Network, Box::new(error))
        }
        error => Fault::own(error),
    }
}
